"""Small applications that each do one thing wrong: `/MODULE/NAME` calls one, `/fine` none."""

import importlib

PLAIN = [("Content-Type", "text/plain")]
FINE = b"fine"


def fine(environ, start_response):
    start_response("200 OK", PLAIN)
    return [FINE]


def handler(environ, start_response):
    _, module, *rest = environ["PATH_INFO"].split("/")
    if not rest:
        return fine(environ, start_response)
    application = getattr(importlib.import_module(f"misbehaving.{module}"), rest[0])
    return application(environ, start_response)
