"""WSGI handlers behind `gateway.WsgiBridge`, for any ASGI server."""

import threading
from collections.abc import Iterable, Iterator
from typing import Any

import flask

from gateway import WsgiBridge

notes: list[str] = []
may_go_on = threading.Event()


def stream() -> Iterator[bytes]:
    may_go_on.clear()
    yield b"first\n"
    may_go_on.wait(20)
    yield b"second\n"


def endless() -> Iterator[bytes]:
    try:
        while True:
            yield bytes(10_000)
    finally:
        notes.append("endless was closed")


def broken() -> Iterator[bytes]:
    yield b"part"
    raise LookupError("on purpose")


def handler(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    path = environ["PATH_INFO"]
    if path == "/fail":
        raise LookupError("on purpose")
    start_response("200 OK", [("Content-Type", "text/plain")])
    if path == "/echo":
        return [environ["wsgi.input"].read()]
    if path == "/go-on":
        may_go_on.set()
    streams = {"/stream": stream, "/endless": endless, "/broken": broken}
    if path in streams:
        return streams[path]()
    if path == "/notes":
        return ["\n".join(notes).encode()]
    return [f"hello from {threading.current_thread().name}".encode()]


app = WsgiBridge(handler, threads=4)

site = flask.Flask(__name__)


@site.post("/form/<name>")
def form(name: str) -> dict[str, Any]:
    context = flask.request.environ["fc.context"]
    return {
        "name": name,
        "form": flask.request.form,
        "url": flask.url_for("form", name="ü", _external=True),
        "request_id": context.request_id,
    }


flask_app = WsgiBridge(site)
