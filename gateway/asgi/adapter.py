"""Any ASGI 3 application, run on the gateway's exchanges.

Theory of operation: each exchange gets one task, and everything happens on the loop.  The head
that the application sends is kept until the first part of its body: a response that is complete
by then leaves in one write, with its length.

What the application does wrong before that is answered like the fault of a WSGI handler.  Behind
it the connection is cut, so that nobody takes the beginning of a response for the whole.
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
from gateway.http.message.response import kind_of, status_of
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

_BODY_PIECE: Final = 64 * 1024
"""Most bytes of a streamed body in one event."""

_CANCEL_GRACE: Final = 1.0
"""Seconds that a run has to end when it has been cancelled; then its slot is given to others."""

_MOST_LOST: Final = 4
"""Runs that went on all the same, from which on the worker asks to be replaced: each may hold one
of the few threads of the loop's executor."""


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
        """Of an application of ASGI 3, or 2.

        At most `limit_concurrency` requests run at once, each for `handler_timeout` seconds, 0 is
        for ever.  `error_style` makes the answers for what fails.
        `function_log` listens to what the application prints and logs.
        `state` is the lifespan's; each request gets a copy of it as it is then.
        `address_of`, where requests themselves tell of the invocation, makes path and context from
        head and request id.
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
        """Those that were given up and have not ended."""
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
        return len(self._lost) >= _MOST_LOST

    def start(self) -> None:
        """Nothing: tasks need no preparation."""

    def check_deadlines(self, now: float) -> None:
        """Cancel what is past its time, and give up what goes on; `now` is `time.monotonic()`."""
        self._refused.check(now)
        if self.handler_timeout:
            for run in list(self._runs):
                if now - run.started_at > self.handler_timeout:
                    run.expire()
                if run.cancelled_at and now - run.cancelled_at > _CANCEL_GRACE:
                    self._runs.discard(run)
                    self._lost.add(run)
                    run.give_up()

    @property
    def is_short_of_threads(self) -> bool:
        """Never: it has none."""
        return False

    def relieve(self) -> bool:
        """Nothing: no thread answers."""
        return True

    def stop(self) -> None:
        """Cancel what still runs, and tell what was refused."""
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
        "_answer",
        "_application",
        "_attendance",
        "_changed",
        "_connection",
        "_exchange",
        "_has_begun",
        "_has_body",
        "_head",
        "_held",
        "_is_body_read",
        "_is_cancelled",
        "_is_complete",
        "_is_detached",
        "_received",
        "_task",
        "cancelled_at",
        "started_at",
    )

    def __init__(
        self, application: AsgiApplication, exchange: Exchange, answer: Exchange | DetachedExchange
    ) -> None:
        """`answer` takes the response to the request of `exchange`."""
        self._application = application
        self._exchange = exchange
        self._answer = answer
        self._connection = exchange.connection if answer is exchange else None
        self._head: ResponseHead | None = None
        self._has_begun = False
        """Whether anything of the response has been sent."""
        self._is_complete = False
        """Whether the application has said its last."""
        self._is_cancelled = False
        self._is_detached = False
        self._is_body_read = False
        self._received = 0
        """Bytes of the response's body that the application has given."""
        self._changed: asyncio.Event | None = None
        self._task: asyncio.Task[None] | None = None
        self._attendance: InvocationLog | None = None
        self._held: Response | None = None
        """A whole response that waits for the end of the run, whose log it is to show."""
        self.started_at = monotonic()
        self.cancelled_at = 0.0
        """When the task was told to end; 0: it was not."""

    def start(self, loop: asyncio.AbstractEventLoop, on_end: "Callable[[_Run], None]") -> None:
        """Make the task; `on_end` is called when it has ended."""
        self._task = loop.create_task(self._run(), name=self._exchange.request_id)
        self._task.add_done_callback(lambda _: self._clean_up(on_end))

    def _clean_up(self, on_end: "Callable[[_Run], None]") -> None:
        """In a callback, because a task that is cancelled at once runs no line of its own."""
        self._detach()
        on_end(self)

    def _detach(self) -> None:
        """Nobody asks this run anything any more, nor does it hold anything up."""
        if self._is_detached:
            return
        self._is_detached = True
        exchange = self._exchange
        exchange.on_disconnect = None
        if isinstance(exchange.body, BodyStream):
            exchange.body.on_change = None
        self._is_body_read = True  # What still calls `receive` is told that all is over.
        self._let_go()
        self._answer.abandon_soon()  # Where it is not complete.
        exchange.release()

    def cancel(self) -> None:
        """Have the task end."""
        self._is_cancelled = True
        self.cancelled_at = self.cancelled_at or monotonic()
        if self._task is not None:
            self._task.cancel()

    def give_up(self) -> None:
        """It was cancelled and goes on: it may have swallowed that, or wait for a thread."""
        self._tell(
            logging.ERROR,
            "application goes on though its task is cancelled; its slot is given to others. "
            f"It waits here:\n{_place_of(self._task)}",
        )
        self._detach()

    def expire(self) -> None:
        """Answer in the application's place, once: it is past its time."""
        if self._is_cancelled:
            return
        seconds = self._application.handler_timeout
        self._tell(
            logging.ERROR, f"application runs for more than {seconds:g} s; its task is cancelled"
        )
        if self._attendance is not None:
            self._attendance.end(f"Function time out after {seconds:g} seconds")
            add_tail(self._answer, self._attendance)
        style = self._application.error_style
        self._answer.expire(*style.timeout(seconds, self._exchange.request_id))
        self.cancel()

    def notice_change(self) -> None:
        """More of the body has come, the client has left, or the response is complete."""
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
        self._attendance = function_log.attend(INVOKE, exchange.request_id, has_tail)
        with self._attendance:
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
            # A task hands KeyboardInterrupt and SystemExit on to the loop, which would end; others
            # it keeps to itself.  Cancelled by itself, the application waited for what was.
            if self._is_cancelled and isinstance(error, asyncio.CancelledError | GeneratorExit):
                raise
            self._fail(error)

    def _is_gone(self) -> bool:
        """Whether nobody waits for the application's response any more."""
        if self._answer.is_done:
            return not self._is_complete
        return self._connection is not None and self._connection.is_lost

    # The request.

    def _scope(self) -> "HTTPScope":
        exchange = self._exchange
        head = exchange.head
        assert head is not None  # A request without a head has been refused.
        application = self._application
        path, context = application.address_of(head, exchange.request_id)
        self._answer.begin_invocation(context.service)
        return http_scope(exchange, head, path, context, application.state)

    async def _receive(self) -> "ASGIReceiveEvent":
        """ASGI's `receive`: the body's events, then `http.disconnect` when that is so."""
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
                piece = body.take(_BODY_PIECE)
            except Exception:  # The body's fault, which has been answered.
                self._is_body_read = True
                return {"type": "http.disconnect"}
            if piece is not None:
                self._is_body_read = not piece
                return {"type": "http.request", "body": piece, "more_body": bool(piece)}
            await self._wait()

    async def _wait(self) -> None:
        """Wait for something to change; several may wait."""
        if self._changed is None:
            self._changed = asyncio.Event()
        self._changed.clear()
        await self._changed.wait()

    # The response.

    async def _send(self, event: "ASGISendEvent") -> None:
        """ASGI's `send`.

        Raises:
            ClientDisconnected: nobody waits for the response any more (an `OSError`, as the
                specification has it since 2.4).
            BadResponse: its header is larger than it may be.
            TypeError, ValueError, RuntimeError: the event is none that may come now.
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
            raise RuntimeError("http.response.body was sent behind the end of the response")
        body: Any = event.get("body") or b""
        if type(body) is not bytes:
            body = _as_bytes(body)
        has_more = event.get("more_body", False)
        self._received += len(body)
        if not self._has_begun and not has_more:
            self._respond(head, body)
            return
        answer = self._answer
        if not self._has_begun:
            self._begin(head)
        if body:
            answer.write_soon(body)
        if not has_more:
            self._note_completion(head)
            answer.finish_soon()
        elif self._connection is not None:
            await self._connection.drained()

    def _respond(self, head: ResponseHead, body: bytes) -> None:
        """The whole response at once."""
        self._note_completion(head)
        self._has_begun = True
        self._send_or_hold(head, body)

    def _send_or_hold(self, head: ResponseHead, body: bytes) -> None:
        """Send a whole response, at the end of the run if it shows the log."""
        if self._attendance is not None and self._attendance.wants_tail:
            self._held = head, body
        else:
            self._send_whole(head, body)

    def _let_go(self) -> None:
        """Send what waits for the end of the run."""
        held, self._held = self._held, None
        if held is not None:
            if self._attendance is not None:
                add_tail(self._answer, self._attendance)
            self._send_whole(*held)

    def _send_whole(self, head: ResponseHead, body: bytes) -> None:
        if self._is_head_request() and head.content_length is not None:
            # Its length is that of a body which the application does not send.
            self._begin(head)
            self._answer.finish_soon()
        else:
            self._answer.respond_soon(head, body)

    def _begin(self, head: ResponseHead) -> None:
        self._has_begun = True
        if self._attendance is not None:
            add_tail(self._answer, self._attendance)
        self._answer.start_soon(head, head.content_length)

    def _note_completion(self, head: ResponseHead) -> None:
        self._is_complete = True
        self.notice_change()
        declared = head.content_length
        if declared is None or declared == self._received:
            return
        if head.status.has_body and not self._is_head_request():
            self._tell(
                logging.ERROR,
                f"the body has {self._received} bytes, its Content-Length says {declared}",
            )

    def _is_head_request(self) -> bool:
        head = self._exchange.head
        return head is not None and head.method == "HEAD"

    # Faults.

    def _refuse(self, refusal: Refusal) -> None:
        record_refusal(self._answer, self._attendance, refusal)
        style = self._application.error_style
        self._answer_fault(style.refusal(refusal, self._exchange.request_id))

    def _fail(self, error: BaseException) -> None:
        attendance = self._attendance
        if self._is_gone():
            if not isinstance(error, ClientDisconnected):
                # Frameworks make exceptions of their own of it.
                self._tell(logging.INFO, f"the application ended after its client: {error!r}")
            if attendance is not None:
                attendance.fail(CANCELED)
            return
        record_failure(self._answer, attendance, "the application failed", error)
        request_id = self._exchange.request_id
        self._answer_fault(self._application.error_style.failure(error, request_id))

    def _tell(self, level: int, message: str) -> None:
        record_message(self._exchange, self._attendance, level, message)

    def _answer_fault(self, answer: Response) -> None:
        """Answer with an error; where an answer was begun, the connection is cut at the end."""
        if self._has_begun:
            return
        self._send_or_hold(*answer)


def _place_of(task: "asyncio.Task[None] | None") -> str:
    """Where a task waits: each coroutine that awaits the next one, the innermost last.

    (`Task.get_stack` shows the outermost alone.)
    """
    frames = []
    inner: Any = None if task is None else task.get_coro()
    while (frame := getattr(inner, "cr_frame", None)) is not None:
        frames.append((frame, frame.f_lineno))
        inner = inner.cr_await
    return "".join(StackSummary.extract(iter(frames)).format()).rstrip()


def _as_text(headers: Iterable[Iterable[bytes]]) -> Iterable[tuple[str, str]]:
    """Header fields as `ResponseHead` takes them.

    Transfer-Encoding is left out: ASGI lets an application send it, and a server ignore it.
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
