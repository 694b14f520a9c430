"""One request and its response on a connection.

Theory of operation: exactly one party responds to an exchange: the pool thread that runs the
handler, or the loop (a refusal, a timeout, a lost client, an ASGI application).  Two tokens replace
a lock between them.  Each token is a list with one item; the party that pops the item has the
token.  (`list.pop` is atomic in CPython, with the interpreter lock and in the free-threaded build,
and costs a tenth of a lock.)

1. `_claim`: its holder responds.  The loop takes it when the client is lost or the time is up.  A
   thread that comes later finds it gone, gets `ClientDisconnected` and touches nothing.
2. `_turn`: the second party to reach for it does the rest.  The thread sets `is_done` and then
   reaches for the token; the loop reaches for it when something waits for the end.  If the loop
   was first, the thread wakes it; if the thread was first, the loop finds `is_done` set.  So no
   wake-up is lost, and none is made that nobody needs.
"""

from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING

from gateway.errors import ClientDisconnected, Refusal
from gateway.http.body.body import BodyBuffer
from gateway.http.body.body_stream import BodyStream
from gateway.http.message.head import RequestHead
from gateway.http.message.response import (
    CHUNKED,
    CLIENT_CLOSED_REQUEST,
    CONTINUE,
    LAST_CHUNK,
    LENGTH,
    NO_BODY,
    UNTIL_CLOSE,
    body_form,
    encode_chunk,
)
from gateway.http.message.response_head import ResponseHead

if TYPE_CHECKING:
    from gateway.fc.context import Service
    from gateway.http.connection.connection import Connection


class Exchange:
    """A request, and the means to respond to it.

    `head` is `None` only for a request that the parser could not read, and may be incomplete for
    a refused one.
    """

    __slots__ = (
        "_claim",
        "_form",
        "_head_bytes",
        "_is_given_up",
        "_is_in_thread",
        "_missing",
        "_turn",
        "body",
        "bytes_sent",
        "connection",
        "error",
        "extra_fields",
        "finished_at",
        "head",
        "is_authenticated",
        "is_dispatched",
        "is_done",
        "keep_alive",
        "on_disconnect",
        "received_at",
        "request_id",
        "status",
    )

    body: BodyBuffer | BodyStream | None
    """The body; `None` without one."""
    error: str
    """The code of the refusal that was sent, for the record; otherwise empty."""
    extra_fields: str
    """More field lines of the response, each with a line end in front."""
    is_authenticated: bool
    """Whether a gate has authenticated the caller."""
    is_done: bool
    """Whether the response is complete, or never will be."""
    on_disconnect: Callable[[], None] | None
    """Called on the loop when the client leaves before its response is complete."""

    def __init__(
        self, connection: "Connection", head: RequestHead | None, request_id: str, now: float
    ) -> None:
        self.connection = connection
        self.head = head
        self.request_id = request_id
        self.received_at = now
        self.keep_alive = head is not None and head.keep_alive
        self.is_done = self.is_dispatched = self._is_in_thread = self._is_given_up = False
        self.is_authenticated = False
        self.body = self.on_disconnect = None
        self.status = self.bytes_sent = 0
        self.extra_fields = self.error = ""
        self._claim = [True]
        self._turn = [True]

    def __repr__(self) -> str:
        state = "done" if self.is_done else "open" if self._claim else "claimed"
        return f"<Exchange {self.request_id} {self.head!r} {state} {self.status}>"

    def begin_invocation(self, service: "Service") -> None:
        """The application is about to be called, as a function of `service`; in any thread."""

    @staticmethod
    def seal(head: bytes) -> bytes:
        """The response head as it is sent: here, unchanged."""
        return head

    # From a pool thread.

    def has_left(self) -> bool:
        """Whether the client has ended its side and does not read any more either.

        If so, the caller holds the claim and must abandon the exchange.
        """
        connection = self.connection
        if not connection.saw_eof or self.head is None or self.head.is_http_1_0:
            return False
        if not self.claim():
            return True  # The exchange has its response, or its client is lost.
        # RFC 9110 §15.2: an HTTP/1.1 client can parse an interim response that it did not expect.
        self._is_in_thread = connection.writer.is_reset_by(CONTINUE)
        if not self._is_in_thread:
            self._claim.append(True)
        return self._is_in_thread

    def respond(self, response: ResponseHead, body: bytes, length: int) -> None:
        """Send the whole response, from a pool thread.

        `length` is the body's length in bytes; it differs from `len(body)` for HEAD only.

        Raises:
            ClientDisconnected: the loop has responded, or the client is gone.
        """
        self._claim_in_thread()
        head = self._encode_head(response, length)
        if self._form == NO_BODY:
            body = b""
        self.bytes_sent = len(body)
        self._send_last(head, body)

    def start(self, response: ResponseHead, length: int | None) -> None:
        """Begin a response in parts, from a pool thread; the head leaves with the first part.

        `length` is the body's length in bytes, `None` if unknown.

        Raises:
            ClientDisconnected: the loop has responded, or the client is gone.
        """
        self._claim_in_thread()
        self._begin(response, length)

    def write(self, data: bytes) -> None:
        """Send the next part, from a pool thread; waits while the client takes nothing.

        Bytes beyond the announced length are dropped.  The part that completes the length ends
        the exchange: the handler may go on without holding the connection.

        Raises:
            ClientDisconnected: the client is gone, or took nothing for the write timeout.
        """
        framed = self._frame(data)
        if not framed:
            return
        if self.is_done:
            raise ClientDisconnected("the connection was closed")
        if self._form == LENGTH and not self._missing:
            self._send_last(framed, b"")
        else:
            self.connection.writer.send(framed)

    def finish(self) -> bool:
        """End a response in parts, from a pool thread.

        Returns whether the body had its announced length.
        """
        if self._is_in_thread and not self.is_done:
            self._send_last(self._take_rest(), b"")
        return not self._missing

    def _send_last(self, head: bytes, body: bytes) -> None:
        connection = self.connection
        rest = connection.writer.send_last(head, body)
        if rest:
            self._is_in_thread = False  # From here on, only the loop may end the exchange.
            connection.hand_over(self, rest)
        else:
            self._end_in_thread()

    def _end_in_thread(self) -> None:
        self.note_end()
        self.is_done = True
        try:
            self._turn.pop()
            if self.keep_alive:
                return  # Nobody waits.
        except IndexError:
            pass
        self.connection.call_soon(self.connection.resume)

    def abandon(self) -> None:
        """Give up, from a pool thread; has no effect if the loop has the claim."""
        if not self.is_done and (self._is_in_thread or self.claim()):
            self.keep_alive = False
            self._is_given_up = True
            if self.connection.writer.has_failed:
                self._note_loss()
            self._spoil()
            self.connection.call_soon(self._end_abandoned)

    def _end_abandoned(self) -> None:
        """End the exchange on the loop.

        If the thread set `is_done`, the loop might see it before the abort, and close in order.
        """
        if not self.is_done:
            self.connection.abort()
            self._end_in_thread()

    def _claim_in_thread(self) -> None:
        try:
            self._claim.pop()
        except IndexError:
            raise ClientDisconnected("the request is over, or its client has left") from None
        self._is_in_thread = True

    def release(self) -> None:
        """Let go of the request's body; from any thread, once."""
        body = self.body
        if body is not None:
            self.body = None  # An idle connection keeps its last exchange until the next request.
            self.connection.release_body(body.size)

    # From the loop.

    def respond_soon(self, response: ResponseHead, body: bytes, *, has_body: bool = True) -> bool:
        """Send the whole response, from the loop; False if a thread has the claim.

        `has_body` is false for a HEAD request that has no `head` to say so: its body is not sent.
        """
        if not self.claim():
            return False
        head = self._encode_head(response, len(body))
        if self._form == NO_BODY or not has_body:
            body = b""
        self.bytes_sent = len(body)
        self.connection.write_last(self, head + body)
        return True

    def refuse(self, refusal: Refusal, *, has_body: bool = True) -> bool:
        """Respond with a refusal, from the loop; False if a thread has the claim."""
        if refusal.closes:
            self.keep_alive = False
        if self._claim:
            self.error = refusal.code
        style = self.connection.site.error_style
        return self.respond_soon(*style.refusal(refusal, self.request_id), has_body=has_body)

    def expire(self, response: ResponseHead, body: bytes) -> None:
        """Respond in place of a thread that takes too long, from the loop.

        If the thread has begun to respond, close the connection instead.
        """
        if not self.respond_soon(response, body) and not self.is_done:
            self.connection.cut()

    def start_soon(self, response: ResponseHead, length: int | None) -> bool:
        """Begin a response in parts, from the loop; False if a thread has the claim."""
        if not self.claim():
            return False
        self._begin(response, length)
        return True

    def write_soon(self, data: bytes) -> None:
        """Write the next part, from the loop, without waiting; see `Connection.drained`."""
        framed = self._frame(data)
        if framed and not self.is_done:
            self.connection.write(framed)

    def finish_soon(self) -> bool:
        """End a response in parts, from the loop.

        Returns whether the body had its announced length.
        """
        if not self.is_done:
            self.connection.write_last(self, self._take_rest())
        return not self._missing

    def abandon_soon(self) -> None:
        """Give up, from the loop: abort the connection, so that the client sees the cut.

        The loop must have the claim, or nobody.
        """
        if not self.is_done:
            self.claim()
            self.keep_alive = False
            self._is_given_up = True
            self._spoil()
            self.connection.abort()
            self.connection.write_last(self, b"")

    def disconnect(self) -> bool:
        """The client is gone.

        Returns whether a thread still writes; that thread wakes the loop when it is done.
        """
        if self.is_done:
            return False
        if self.claim():
            self.note_end()
            self.is_done = True
            return False
        return not self.wait_for_end()

    def wait_for_end(self) -> bool:
        """Ask to be woken when the exchange is done.

        Returns whether it is done already, so that no wake-up will come.
        """
        try:
            self._turn.pop()
        except IndexError:
            return self.is_done
        return False

    # Either.

    def claim(self) -> bool:
        """Take the right to respond; False if another party has it."""
        try:
            self._claim.pop()
        except IndexError:
            return False
        return True

    def note_end(self) -> None:
        """Make the record, now or once the client has the response; called once, at the end."""
        connection = self.connection
        if connection.is_lost:
            self._note_loss()
        record = connection.site.record
        if record is not None:
            self.finished_at = monotonic()
            is_known = self._is_given_up or self.status == CLIENT_CLOSED_REQUEST
            if connection.saw_eof and not is_known:
                connection.call_soon(connection.confirm_delivery, self)
            else:
                record(self)

    def confirm(self, *, is_taken: bool) -> None:
        """Make the record that `note_end` delayed; `is_taken`: the client has the response."""
        if not is_taken:
            self._note_loss()
        self.connection.site.record(self)  # type: ignore[misc]  # `note_end` found one.

    def _note_loss(self) -> None:
        """The client has left, unless the gateway itself cut the connection."""
        if not self.connection.is_cut:
            self.status = CLIENT_CLOSED_REQUEST

    def _spoil(self) -> None:
        """Let an HTTP/1.0 client notice a cut response: a mere close would be a proper end."""
        if self.head is not None and self.head.is_http_1_0:
            self.connection.writer.reset_on_close()

    def _begin(self, response: ResponseHead, length: int | None) -> None:
        """Prepare a response in parts."""
        self._head_bytes = self._encode_head(response, length)
        self._missing = length if self._form == LENGTH and length else 0

    def _encode_head(self, response: ResponseHead, length: int | None) -> bytes:
        """The response head; also decides how the body is framed."""
        request = self.head
        connection = self.connection
        self.status = response.status.code
        form = self._form = body_form(request, response.status, length)
        if form == UNTIL_CLOSE or not connection.may_persist():
            self.keep_alive = False
        site = connection.site
        constant = site.constant_fields + self.request_id + self.extra_fields
        if site.cross_origin is not None and request is not None:
            constant += site.cross_origin.lines(request, response)
        return response.encode(request, length, self.keep_alive, constant)

    def _frame(self, data: bytes) -> bytes:
        """`data` framed for the wire, with the head in front if that is not sent yet."""
        form = self._form
        if form == LENGTH:
            if len(data) > self._missing:
                data = data[: self._missing]
            self._missing -= len(data)
        elif form == NO_BODY:
            data = b""
        self.bytes_sent += len(data)
        if form == CHUNKED and data:
            data = encode_chunk(data)
        if self._head_bytes:
            data = self._head_bytes + data
            self._head_bytes = b""
        return data

    def _take_rest(self) -> bytes:
        """The bytes left to send when the handler has no more."""
        rest = self._head_bytes
        self._head_bytes = b""
        if self._form == CHUNKED:
            rest += LAST_CHUNK
        if self._missing:
            self.keep_alive = False  # The client must see that the body is cut short.
        return rest
