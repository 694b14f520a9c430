"""Answers of all kinds, WSGI (`handler`) and ASGI (`app`): the path names one.

`/environ` is environ as JSON, what is no text by its type's name; `/variables` what the module saw
of the process's environment when it was imported.
"""

import asyncio
import json
import os
import time

PLAIN = [("Content-Type", "text/plain")]
SEEN_AT_IMPORT = dict(os.environ)


def handler(environ, start_response):
    _, way, *arguments = environ["PATH_INFO"].split("/")
    if way == "raise":
        raise ValueError("the password is 1234")
    if way == "late":
        start_response("200 OK", PLAIN)
        raise LookupError("behind start_response")
    if way == "sleep":
        time.sleep(float(arguments[0]))
    if way == "until":
        from gated import wait_for_gate  # noqa: PLC0415  # Where there are gates.

        wait_for_gate(*arguments)
    if way == "header":
        start_response("200 OK", [*PLAIN, ("X-Large", "x" * int(arguments[0]))])
        return [b"large"]
    if way == "reserved":
        forged = ("Request-Id", "Instance-Id", "Invocation-Duration", "Anything", "Status")
        start_response("200 OK", [*PLAIN, *[(f"X-Fc-{name}", "forged") for name in forged]])
        return [b"kept"]
    start_response("200 OK", PLAIN)
    if way == "stream":
        return stream()
    if way == "environ":
        return [json.dumps({key: shown(value) for key, value in environ.items()}).encode()]
    if way == "variables":
        return [json.dumps(SEEN_AT_IMPORT).encode()]
    if way == "id":
        return [environ["fc.context"].request_id.encode()]
    if way == "set":
        os.environ["SET_BY_A_REQUEST"] = "yes"
    if way == "input":
        body = environ["wsgi.input"]
        return [type(body).__name__.encode() + b" %d" % len(body.read())]
    return [b"fine"]


def shown(value):
    return value if isinstance(value, str | bool) else type(value).__name__


def stream():
    yield b"one "
    yield b"two"


async def app(scope, receive, send):
    assert scope["type"] == "http"
    way = scope["path"]
    if way == "/raise":
        raise ValueError("the password is 1234")
    if way == "/sleep":
        await asyncio.sleep(30)
    size = 9000 if way == "/header" else 1
    await send(
        {
            "type": "http.response.start",
            "status": 200,
            "headers": [(b"x-size", b"x" * size), (b"x-fc-instance-id", b"forged")],
        }
    )
    if way == "/stream":
        await send({"type": "http.response.body", "body": b"one ", "more_body": True})
    await send({"type": "http.response.body", "body": b"two"})
