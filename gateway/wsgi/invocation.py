"""One run of a handler in a pool thread, from environ to `close()`.

Theory of operation: `start_response` only keeps the head, because PEP 3333 lets a handler that
fails replace it (with `exc_info`) until the first non-empty chunk.  The head is sent with that
chunk.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import suppress
from contextvars import copy_context
from copy import copy
from math import inf
from types import TracebackType
from typing import Any, Final

from gateway.error_log.loggers import logger
from gateway.error_log.warn_once import WarnOnce
from gateway.errors import (
    ClientDisconnected,
    GatewayFault,
    QueueTimeout,
    Refusal,
)
from gateway.http.answers.error_style import ErrorStyle, Response
from gateway.http.connection.faults import record_failure, record_message, record_refusal
from gateway.http.connection.invocation_log import CANCELED, FunctionLog, InvocationLog
from gateway.http.message.head import RequestHead
from gateway.http.message.response_head import ResponseHead, response_header_too_large
from gateway.text.exact_types import exact_bytes
from gateway.wsgi.pool_thread import current_pool_thread
from gateway.wsgi.responder import ExchangeT, Responder
from gateway.wsgi.result import response_head

log = logger("gateway.function")

_NO_HEAD: Final = "the handler did not call start_response"

_PROMPT_SECONDS: Final = 0.25
"""After this time in the queue, check that the client is still there."""

ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None]


class Rules:
    """What all invocations of a runner share."""

    __slots__ = (
        "error_style",
        "function_log",
        "handler",
        "handler_timeout",
        "is_lenient",
        "max_response_header_bytes",
        "note_timeout",
        "prompt",
        "queue_timeout",
        "style_of",
        "warn_once",
    )

    def __init__(
        self,
        handler: Callable[..., Any],
        *,
        queue_timeout: float,
        handler_timeout: float,
        max_response_header_bytes: int,
        error_style: ErrorStyle,
        style_of: Callable[[RequestHead | None], ErrorStyle] | None = None,
        function_log: FunctionLog | None = None,
        is_lenient: bool = False,
        note_timeout: Callable[[], None] = lambda: None,
    ) -> None:
        """`queue_timeout` and `handler_timeout` are in seconds.

        `is_lenient`: whether `start_response` may be called again without `exc_info`.
        `note_timeout` is called in any thread, for each request that has waited too long.
        """
        self.note_timeout = note_timeout
        self.handler = handler
        self.is_lenient = is_lenient
        self.queue_timeout = queue_timeout
        self.prompt = min(queue_timeout, _PROMPT_SECONDS)
        self.handler_timeout = handler_timeout
        self.max_response_header_bytes = max_response_header_bytes
        self.error_style = error_style
        self.style_of = style_of or (lambda _: error_style)
        self.function_log = function_log
        self.warn_once = WarnOnce(log)
        """Logs what a handler does against PEP 3333 and the gateway tolerates."""

    def without_haste(self) -> "Rules":
        """Rules for invocations that run however long they wait."""
        rules = copy(self)
        rules.queue_timeout = rules.prompt = inf
        return rules


class Invocation:
    """A handler, about to run for one exchange."""

    __slots__ = ("_has_written", "_head", "_make_environ", "_rules", "exchange")

    _invocation_log: InvocationLog | None = None
    """Only a `LoggedInvocation` has one."""

    def __init__(
        self,
        rules: Rules,
        exchange: ExchangeT,
        make_environ: Callable[[ExchangeT], dict[str, Any]],
    ) -> None:
        """`make_environ` is called in the thread that runs the handler."""
        self.exchange: Responder = exchange
        self._rules = rules
        self._make_environ: Callable[[Any], dict[str, Any]] = make_environ
        self._head: ResponseHead | None = None
        self._has_written = False

    def __str__(self) -> str:
        return self.exchange.request_id

    def run(self, waited: float) -> None:
        """Run the handler and respond, unless it is too late for either; never raises by itself."""
        exchange = self.exchange
        try:
            if exchange.is_done:
                return  # The client left while it waited.
            if waited > self._rules.prompt and self._is_too_late(waited):
                return
            # The main thread's context has what the handler's module and its initializer have set;
            # those of other threads are empty.
            copy_context().run(self._invoke)
        except BaseException as error:
            self._record(logging.ERROR, "fault of the gateway", error)
            self._refuse_after_fault()
        finally:
            exchange.release()

    def _is_too_late(self, waited: float) -> bool:
        """Whether it has waited too long, or its client has left; then responds."""
        if waited > self._rules.queue_timeout:
            self._rules.note_timeout()
            self._refuse(_queue_timeout(waited))
        elif self.exchange.has_left():
            self.exchange.abandon()
        else:
            return False
        return True

    def refuse(self, waited: float) -> None:
        """Respond on the loop, because no thread took the invocation in time."""
        self._rules.note_timeout()
        self.decline(_queue_timeout(waited))

    def decline(self, refusal: Refusal) -> None:
        """Respond on the loop, because no thread would take the invocation in time."""
        if not self.exchange.is_done:
            self._refuse(refusal)
        self.exchange.release()

    def lose(self) -> None:
        """Respond on the loop, because the thread has ended."""
        self._note_given_up("The thread of the handler was ended")
        self._send_error(self._error_style().lost(self.exchange.request_id))
        self.exchange.release()

    def expire(self) -> None:
        """Respond on the loop, because the handler is past its time."""
        seconds = self._rules.handler_timeout
        self._note_given_up(f"Function time out after {seconds:g} seconds")
        exchange = self.exchange
        exchange.expire(*self._error_style().timeout(seconds, exchange.request_id))

    def _note_given_up(self, error: str) -> None:
        """Do nothing; a `LoggedInvocation` writes `error` to its log."""

    def _invoke(self) -> None:
        result = None
        try:
            environ = self._make_environ(self.exchange)
            result = self._rules.handler(environ, self.start_response)
            self._send(result)
        except ClientDisconnected:
            if self._invocation_log is not None:
                self._invocation_log.fail(CANCELED)
            self.exchange.abandon()
        except Refusal as refusal:
            self._refuse(refusal)
        except BaseException as error:  # Also SystemExit: a handler must not end the thread.
            if error.args and error.args[0] is _NO_HEAD:
                self._note_misfit(error, result)
            self._fail(error)
        finally:
            if type(result) is not list:
                self._close(result)

    def start_response(
        self,
        status: str,
        response_headers: list[tuple[str, str]],
        exc_info: ExcInfo | None = None,
    ) -> Callable[[bytes], object]:
        """PEP 3333's `start_response`; returns its `write`.

        The names of the parameters are Function Compute's: PEP 3333 passes arguments by position,
        but handlers written for FC may pass them by name.

        Raises:
            TypeError, ValueError: status or headers are not what PEP 3333 allows.
            RuntimeError: called twice without `exc_info`, or, where that is allowed, after the head
                was sent.
            BaseException: the exception of `exc_info`, after the head was sent.
        """
        if exc_info is not None:
            try:
                if self._has_written:
                    raise exc_info[1].with_traceback(exc_info[2])
            finally:
                exc_info = None  # PEP 3333: avoid a circular reference through the traceback.
        elif self._head is not None and (self._has_written or not self._rules.is_lenient):
            raise RuntimeError("start_response was called a second time without exc_info")
        self._head = response_head(status, response_headers)
        return self._write

    def _close(self, result: object) -> None:
        try:
            close = getattr(result, "close", None)
            if close is not None:
                close()
        except BaseException as error:
            self._record(logging.ERROR, "close() of the result failed", error)

    # The result.

    def _send(self, result: Any) -> None:
        kind = type(result)
        if kind is list and len(result) == 1 and not self._has_written:  # Most handlers.
            item = result[0]
            self._respond(item if type(item) is bytes else self._as_bytes(item))
            return
        if kind is bytes or kind is str:
            self._rules.warn_once("the handler returned bare bytes or text instead of an iterable")
            result, kind = (result,), tuple
        if (kind is list or kind is tuple) and not self._has_written:
            self._respond(b"".join([self._as_bytes(item) for item in result]))
            return
        if not (hasattr(kind, "__iter__") or hasattr(kind, "__getitem__")):
            error = TypeError(f"the handler returned {kind.__name__}, not an iterable")
            if self._head is None:
                self._note_misfit(error, result)
            raise error
        self._stream(iter(result))

    def _note_misfit(self, error: BaseException, result: object) -> None:
        """Have the log say what else the handler may be; clients are told the message alone."""
        from gateway.wsgi.misfit import what_else  # noqa: PLC0415  # Few need it.

        with suppress(Exception):  # Objects of the handler's are looked at.
            error.add_note(what_else(self._rules.handler, result))

    def _as_bytes(self, item: Any) -> bytes:
        if type(item) is bytes:
            return item
        if isinstance(item, str):
            self._rules.warn_once("the handler returned text instead of bytes; sent as UTF-8")
            return str.encode(item)  # Not its own `encode`: see `text.exact_types`.
        if isinstance(item, bytes | bytearray | memoryview):
            return exact_bytes(item)
        raise TypeError(f"the handler's result has an item of {type(item).__name__}, not of bytes")

    def _stream(self, iterator: Iterator[Any]) -> None:
        exchange = self.exchange
        for item in iterator:
            data = self._as_bytes(item)
            if not data:
                continue
            if not self._has_written:
                if self._head is not None and self._head.content_length == len(data):
                    self._respond(data)  # Frameworks often return one item of a known length.
                    self._exhaust(iterator)
                    return
                self._start()
            if exchange.is_done:
                self._log_mismatch("longer")
                return
            exchange.write(data)
            if self._is_head_request():
                break
        if self._has_written:
            self._finish()
        else:
            self._respond(b"")

    def _exhaust(self, iterator: Iterator[Any]) -> None:
        """Let the handler run to its end after a complete response."""
        for item in iterator:
            if self._as_bytes(item):
                self._log_mismatch("longer")
                return

    def _respond(self, body: bytes) -> None:
        head = self._head
        # A call for each request would be 2 % of its instructions.
        if head is None or head.dropped or head.size > self._rules.max_response_header_bytes:
            head = self._settled_head()
        exchange = self.exchange
        length = len(body)
        declared = head.content_length
        request = exchange.head
        if request is not None and request.method == "HEAD":
            if declared is None and not body:
                # RFC 9110 §8.6: Content-Length would be that of GET, which is not known.
                self._start()
                self._finish()
                return
            length = length or declared or 0
        elif declared is not None and declared != length and head.status.has_body:
            self._log_mismatch("shorter" if length < declared else "longer")
        self._has_written = True
        exchange.respond(head, body, length)

    def _start(self) -> None:
        head = self._settled_head()
        self._has_written = True
        self.exchange.start(head, head.content_length)

    def _write(self, data: bytes) -> None:
        """PEP 3333's `write` callable.

        Raises:
            RuntimeError: another thread calls it.  As the response ends, it could write into the
                next response of the connection.
        """
        thread = current_pool_thread()
        if thread is None or thread.job is not self:
            raise RuntimeError("write was called outside of the thread that runs the handler")
        data = self._as_bytes(data)
        if not self._has_written:
            self._start()
        if data and not self.exchange.is_done:
            self.exchange.write(data)

    def _finish(self) -> None:
        if not self.exchange.finish():
            self._log_mismatch("shorter")

    def _settled_head(self) -> ResponseHead:
        head = self._head
        if head is None:
            raise RuntimeError(_NO_HEAD)
        limit = self._rules.max_response_header_bytes
        if head.size > limit:
            raise response_header_too_large(limit)
        for name in head.dropped:
            self._rules.warn_once(f"response header {name} is reserved: dropped")
        return head

    def _is_head_request(self) -> bool:
        head = self.exchange.head
        return head is not None and head.method == "HEAD"

    def _log_mismatch(self, how: str) -> None:
        self._record(logging.ERROR, f"the body is {how} than its Content-Length")

    # Faults.

    def _record(self, level: int, message: str, error: BaseException | None = None) -> None:
        record_message(self.exchange, self._invocation_log, level, message, error)

    def _error_style(self) -> ErrorStyle:
        return self._rules.style_of(self.exchange.head)

    def _refuse(self, refusal: Refusal) -> None:
        record_refusal(self.exchange, self._invocation_log, refusal)
        self._send_error(self._error_style().refusal(refusal, self.exchange.request_id))

    def _refuse_after_fault(self) -> None:
        try:
            self._refuse(GatewayFault("the gateway failed; its log says why"))
        except BaseException:  # The same fault may happen again.
            self.exchange.abandon()

    def _fail(self, error: BaseException) -> None:
        record_failure(self.exchange, self._invocation_log, "the handler failed", error)
        self._send_error(self._error_style().failure(error, self.exchange.request_id))

    def _send_error(self, response: Response) -> None:
        """Send an error response; where a response has begun, cut it."""
        try:
            if not self._has_written and not self.exchange.is_done:
                self.exchange.respond(*response, len(response[1]))
                return
        except ClientDisconnected:
            pass
        self.exchange.abandon()


def _queue_timeout(waited: float) -> QueueTimeout:
    return QueueTimeout(f"no thread was free for {waited:.1f} seconds")
