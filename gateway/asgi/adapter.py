"""Any ASGI 3 application, run on the gateway's exchanges.

Theory of operation: each exchange gets one task, and everything happens on the loop.  The gateway
keeps the head that the application sends until the first part of the body comes: a response that is
complete by then leaves in one write, with its length.

When the application fails before that, the client gets the same error as for a WSGI handler.  When
it fails later, the gateway cuts the connection, so that no client takes the beginning of a response
for the whole.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from time import monotonic
from traceback import StackSummary
from typing import TYPE_CHECKING, Any, Final

from gateway.asgi.scope import http_scope
from gateway.asgi.version import to_version_3
from gateway.error_log.loggers import logger
from gateway.error_log.rate_limited import RateLimitedWarning
from gateway.error_log.warn_once import WarnOnce
from gateway.errors import ClientDisconnected, QueueFull, Refusal
from gateway.fc.context import ContextSource, FCContext
from gateway.fc.proxy_path import address
from gateway.http.answers.api_path import Unserved
from gateway.http.answers.error_style import ErrorStyle, FunctionCompute2, Response
from gateway.http.body.body_stream import BodyStream
from gateway.http.connection.detached import ACCEPTED, DetachedExchange
from gateway.http.connection.exchange import Exchange
from gateway.http.connection.faults import record_failure, record_message, record_refusal
from gateway.http.connection.invocation_log import (
    CANCELED,
    INVOKE,
    FunctionLog,
    InvocationLog,
    add_tail,
    wants_tail,
)
from gateway.http.message.response import interim_refusal, kind_of, status_of
from gateway.http.message.response_head import ResponseHead, response_header_too_large
from gateway.text.exact_types import exact_bytes, exact_number

if TYPE_CHECKING:
    from asgiref.typing import (
        ASGIReceiveEvent,
        ASGISendEvent,
        HTTPResponseBodyEvent,
        HTTPResponseStartEvent,
        HTTPScope,
    )

    from gateway.http.message.head import RequestHead

log = logger("gateway.function")

_MAX_EVENT_BYTES: Final = 64 * 1024
"""Bytes of a streamed body in one event."""

_CANCEL_SECONDS: Final = 1.0
"""A cancelled run that goes on for longer loses its slot."""

_MAX_LOST: Final = 4
"""Runs that go on though they were cancelled.  With so many the worker asks to be replaced: each
may hold one of the few threads of the loop's executor."""


class AsgiApplication:
    """Runs an ASGI application for the exchanges of the gateway's own server."""

    def __init__(
        self,
        application: Callable[..., Any],
        *,
        contexts: ContextSource,
        max_response_header_bytes: int,
        limit_concurrency: int = 1024,
        handler_timeout: float = 0.0,
        error_style: ErrorStyle = FunctionCompute2(),
        function_log: FunctionLog | None = None,
        state: dict[str, Any] | None = None,
        address_of: "Callable[[RequestHead, str], tuple[str, FCContext]] | None" = None,
        unserved: Unserved | None = None,
    ) -> None:
        """`application` speaks ASGI 3 or 2.

        At most `limit_concurrency` requests run at once, each for `handler_timeout` seconds; 0 is
        for ever.  `error_style` makes the responses to requests that are refused or fail.
        `function_log` collects what the application prints and logs.
        `state` is the lifespan's; each request gets a copy of its present content.
        `address_of` makes path and context from head and request id, where requests themselves
        name the function that they invoke.
        `unserved` refuses requests for operations of Function Compute's API.
        """
        self.unserved = unserved
        self.application = to_version_3(application)
        self.max_response_header_bytes = max_response_header_bytes
        self.limit_concurrency = limit_concurrency
        self.handler_timeout = handler_timeout
        self.error_style = error_style
        self.function_log = function_log
        self.state = state
        self.address_of = address_of or (
            lambda head, request_id: address(head.path, request_id, contexts)
        )
        self._runs: set[_Run] = set()
        self._refused = RateLimitedWarning(
            log,
            "requests were refused",
            f"{limit_concurrency} are being handled",
            "give more --workers, or raise --queue",
        )
        self._lost: set[_Run] = set()
        """Runs that were given up and have not ended."""
        self.warn_once = WarnOnce(log)
        """Logs what an application does against ASGI and the gateway tolerates."""

    def __repr__(self) -> str:
        return (
            f"<AsgiApplication {self.application!r} {len(self._runs)} running, "
            f"{len(self._lost)} lost>"
        )

    @property
    def is_idle(self) -> bool:
        """Whether nothing is running."""
        return not self._runs

    @property
    def needs_replacement(self) -> bool:
        """Whether too many runs were cancelled and did not end."""
        return len(self._lost) >= _MAX_LOST

    def start(self) -> None:
        """Do nothing: tasks need no preparation."""

    def check_deadlines(self, now: float) -> None:
        """Cancel runs that are past their time, and give up cancelled ones that go on.

        `now` is `time.monotonic()`.
        """
        self._refused.check(now)
        if self.handler_timeout:
            for run in list(self._runs):
                if now - run.started_at > self.handler_timeout:
                    run.expire()
                if run.cancelled_at and now - run.cancelled_at > _CANCEL_SECONDS:
                    self._runs.discard(run)
                    self._lost.add(run)
                    run.give_up()

    @property
    def is_short_of_threads(self) -> bool:
        """Always false: requests need no thread."""
        return False

    def relieve(self) -> bool:
        """Do nothing: no thread waits for clients."""
        return True

    def stop(self) -> None:
        """Cancel what still runs, and log how many requests were refused."""
        self._refused.close(monotonic())
        for run in list(self._runs):
            run.cancel()

    def handle(self, exchange: Exchange) -> None:
        """Run the application for `exchange`, or refuse it."""
        if len(self._runs) >= self.limit_concurrency:
            self._refused.note()
            exchange.refuse(QueueFull(f"{self.limit_concurrency} requests are being handled"))
            exchange.release()
            return
        head = exchange.head
        if head is not None and head.has_controls and self.unserved is not None:
            refusal = self.unserved(head.method, head.target)
            if refusal is not None:
                exchange.refuse(refusal)
                exchange.release()
                return
        if head is not None and head.is_async:
            run = _Run(self, exchange, DetachedExchange(exchange))
            exchange.respond_soon(ACCEPTED, b"")
        else:
            run = _Run(self, exchange, exchange)
            exchange.on_disconnect = run.notice_change
        self._runs.add(run)
        run.start(exchange.connection.site.loop, self._note_end)

    def _note_end(self, run: "_Run") -> None:
        self._runs.discard(run)
        self._lost.discard(run)


class _Run:
    """One run of the application."""

    __slots__ = (
        "_application",
        "_changed",
        "_connection",
        "_exchange",
        "_has_begun",
        "_has_body",
        "_head",
        "_held",
        "_invocation_log",
        "_is_body_read",
        "_is_cancelled",
        "_is_complete",
        "_is_detached",
        "_received",
        "_responder",
        "_task",
        "cancelled_at",
        "started_at",
    )

    def __init__(
        self,
        application: AsgiApplication,
        exchange: Exchange,
        responder: Exchange | DetachedExchange,
    ) -> None:
        """`responder` takes the response to the request of `exchange`."""
        self._application = application
        self._exchange = exchange
        self._responder = responder
        self._connection = exchange.connection if responder is exchange else None
        self._head: ResponseHead | None = None
        self._has_begun = False
        """Whether anything of the response has been sent."""
        self._is_complete = False
        """Whether the application has sent the end of the response."""
        self._is_cancelled = False
        self._is_detached = False
        self._is_body_read = False
        self._received = 0
        """Bytes of the response's body that the application has sent."""
        self._changed: asyncio.Event | None = None
        self._task: asyncio.Task[None] | None = None
        self._invocation_log: InvocationLog | None = None
        self._held: Response | None = None
        """A whole response that waits for the end of the run, because it shows the run's log."""
        self.started_at = monotonic()
        self.cancelled_at = 0.0
        """`time.monotonic()` of the cancellation, 0 without one."""

    def start(self, loop: asyncio.AbstractEventLoop, on_end: "Callable[[_Run], None]") -> None:
        """Make the task; `on_end` is called when it has ended."""
        self._task = loop.create_task(self._run(), name=self._exchange.request_id)
        self._task.add_done_callback(lambda _: self._clean_up(on_end))

    def _clean_up(self, on_end: "Callable[[_Run], None]") -> None:
        """A callback, because a task that is cancelled at once runs none of its own code."""
        self._detach()
        on_end(self)

    def _detach(self) -> None:
        """Release what the run holds; later calls of `receive` and `send` find the client gone."""
        if self._is_detached:
            return
        self._is_detached = True
        exchange = self._exchange
        exchange.on_disconnect = None
        if isinstance(exchange.body, BodyStream):
            exchange.body.on_change = None
        self._is_body_read = True  # `receive` returns `http.disconnect` from now on.
        self._let_go()
        self._responder.abandon_soon()  # Does nothing to a complete response.
        exchange.release()

    def cancel(self) -> None:
        """Cancel the task."""
        self._is_cancelled = True
        self.cancelled_at = self.cancelled_at or monotonic()
        if self._task is not None:
            self._task.cancel()

    def give_up(self) -> None:
        """Free the slot of a cancelled run that goes on.

        The application may have swallowed the cancellation, or waits for a thread.
        """
        self._record(
            logging.ERROR,
            "application goes on though its task is cancelled; its slot is given to others. "
            f"It waits here:\n{_stack_of(self._task)}",
        )
        self._detach()

    def expire(self) -> None:
        """Respond in the application's place, once: the run is past its time."""
        if self._is_cancelled:
            return
        seconds = self._application.handler_timeout
        self._record(
            logging.ERROR, f"application runs for more than {seconds:g} s; its task is cancelled"
        )
        if self._invocation_log is not None:
            self._invocation_log.end(f"Function time out after {seconds:g} seconds")
            add_tail(self._responder, self._invocation_log)
        style = self._application.error_style
        self._responder.expire(*style.timeout(seconds, self._exchange.request_id))
        self.cancel()

    def notice_change(self) -> None:
        """Wake `receive`: the body goes on, the client has left, or the response is complete."""
        if self._changed is not None:
            self._changed.set()

    async def _run(self) -> None:
        function_log, exchange = self._application.function_log, self._exchange
        if function_log is None:
            await self._call()
            return
        has_tail = wants_tail(exchange, function_log)
        if not (function_log.is_on or has_tail):
            await self._call()
            return
        self._invocation_log = function_log.attend(INVOKE, exchange.request_id, has_tail)
        with self._invocation_log:
            await self._call()
        self._let_go()

    async def _call(self) -> None:
        try:
            await self._application.application(self._scope(), self._receive, self._send)
            if not (self._is_complete or self._is_gone()):
                raise RuntimeError("the application returned without completing its response")
        except Refusal as refusal:
            self._refuse(refusal)
        except BaseException as error:
            # A task passes KeyboardInterrupt and SystemExit on to the loop, which would end.  A
            # CancelledError that the gateway did not cause is the application's own fault: it
            # waited for something else that was cancelled.
            if self._is_cancelled and isinstance(error, asyncio.CancelledError | GeneratorExit):
                raise
            self._fail(error)

    def _is_gone(self) -> bool:
        """Whether no client waits for the application's response any more."""
        if self._responder.is_done:
            return not self._is_complete
        return self._connection is not None and self._connection.is_lost

    # The request.

    def _scope(self) -> "HTTPScope":
        exchange = self._exchange
        head = exchange.head
        assert head is not None  # A request without a head has been refused.
        application = self._application
        path, context = application.address_of(head, exchange.request_id)
        self._responder.begin_invocation(context.service)
        return http_scope(exchange, head, path, context, application.state)

    async def _receive(self) -> "ASGIReceiveEvent":
        """ASGI's `receive`: the body's events, then `http.disconnect` once the client has left."""
        body = self._exchange.body
        if not self._is_body_read:
            if isinstance(body, BodyStream):
                return await self._receive_piece(body)
            self._is_body_read = True
            whole = b"" if body is None else body.take_all()
            return {"type": "http.request", "body": whole, "more_body": False}
        while not (self._is_complete or self._is_gone()):
            await self._wait()
        return {"type": "http.disconnect"}

    async def _receive_piece(self, body: BodyStream) -> "ASGIReceiveEvent":
        body.on_change = self.notice_change
        while True:
            try:
                piece = body.take(_MAX_EVENT_BYTES)
            except Exception:  # The body is at fault; the client has its response.
                self._is_body_read = True
                return {"type": "http.disconnect"}
            if piece is not None:
                self._is_body_read = not piece
                return {"type": "http.request", "body": piece, "more_body": bool(piece)}
            await self._wait()

    async def _wait(self) -> None:
        """Wait for `notice_change`; several callers may wait at once."""
        if self._changed is None:
            self._changed = asyncio.Event()
        self._changed.clear()
        await self._changed.wait()

    # The response.

    async def _send(self, event: "ASGISendEvent") -> None:
        """ASGI's `send`.

        Raises:
            ClientDisconnected: no client waits for the response any more (an `OSError`, which the
                specification demands since 2.4).
            BadResponse: the response's header is too large.
            TypeError, ValueError, RuntimeError: the event is invalid, or may not come now.
        """
        if self._is_gone():
            raise ClientDisconnected("the client has left")
        if event["type"] == "http.response.start":
            self._start(event)
        elif event["type"] == "http.response.body":
            await self._send_body(event)
        else:
            raise ValueError(f"an HTTP response has no event {event['type']!r}")

    def _start(self, event: "HTTPResponseStartEvent") -> None:
        if self._head is not None:
            raise RuntimeError("http.response.start was sent a second time")
        code = event["status"]
        if isinstance(code, int):
            code = exact_number(code)
        if not (isinstance(code, int) and 200 <= code <= 999):
            if isinstance(code, int) and 100 <= code <= 199:
                raise ValueError(interim_refusal(code))
            told = str(code) if isinstance(code, int) else kind_of(code)
            raise ValueError(f"a status is a number from 200 on, not {told}")
        head = ResponseHead(status_of(code), _as_text(event.get("headers") or ()))
        application = self._application
        if head.size > application.max_response_header_bytes:
            raise response_header_too_large(application.max_response_header_bytes)
        for name in head.dropped:
            application.warn_once(f"response header {name} is reserved: dropped")
        self._head = head

    async def _send_body(self, event: "HTTPResponseBodyEvent") -> None:
        head = self._head
        if head is None:
            raise RuntimeError("http.response.body was sent before http.response.start")
        if self._is_complete:
            raise RuntimeError("http.response.body was sent after the end of the response")
        body: Any = event.get("body") or b""
        if type(body) is not bytes:
            body = _as_bytes(body)
        has_more = event.get("more_body", False)
        self._received += len(body)
        if not self._has_begun and not has_more:
            self._respond(head, body)
            return
        responder = self._responder
        if not self._has_begun:
            self._begin(head)
        if body:
            responder.write_soon(body)
        if not has_more:
            self._note_completion(head)
            responder.finish_soon()
        elif self._connection is not None:
            await self._connection.drained()

    def _respond(self, head: ResponseHead, body: bytes) -> None:
        """Send the whole response at once."""
        self._note_completion(head)
        self._has_begun = True
        self._send_or_hold(head, body)

    def _send_or_hold(self, head: ResponseHead, body: bytes) -> None:
        """Send a whole response, at the end of the run if it shows the log."""
        if self._invocation_log is not None and self._invocation_log.wants_tail:
            self._held = head, body
        else:
            self._send_whole(head, body)

    def _let_go(self) -> None:
        """Send a response that waited for the end of the run."""
        held, self._held = self._held, None
        if held is not None:
            if self._invocation_log is not None:
                add_tail(self._responder, self._invocation_log)
            self._send_whole(*held)

    def _send_whole(self, head: ResponseHead, body: bytes) -> None:
        if self._is_head_request() and head.content_length is not None:
            # Content-Length is that of the body which GET would have.
            self._begin(head)
            self._responder.finish_soon()
        else:
            self._responder.respond_soon(head, body)

    def _begin(self, head: ResponseHead) -> None:
        self._has_begun = True
        if self._invocation_log is not None:
            add_tail(self._responder, self._invocation_log)
        self._responder.start_soon(head, head.content_length)

    def _note_completion(self, head: ResponseHead) -> None:
        self._is_complete = True
        self.notice_change()
        declared = head.content_length
        if declared is None or declared == self._received:
            return
        if head.status.has_body and not self._is_head_request():
            self._record(
                logging.ERROR,
                f"the body has {self._received} bytes, its Content-Length says {declared}",
            )

    def _is_head_request(self) -> bool:
        head = self._exchange.head
        return head is not None and head.method == "HEAD"

    # Faults.

    def _refuse(self, refusal: Refusal) -> None:
        record_refusal(self._responder, self._invocation_log, refusal)
        style = self._application.error_style
        self._send_error(style.refusal(refusal, self._exchange.request_id))

    def _fail(self, error: BaseException) -> None:
        invocation_log = self._invocation_log
        if self._is_gone():
            if not isinstance(error, ClientDisconnected):
                # Frameworks turn it into exceptions of their own.
                self._record(logging.INFO, f"the application ended after its client: {error!r}")
            if invocation_log is not None:
                invocation_log.fail(CANCELED)
            return
        record_failure(self._responder, invocation_log, "the application failed", error)
        request_id = self._exchange.request_id
        self._send_error(self._application.error_style.failure(error, request_id))

    def _record(self, level: int, message: str) -> None:
        record_message(self._exchange, self._invocation_log, level, message)

    def _send_error(self, response: Response) -> None:
        """Send an error response; `_detach` cuts a response that has begun."""
        if self._has_begun:
            return
        self._send_or_hold(*response)


def _stack_of(task: "asyncio.Task[None] | None") -> str:
    """The stack of the coroutines in which a task waits, the innermost last.

    (`Task.get_stack` shows the outermost coroutine alone.)
    """
    frames = []
    inner: Any = None if task is None else task.get_coro()
    while (frame := getattr(inner, "cr_frame", None)) is not None:
        frames.append((frame, frame.f_lineno))
        inner = inner.cr_await
    return "".join(StackSummary.extract(iter(frames)).format()).rstrip()


def _as_text(headers: Iterable[Iterable[bytes]]) -> Iterable[tuple[str, str]]:
    """Header fields as `ResponseHead` takes them.

    Transfer-Encoding is left out: ASGI allows applications to send it, and servers to ignore it.
    """
    fields = []
    for item in headers:
        name, value = item
        if not isinstance(name, bytes) or not isinstance(value, bytes):
            raise TypeError(
                "a response header is (bytes, bytes), not "
                f"({type(name).__name__}, {type(value).__name__})"
            )
        name, value = exact_bytes(name), exact_bytes(value)
        if name.lower() != b"transfer-encoding":
            fields.append((name.decode("latin-1"), value.decode("latin-1")))
    return fields


def _as_bytes(body: object) -> bytes:
    if isinstance(body, bytes | bytearray | memoryview):
        return exact_bytes(body)
    raise TypeError(f"the body of an event is bytes, not {type(body).__name__}")
