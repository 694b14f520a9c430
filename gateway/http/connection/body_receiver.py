"""The arrival of one request's body: framing, buffer, budget and deadline together."""

import sys
from functools import partial
from typing import Final

from gateway.errors import BudgetTimeout, Refusal, RequestTimeout
from gateway.http.body.blocks import BLOCK
from gateway.http.body.body import BodyBuffer
from gateway.http.body.body_stream import BodyStream
from gateway.http.connection import read_backpressure as reasons
from gateway.http.connection.exchange import Exchange
from gateway.http.connection.read_backpressure import ReadBackpressure
from gateway.http.connection.upload_pace import UploadPace
from gateway.http.message.framing import Chunked, FixedLength, Framing
from gateway.http.message.head import CHUNKED, RequestHead, body_too_large

_MIN_BYTES_FOR_BLOCKS: Final = 128 * 1024
"""Bytes that must have come before a body gets blocks: slow clients get none."""

_HOLD_SECONDS: Final = 5.0
"""A client may keep a thread waiting this long for bytes while requests wait for a thread."""

_BYTES_PER_HOLD_SECOND: Final = 64 * 1024
"""Bytes that add a second to that time."""

_MAX_LOOK_SECONDS: Final = 1.0
"""The most that one sweep takes from that time: a process that stood still is no client's fault."""


class BodyReceiver:
    """Takes the bytes behind a head until the body is complete.

    The handler may start when `is_ready`: the body is complete, or has filled its buffer and is
    streamed from then on.
    """

    __slots__ = (
        "_body",
        "_bound",
        "_deadline",
        "_exchange",
        "_flow",
        "_framing",
        "_last",
        "_looked_at",
        "_looked_at_bytes",
        "_paid",
        "_patience",
        "_progress",
        "is_cut",
        "is_direct",
        "is_ready",
    )

    def __init__(self, exchange: Exchange, head: RequestHead, flow: ReadBackpressure) -> None:
        site = exchange.connection.site
        self._exchange = exchange
        self._flow = flow
        body = BodyBuffer(site.blocks)
        self._body: BodyBuffer | BodyStream = body
        exchange.body = body
        limits = site.limits
        # Two kinds of bodies are never streamed: those that cannot outgrow the buffer, and
        # asynchronous ones, because their 202 would end the exchange before the body ends.
        is_whole = head.is_async or head.body_limit(limits) <= limits.body_buffer
        self._bound = sys.maxsize if is_whole else limits.body_buffer
        self._framing = _framing(head, body, exchange)
        self._deadline = site.loop.time() - flow.time_paused + site.timeouts.body
        """By a clock that stops while the gateway does not read."""
        self._last = self._deadline - site.timeouts.body + site.timeouts.body_total
        """The latest time for the last byte, by the same clock."""
        self._paid = 0
        """Bytes that have already extended the deadline."""
        self.is_ready = False
        self.is_direct = False
        """Whether the transport should read the next bytes straight into `room`."""
        self._progress: UploadPace | None = None
        """Set by the first sweep: most bodies are complete before it."""
        self._patience = _HOLD_SECONDS
        self._looked_at = 0.0
        self._looked_at_bytes = 0
        self.is_cut = False
        """Set by the budget: other bodies need the memory, so this one must end."""
        site.budget.enter(self)

    @property
    def is_complete(self) -> bool:
        """Whether the last byte has come."""
        return self._framing.is_complete

    def feed(self, data: bytes) -> bytes:
        """Take bytes of the body.  Returns the bytes behind its end, if it has ended.

        Raises:
            Refusal: the body breaks a rule or a limit.
        """
        body = self._body
        if isinstance(body, BodyStream):
            rest = self._framing.feed(data)
            if self._framing.is_complete:
                body.end()
                self._exchange.connection.site.budget.leave(self)
            elif body.is_full:
                self._flow.pause(reasons.HANDLER)
            return rest
        before = body.size
        try:
            rest = self._framing.feed(data)
        finally:  # Bytes before a fault count too: `release` returns them with the rest.
            may_read = self._count(body.size - before)
        self._go_on(body, may_read=may_read)
        return rest

    def room(self) -> memoryview:
        """Where the next bytes belong, while `is_direct`."""
        body, framing = self._body, self._framing
        assert isinstance(body, BodyBuffer)
        assert isinstance(framing, FixedLength)
        budget = self._exchange.connection.site.budget
        return body.room(budget.room(self, min(framing.missing, self._bound - body.size, BLOCK)))

    def filled(self, size: int) -> None:
        """Take `size` bytes that were written to `room`."""
        body, framing = self._body, self._framing
        assert isinstance(body, BodyBuffer)
        assert isinstance(framing, FixedLength)
        body.filled(size)
        framing.pass_by(size)
        self._go_on(body, may_read=self._count(size))

    def _count(self, size: int) -> bool:
        """Count bytes against the budget.  Returns whether more may be read."""
        budget = self._exchange.connection.site.budget
        return budget.take(self, size, self._resume_for_budget)

    def _go_on(self, body: BodyBuffer, *, may_read: bool) -> None:
        framing = self._framing
        if framing.is_complete:
            self.is_ready = True
            self.is_direct = False
            self._exchange.connection.site.budget.leave(self)
        elif body.size >= self._bound:
            self._stream(body)
        else:
            if not may_read:
                self._flow.pause(reasons.BUDGET)
            is_large = body.size >= _MIN_BYTES_FOR_BLOCKS
            if not self.is_direct and is_large and isinstance(framing, FixedLength):
                self.is_direct = framing.missing >= BLOCK

    def _stream(self, body: BodyBuffer) -> None:
        """Let the handler read while the rest arrives: the body has filled its buffer."""
        connection = self._exchange.connection
        # Called in the reading thread.  Must not refer to `self`, which refers to the stream.
        on_room = partial(connection.call_soon, self._flow.resume, reasons.HANDLER)
        relieve = connection.site.application.relieve
        stream = BodyStream(body.take_all(), self._bound, on_room, relieve)
        self._body = self._exchange.body = stream
        self._framing.sink = stream.append
        self.is_ready = True
        self.is_direct = False
        connection.site.budget.stream(self)
        self._flow.pause(reasons.HANDLER)

    def _resume_for_budget(self) -> None:
        self._flow.resume(reasons.BUDGET)

    def fail(self, fault: Exception) -> None:
        """The rest of the body will not come."""
        self._exchange.connection.site.budget.leave(self)
        if isinstance(self._body, BodyStream):
            self._body.fail(fault)

    def overdue(self, now: float) -> Refusal | None:
        """The refusal for a client whose time is up, otherwise `None`.

        Each byte extends the deadline, up to `timeouts.body` seconds ahead.  Without that bound, a
        fast beginning could earn hours in which the client holds memory that others wait for.
        """
        site = self._exchange.connection.site
        timeouts = site.timeouts
        if self._is_too_slow_for_others(now):
            site.troubles.slow_uploads.note()
            return RequestTimeout("the request body came too slowly while others waited for it")
        if self._flow.reasons:
            # The gateway itself does not read.  It waits for memory as long as for bytes.
            is_starved = self._flow.reasons & reasons.BUDGET
            if is_starved and now > self._flow.paused_at + timeouts.body:
                site.troubles.starved.note()
                return BudgetTimeout("there is no memory for the request body")
            return None
        clock = now - self._flow.time_paused
        if timeouts.body_min_rate:
            bought = (self._body.received - self._paid) / timeouts.body_min_rate
            self._paid = self._body.received
            self._deadline = min(self._deadline + bought, clock + timeouts.body)
        if clock > min(self._deadline, self._last):
            return RequestTimeout("the request body did not arrive in time")
        return None

    @property
    def pace(self) -> float | None:
        """Recent bytes per second; `None`: the body is too new to say."""
        return None if self._progress is None else self._progress.pace

    def _is_too_slow_for_others(self, now: float) -> bool:
        """Whether the body holds memory, or a thread, that others have waited for too long."""
        flow, body = self._flow, self._body
        clock = (flow.paused_at if flow.reasons else now) - flow.time_paused
        if self._progress is None:
            self._progress = UploadPace(clock, body.received)
        self._progress.note(clock, body.received)
        if isinstance(body, BodyStream):
            looked_at, self._looked_at = self._looked_at, now
            came = body.received - self._looked_at_bytes
            self._looked_at_bytes = body.received
            application = self._exchange.connection.site.application
            if body.stalls_thread and application.is_short_of_threads:
                self._patience -= min(now - looked_at, _MAX_LOOK_SECONDS)
                earned = came / _BYTES_PER_HOLD_SECOND
                self._patience = min(_HOLD_SECONDS, self._patience + earned)
        return self.is_cut or self._patience < 0


def _framing(head: RequestHead, body: BodyBuffer, exchange: Exchange) -> Framing:
    if head.content_length != CHUNKED:
        return FixedLength(head.content_length, body.append)
    limits = exchange.connection.site.limits
    limit = head.body_limit(limits)
    return Chunked(
        body.append,
        max_body=limit,
        max_trailers=limits.max_header_bytes,
        max_trailer_fields=limits.max_header_fields,
        too_large=partial(body_too_large, limit),
    )
