"""A whole conversation over one connection, sent in given segments, and all that came of it."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import count, pairwise
from typing import NamedTuple
from unittest.mock import patch

from unit.http.response_reader import AnswerReader, method_of
from unit.http.wire import ManualLoop, Wire, body_of

from gateway.errors import ClientDisconnected, Refusal
from gateway.http.body import blocks, body
from gateway.http.body.body import BodyBudget
from gateway.http.body.body_stream import BodyStream
from gateway.http.connection import body_receiver as reception
from gateway.http.connection.connection import Connection
from gateway.http.connection.exchange import Exchange
from gateway.http.connection.lingering import Lingering
from gateway.http.connection.shared_state import SharedState, Timeouts
from gateway.http.message.response import status_of
from gateway.http.message.response_head import ResponseHead
from gateway.limits import Limits

OK = ResponseHead.of(status_of(200), [("Content-Type", "text/plain")])

LIMITS = Limits(
    max_header_bytes=160, max_path_bytes=40, max_body=90, max_async_body=20, body_buffer=48
)


@contextmanager
def tiny_blocks() -> Iterator[None]:
    """Bodies of some bytes go every way that bodies of megabytes go."""
    with ExitStack() as stack:
        for module, name, size in (
            (blocks, "BLOCK", 4),
            (body, "_SMALL", 3),
            (reception, "BLOCK", 4),
            (reception, "_MIN_BYTES_FOR_BLOCKS", 2),
        ):
            stack.enter_context(patch.object(module, name, size))
        yield


class Delivered(NamedTuple):
    """A request as the application saw it."""

    method: str
    target: str
    host: str
    fields: list[tuple[bytes, bytes]]
    body: bytes


class Outcome(NamedTuple):
    """All that must not depend on how the bytes were cut."""

    requests: list[Delivered]
    statuses: list[int]
    bodies: list[bytes]
    is_closed: bool


class Echo:
    """Answers each request as soon as its body is there, in one of the ways that there are."""

    def __init__(self, way: str, loop: ManualLoop) -> None:
        self.requests: list[Delivered] = []
        self._way = way
        self._loop = loop

    def relieve(self) -> None:
        raise AssertionError("nobody waits for a fake socket")

    def handle(self, exchange: Exchange) -> None:
        body = exchange.body
        if not isinstance(body, BodyStream):
            self._answer(exchange, body_of(exchange))
            return
        pieces: list[bytes] = []

        def collect() -> None:
            try:
                while piece := body.take(16):
                    pieces.append(piece)
            except (ClientDisconnected, Refusal):
                body.on_change = None
                exchange.release()
                return
            if piece == b"":
                body.on_change = None
                self._loop.call_soon(self._answer, exchange, b"".join(pieces))

        body.on_change = collect
        self._loop.call_soon(collect)

    def _answer(self, exchange: Exchange, body: bytes) -> None:
        head = exchange.head
        assert (0 if exchange.body is None else exchange.body.length) == len(body)
        fields = [(name.lower, value) for name, value in head.fields]
        self.requests.append(Delivered(head.method, head.target, head.host, fields, body))
        getattr(self, "_" + self._way)(exchange, head.target.encode("latin-1") + body)

    def _from_loop(self, exchange: Exchange, body: bytes) -> None:
        exchange.respond_soon(OK, body)
        exchange.release()

    def _from_thread(self, exchange: Exchange, body: bytes) -> None:
        try:
            exchange.respond(OK, body, len(body))
        except ClientDisconnected:
            exchange.abandon()
        exchange.release()

    def _later(self, exchange: Exchange, body: bytes) -> None:
        self._loop.call_soon(self._from_thread, exchange, body)

    def _in_parts(self, exchange: Exchange, body: bytes) -> None:
        try:
            exchange.start(OK, len(body) if len(body) % 2 else None)
            exchange.write(body[:3])
            exchange.write(body[3:])
            assert exchange.finish()
        except ClientDisconnected:
            exchange.abandon()
        exchange.release()

    def _in_parts_from_loop(self, exchange: Exchange, body: bytes) -> None:
        if exchange.start_soon(OK, None):
            exchange.write_soon(body[:3])
            exchange.write_soon(body[3:])
            assert exchange.finish_soon()
        exchange.release()


WAYS = ["from_loop", "from_thread", "later", "in_parts", "in_parts_from_loop"]


def converse(segments: list[bytes], way: str, *, ends: bool, reads: Sequence[int] = ()) -> Outcome:
    """Send the segments over one connection; checks what must be so whatever they are.

    `reads` are how many bytes the client takes before each segment; at the end it takes the rest.
    """
    loop = ManualLoop()
    records: list[Exchange] = []
    numbers = count(1)
    application = Echo(way, loop)
    site = SharedState(
        loop=loop,  # type: ignore[arg-type]  # A loop that turns when it is told to.
        application=application,
        limits=LIMITS,
        timeouts=Timeouts(),
        budget=BodyBudget(1000),
        next_request_id=lambda: str(next(numbers)),
        record=records.append,
    )
    wire = Wire(site)
    for number, segment in enumerate(segments):
        if reads:
            wire.read_on(room=reads[number % len(reads)])
        wire.send(segment)
    if ends:
        wire.end()
    wire.read_on()
    methods = [method_of(record, b"".join(segments)) for record in records]
    answers = AnswerReader(wire.take(), is_closed=wire.is_closed).read_all(methods)
    assert [answer.status for answer in answers] == [record.status for record in records]
    assert len({id(record) for record in records}) == len(records)
    assert wire.is_closed or not ends
    is_closed = wire.is_closed
    assert isinstance(wire.transport.protocol, Connection | Lingering) or not wire.is_closed
    wire.reset()
    assert len({id(record) for record in records}) == len(records)
    assert site.connections == set()
    assert all(duplicate.times_closed for duplicate in wire.transport.sock.duplicates)
    site.budget.settle()
    assert site.budget.used == 0
    return Outcome(
        application.requests,
        [answer.status for answer in answers],
        [answer.body for answer in answers if answer.status == 200],
        is_closed,
    )


def cut(data: bytes, places: set[int]) -> list[bytes]:
    edges = [0, *sorted(place for place in places if 0 < place < len(data)), len(data)]
    pieces = [data[start:end] for start, end in pairwise(edges)]
    return [piece for piece in pieces if piece]
