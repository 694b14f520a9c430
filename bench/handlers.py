"""What is served while measuring. Each also answers `GET /` soon, so that a start can be seen."""

import json
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

Environ = dict[str, Any]
StartResponse = Callable[..., Any]

HELLO = b"Hello world!\n"
BLOCK = bytes(64 * 1024)

_RECORDS = [
    {"id": number, "name": f"customer {number}", "tags": ["a", "b"], "amount": number * 1.25}
    for number in range(145)
]
"""About 10 KB as JSON."""

_READ_BYTES = 64 * 1024


def hello(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:  # noqa: ARG001
    """The least that a WSGI handler does."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [HELLO]


def as_json(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:  # noqa: ARG001
    """Encodes the same 10 KB anew each time."""
    body = json.dumps(_RECORDS).encode()
    start_response(
        "200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    )
    return [body]


def length(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """Reads the body to its end and answers how many bytes that were."""
    left = int(environ.get("CONTENT_LENGTH") or 0)
    total = 0
    while left > 0:
        block = environ["wsgi.input"].read(min(left, _READ_BYTES))
        if not block:
            break
        total += len(block)
        left -= len(block)
    body = str(total).encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


def blocks(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """Streams as many bytes as the path says, `/104857600`, in blocks and with no length."""
    start_response("200 OK", [("Content-Type", "application/octet-stream")])
    return _blocks(int(environ["PATH_INFO"].strip("/") or 0))


def _blocks(total: int) -> Iterator[bytes]:
    while total > 0:
        yield BLOCK[:total] if total < len(BLOCK) else BLOCK
        total -= len(BLOCK)


def sleep(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """Waits 50 ms, as for a database."""
    time.sleep(0.05)
    return hello(environ, start_response)


def doze(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """Waits 10 ms."""
    time.sleep(0.01)
    return hello(environ, start_response)


def compute(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """Keeps the interpreter for 5 ms of CPU time."""
    end = time.thread_time() + 0.005
    while time.thread_time() < end:
        sum(number * number for number in range(100))
    return hello(environ, start_response)


def burn(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """Keeps the interpreter for about 200 ms of CPU time."""
    end = time.thread_time() + 0.2
    while time.thread_time() < end:
        sum(number * number for number in range(1000))
    return hello(environ, start_response)


def beside(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """Quick at `/`; at other paths, what quick requests are measured beside."""
    path = environ["PATH_INFO"]
    if path == "/":
        return hello(environ, start_response)
    if path == "/burn":
        return burn(environ, start_response)
    if path == "/length":
        return length(environ, start_response)
    return blocks(environ, start_response)
