"""The bridge under another ASGI server: its events, as a request and an exchange.

Theory of operation: the coroutine that the server runs for a request sends what a pool thread
hands it.  An answer that is complete costs one wake-up of the loop, and the thread does not wait
for the client.  An answer in parts has one part on its way while the handler makes the next one,
so the thread waits for a slow client with at most two parts in memory.

As in `http.exchange`, who pops `_claim` answers.  All else that the thread and the loop share:
`_room` is a lock that the thread takes for each part and the loop releases when the part has been
sent, or when nothing will be sent any more; `_is_over` is set before that last release, so a
thread that waited sees it.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING, Final

from gateway.error_log.loggers import logger
from gateway.errors import (
    ClientDisconnected,
    Refusal,
)
from gateway.fc import names as fc_names
from gateway.fc.context import Service
from gateway.fc.metadata import InvocationMetadata
from gateway.http.answers.error_style import ErrorStyle
from gateway.http.connection.fc_fields import is_for_clients
from gateway.http.message.head import RequestHead
from gateway.http.message.response import NO_BODY, body_form
from gateway.http.message.response_head import ResponseHead

if TYPE_CHECKING:
    from asgiref.typing import ASGIReceiveCallable, ASGISendCallable, ASGISendEvent

log = logger("gateway.bridge")

_PATH_SAFE: Final = "/:@!$&'()*+,;=~"
"""What RFC 3986 §3.3 lets stand in a path, besides letters, digits and `-._`."""


class IncompleteResponse(Exception):
    """The answer was begun and cannot be completed; it ends the ASGI application.

    ASGI has no other word for it: a server that sees the application fail behind the response's
    start closes the connection, so that the client notices.
    """


class AsgiExchange:
    """Answers one request of another ASGI server; for the methods see `http.exchange`."""

    __slots__ = (
        "_begun_at",
        "_claim",
        "_error_style",
        "_has_fc_fields",
        "_interrupt",
        "_is_bodiless",
        "_is_in_thread",
        "_is_over",
        "_loop",
        "_metadata",
        "_missing",
        "_parts",
        "_relieve",
        "_room",
        "_service",
        "_start_event",
        "_waiter",
        "error",
        "extra_fields",
        "head",
        "is_authenticated",
        "is_done",
        "request_id",
    )

    head: RequestHead | None
    """The request; `None` while it is not understood."""
    is_done: bool
    """Whether the response is complete, or never will be."""

    def __init__(
        self,
        request_id: str,
        loop: asyncio.AbstractEventLoop,
        relieve: Callable[[], object],
        error_style: ErrorStyle,
        *,
        metadata: InvocationMetadata | None = None,
        has_fc_fields: bool = True,
    ) -> None:
        """`relieve` is called in a thread that a slow client holds up.

        `metadata` is what the answer tells of its invocation; without `has_fc_fields` it has no
        fields `X-Fc-*`.
        """
        self.request_id = request_id
        self.extra_fields = self.error = ""
        self._error_style = error_style
        self._metadata = metadata
        self._has_fc_fields = has_fc_fields
        self._begun_at = 0.0
        self._service: Service | None = None
        self.head = None
        self.is_done = self._is_over = self._is_in_thread = self._is_bodiless = False
        self.is_authenticated = False  # The server in front may have done that, and does not tell.
        self._loop = loop
        self._claim = [self]
        self._relieve = relieve
        self._room = Lock()
        self._missing: int | None = None
        """Bytes of the announced length that have not come; `None`: no length was announced."""
        self._start_event: ASGISendEvent | None = None
        self._parts: deque[tuple[ASGISendEvent, ...]] = deque()
        """Events to send; nothing at all stands for: give up."""
        self._waiter: asyncio.Future[None] | None = None
        self._interrupt = asyncio.Timeout(None)

    def __repr__(self) -> str:
        state = "done" if self.is_done else "open" if self._claim else "claimed"
        return f"<AsgiExchange {self.request_id} {self.head!r} {state}>"

    def begin_invocation(self, service: Service) -> None:
        """The handler is called now."""
        self._begun_at = monotonic()
        self._service = service

    # From a pool thread.

    def has_left(self) -> bool:
        """The server has said so if it has: the exchange is done then."""
        return False

    def respond(self, response: ResponseHead, body: bytes, length: int) -> None:
        """Answer completely; raises ClientDisconnected when it is too late."""
        self._claim_in_thread()
        self._begin(response, length)
        self._end_with(b"" if self._is_bodiless else body)

    def start(self, response: ResponseHead, length: int | None) -> None:
        """Begin an answer in parts; raises as `respond` does."""
        self._claim_in_thread()
        self._begin(response, length)
        self._missing = None if self._is_bodiless else length

    def write(self, data: bytes) -> None:
        """Send the next part, once the one before has been sent.

        Raises:
            ClientDisconnected: the client is gone, or the answer was given up.
        """
        if self._is_bodiless:
            data = b""
        elif self._missing is not None:
            data = data[: self._missing]
            self._missing -= len(data)
        if not self._is_over:
            self._await_room()
        if self._is_over:
            raise ClientDisconnected("the client has left")
        if self._missing == 0:
            self._end_with(data)
        else:
            self._hand_over(_body_event(data, more_body=True))

    def _await_room(self) -> None:
        if not self._room.acquire(timeout=_MOMENT):
            self._relieve()
            self._room.acquire()

    def finish(self) -> bool:
        """End an answer in parts; whether it had its announced length."""
        if self._missing:
            self.abandon()
            return False
        if not self.is_done:
            self._end_with(b"")
        return True

    def abandon(self) -> None:
        """Give up, as the thread that has claimed, or that nobody came before."""
        if not self.is_done and (self._is_in_thread or self.claim()):
            self.is_done = True
            with suppress(ClientDisconnected):
                self._call_soon(())

    def _claim_in_thread(self) -> None:
        if not self.claim():
            raise ClientDisconnected("the request was answered, or its client has left")
        self._is_in_thread = True

    def _end_with(self, data: bytes) -> None:
        self.is_done = True
        self._hand_over(_body_event(data, more_body=False))

    def _hand_over(self, event: "ASGISendEvent") -> None:
        start, self._start_event = self._start_event, None
        self._call_soon((event,) if start is None else (start, event))

    def _call_soon(self, events: "tuple[ASGISendEvent, ...]") -> None:
        try:
            self._loop.call_soon_threadsafe(self._put, events)
        except RuntimeError as error:  # The loop is closed.
            raise ClientDisconnected("the server has ended") from error

    # From the loop.

    def respond_soon(self, response: ResponseHead, body: bytes) -> bool:
        """Answer completely; False when somebody else has claimed the answer."""
        if not self.claim():
            return False
        self._begin(response, len(body))
        self.is_done = True
        assert self._start_event is not None  # `_begin` has made it.
        event = _body_event(b"" if self._is_bodiless else body, more_body=False)
        self._put((self._start_event, event))
        return True

    def refuse(self, refusal: Refusal) -> bool:
        """Answer with a refusal; False when somebody else has claimed the answer."""
        return self.respond_soon(*self._error_style.refusal(refusal, self.request_id))

    def expire(self, response: ResponseHead, body: bytes) -> None:
        """Answer in place of a thread that takes too long, or cut off what it has begun."""
        if not self.respond_soon(response, body) and not self.is_done:
            self._parts.clear()
            self._stop()

    async def run(self, receive: "ASGIReceiveCallable", send: "ASGISendCallable") -> None:
        """Send what is handed over, until the answer is complete or the client has left.

        Raises:
            IncompleteResponse: it was begun and is given up.
            Exception: what the server's `send` raised, but for a client that has left.
        """
        watcher = self._loop.create_task(self._watch(receive))
        try:
            async with self._interrupt:
                await self._send_parts(send)
        except OSError as error:
            # TimeoutError is one, and tells of `_stop`; others, that the client has left.
            if self._interrupt.expired() and not self._is_over:
                raise IncompleteResponse(f"{self.request_id}: the answer was cut") from error
        finally:
            watcher.cancel()
            self._end()

    async def _send_parts(self, send: "ASGISendCallable") -> None:
        while True:
            while not self._parts:
                self._waiter = self._loop.create_future()
                await self._waiter
            events = self._parts.popleft()
            if not events:
                raise IncompleteResponse(f"{self.request_id}: the answer was not completed")
            for event in events:
                await send(event)
            if self._is_over or not events[-1].get("more_body"):
                return
            self._room.release()

    async def _watch(self, receive: "ASGIReceiveCallable") -> None:
        """Notice that the client leaves."""
        event = await receive()
        if event["type"] == "http.disconnect" and not self._is_over:
            self._stop()
            self._end()

    def _put(self, events: "tuple[ASGISendEvent, ...]") -> None:
        self._parts.append(events)
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _stop(self) -> None:
        """Have `run` end, wherever it waits."""
        if not (self._is_over or self._interrupt.expired()):
            self._interrupt.reschedule(self._loop.time())

    def _end(self) -> None:
        """Nothing will be sent any more."""
        if self._is_over:
            return
        if self.claim():
            self.is_done = True
        self._is_over = True
        if self._room.locked():
            self._room.release()

    # Either.

    def claim(self) -> bool:
        """Take the right to answer; False when it is taken."""
        try:
            self._claim.pop()
        except IndexError:
            return False
        return True

    def release(self) -> None:
        """Whoever ran the request needs its body no more."""

    def _begin(self, response: ResponseHead, length: int | None) -> None:
        status = response.status
        self._is_bodiless = body_form(self.head, status, length) == NO_BODY
        fields = [*response.fields, (fc_names.REQUEST_ID, self.request_id)]
        if self._metadata is not None and self._service is not None:
            fields += self._metadata.fields(monotonic() - self._begun_at, self._service)
        for line in self.extra_fields.split("\r\n")[1:]:
            name, _, value = line.partition(": ")
            fields.append((name, value))
        lines = [(name.lower().encode(), value.encode("latin-1")) for name, value in fields]
        if not self._has_fc_fields:
            lines = [line for line in lines if not is_for_clients(line[0])]
        if length is not None and status.has_body:
            lines.append((b"content-length", str(length).encode()))
        self._start_event = {
            "type": "http.response.start",
            "status": status.code,
            "headers": lines,
            "trailers": False,
        }


def _body_event(data: bytes, *, more_body: bool) -> "ASGISendEvent":
    return {"type": "http.response.body", "body": data, "more_body": more_body}


_MOMENT: Final = 0.01
"""Seconds in which a client that reads as fast as it can makes room again."""
