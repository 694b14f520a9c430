"""What callgrind runs: each kind of request a fixed number of times, a mark before each kind.

`python -m bench.instructions_script REQUESTS` alone only checks that it works. It prints which
gateway it used.
"""

import gc
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from itertools import cycle, islice
from typing import Any, NamedTuple

import gateway
from bench import messages
from bench.fakes import Client
from bench.handlers import hello

_WARM_UP = 200
"""Requests of each kind before the first mark: the interpreter specialises its code by then."""

_SIZES = [*range(1, 512, 16), 600, 1200, 2500, 5000]
_BATCH = 10
"""Requests between two objects less of each of these sizes.

Where its pools happen to be full, each request takes and frees a whole one; a longer path of a
module alone can bring that about, and 1 % more instructions. So the filling is varied.
"""


def echo(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    """Read the body and send it back."""
    body = environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


def stream(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterator[bytes]:  # noqa: ARG001
    """Eight parts of unknown total length."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    for _ in range(8):
        yield b"p" * 512


class Kind(NamedTuple):
    """Requests that are measured together."""

    handler: Callable[..., Any]
    requests: Sequence[tuple[bytes, ...]]
    """The segments of each; sent in turns, again and again."""


KINDS = {
    "small": Kind(hello, [(messages.SMALL,)]),
    "browser": Kind(hello, [(messages.BROWSER,)]),
    "varied": Kind(hello, [(request,) for request in messages.varied(messages.BROWSER)]),
    "json": Kind(echo, [(messages.JSON,)]),
    "chunked": Kind(echo, [messages.CHUNKED]),
    "streamed": Kind(stream, [(messages.SMALL,)]),
}


def mark() -> None:
    """A C function that nothing else calls: callgrind closes a part of its count before it."""
    os.getpgid(0)


def run(count: int) -> None:
    """Send `count` requests of each kind on a connection of its own."""
    clients = {name: Client(kind.handler, seed=bytes(range(16))) for name, kind in KINDS.items()}
    for name, kind in KINDS.items():
        for segments in islice(cycle(kind.requests), _WARM_UP):
            answer = clients[name].ask(*segments)
        if not answer.startswith(b"HTTP/1.1 200 OK\r\n"):
            raise SystemExit(f"{name} was answered with {answer[:80]!r}")
    batches = -(-count // _BATCH) * len(KINDS)
    ballast = [[bytes(size) for size in _SIZES] for _ in range(batches)]
    gc.collect()
    gc.freeze()
    for name, kind in KINDS.items():
        ask = clients[name].ask
        mark()
        for number, segments in enumerate(islice(cycle(kind.requests), count)):
            if number % _BATCH == 0:
                ballast.pop()
            ask(*segments)
    mark()


if __name__ == "__main__":
    print(gateway.__file__)
    run(int(sys.argv[1]))
