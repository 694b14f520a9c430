"""Handlers whose answers are not what the loads expect, but for `GET /` before the load starts."""

import itertools
import threading
from collections.abc import Callable, Iterable
from typing import Any

_requests = itertools.count()


def _answer(start_response: Callable[..., Any], body: bytes, status: str = "200 OK") -> list[bytes]:
    start_response(status, [("Content-Length", str(len(body)))])
    return [body]


def longer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Counts one byte too many, and streams one too many."""
    expected = int(environ["PATH_INFO"].strip("/") or 0)
    if environ["REQUEST_METHOD"] == "POST":
        return _answer(start_response, str(int(environ["CONTENT_LENGTH"]) + 1).encode())
    return _answer(start_response, b"x" * (expected + 1))


def failing(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """500 from the second request on."""
    return _answer(start_response, b"", "200 OK" if next(_requests) == 0 else "500 Oops")


def stopping(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Ends a streamed answer with an exception."""
    start_response("200 OK", [])
    yield b"x" * 1000
    if environ["PATH_INFO"] != "/":
        raise RuntimeError("half of it")


_gate = threading.Event()


def stuck(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """A streamed request keeps every later one from being answered."""
    if environ["PATH_INFO"] != "/":
        _gate.wait(30)
    return _answer(start_response, b"Hello world!\n")
