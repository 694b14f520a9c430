"""Gives each request its own token back, in a form that the path names: `/FORM/TOKEN`."""


def handler(environ, start_response):
    _, form, token = environ["PATH_INFO"].split("/")
    text = f"{token} {environ['wsgi.input'].read().decode()}\n".encode()
    fields = [("Content-Type", "text/plain"), ("X-Token", token)]
    if form == "whole":
        start_response("200 OK", [*fields, ("Content-Length", str(len(text)))])
        return [text]
    if form in ("large", "huge"):
        start_response("200 OK", fields)
        return [text * (2000 if form == "large" else 150_000)]
    start_response("200 OK", fields)
    return iter([text[:7], b"", text[7:], text])
