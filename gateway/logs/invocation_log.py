"""Attributes output and log records to their invocation.

Theory of operation.  A context variable holds the running invocation.  Each invocation has its own
context; asyncio's tasks and `to_thread` inherit it, a plain thread does not.  So the variable
decides which invocation output belongs to, not the thread.

The end of an invocation is written once, by the thread that ran it or by the loop that gave it up.
Later output of its leftover threads and tasks still gets its request id in the log, but is not
added to a tail.
"""

import threading
from asyncio import CancelledError
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar, Token
from time import monotonic, time
from types import TracebackType
from typing import TYPE_CHECKING, Final

from gateway.http.connection.invocation_log import FAILED, STOPPED
from gateway.logs.line_assembly import LineAssembly, Piece
from gateway.logs.line_forms import (
    END,
    OUTSIDE,
    START,
    Mark,
    record_lines,
    shown,
)
from gateway.logs.log_tail import Tail
from gateway.text.printable import CONTINUED

if TYPE_CHECKING:
    from gateway.logs.function_log import FunctionLog

_LOCK_SECONDS: Final = 0.1
"""The loop waits no longer than this for the lock of a thread that prints."""


class Output:
    """The output under one request id: partial lines and the tail."""

    def __init__(self, log: "FunctionLog", request_id: str) -> None:
        self.request_id = shown(request_id)
        self._log = log
        self._tail: Tail | None = None
        self._is_tail_over = False
        self._assemblies: dict[str, LineAssembly] = {}
        # Reentrant for signal handlers and destructors that print while the lock is held.
        self._lock = threading.RLock()

    def __del__(self) -> None:
        """Write the rest: its thread or the last leftover of its invocation has ended."""
        self.finish()

    def take(self, stream: str, text: str) -> None:
        """Take text that was printed to `stream`."""
        with self._lock:
            pieces = self._assembly(stream).feed(text)
        if pieces:
            self._emit(stream, pieces)

    def take_bytes(self, stream: str, data: bytes) -> None:
        """Take bytes that were written to the buffer of `stream`."""
        with self._lock:
            pieces = self._assembly(stream).feed_bytes(data)
        if pieces:
            self._emit(stream, pieces)

    def record(self, at: float, level: str, text: str, tail_text: str) -> None:
        """Take a log record; `tail_text` is the part that the client may see."""
        form = self._log.form
        if form is not None:
            self._log.put(form.record(at, self.request_id, level, text))
        if self._tail is not None:
            begin = f"{self._log.stamp(at)} {self.request_id} [{shown(level)}] "
            self._add_to_tail(begin + "\n".join(record_lines(tail_text)) + "\n")

    def finish(self) -> None:
        """Write partial lines that are left."""
        for stream in list(self._assemblies):
            with self._held_shortly() as is_held:
                pieces = self._assemblies[stream].finish() if is_held else []
            self._emit(stream, pieces)

    def _assembly(self, stream: str) -> LineAssembly:
        assembly = self._assemblies.get(stream)
        if assembly is None:
            assembly = self._assemblies[stream] = LineAssembly()
        return assembly

    def _emit(self, stream: str, pieces: list[Piece]) -> None:
        log = self._log
        form = log.form
        at = time()
        for piece in pieces:
            if form is not None:
                log.put(form.output(at, self.request_id, stream, piece))
            if self._tail is not None:
                begin = CONTINUED if piece.is_continued else ""
                self._add_to_tail(f"{begin}{shown(piece.text)}\n")

    def _add_to_tail(self, line: str) -> None:
        with self._held_shortly() as is_held:
            if is_held and self._tail is not None and not self._is_tail_over:
                self._tail.add(line)

    def _end_tail(self, last: str) -> None:
        """Add the last line; later output of leftovers is not added."""
        with self._held_shortly():
            if self._tail is not None:
                self._is_tail_over = True
                self._tail.add(last)

    @contextmanager
    def _held_shortly(self) -> Iterator[bool]:
        """Acquire the lock if that is possible soon, and yield whether it was; safe on the loop."""
        is_held = self._lock.acquire(timeout=_LOCK_SECONDS)
        try:
            yield is_held
        finally:
            if is_held:
                self._lock.release()

    def renew_lock(self) -> None:
        """In a forked process: the thread that held the lock does not exist."""
        self._lock = threading.RLock()


class Outside(threading.local):
    """Output outside of invocations, by thread so that the lines of several do not mix."""

    def __init__(self, log: "FunctionLog") -> None:
        self.output = Output(log, OUTSIDE)


class InvocationLog(Output):
    """A context manager around one invocation, to which output inside belongs.

    Enter it in the thread or task that runs the invocation.
    """

    def __init__(
        self, log: "FunctionLog", phase: str, request_id: str, *, wants_tail: bool
    ) -> None:
        super().__init__(log, request_id)
        self._phase = phase
        self.wants_tail = wants_tail
        self._error: str | None = None
        self._started_at = 0.0
        self._token: Token[Output | None] | None = None
        self._is_open: list[bool] = []
        """Has one item from the start to the end; the thread that pops it writes the end."""

    def __repr__(self) -> str:
        state = "open" if self._is_open else "over" if self._started_at else "not begun"
        return f"<InvocationLog {self._phase} {self.request_id} {state}>"

    def __enter__(self) -> "InvocationLog":
        self._token = CURRENT.set(self)
        self._started_at = monotonic()
        self._is_open.append(True)
        if self.wants_tail:
            self._tail = Tail()
            self._log.count_tail(1)
        mark = Mark(self._phase, START)
        self._put_mark(mark)
        self._add_to_tail(mark.text(self.request_id))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Write the end; an exception marks it as failed and is not suppressed."""
        if isinstance(error, CancelledError):
            self.fail(STOPPED)
        elif error is not None:
            self.fail()
        self.end()
        if self._token is not None:
            CURRENT.reset(self._token)
            self._token = None

    def fail(self, error: str = FAILED) -> None:
        """Set the error of the end mark; the first call counts."""
        if self._error is None:
            self._error = error

    def end(self, error: str | None = None) -> None:
        """Write the end, once.  Safe in any thread.  `error` is as for `fail`."""
        try:
            self._is_open.pop()
        except IndexError:
            return
        milliseconds = (monotonic() - self._started_at) * 1000
        if error is not None:
            self.fail(error)
        self.finish()
        mark = Mark(self._phase, END, self._error, milliseconds)
        self._put_mark(mark)
        if self.wants_tail:
            self._end_tail(mark.text(self.request_id) + self._log.closing_line(milliseconds))
            self._log.count_tail(-1)

    def tell(self, level: int, message: str, error: BaseException | None) -> bool:
        """Log a message of the gateway about this invocation; return whether this log has it.

        Without a form it does not: the caller logs it, and a tail copies it.
        """
        if self._log.form is None:
            return False
        self._log.tell(self, level, message, error)
        return True

    def take_tail(self) -> str:
        """The present tail, encoded; empty if there is none, or at a second call."""
        with self._held_shortly():
            tail, self._tail = self._tail, None
        return "" if tail is None else tail.encode()

    def forsake(self) -> None:
        """In a forked process: leave the end mark and partial lines to the parent."""
        self._is_open.clear()
        self._assemblies.clear()

    def _put_mark(self, mark: Mark) -> None:
        form = self._log.form
        if form is not None:
            self._log.put(form.mark(time(), self.request_id, mark))


CURRENT: Final[ContextVar[Output | None]] = ContextVar("gateway.logs.output", default=None)
"""The output of the running invocation; `None` outside of invocations."""
