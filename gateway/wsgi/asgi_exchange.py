"""The response to a request of another ASGI server.

Theory of operation: the coroutine that the server runs for a request sends what a pool thread
hands over.  A complete response costs one wake-up of the loop, and the thread does not wait for the
client.  Of a response in parts, one part is on its way while the handler makes the next one, so the
thread waits for a slow client with at most two parts in memory.

As in `http.connection.exchange`, the one that pops `_claim` responds.  Thread and loop share two
more things.  `_room` is a lock that the thread takes for each part; the loop releases it when the
part has been sent, or when nothing will be sent any more.  `_is_over` is set before that last
release, so a thread that waited sees it.
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
    """The response was begun and cannot be completed; raised to the server.

    ASGI has no event for it.  When an application fails after the start of its response, the server
    closes the connection, so that the client notices.
    """


class AsgiExchange:
    """Responds to one request of another ASGI server; see `http.connection.exchange`."""

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
    """The request; `None` until it has been checked."""
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
        """`relieve` is called in a thread that waits for a slow client.

        With `metadata` the response describes its invocation; without `has_fc_fields` it has no
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
        self.is_authenticated = (
            False  # ASGI does not say whether the server has checked the client.
        )
        self._loop = loop
        self._claim = [self]
        self._relieve = relieve
        self._room = Lock()
        self._missing: int | None = None
        """Bytes that Content-Length announces and the handler has not sent; `None` without one."""
        self._start_event: ASGISendEvent | None = None
        self._parts: deque[tuple[ASGISendEvent, ...]] = deque()
        """Events to send; an empty tuple gives up."""
        self._waiter: asyncio.Future[None] | None = None
        self._interrupt = asyncio.Timeout(None)

    def __repr__(self) -> str:
        state = "done" if self.is_done else "open" if self._claim else "claimed"
        return f"<AsgiExchange {self.request_id} {self.head!r} {state}>"

    def begin_invocation(self, service: Service) -> None:
        """Note that the handler is called now."""
        self._begun_at = monotonic()
        self._service = service

    # From a pool thread.

    def has_left(self) -> bool:
        """Always false: a client that leaves ends the exchange, which is done then."""
        return False

    def respond(self, response: ResponseHead, body: bytes, length: int) -> None:
        """Send the whole response; raises ClientDisconnected when it is too late."""
        self._claim_in_thread()
        self._begin(response, length)
        self._end_with(b"" if self._is_bodiless else body)

    def start(self, response: ResponseHead, length: int | None) -> None:
        """Begin a response in parts; raises ClientDisconnected when it is too late."""
        self._claim_in_thread()
        self._begin(response, length)
        self._missing = None if self._is_bodiless else length

    def write(self, data: bytes) -> None:
        """Send the next part, after the one before has been sent.

        Raises:
            ClientDisconnected: the client has left, or the response was given up.
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
        if not self._room.acquire(timeout=_RELIEF_SECONDS):
            self._relieve()
            self._room.acquire()

    def finish(self) -> bool:
        """End a response in parts; whether it had its announced length."""
        if self._missing:
            self.abandon()
            return False
        if not self.is_done:
            self._end_with(b"")
        return True

    def abandon(self) -> None:
        """Give up, in the thread that has claimed the response, or before anything has."""
        if not self.is_done and (self._is_in_thread or self.claim()):
            self.is_done = True
            with suppress(ClientDisconnected):
                self._call_soon(())

    def _claim_in_thread(self) -> None:
        if not self.claim():
            raise ClientDisconnected("the response is complete, or the client has left")
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
        """Send the whole response; False when a thread has claimed it."""
        if not self.claim():
            return False
        self._begin(response, len(body))
        self.is_done = True
        assert self._start_event is not None  # `_begin` has made it.
        event = _body_event(b"" if self._is_bodiless else body, more_body=False)
        self._put((self._start_event, event))
        return True

    def refuse(self, refusal: Refusal) -> bool:
        """Respond with a refusal; False when a thread has claimed the response."""
        return self.respond_soon(*self._error_style.refusal(refusal, self.request_id))

    def expire(self, response: ResponseHead, body: bytes) -> None:
        """Respond in place of a thread that takes too long, or cut the response it has begun."""
        if not self.respond_soon(response, body) and not self.is_done:
            self._parts.clear()
            self._stop()

    async def run(self, receive: "ASGIReceiveCallable", send: "ASGISendCallable") -> None:
        """Send what is handed over, until the response is complete or the client has left.

        Raises:
            IncompleteResponse: the response was begun and is given up.
            Exception: what the server's `send` raised, unless the client has left.
        """
        watcher = self._loop.create_task(self._watch(receive))
        try:
            async with self._interrupt:
                await self._send_parts(send)
        except OSError as error:
            # TimeoutError comes from `_stop`; other OSErrors say that the client has left.
            if self._interrupt.expired() and not self._is_over:
                raise IncompleteResponse(f"{self.request_id}: the response was cut") from error
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
                raise IncompleteResponse(f"{self.request_id}: the response was not completed")
            for event in events:
                await send(event)
            if self._is_over or not events[-1].get("more_body"):
                return
            self._room.release()

    async def _watch(self, receive: "ASGIReceiveCallable") -> None:
        """End the exchange when the client leaves."""
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
        """Note that nothing will be sent any more."""
        if self._is_over:
            return
        if self.claim():
            self.is_done = True
        self._is_over = True
        if self._room.locked():
            self._room.release()

    # Either.

    def claim(self) -> bool:
        """Take the right to respond; False when it is taken."""
        try:
            self._claim.pop()
        except IndexError:
            return False
        return True

    def release(self) -> None:
        """Do nothing: the request's body ends with the invocation."""

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


_RELIEF_SECONDS: Final = 0.01
"""A thread that waits for longer for a client is replaced; a client that reads is faster."""
