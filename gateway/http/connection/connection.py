"""One client's connection: bytes in, exchanges out, responses back, in order.

Theory of operation.  The connection has at most one exchange at a time.  The bytes of pipelined
requests wait, unparsed and bounded, until that exchange is done.  So responses cannot overtake one
another, and a refusal is always the last thing that a connection sends.

    idle ──head──► [gate] ──► body ──complete──► dispatched ──done──► idle
      │               │         │                    └─ not persistent ──► closing
      └────refusal────┴─────────┴──► lingering ──client closed, or time up──► closed

The loop reads and parses.  A pool thread that responds writes to the socket by itself
(`socket_writer`); the two sides coordinate through the exchange's tokens (`exchange`).

A gate, if there is one, decides between head and body: the connection reads nothing of a body
before the gate has let the request in.  A gate that has to wait delays this connection only.
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
from gateway.http.connection.ack_watch import AckWatch, watch_acknowledgements
from gateway.http.connection.body_receiver import BodyReceiver
from gateway.http.connection.endpoints import (
    descriptor_of,
    duplicate_of,
    peer_of,
    stands_for_standard,
)
from gateway.http.connection.exchange import Exchange
from gateway.http.connection.gate import Gate
from gateway.http.connection.lingering import Lingering
from gateway.http.connection.read_backpressure import DirectBodyReader, ReadBackpressure
from gateway.http.connection.shared_state import (
    FIRST_REQUEST_SECONDS,
    NEXT_REQUEST_SECONDS,
    SharedState,
)
from gateway.http.connection.socket_writer import SocketWriter
from gateway.http.connection.write_backlog import BlockedWrite
from gateway.http.message.head import RequestHead
from gateway.http.message.parser import HeadParser
from gateway.http.message.response import CONTINUE

_MAX_PENDING: Final = 64 * 1024
"""Unparsed bytes behind a running request.  Beyond them, reading pauses."""

_UNCOUNTED_HEAD: Final = 1024
"""Bytes of a head that waits for its body.  A smaller one is not worth counting."""

_LATE_LINGER_SECONDS: Final = 2.0
"""A client that was too slow to send its request has this long to read the refusal."""

_LARGE_REST: Final = 256 * 1024
"""Bytes of a response.  A thread that hands over at least as many waits until the loop has them."""

_HAND_OVER_SECONDS: Final = 1.0
"""The longest such wait: the loop may have ended."""

# What the connection waits for, beside the exchange.
_NOTHING: Final = 0
_REQUEST: Final = 1
_HEAD: Final = 2
_OVER: Final = 3
"""A refusal has been sent; further input is discarded."""
_GATE: Final = 4
"""The gate has not decided yet whether the request goes on."""
_WAITS: Final = ("nothing", "request", "head", "over", "gate")


class Connection(asyncio.Protocol):
    """The protocol of one connection.

    Only the loop's thread may call its methods, except those under "From any thread".
    """

    __slots__ = (
        "_accepted_at",
        "_ack_watch",
        "_blocked_write",
        "_deadline",
        "_exchange",
        "_flow",
        "_is_counted",
        "_is_direct",
        "_is_ready",
        "_parser",
        "_pending",
        "_receiver",
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
    """The part of `environ` that the application reuses for all requests of this connection."""
    site: SharedState
    is_lost: bool
    """Whether the transport is gone."""
    is_cut: bool
    """Whether the gateway has closed the connection in the middle of a response."""
    saw_eof: bool
    """Whether the client has ended its side.  It may have left, or may still read."""
    peer: tuple[str, int] | None
    """The client's address and port; `None` on a Unix socket, and before the first request."""
    local: tuple[str, int] | None
    """The address and port that the client connected to; `None` on a Unix socket."""
    is_announced: bool
    """Whether a proxy has named `peer` and `local` (`announce`)."""

    def __init__(self, site: SharedState) -> None:
        self.site = site
        self.is_lost = self.is_cut = self.saw_eof = self.is_announced = False
        self.environ = None
        self.peer = self.local = None
        self._transport: asyncio.Transport | None = None
        self._parser = HeadParser(site.names, site.limits)
        self._exchange: Exchange | None = None
        self._receiver: BodyReceiver | None = None
        self._pending = b""
        self._wait = _NOTHING
        self._deadline = self._since = 0.0
        self._blocked_write: BlockedWrite | None = None
        self._ack_watch: AckWatch | None = None
        self._is_counted = False
        """Whether `site.pending_input` counts bytes of this connection."""
        self._is_direct = False
        """Whether a `DirectBodyReader` is the transport's protocol."""
        self._is_ready = False
        """Whether the first request has come: `peer`, `local` and `writer` are set."""

    def __repr__(self) -> str:
        state = "lost" if self.is_lost else _WAITS[self._wait]
        return f"<Connection {self.peer} {state} {self._exchange!r} pending={len(self._pending)}>"

    def announce(self, peer: tuple[str, int] | None, local: tuple[str, int] | None) -> None:
        """Set the two ends that a proxy in front names, before `connection_made`.

        `None`: not known.
        """
        self.peer, self.local, self.is_announced = peer, local, True

    @property
    def _open_exchange(self) -> Exchange | None:
        """The exchange that is not done yet; `None` between two requests.

        A thread that ends its exchange wakes the loop only if something waits for that.  So the
        loop cannot keep this as a state, and asks each time.
        """
        exchange = self._exchange
        return None if exchange is None or exchange.is_done else exchange

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
        if exchange is None or exchange.is_done:  # `_open_exchange`, without the cost of a call.
            self._pending += data
            self.resume()
        elif self._receiver is not None:
            self._feed_body(exchange, self._receiver, data)
        else:
            self._stash(exchange, data)

    def eof_received(self) -> bool:
        """The client sends no more, but may still read: its requests get their responses."""
        self.saw_eof = True
        exchange = self._open_exchange
        if exchange is None:
            self.resume()
        elif self._receiver is not None:
            self._refuse(MalformedRequest("the request body ended early"))
        else:
            self._stash(exchange, b"")
        return True

    def pause_writing(self) -> None:
        assert self._transport is not None
        site = self.site
        self._blocked_write = BlockedWrite(
            site.write_backlog, self, self._transport, site.loop, site.timeouts.write
        )

    def resume_writing(self) -> None:
        assert self._blocked_write is not None
        self._blocked_write.end(None)
        self._blocked_write = None
        exchange = self._open_exchange
        if exchange is None or exchange.is_dispatched:
            self.resume()
        elif self._wait == _GATE:
            return
        elif self._receiver is None or self._receiver.is_ready:
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
        if self._blocked_write is not None:
            self._blocked_write.end(ClientDisconnected("the client has left"))
            self._blocked_write = None
        self._transport = None
        self._pending = b""

    def _forget(self) -> None:
        """Let go of exchange and writer once nobody writes any more.

        The exchange refers back to the connection: without it, there is no reference cycle.
        """
        self._exchange = None
        if self._is_ready:
            self.writer.close()

    def _disconnect(self, exchange: Exchange) -> bool:
        """Notify all who work on the exchange.  Returns whether a thread still writes."""
        was_done = exchange.is_done
        is_writing = exchange.disconnect()
        if self._receiver is not None:
            self._stop_receiving(ClientDisconnected("the client has left"))
        if not was_done and not exchange.is_dispatched:
            exchange.release()
        if not was_done and exchange.on_disconnect is not None:
            exchange.on_disconnect()
        return is_writing

    # Reading.

    def resume(self) -> None:
        """Process the input that waits, if the previous exchange is done."""
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
        if self._blocked_write is not None:
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
        """Report how many bytes this connection keeps of requests that cannot run yet."""
        self._is_counted = True
        self.site.pending_input.hold(self, size)

    def _discount(self) -> None:
        self._is_counted = False
        self.site.pending_input.release(self)

    def shed(self) -> None:
        """Drop the requests here that cannot run yet: other connections need the memory.

        A request that runs gets its response; the input behind it is not read (RFC 9112 §9.6).
        """
        self._is_counted = False
        exchange = self._open_exchange
        if exchange is None or not exchange.is_dispatched:
            self._refuse(BudgetTimeout("there is no memory for the request"))
        else:
            exchange.keep_alive = False
            self._pending = b""
            self._flow.pause(flow.PIPELINE)

    def _get_ready(self) -> bool:
        """Set up what a request needs of its connection.  Returns whether that worked.

        Called at the first request only: a refusal needs none of it, and would spend a quarter of
        its time on it.
        """
        assert self._transport is not None
        sock = self._transport.get_extra_info("socket")
        try:
            duplicate = duplicate_of(sock)
        except OSError as error:  # This connection ends; others go on.
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
        """Begin a request; `rest` are the bytes behind its head."""
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
        """Take the body's bytes from `rest`, and dispatch the request if it is complete."""
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
        """Whether the request goes on.  If not, it has its response, or waits for the gate.

        Input that arrives while it waits is stashed, as behind any request that is not done.
        """
        try:
            verdict = gate.check(exchange, may_defer=may_defer)
        except Refusal as refusal:
            if head.content_length:  # The body stays unread, and so does everything behind it.
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
            return False  # There was no memory for `rest`.
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
        """Begin to receive a body; `rest` are the bytes of it that are there."""
        receiver = self._receiver = BodyReceiver(exchange, head, self._flow)
        if len(self._parser.last_raw) > _UNCOUNTED_HEAD:
            self._count(self._parser.size)
            if exchange.is_done:
                return  # There was no memory for the head.
        if rest or self.saw_eof:
            self._feed_body(exchange, receiver, rest)
        elif head.expects_continue:
            self.write(CONTINUE)

    def _feed_body(self, exchange: Exchange, receiver: BodyReceiver, data: bytes) -> None:
        try:
            rest = receiver.feed(data)
        except Refusal as refusal:
            self._refuse(refusal)
            return
        self._after_body_bytes(exchange, receiver, rest)

    def body_room(self) -> memoryview:
        """Where the next bytes of the body belong; for the `DirectBodyReader`."""
        assert self._receiver is not None
        return self._receiver.room()

    def body_received(self, size: int) -> None:
        """`size` bytes of the body have been written to `body_room`."""
        exchange, receiver = self._exchange, self._receiver
        assert exchange is not None
        assert receiver is not None
        receiver.filled(size)
        self._after_body_bytes(exchange, receiver, b"")

    def _after_body_bytes(self, exchange: Exchange, receiver: BodyReceiver, rest: bytes) -> None:
        """Act on the body's progress; `rest` are the bytes behind its end."""
        if receiver.is_complete:
            self._receiver = None
        elif self.saw_eof:
            self._refuse(MalformedRequest("the request body ended early"))
            return
        if receiver.is_direct != self._is_direct:
            self._is_direct = receiver.is_direct
            self._flow.hand_to(DirectBodyReader(self) if receiver.is_direct else self)
        if rest:
            self._stash(exchange, rest)
        if receiver.is_ready and not (exchange.is_dispatched or exchange.is_done):
            self._dispatch(exchange)

    def _stash(self, exchange: Exchange, data: bytes) -> None:
        """Keep the bytes that came behind a request that is not done yet."""
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
        if self._blocked_write is not None:
            return  # `100 Continue` is not sent yet; `resume_writing` comes back here.
        if self._is_counted and not self._pending:
            self._discount()
        exchange.is_dispatched = True
        self.site.application.handle(exchange)

    # Ending.

    def _refuse(self, refusal: Refusal, fed: bytes = b"") -> None:
        """Respond with `refusal` and close; `fed` are bytes that the parser has refused."""
        exchange = self._exchange
        has_body = True
        if exchange is None:
            site = self.site
            head = self._parser.refused
            # RFC 9110 §9.3.2: whatever is wrong with a HEAD request, its response has no content.
            has_body = head is not None or not self._parser.is_head_request(fed)
            if isinstance(refusal, MalformedRequest) and refusal.spoken:
                site.troubles.note_foreign(refusal.spoken, site.loop.time())
            is_unknown = not (self._is_ready or self.is_announced)
            if site.record is not None and is_unknown and self._transport is not None:
                self.peer = peer_of(self._transport.get_extra_info("socket"))
            exchange = site.exchange_type(self, head, site.next_request_id(), site.loop.time())
            self._exchange = exchange
        self._stop_receiving(refusal)
        self._wait = _OVER
        if exchange.refuse(refusal, has_body=has_body):
            is_late = isinstance(refusal, RequestTimeout)
            self._linger(_LATE_LINGER_SECONDS if is_late else self.site.timeouts.linger)
        else:
            self.cut()
        if not exchange.is_dispatched:
            exchange.release()

    def _finish(self, exchange: Exchange) -> None:
        """Close behind the last response, so that the client can read it.

        A client that wanted to keep the connection may be sending more at this moment.
        """
        may_go_on = exchange.head is not None and exchange.head.keep_alive
        if may_go_on or self._receiver is not None or self._pending:
            self._linger(self.site.timeouts.linger)
        else:
            self._close()

    def _linger(self, seconds: float) -> None:
        """Close once the client has had `seconds` to read the response."""
        transport = self._transport
        self._stop_receiving(ClientDisconnected("the connection is closed"))
        if self._flow.reasons:
            self._flow.resume(self._flow.reasons)
        if transport is None or transport.is_closing():
            return
        if self.saw_eof:
            transport.close()
        else:
            self.connection_lost(None)  # First, or unsent bytes would count twice.
            Lingering(self.site, transport, seconds)

    def _stop_receiving(self, fault: Exception) -> None:
        receiver, self._receiver = self._receiver, None
        if receiver is not None:
            receiver.fail(fault)
            if self._is_direct:
                self._is_direct = False
                self._flow.hand_to(self)

    def _close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Close at once and drop unsent bytes."""
        if self._transport is not None:
            self._transport.abort()

    def cut(self) -> None:
        """Close at once, even while a thread is writing."""
        self.is_cut = True
        if self._is_ready and not self.is_lost:
            self.writer.shut_down()
        self.abort()

    def drain(self) -> bool:
        """Close if no request is under way; otherwise, close behind its response.

        Returns whether the connection is new: its first request may be on its way.
        """
        is_new = self._exchange is None and not self._is_ready
        if is_new and self.site.loop.time() < self._accepted_at + FIRST_REQUEST_SECONDS:
            return True
        if self._open_exchange is None:
            self.resume()
            self._close_idle()
        return False

    def _close_idle(self) -> None:
        """Close if no request has been under way for a while."""
        has_more = self._pending or self._parser.is_open or self._blocked_write is not None
        if self._exchange is not None or has_more or self._wait == _OVER:
            return
        now = self.site.loop.time()
        if self._is_ready and self._wait != _REQUEST:
            self._check_request(now)
        elif not self._is_ready or now > self._since + NEXT_REQUEST_SECONDS:
            self.make_room()

    def confirm_delivery(self, exchange: Exchange) -> None:
        """Make the record of `exchange` once it is known whether the client took the response."""
        transport = self._transport
        if transport is None:
            exchange.confirm(is_taken=False)
            return
        watch = self._ack_watch
        if watch is None or watch.is_over:
            sock = self.writer.duplicate if self._is_ready else transport.get_extra_info("socket")
            watch = self._ack_watch = watch_acknowledgements(self.site, sock)
        if watch is None:
            exchange.confirm(is_taken=True)
        else:
            is_last = not (exchange.keep_alive or transport.get_write_buffer_size())
            watch.add(exchange, is_last=is_last)

    # Deadlines.

    def _start_wait(self, wait: int, seconds: float) -> None:
        self._wait = wait
        self._since = self.site.loop.time()
        self._deadline = self._since + seconds

    @property
    def descriptor(self) -> int:
        """File descriptor of the socket, -1 once closed."""
        return descriptor_of(self._transport)

    @property
    def waits_since(self) -> float:
        """The loop's time since which the connection waits for a request; 0 while it has one."""
        return self._since if self._wait in (_REQUEST, _HEAD) else 0.0

    @property
    def pace(self) -> float | None:
        """Recent bytes per second of a body that its handler waits for; `None`: there is none."""
        receiver, exchange = self._receiver, self._exchange
        if receiver is None or exchange is None or exchange.is_dispatched:
            return None
        return receiver.pace

    def make_room(self) -> bool:
        """Close, unless a request has just arrived.  Returns whether it closes."""
        if self._receiver is not None:
            return self._give_up_body()
        if self._is_ready:
            with suppress(OSError):  # Nothing has come, or the connection is over.
                if self.writer.duplicate.recv(1, socket.MSG_PEEK):
                    return False
        self._close()
        return True

    def _give_up_body(self) -> bool:
        """Refuse the body under way and close."""
        with suppress(OSError):  # A close with unread bytes would reset the connection.
            self.writer.duplicate.recv(_MAX_PENDING)
        exchange = self._exchange
        assert exchange is not None
        refusal = RequestTimeout("the request body came too slowly while others had no connection")
        self._stop_receiving(refusal)
        self._wait = _OVER
        exchange.refuse(refusal)
        exchange.release()
        self._close()
        return True

    def check_deadline(self, now: float) -> None:
        """Called by each sweep; `now` is the loop's time."""
        wait = self._wait
        if self._blocked_write is not None:
            self._blocked_write.check_deadline(now)
        elif wait == _NOTHING:
            self._check_request(now)
        elif now > self._deadline:
            if wait == _HEAD:
                self._refuse(RequestTimeout("the request head did not arrive in time"))
            elif wait == _REQUEST:
                # A process that was frozen may find an expired deadline and a request at once.
                self.make_room()

    def _check_request(self, now: float) -> None:
        exchange = self._exchange
        if exchange is None or exchange.is_done:
            timeouts = self.site.timeouts
            self._start_wait(_REQUEST, timeouts.keep_alive or timeouts.head)
            # An idle connection keeps as little memory as it can.
            self._parser.forget()
            if exchange is not None and exchange.keep_alive:
                self._exchange = None
        elif self._receiver is not None:
            refusal = self._receiver.overdue(now)
            if refusal is not None:
                self._refuse(refusal)

    # Writing, from the loop.

    def write(self, data: bytes) -> None:
        """Write without waiting; see `drained`."""
        if self._transport is not None:
            self._transport.write(data)

    def write_last(self, exchange: Exchange, data: bytes | memoryview) -> None:
        """Write the last bytes of a response: the loop's own, or those that a thread left over."""
        if data and self._transport is not None:
            self._transport.write(data)
            if self._blocked_write is not None and isinstance(data, memoryview):
                self._blocked_write.hold(memoryview(data.obj).nbytes)
        exchange.note_end()
        exchange.is_done = True
        # `call_soon`: refusals of many pipelined requests must not become a deep recursion.
        self.site.loop.call_soon(self.resume)

    async def drained(self) -> None:
        """Wait until the client has taken what was written.

        Raises:
            ClientDisconnected: it never will.
        """
        if self.is_lost:
            raise ClientDisconnected("the client has left")
        if self._blocked_write is not None:
            await self._blocked_write.over()

    # From any thread.

    def may_persist(self) -> bool:
        """Whether the connection may persist behind the response that begins now."""
        site = self.site
        if self._receiver is not None:
            return False
        if (site.is_draining or self.saw_eof) and not self._pending:
            return False
        return site.timeouts.keep_alive > 0

    def release_body(self, size: int) -> None:
        """Return bytes to the body budget."""
        budget = self.site.budget
        budget.give_back(size)
        if budget.has_waiting:
            self.call_soon(budget.settle)

    def hand_over(self, exchange: Exchange, rest: bytes | memoryview) -> None:
        """Let the loop send `rest`, the last bytes of a response that a thread could not send.

        The thread waits until the loop has a large rest.  Otherwise threads could produce responses
        that nobody reads faster than the loop counts them.
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
        is_taken.acquire(timeout=_HAND_OVER_SECONDS)

    def call_soon(self, callback: Callable[..., None], *arguments: object) -> None:
        """Let the loop call `callback`, unless the worker has ended."""
        with suppress(RuntimeError):  # The loop is closed.
            self.site.loop.call_soon_threadsafe(callback, *arguments)
