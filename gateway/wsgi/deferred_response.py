"""An answer that waits for the end of its invocation, because it is to show the log of it.

A whole answer waits.  One in parts does not: PEP 3333 lets no part wait for the next ("Buffering
and Streaming"), so its head shows the log up to then.
"""

from gateway.errors import ClientDisconnected
from gateway.http.connection.invocation_log import InvocationLog, add_tail
from gateway.http.message.head import RequestHead
from gateway.http.message.response_head import ResponseHead
from gateway.wsgi.responder import Responder


class DeferredResponse:
    """Stands before the exchange of an invocation; for the methods see `http.exchange`."""

    def __init__(self, exchange: Responder, attendance: InvocationLog) -> None:
        """`attendance` is the invocation's."""
        self.request_id = exchange.request_id
        self.is_authenticated = exchange.is_authenticated
        self.exchange = exchange
        self._attendance = attendance
        self._whole: tuple[ResponseHead, bytes, int] | None = None
        self._begun: tuple[ResponseHead, int | None] | None = None
        """A head whose first part has not come."""
        self._is_held = False

    def __repr__(self) -> str:
        return f"<DeferredResponse {'held' if self._is_held else 'open'} {self.exchange!r}>"

    @property
    def head(self) -> RequestHead | None:
        """The request."""
        return self.exchange.head

    @property
    def extra_fields(self) -> str:
        """The answer's."""
        return self.exchange.extra_fields

    @extra_fields.setter
    def extra_fields(self, fields: str) -> None:
        self.exchange.extra_fields = fields

    @property
    def error(self) -> str:
        """What the gateway refused of it."""
        return self.exchange.error

    @error.setter
    def error(self, code: str) -> None:
        self.exchange.error = code

    @property
    def is_done(self) -> bool:
        """Whether the answer is complete, or never will be."""
        return self._is_held or self.exchange.is_done

    def has_left(self) -> bool:
        """Whether the client has."""
        return self.exchange.has_left()

    def respond(self, response: ResponseHead, body: bytes, length: int) -> None:
        """Keep the whole answer."""
        self._whole = (response, body, length)
        self._is_held = True

    def start(self, response: ResponseHead, length: int | None) -> None:
        """Keep the head until there is a part."""
        self._begun = (response, length)

    def write(self, data: bytes) -> None:
        """Send a part."""
        self._start_now()
        self.exchange.write(data)

    def finish(self) -> bool:
        """End; without a part, as for HEAD, the answer is a whole one."""
        if self._begun is not None:
            request = self.head
            if request is not None and request.method == "HEAD":
                self._is_held = True
                return True
            self._start_now()
        return self.exchange.finish()

    def abandon(self) -> None:
        """Give up, unless the answer is complete."""
        if not self._is_held:
            self._begun = None
            self.exchange.abandon()

    def release(self) -> None:
        """The request's body is not needed any more."""
        self.exchange.release()

    def expire(self, response: ResponseHead, body: bytes) -> None:
        """Answer in the handler's place, from the loop."""
        self.exchange.expire(response, body)

    def let_go(self) -> None:
        """Send what was held, behind the end of the invocation."""
        if not self._is_held:
            return
        exchange = self.exchange
        try:
            if self._whole is not None:
                add_tail(exchange, self._attendance)
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
            add_tail(self.exchange, self._attendance)
            self.exchange.start(response, length)
