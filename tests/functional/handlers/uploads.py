"""Says when it begins with a body, and answers how long it was."""

LENGTHS = "/length"


def handler(environ, start_response):
    total = 0
    if environ["PATH_INFO"] == LENGTHS:
        print("begun", flush=True)
        while data := environ["wsgi.input"].read(64 * 1024):
            total += len(data)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(total).encode()]
