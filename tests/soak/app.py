"""What the soak serves: `/<way>/<token>/…`, answers that tell whose they are, and every fault.

Beside it a Flask application, under `/flask`.
"""

import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import flask
from soak.patterns import blocks

PLAIN = ("Content-Type", "text/plain")
BLOCK = 64 * 1024

site = flask.Flask(__name__)

_lock = threading.Lock()
_detached = 0


@site.get("/flask/<token>")
def hello(token: str) -> dict[str, str]:
    return {"token": token, "way": "flask"}


@site.post("/flask/<token>")
def upload(token: str) -> dict[str, str]:
    return {"token": token, "digest": hashlib.sha256(flask.request.get_data()).hexdigest()}


@site.get("/flask-fails/<token>")
def fail(token: str) -> str:
    raise ValueError(token)


def handler(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
    path: str = environ["PATH_INFO"]
    if path.startswith("/flask"):
        return site(environ, start_response)
    _, way, token, *arguments = path.split("/")

    def start(status: str, *fields: tuple[str, str]) -> None:
        start_response(status, [("X-Token", token), PLAIN, *fields])

    return WAYS[way](environ, start, token, *arguments)


def echo(environ: dict[str, Any], start: Callable[..., Any], token: str) -> Any:
    digest = hashlib.sha256()
    while block := environ["wsgi.input"].read(BLOCK):
        digest.update(block)
    start("200 OK")
    return [f"{token} {digest.hexdigest()}".encode()]


def download(
    environ: dict[str, Any], start: Callable[..., Any], token: str, size: str, form: str
) -> Any:
    start("200 OK", *([("Content-Length", size)] if form == "length" else []))
    return blocks(token, int(size))


def tagged(environ: dict[str, Any], start: Callable[..., Any], token: str) -> Any:
    tag = f'"{token}"'
    if environ.get("HTTP_IF_NONE_MATCH") == tag:
        start("304 Not Modified", ("ETag", tag))
        return []
    start("200 OK", ("ETag", tag))
    return [token.encode()]


def sleeps(environ: dict[str, Any], start: Callable[..., Any], token: str, seconds: str) -> Any:
    time.sleep(float(seconds))
    start("200 OK")
    return [token.encode()]


def drips(environ: dict[str, Any], start: Callable[..., Any], token: str, seconds: str) -> Any:
    start("200 OK")

    def parts() -> Iterator[bytes]:
        for _ in range(10):
            yield token.encode()
            time.sleep(float(seconds) / 10)

    return parts()


def detached(environ: dict[str, Any], start: Callable[..., Any], token: str) -> Any:
    global _detached  # noqa: PLW0603 - a count of the process
    with _lock:
        _detached += 1
    start("200 OK")
    return []


def count_detached(environ: dict[str, Any], start: Callable[..., Any], token: str) -> Any:
    start("200 OK")
    return [str(_detached).encode()]


def fails(environ: dict[str, Any], start: Callable[..., Any], token: str) -> Any:
    raise ValueError(token)


def fails_late(environ: dict[str, Any], start: Callable[..., Any], token: str) -> Any:
    start("200 OK")
    yield token.encode()
    raise ValueError(token)


def announces_more(environ: dict[str, Any], start: Callable[..., Any], token: str) -> Any:
    start("200 OK", ("Content-Length", str(len(token) + 7)))
    return iter([token[:2].encode(), token[2:].encode()])


def injects(environ: dict[str, Any], start: Callable[..., Any], token: str) -> Any:
    start("200 OK", ("X", "1\r\nX-Injected: 1"))


def ends_worker(environ: dict[str, Any], start: Callable[..., Any], token: str) -> Any:
    os._exit(3)


WAYS: dict[str, Callable[..., Any]] = {
    way.__name__.replace("_", "-"): way
    for way in (
        announces_more, count_detached, detached, download, drips, echo, ends_worker, fails,
        fails_late, injects, sleeps, tagged,
    )
}  # fmt: skip
