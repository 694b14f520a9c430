"""The arrival of one request's body: framing, buffer, budget and deadline together."""

from functools import partial

from gateway.errors import BudgetTimeout, Refusal, RequestTimeout
from gateway.http import flow as reasons
from gateway.http.body import BodyBuffer
from gateway.http.body_stream import BodyStream
from gateway.http.exchange import Exchange
from gateway.http.flow import ReadFlow
from gateway.http.framing import Chunked, FixedLength, Framing
from gateway.http.head import CHUNKED, RequestHead, body_too_large


class Reception:
    """Takes the bytes behind a head until the body is complete.

    The handler may start when `is_ready`: the body is complete, or has filled its bound and is
    streamed from then on.
    """

    __slots__ = ("_began", "_body", "_exchange", "_flow", "_framing", "is_ready")

    def __init__(self, exchange: Exchange, head: RequestHead, flow: ReadFlow) -> None:
        site = exchange.connection.site
        self._exchange = exchange
        self._flow = flow
        self._body: BodyBuffer | BodyStream = BodyBuffer()
        exchange.body = self._body
        self._framing = _framing(head, self._body, exchange)
        self._began = site.loop.time() - flow.time_paused
        self.is_ready = False
        site.budget.enter(self)

    @property
    def is_complete(self) -> bool:
        """Whether the last byte has come."""
        return self._framing.is_complete

    def feed(self, data: bytes) -> bytes:
        """Take the body's bytes; those behind its end, if it has ended.

        Raises:
            Refusal: the body breaks a rule or a limit.
        """
        body = self._body
        before = body.received
        site = self._exchange.connection.site
        may_read = True
        try:
            rest = self._framing.feed(data)
        finally:  # Also what came before a fault is kept, and given back with the rest.
            if isinstance(body, BodyBuffer):
                size = body.received - before
                may_read = site.budget.take(self, size, self._resume_for_budget)
        if isinstance(body, BodyBuffer):
            if self._framing.is_complete:
                self.is_ready = True
                site.budget.leave(self)
            elif body.size >= site.limits.body_buffer:
                self._stream(body)
            elif not may_read:
                self._flow.pause(reasons.BUDGET)
        elif self._framing.is_complete:
            body.end()
        elif body.is_full:
            self._flow.pause(reasons.HANDLER)
        return rest

    def _stream(self, body: BodyBuffer) -> None:
        """Let the handler read while the rest arrives: the body has filled its bound."""
        site = self._exchange.connection.site
        stream = BodyStream(body.take_all(), site.limits.body_buffer, self._resume_for_handler)
        self._body = self._exchange.body = stream
        self._framing.sink = stream.append
        self.is_ready = True
        site.budget.leave(self)
        self._flow.pause(reasons.HANDLER)

    def _resume_for_budget(self) -> None:
        self._flow.resume(reasons.BUDGET)

    def _resume_for_handler(self) -> None:
        """Called by the thread that reads the body."""
        self._exchange.connection.call_soon(self._flow.resume, reasons.HANDLER)

    def fail(self, fault: Exception) -> None:
        """The rest of the body will not come."""
        self._exchange.connection.site.budget.leave(self)
        if isinstance(self._body, BodyStream):
            self._body.fail(fault)

    def overdue(self, now: float) -> Refusal | None:
        """What the client gets when its time is up; each byte that came has bought it some."""
        timeouts = self._exchange.connection.site.timeouts
        if self._flow.reasons:
            # The gateway itself does not read.  For the budget it waits no longer than for bytes.
            is_starved = self._flow.reasons & reasons.BUDGET
            if is_starved and now > self._flow.paused_at + timeouts.body:
                return BudgetTimeout("there is no memory for the request body")
            return None
        deadline = self._began + self._flow.time_paused + timeouts.body
        if timeouts.body_min_rate:
            deadline += self._body.received / timeouts.body_min_rate
        if now > deadline:
            return RequestTimeout("the request body did not arrive in time")
        return None


def _framing(head: RequestHead, body: BodyBuffer, exchange: Exchange) -> Framing:
    if head.content_length != CHUNKED:
        return FixedLength(head.content_length, body.append)
    limits = exchange.connection.site.limits
    limit = head.body_limit(limits)
    return Chunked(
        body.append,
        max_body=limit,
        max_trailers=limits.max_header_bytes,
        too_large=partial(body_too_large, limit),
    )
