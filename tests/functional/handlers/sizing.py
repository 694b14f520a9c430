"""Answers with as many bytes of header fields as the path says, in the way that it says."""


def handler(environ, start_response):
    way, size = environ["PATH_INFO"].strip("/").split("/")
    start_response("200 OK", fields(way, int(size)))
    if way == "streamed":
        return iter([b"one", b"two"])
    return [b"done"]


def fields(way, size):
    if way == "many":
        many = [("X-A", "b")] * (size // 4)
        return [*many[1:], ("X-A", "b" * (1 + size % 4))]
    return [("X-A", "b" * (size - 3))]
