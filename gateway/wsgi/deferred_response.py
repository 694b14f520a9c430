"""A response that waits for the end of its invocation, because it shows the invocation's log.

Only a whole response waits.  In a response in parts, PEP 3333 forbids a part to wait for the next
one ("Buffering and Streaming"), so its head shows the log as it is then.
"""

from gateway.errors import ClientDisconnected
from gateway.http.connection.invocation_log import InvocationLog, add_tail
from gateway.http.message.head import RequestHead
from gateway.http.message.response_head import ResponseHead
from gateway.wsgi.responder import Responder


class DeferredResponse:
    """A responder in front of the exchange of an invocation; see `http.connection.exchange`."""

    def __init__(self, exchange: Responder, invocation_log: InvocationLog) -> None:
        self.request_id = exchange.request_id
        self.is_authenticated = exchange.is_authenticated
        self.exchange = exchange
        self._invocation_log = invocation_log
        self._whole: tuple[ResponseHead, bytes, int] | None = None
        self._begun: tuple[ResponseHead, int | None] | None = None
        """A head that waits for the first part of the body."""
        self._is_held = False

    def __repr__(self) -> str:
        return f"<DeferredResponse {'held' if self._is_held else 'open'} {self.exchange!r}>"

    @property
    def head(self) -> RequestHead | None:
        """The request."""
        return self.exchange.head

    @property
    def extra_fields(self) -> str:
        """Fields that the gateway adds to the response."""
        return self.exchange.extra_fields

    @extra_fields.setter
    def extra_fields(self, fields: str) -> None:
        self.exchange.extra_fields = fields

    @property
    def error(self) -> str:
        """Code of the refusal, "" without one."""
        return self.exchange.error

    @error.setter
    def error(self, code: str) -> None:
        self.exchange.error = code

    @property
    def is_done(self) -> bool:
        """Whether the response is complete, or never will be."""
        return self._is_held or self.exchange.is_done

    def has_left(self) -> bool:
        """Whether the client has left."""
        return self.exchange.has_left()

    def respond(self, response: ResponseHead, body: bytes, length: int) -> None:
        """Keep the whole response."""
        self._whole = (response, body, length)
        self._is_held = True

    def start(self, response: ResponseHead, length: int | None) -> None:
        """Keep the head until the first part of the body."""
        self._begun = (response, length)

    def write(self, data: bytes) -> None:
        """Send a part."""
        self._start_now()
        self.exchange.write(data)

    def finish(self) -> bool:
        """End the response; for HEAD, without a part, it is a whole one and is kept."""
        if self._begun is not None:
            request = self.head
            if request is not None and request.method == "HEAD":
                self._is_held = True
                return True
            self._start_now()
        return self.exchange.finish()

    def abandon(self) -> None:
        """Cut the response, unless it is complete."""
        if not self._is_held:
            self._begun = None
            self.exchange.abandon()

    def release(self) -> None:
        """Give back the request's body."""
        self.exchange.release()

    def expire(self, response: ResponseHead, body: bytes) -> None:
        """Respond in the handler's place, from the loop."""
        self.exchange.expire(response, body)

    def let_go(self) -> None:
        """Send what was kept, after the end of the invocation."""
        if not self._is_held:
            return
        exchange = self.exchange
        try:
            if self._whole is not None:
                add_tail(exchange, self._invocation_log)
                exchange.respond(*self._whole)
            else:
                self._start_now()
                exchange.finish()
        except ClientDisconnected:
            exchange.abandon()

    def _start_now(self) -> None:
        if self._begun is not None:
            response, length = self._begun
            self._begun = None
            add_tail(self.exchange, self._invocation_log)
            self.exchange.start(response, length)
