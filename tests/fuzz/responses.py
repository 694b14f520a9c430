"""A handler that says anything: what it said is read back exactly, or it is a 502.

An input is what a handler does: how it answers, with which status, headers and chunks.  It is
run as an invocation on a connection, with a second, innocent request behind it.  What must be so:

- a strict reader finds one response, that says what the handler said and not a field more, or
  the gateway's own for its fault, or one that is visibly cut;
- `httptools`, which reads responses by its own rules, understands the same;
- behind it comes the answer to the second request, if the connection persists, and else nothing:
  no byte of a handler's is ever taken for a response of its own.
"""

import logging
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any, NamedTuple

from fuzz.reader import OURS, Answer, Cut, SecondReader, read_answer
from unit.http.wire import ManualLoop, Wire

from gateway.http.answers.error_style import FunctionCompute2
from gateway.http.body.body import BodyBudget
from gateway.http.connection.exchange import Exchange
from gateway.http.connection.shared_state import SharedState, Timeouts
from gateway.limits import Limits
from gateway.wsgi.invocation import Invocation, Rules

REQUESTS = (
    b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET / HTTP/1.0\r\n\r\n",
    b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
)
INNOCENT = b"GET /innocent HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
MAX_HEADERS = 200
"""Bytes of response headers that are allowed here."""

NOT_THEIRS = {"connection", "content-length", "date", "keep-alive", "server", "upgrade"}
"""What it drops or sets anew, besides `x-fc-*`."""


class Deed(NamedTuple):
    """What a handler does."""

    request: bytes
    way: str
    status: str
    headers: list[Any]
    chunks: list[bytes]
    raises: bool

    @property
    def body(self) -> bytes:
        return b"".join(self.chunks)


WAYS = ("list", "generator", "write", "corrected")


def take_deed(data: bytes) -> Deed:
    """What an input stands for.

    A byte of options, then records with RS between them: the status, headers up to an empty
    record (name and value with US between them; without one it is no header), and chunks.
    """
    options = data[0] if data else 0
    status, *records = data[1:].split(b"\x1e")
    end = records.index(b"") if b"" in records else len(records)
    headers: list[Any] = []
    for record in records[:end]:
        name, separator, value = record.decode("utf-8", "replace").partition("\x1f")
        headers.append((name, value) if separator else name)
    chunks = records[end + 1 :]
    length = sum(map(len, chunks))
    lie = (None, 0, 1, -1)[options >> 4 & 3]
    if lie is not None:
        headers.append(("Content-Length", str(max(0, length + lie))))
    return Deed(
        REQUESTS[options & 3],
        WAYS[options >> 2 & 3],
        status.decode("utf-8", "replace"),
        headers,
        chunks,
        bool(options >> 6 & 1),
    )


def handler_of(deed: Deed) -> Callable[[dict[str, Any], Callable[..., Any]], Any]:
    """A handler that does it."""

    def items() -> Iterator[bytes]:
        yield from deed.chunks
        if deed.raises:
            raise ValueError("a fault of the handler's")

    def handler(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        if environ:
            start_response("200 OK", [("Content-Type", "text/plain")])
            return [b"innocent"]
        if deed.way == "corrected":
            start_response("200 OK", [("X-Mistake", "1")])
            error = ValueError("found in time")
            write = start_response(deed.status, deed.headers, (ValueError, error, None))
        else:
            write = start_response(deed.status, deed.headers)
        if deed.way == "write":
            for item in items():
                write(item)
            return []
        return list(items()) if deed.way == "list" else items()

    return handler


class Runner:
    """An application that runs a handler at once."""

    def __init__(self, deed: Deed) -> None:
        self._rules = Rules(
            handler_of(deed),
            queue_timeout=1,
            handler_timeout=1,
            max_response_header_bytes=MAX_HEADERS,
            error_style=FunctionCompute2(),
        )

    def relieve(self) -> None:
        raise AssertionError("nobody waits for a fake socket")

    def handle(self, exchange: Exchange) -> None:
        Invocation(self._rules, exchange, _environ).run(0)


def _environ(exchange: Exchange) -> dict[str, Any]:
    """Says only which request it is."""
    assert exchange.head is not None
    return {"innocent": True} if exchange.head.path == "/innocent" else {}


class _Faults(logging.Filter):
    """What handlers do wrong is not news here; what the gateway does wrong is."""

    def filter(self, record: logging.LogRecord) -> bool:
        assert "fault of the gateway" not in record.msg, record.exc_info
        return False


def quiet() -> None:
    """Have the log of handlers say nothing, and its faults of the gateway raised."""
    log = logging.getLogger("gateway.function")
    if not any(isinstance(known, _Faults) for known in log.filters):
        log.addFilter(_Faults())


def run(deed: Deed) -> tuple[bytes, bool]:
    """All that the client gets, and whether the connection was aborted instead of closed."""
    loop = ManualLoop()
    numbers = count(1)
    records: list[Exchange] = []
    site = SharedState(
        loop=loop,  # type: ignore[arg-type]  # A loop that turns when it is told to.
        application=Runner(deed),
        limits=Limits(),
        timeouts=Timeouts(),
        budget=BodyBudget(1000),
        next_request_id=lambda: f"id-{next(numbers)}",
        record=records.append,
    )
    wire = Wire(site)
    wire.send(deed.request + INNOCENT)
    assert wire.is_closed
    data = wire.take()
    is_cut = wire.transport.is_aborted
    wire.reset()
    assert len({id(record) for record in records}) == len(records)
    assert site.connections == set()
    assert site.budget.used == 0
    return data, is_cut


def check(data: bytes) -> None:
    """Raises AssertionError, or whatever else may not come out."""
    quiet()
    deed = take_deed(data)
    received, is_cut = run(deed)
    is_head = deed.request[:4] == b"HEAD"
    try:
        answer, rest = read_answer(received, is_head=is_head)
    except Cut:
        _check_cut(deed)
        return
    if dict(answer.fields).get("X-Fc-Error-Type") is not None:
        assert answer.status == "502 Bad Gateway", answer
        assert b"X-Mistake" not in received
    else:
        _check_said(deed, answer, is_head=is_head)
    _check_second(received, answer, rest, is_head=is_head)
    if is_cut:  # Behind a head without a body, say: the connection is all that can tell.
        _check_cut(deed)
        assert rest == b"", rest
    elif answer.closes:
        assert rest == b"", rest
    else:
        innocent, rest = read_answer(rest, is_head=False)
        assert (innocent.status, innocent.body, rest) == ("200 OK", b"innocent", b"")
        assert innocent.closes


def _check_cut(deed: Deed) -> None:
    """Only a handler that failed, or sent less than it had announced, may end like this."""
    lengths = [
        item[1]
        for item in deed.headers
        if isinstance(item, tuple) and item[0].lower() == "content-length"
    ]
    is_short = bool(lengths) and int(lengths[0]) > len(deed.body)
    assert deed.raises or is_short, deed


def _check_said(deed: Deed, answer: Answer, *, is_head: bool) -> None:
    """The answer is what the handler said: all of it, and nothing else."""
    code, _, phrase = deed.status.partition(" ")
    assert answer.status.startswith(code), (deed, answer)
    assert not phrase or answer.status == deed.status, (deed, answer)
    said = [
        (name, value)
        for name, value in deed.headers
        if name.lower() not in NOT_THEIRS and not name.lower().startswith("x-fc-")
    ]
    assert answer.fields[: len(said)] == said, (deed, answer)
    assert {name.lower() for name, _ in answer.fields[len(said) :]} <= OURS, (deed, answer)
    assert sum(len(name) + len(value) for name, value in deed.headers) <= MAX_HEADERS
    if not (is_head or answer.status[:3] in ("204", "304")):
        assert deed.body.startswith(answer.body), (deed, answer)
        lengths = [value for name, value in deed.headers if name.lower() == "content-length"]
        is_whole = answer.body == deed.body
        assert is_whole or (lengths and int(lengths[0]) == len(answer.body)), (deed, answer)


def _check_second(received: bytes, answer: Answer, rest: bytes, *, is_head: bool) -> None:
    """Another reader finds the same response."""
    if is_head:
        return  # It cannot be told that there is no body.
    second = SecondReader(received[: len(received) - len(rest)])
    assert second.status == int(answer.status[:3])
    told = [(name, value.strip("\t ")) for name, value in answer.fields]
    assert second.fields == told, (second.fields, told)
    assert second.body == answer.body
    assert second.is_complete or not answer.is_delimited
