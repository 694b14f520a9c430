"""One client's connection: bytes in, exchanges out, answers back, in order.

Theory of operation.  The connection has at most one exchange at a time; the bytes of pipelined
requests wait, unparsed and bounded, until it is answered.  So answers cannot overtake one another
and a refusal is always the last thing a connection says.

    idle ──head──► body ──complete──► dispatched ──answered──► idle
      │              │                     └─ connection not to be kept ──► closing
      └──refusal─────┴──────► lingering ──client done, or time up──► closed

The loop reads and parses; a pool thread that answers writes by itself (`http.socket_writer`), and
what both need to know of each other goes through the exchange's tokens (`http.exchange`).

Where the site has a gate, it stands between head and body: nothing of a body is read before it has
let the request in, and while it waits for something it holds up this connection alone.
"""

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from threading import Lock
from typing import Any, Final, cast

from gateway.errors import (
    BudgetTimeout,
    ClientDisconnected,
    MalformedRequest,
    Refusal,
    RequestTimeout,
)
from gateway.http.body.body import BodyBuffer
from gateway.http.connection import read_backpressure as flow
from gateway.http.connection.ack_watch import AckWatch, begin_delivery
from gateway.http.connection.blockage import Blockage
from gateway.http.connection.body_receiver import BodyReceiver
from gateway.http.connection.endpoints import (
    descriptor_of,
    duplicate_of,
    peer_of,
    stands_for_standard,
)
from gateway.http.connection.exchange import Exchange
from gateway.http.connection.gate import Gate
from gateway.http.connection.inflow import Inflow
from gateway.http.connection.lingering import Lingering
from gateway.http.connection.read_backpressure import ReadBackpressure
from gateway.http.connection.shared_state import FIRST_REQUEST, NEXT_REQUEST, SharedState
from gateway.http.connection.socket_writer import SocketWriter
from gateway.http.message.head import RequestHead
from gateway.http.message.parser import HeadParser
from gateway.http.message.response import CONTINUE

_MAX_PENDING: Final = 64 * 1024
"""Unparsed bytes behind a running request, beyond which reading pauses."""

_LITTLE: Final = 1024
"""Bytes of a head that waits for its body, up to which they are not worth being counted."""

_LATE_LINGER: Final = 2.0
"""Seconds for a client that has had its time to read that it is over."""

_LARGE_REST: Final = 256 * 1024
"""Bytes of an answer, from which on a thread waits until the loop has them."""

_LONGEST_TURN: Final = 1.0
"""Seconds that it waits at most: the loop may have ended."""

# What the deadline is for.
_NOTHING: Final = 0
_REQUEST: Final = 1
_HEAD: Final = 2
_OVER: Final = 3
"""A refusal was the last that is said: nothing is understood any more."""
_GATE: Final = 4
"""The gate is yet to say whether the request goes on."""
_WAITS: Final = ("nothing", "request", "head", "over", "gate")


class Connection(asyncio.Protocol):
    """The protocol of one connection.

    Its methods belong to the loop's thread, but for those under "From any thread".
    """

    __slots__ = (
        "_accepted_at",
        "_blockage",
        "_deadline",
        "_delivery",
        "_exchange",
        "_flow",
        "_is_counted",
        "_is_direct",
        "_is_ready",
        "_parser",
        "_pending",
        "_reception",
        "_since",
        "_transport",
        "_wait",
        "environ",
        "is_announced",
        "is_cut",
        "is_lost",
        "local",
        "peer",
        "saw_eof",
        "site",
        "writer",
    )

    # For the life of the connection, from its first request on.
    environ: dict[str, Any] | None
    """What the application keeps for all requests of this connection."""
    site: SharedState
    is_lost: bool
    """Whether the transport is gone."""
    is_cut: bool
    """Whether the gateway has closed it in the middle of an answer."""
    saw_eof: bool
    """Whether the client has ended its side: it has left, or it still reads."""
    peer: tuple[str, int] | None
    """The client's address and port; `None` on a unix socket, and before the first request."""
    local: tuple[str, int] | None
    """The address and port that it came to; `None` on a unix socket."""
    is_announced: bool
    """Whether `announce` has said who these are."""

    def __init__(self, site: SharedState) -> None:
        self.site = site
        self.is_lost = self.is_cut = self.saw_eof = self.is_announced = False
        self.environ = None
        self.peer = self.local = None
        self._transport: asyncio.Transport | None = None
        self._parser = HeadParser(site.names, site.limits)
        self._exchange: Exchange | None = None
        self._reception: BodyReceiver | None = None
        self._pending = b""
        self._wait = _NOTHING
        self._deadline = self._since = 0.0
        self._blockage: Blockage | None = None
        self._delivery: AckWatch | None = None
        self._is_counted = False
        """Whether the site's backlog knows of something here."""
        self._is_direct = False
        """Whether an `Inflow` is the transport's protocol."""
        self._is_ready = False
        """Whether a request has come: addresses and writer are set."""

    def __repr__(self) -> str:
        state = "lost" if self.is_lost else _WAITS[self._wait]
        return f"<Connection {self.peer} {state} {self._exchange!r} pending={len(self._pending)}>"

    def announce(self, peer: tuple[str, int] | None, local: tuple[str, int] | None) -> None:
        """Take the two ends from a proxy in front, before `connection_made`; `None`: not known."""
        self.peer, self.local, self.is_announced = peer, local, True

    # Called by the loop.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._accepted_at = self.site.loop.time()
        self._flow = ReadBackpressure(self.site.loop, self._transport)
        self._transport.set_write_buffer_limits(high=0)
        self.site.connections.add(self)
        if stands_for_standard(transport):
            self.abort()

    def data_received(self, data: bytes) -> None:
        exchange = self._exchange
        if self._wait == _OVER:
            return
        if exchange is None or exchange.is_done:
            self._pending += data
            self.resume()
        elif self._reception is not None:
            self._feed_body(exchange, self._reception, data)
        else:
            self._stash(exchange, data)

    def eof_received(self) -> bool:
        """The client sends nothing more, but may read: what it has asked for is answered."""
        self.saw_eof = True
        exchange = self._exchange
        if exchange is None or exchange.is_done:
            self.resume()
        elif self._reception is not None:
            self._refuse(MalformedRequest("the request body ended early"))
        else:
            self._stash(exchange, b"")
        return True

    def pause_writing(self) -> None:
        assert self._transport is not None
        self._blockage = Blockage(self.site, self, self._transport)

    def resume_writing(self) -> None:
        assert self._blockage is not None
        self._blockage.end(None)
        self._blockage = None
        exchange = self._exchange
        if exchange is None or exchange.is_done or exchange.is_dispatched:
            self.resume()
        elif self._wait == _GATE:
            return
        elif self._reception is None or self._reception.is_ready:
            self._dispatch(exchange)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self._parser.close()
        if self._is_counted:
            self._discount()
        self.is_lost = True
        self.site.connections.discard(self)  # `connection_made` may have failed.
        exchange = self._exchange
        if exchange is None or not self._disconnect(exchange):
            self._forget()
        if self._blockage is not None:
            self._blockage.end(ClientDisconnected("the client has left"))
            self._blockage = None
        self._transport = None
        self._pending = b""

    def _forget(self) -> None:
        """Nobody writes any more.  Without the exchange, which refers back, nothing is a cycle."""
        self._exchange = None
        if self._is_ready:
            self.writer.close()

    def _disconnect(self, exchange: Exchange) -> bool:
        """Tell who works on the exchange; whether a thread still writes."""
        was_done = exchange.is_done
        is_writing = exchange.disconnect()
        if self._reception is not None:
            self._end_reception(ClientDisconnected("the client has left"))
        if not was_done and not exchange.is_dispatched:
            exchange.release()
        if not was_done and exchange.on_disconnect is not None:
            exchange.on_disconnect()
        return is_writing

    # Reading.

    def resume(self) -> None:
        """Go on with what has arrived, if the exchange before is done."""
        exchange = self._exchange
        if self._transport is None:
            if exchange is not None and exchange.is_done:
                self._forget()
            return
        if self._wait == _OVER:
            return
        if exchange is not None:
            if not exchange.is_done:
                return
            self._exchange = None
            if not exchange.keep_alive:
                self._finish(exchange)
                return
        if self._blockage is not None:
            self._bound_pending()
            return
        if self._pending:
            data, self._pending = self._pending, b""
            self._feed_head(data)
        elif self.saw_eof:
            if self._parser.is_open:
                self._refuse(MalformedRequest("the request head ended early"))
            else:
                self._close()
        if self._flow.reasons and len(self._pending) <= _MAX_PENDING:
            self._flow.resume(flow.PIPELINE)

    def _feed_head(self, data: bytes) -> None:
        try:
            head = self._parser.feed(data)
        except Refusal as refusal:
            self._refuse(refusal, data)
            return
        if head is not None:
            self._begin(head, self._parser.rest)
        elif self.saw_eof:
            self.resume()
        elif self._parser.is_open:
            if self._wait != _HEAD:
                self._start_wait(_HEAD, self.site.timeouts.head)
            self._count(self._parser.size)

    def _count(self, size: int) -> None:
        """Have the site know how much is kept here of requests that cannot run yet."""
        self._is_counted = True
        self.site.backlog.hold(self, size)

    def _discount(self) -> None:
        self._is_counted = False
        self.site.backlog.release(self)

    def shed(self) -> None:
        """Give up what is kept here of requests that cannot run yet: others need the memory.

        One that runs is answered; what was sent behind it is not read (RFC 9112 §9.6).
        """
        self._is_counted = False
        exchange = self._exchange
        if exchange is None or exchange.is_done or not exchange.is_dispatched:
            self._refuse(BudgetTimeout("there is no memory for the request"))
        else:
            exchange.keep_alive = False
            self._pending = b""
            self._flow.pause(flow.PIPELINE)

    def _get_ready(self) -> bool:
        """Have what a request needs of its connection; whether that could be had.

        Not before the first one: a quarter of a refusal's time would go for what it never uses.
        """
        assert self._transport is not None
        sock = self._transport.get_extra_info("socket")
        try:
            duplicate = duplicate_of(sock)
        except OSError as error:  # This connection ends, others go on.
            self.site.troubles.without_descriptor.note(last=error.strerror or repr(error))
            self.abort()
            return False
        self._is_ready = True
        self.writer = SocketWriter(
            duplicate, self.site.timeouts.write, self.site.application.relieve
        )
        if not self.is_announced:
            self.peer = peer_of(duplicate)
            if self.peer is not None:
                self.local = duplicate.getsockname()[:2]
        return True

    def _begin(self, head: RequestHead, rest: bytes) -> None:
        """Begin with the request of which `rest` follows the head."""
        site = self.site
        self._wait = _NOTHING
        if self._is_counted:
            self._discount()
        if not (self._is_ready or self._get_ready()):
            return
        exchange = site.exchange_type(self, head, site.next_request_id(), site.loop.time())
        self._exchange = exchange
        if site.gate is not None and not self._is_let_in(site.gate, exchange, head, rest):
            return
        if head.content_length or rest:
            self._take_in(exchange, head, rest)
        else:
            exchange.is_dispatched = True
            site.application.handle(exchange)

    def _take_in(self, exchange: Exchange, head: RequestHead, rest: bytes) -> None:
        """Take from `rest` what there is of the body, and go on when that is enough."""
        site = self.site
        length = head.content_length
        if length:
            if not 0 < length <= len(rest):
                self._receive(exchange, head, rest)
                return
            body = exchange.body = BodyBuffer(site.blocks)
            body.append(rest[:length])
            site.budget.hold(length)
            rest = rest[length:]
        exchange.is_dispatched = True
        if rest:
            self._stash(exchange, rest)
        site.application.handle(exchange)

    def _is_let_in(
        self,
        gate: Gate,
        exchange: Exchange,
        head: RequestHead,
        rest: bytes,
        *,
        may_defer: bool = True,
    ) -> bool:
        """Whether the request goes on; else it has been answered, or waits for the gate.

        While it waits, what arrives is stashed like all behind a request that is not answered.
        """
        try:
            verdict = gate.check(exchange, may_defer=may_defer)
        except Refusal as refusal:
            if head.content_length:  # The body stays unread, and with it whatever is behind it.
                exchange.keep_alive = False
                self._refuse(refusal)
            else:
                self._stash(exchange, rest)
                exchange.refuse(refusal)
            return False
        if verdict is None:
            return True
        self._stash(exchange, rest)
        if exchange.is_done:
            return False  # There was no memory for it.
        if isinstance(verdict, tuple):
            if head.content_length:
                exchange.keep_alive = False
            exchange.respond_soon(*verdict)
        else:
            self._wait = _GATE
            verdict.when_over(partial(self._ask_again, gate, exchange, head))
        return False

    def _ask_again(self, gate: Gate, exchange: Exchange, head: RequestHead) -> None:
        if self._exchange is not exchange or exchange.is_done:
            return  # The client has left, or the connection was cut.
        self._wait = _NOTHING
        rest, self._pending = self._pending, b""
        self._flow.resume(flow.PIPELINE)
        if self._is_let_in(gate, exchange, head, rest, may_defer=False):
            self._take_in(exchange, head, rest)

    def _receive(self, exchange: Exchange, head: RequestHead, rest: bytes) -> None:
        """Begin with a body of which `rest` is there."""
        reception = self._reception = BodyReceiver(exchange, head, self._flow)
        if len(self._parser.last_raw) > _LITTLE:
            self._count(self._parser.size)
            if exchange.is_done:
                return  # There was no memory for it.
        if rest or self.saw_eof:
            self._feed_body(exchange, reception, rest)
        elif head.expects_continue:
            self.write(CONTINUE)

    def _feed_body(self, exchange: Exchange, reception: BodyReceiver, data: bytes) -> None:
        try:
            rest = reception.feed(data)
        except Refusal as refusal:
            self._refuse(refusal)
            return
        self._take_up(exchange, reception, rest)

    def body_room(self) -> memoryview:
        """Where the next bytes of the body belong; asked by the `Inflow`."""
        assert self._reception is not None
        return self._reception.room()

    def body_received(self, size: int) -> None:
        """So many bytes are there now."""
        exchange, reception = self._exchange, self._reception
        assert exchange is not None
        assert reception is not None
        reception.filled(size)
        self._take_up(exchange, reception, b"")

    def _take_up(self, exchange: Exchange, reception: BodyReceiver, rest: bytes) -> None:
        """See whether the body has come so far that something follows from it."""
        if reception.is_complete:
            self._reception = None
        elif self.saw_eof:
            self._refuse(MalformedRequest("the request body ended early"))
            return
        if reception.is_direct != self._is_direct:
            self._is_direct = reception.is_direct
            self._flow.hand_to(Inflow(self) if reception.is_direct else self)
        if rest:
            self._stash(exchange, rest)
        if reception.is_ready and not (exchange.is_dispatched or exchange.is_done):
            self._dispatch(exchange)

    def _stash(self, exchange: Exchange, data: bytes) -> None:
        """Keep what came behind a request that is not answered yet."""
        self._pending += data
        if exchange.wait_for_end():
            self.resume()
        else:
            self._bound_pending()

    def _bound_pending(self) -> None:
        if len(self._pending) > _MAX_PENDING:
            self._flow.pause(flow.PIPELINE)
        if self._pending:
            self._count(len(self._pending))

    def _dispatch(self, exchange: Exchange) -> None:
        if self._blockage is not None:
            return  # `100 Continue` is still on its way; `resume_writing` comes back here.
        if self._is_counted and not self._pending:
            self._discount()
        exchange.is_dispatched = True
        self.site.application.handle(exchange)

    # Ending.

    def _refuse(self, refusal: Refusal, fed: bytes = b"") -> None:
        """Answer with `refusal` whatever is under way, and close; `fed` is what was not parsed."""
        exchange = self._exchange
        has_body = True
        if exchange is None:
            site = self.site
            head = self._parser.refused
            # RFC 9110 §9.3.2: whatever is wrong with a HEAD, its answer has no content.
            has_body = head is not None or not self._parser.is_head_request(fed)
            if isinstance(refusal, MalformedRequest) and refusal.spoken:
                site.troubles.note_foreign(refusal.spoken, site.loop.time())
            is_unknown = not (self._is_ready or self.is_announced)
            if site.record is not None and is_unknown and self._transport is not None:
                self.peer = peer_of(self._transport.get_extra_info("socket"))
            exchange = site.exchange_type(self, head, site.next_request_id(), site.loop.time())
            self._exchange = exchange
        self._end_reception(refusal)
        self._wait = _OVER
        if exchange.refuse(refusal, has_body=has_body):
            is_late = isinstance(refusal, RequestTimeout)
            self._linger(_LATE_LINGER if is_late else self.site.timeouts.linger)
        else:
            self.cut()
        if not exchange.is_dispatched:
            exchange.release()

    def _finish(self, exchange: Exchange) -> None:
        """Close behind the last answer, so that the client can read it.

        One that wanted to go on may be saying more at this moment.
        """
        may_go_on = exchange.head is not None and exchange.head.keep_alive
        if may_go_on or self._reception is not None or self._pending:
            self._linger(self.site.timeouts.linger)
        else:
            self._close()

    def _linger(self, seconds: float) -> None:
        """Close, but not before the client had `seconds` to read what it has been told."""
        transport = self._transport
        self._end_reception(ClientDisconnected("the connection is closed"))
        if self._flow.reasons:
            self._flow.resume(self._flow.reasons)
        if transport is None or transport.is_closing():
            return
        if self.saw_eof:
            transport.close()
        else:
            self.connection_lost(None)  # First, or what is not sent yet would count twice.
            Lingering(self.site, transport, seconds)

    def _end_reception(self, fault: Exception) -> None:
        reception, self._reception = self._reception, None
        if reception is not None:
            reception.fail(fault)
            if self._is_direct:
                self._is_direct = False
                self._flow.hand_to(self)

    def _close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Close at once and drop what has not been sent."""
        if self._transport is not None:
            self._transport.abort()

    def cut(self) -> None:
        """Close at once, also under the hands of a thread that is writing."""
        self.is_cut = True
        if self._is_ready and not self.is_lost:
            self.writer.shut_down()
        self.abort()

    def drain(self) -> bool:
        """Close if nothing is under way; what is, closes behind its answer.

        A new connection is given time: its first request may be on its way.
        """
        exchange = self._exchange
        is_new = exchange is None and not self._is_ready
        if is_new and self.site.loop.time() < self._accepted_at + FIRST_REQUEST:
            return True
        if exchange is None or exchange.is_done:
            self.resume()
            self._close_idle()
        return False

    def _close_idle(self) -> None:
        """Close if nothing has been under way for a while."""
        has_more = self._pending or self._parser.is_open or self._blockage is not None
        if self._exchange is not None or has_more or self._wait == _OVER:
            return
        now = self.site.loop.time()
        if self._is_ready and self._wait != _REQUEST:
            self._check_request(now)
        elif not self._is_ready or now > self._since + NEXT_REQUEST:
            self.make_room()

    def confirm_delivery(self, exchange: Exchange) -> None:
        """Have the record of `exchange` made once it is known whether its answer was taken."""
        transport = self._transport
        if transport is None:
            exchange.confirm(is_taken=False)
            return
        delivery = self._delivery
        if delivery is None or delivery.is_over:
            sock = self.writer.duplicate if self._is_ready else transport.get_extra_info("socket")
            delivery = self._delivery = begin_delivery(self.site, sock)
        if delivery is None:
            exchange.confirm(is_taken=True)
        else:
            is_last = not (exchange.keep_alive or transport.get_write_buffer_size())
            delivery.add(exchange, is_last=is_last)

    # Deadlines.

    def _start_wait(self, wait: int, seconds: float) -> None:
        self._wait = wait
        self._since = self.site.loop.time()
        self._deadline = self._since + seconds

    @property
    def descriptor(self) -> int:
        """Of its socket; -1: it is closed."""
        return descriptor_of(self._transport)

    @property
    def waits_since(self) -> float:
        """Since when, by the loop's time, it waits for a request; 0 when it has one."""
        return self._since if self._wait in (_REQUEST, _HEAD) else 0.0

    @property
    def pace(self) -> float | None:
        """Bytes per second that it has brought lately of a body that the handler waits for."""
        reception, exchange = self._reception, self._exchange
        if reception is None or exchange is None or exchange.is_dispatched:
            return None
        return reception.pace

    def make_room(self) -> bool:
        """Close, unless a request has come in this moment; whether it does."""
        if self._reception is not None:
            return self._give_up_body()
        if self._is_ready:
            with suppress(OSError):  # Nothing has come, or it is over.
                if self.writer.duplicate.recv(1, socket.MSG_PEEK):
                    return False
        self._close()
        return True

    def _give_up_body(self) -> bool:
        """Say why, and close: what has not been read would make a reset of that."""
        with suppress(OSError):
            self.writer.duplicate.recv(_MAX_PENDING)
        exchange = self._exchange
        assert exchange is not None
        refusal = RequestTimeout("the request body came too slowly while others had no connection")
        self._end_reception(refusal)
        self._wait = _OVER
        exchange.refuse(refusal)
        exchange.release()
        self._close()
        return True

    def check_deadline(self, now: float) -> None:
        """Called by the sweep, every now and then; `now` is the loop's time."""
        wait = self._wait
        if self._blockage is not None:
            self._blockage.check_deadline(now)
        elif wait == _NOTHING:
            self._check_request(now)
        elif now > self._deadline:
            if wait == _HEAD:
                self._refuse(RequestTimeout("the request head did not arrive in time"))
            elif wait == _REQUEST:
                # A process that was frozen may find its deadline and a request at once.
                self.make_room()

    def _check_request(self, now: float) -> None:
        exchange = self._exchange
        if exchange is None or exchange.is_done:
            timeouts = self.site.timeouts
            self._start_wait(_REQUEST, timeouts.keep_alive or timeouts.head)
            # While it is idle, a connection keeps as little as it can.
            self._parser.forget()
            if exchange is not None and exchange.keep_alive:
                self._exchange = None
        elif self._reception is not None:
            refusal = self._reception.overdue(now)
            if refusal is not None:
                self._refuse(refusal)

    # Writing, from the loop.

    def write(self, data: bytes) -> None:
        """Write without waiting; see `drained`."""
        if self._transport is not None:
            self._transport.write(data)

    def write_last(self, exchange: Exchange, data: bytes | memoryview) -> None:
        """Write the last bytes of an exchange: the loop's own, or what a thread could not send."""
        if data and self._transport is not None:
            self._transport.write(data)
            if self._blockage is not None and isinstance(data, memoryview):
                self._blockage.hold(memoryview(data.obj).nbytes)
        exchange.note_end()
        exchange.is_done = True
        # Not at once: refusals of many pipelined requests must not become a deep recursion.
        self.site.loop.call_soon(self.resume)

    async def drained(self) -> None:
        """Wait until the client has taken what was written.

        Raises:
            ClientDisconnected: it will not.
        """
        if self.is_lost:
            raise ClientDisconnected("the client has left")
        if self._blockage is not None:
            await self._blockage.over()

    # From any thread.

    def may_persist(self) -> bool:
        """Whether the connection may be kept behind the answer that is now begun."""
        site = self.site
        if self._reception is not None:
            return False
        if (site.is_draining or self.saw_eof) and not self._pending:
            return False
        return site.timeouts.keep_alive > 0

    def release_body(self, size: int) -> None:
        """Give bytes of the body budget back."""
        budget = self.site.budget
        budget.give_back(size)
        if budget.has_waiting:
            self.call_soon(budget.settle)

    def hand_over(self, exchange: Exchange, rest: bytes | memoryview) -> None:
        """Leave to the loop what a thread could not send of the last bytes of an exchange.

        Of a large rest it waits until the loop has it: else threads could make answers that nobody
        reads faster than the loop counts them.
        """
        if len(rest) < _LARGE_REST:
            self.call_soon(self.write_last, exchange, rest)
            return
        is_taken = Lock()
        is_taken.acquire()

        def take() -> None:
            self.write_last(exchange, rest)
            is_taken.release()

        self.call_soon(take)
        is_taken.acquire(timeout=_LONGEST_TURN)

    def call_soon(self, callback: Callable[..., None], *arguments: object) -> None:
        """Have the loop call `callback`, unless the worker has ended."""
        with suppress(RuntimeError):  # The loop is closed: nobody is left to be told.
            self.site.loop.call_soon_threadsafe(callback, *arguments)
