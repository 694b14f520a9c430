"""Whose words they are: what is printed and logged, and the invocation that it belongs to.

Theory of operation: a context variable says which invocation runs.  It is in the context that each
invocation has of its own; asyncio's tasks and `to_thread` hand it on, a plain thread has none.  So
whatever is written asks the variable, and not the thread, whose it is.

When an invocation is over its end has been written once, by whoever came first: the thread that ran
it, or the loop that gave it up.  What its leftovers write then still has its request id in the log,
but no tail takes it.
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

_LONGEST_WAIT: Final = 0.1
"""Seconds for the lock of an output: the loop must not wait longer for a thread that prints."""


class Output:
    """What is written under one request id: partial lines, and the tail."""

    def __init__(self, log: "FunctionLog", request_id: str) -> None:
        self.request_id = shown(request_id)
        self._log = log
        self._tail: Tail | None = None
        self._is_tail_over = False
        self._assemblies: dict[str, LineAssembly] = {}
        # For signal handlers and destructors: they print in the middle of what holds it.
        self._lock = threading.RLock()

    def __del__(self) -> None:
        """Its thread has ended, or the last leftover of its invocation."""
        self.finish()

    def take(self, stream: str, text: str) -> None:
        """What was printed to `stream`."""
        with self._lock:
            pieces = self._assembly(stream).feed(text)
        if pieces:
            self._emit(stream, pieces)

    def take_bytes(self, stream: str, data: bytes) -> None:
        """What was written to the buffer of `stream`."""
        with self._lock:
            pieces = self._assembly(stream).feed_bytes(data)
        if pieces:
            self._emit(stream, pieces)

    def record(self, at: float, level: str, text: str, tail_text: str) -> None:
        """What was logged; `tail_text` is what the client may know of it."""
        form = self._log.form
        if form is not None:
            self._log.put(form.record(at, self.request_id, level, text))
        if self._tail is not None:
            begin = f"{self._log.stamp(at)} {self.request_id} [{shown(level)}] "
            self._add_to_tail(begin + "\n".join(record_lines(tail_text)) + "\n")

    def finish(self) -> None:
        """Write what is left without a line end."""
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
        """Add the last of it: what comes from leftovers is not told any more."""
        with self._held_shortly():
            if self._tail is not None:
                self._is_tail_over = True
                self._tail.add(last)

    @contextmanager
    def _held_shortly(self) -> Iterator[bool]:
        """The lock, if it can be had soon, and whether it could: on the loop, too."""
        is_held = self._lock.acquire(timeout=_LONGEST_WAIT)
        try:
            yield is_held
        finally:
            if is_held:
                self._lock.release()

    def renew_lock(self) -> None:
        """In a forked process: whoever held it is not there."""
        self._lock = threading.RLock()


class Outside(threading.local):
    """What is written outside of invocations, thread by thread: lines of several must not mix."""

    def __init__(self, log: "FunctionLog") -> None:
        self.output = Output(log, OUTSIDE)


class InvocationLog(Output):
    """A context manager around one invocation: what is written inside belongs to it.

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
        """Has an item from the start to the end: who pops it, ends."""

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
        """End; what escapes from inside makes it a failure, and goes on."""
        if isinstance(error, CancelledError):
            self.fail(STOPPED)
        elif error is not None:
            self.fail()
        self.end()
        if self._token is not None:
            CURRENT.reset(self._token)
            self._token = None

    def fail(self, error: str = FAILED) -> None:
        """Have the end mark tell of a fault; the first one that is told counts."""
        if self._error is None:
            self._error = error

    def end(self, error: str | None = None) -> None:
        """Write the end, unless it is there; from any thread.  `error` is as for `fail`."""
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
        """Take a message of the gateway on this invocation; whether it is in its log then.

        Without a form it is not: who has it logs it, and it is overheard.
        """
        if self._log.form is None:
            return False
        self._log.tell(self, level, message, error)
        return True

    def take_tail(self) -> str:
        """The tail as it is now, encoded; "" when there is none, or it has been taken."""
        with self._held_shortly():
            tail, self._tail = self._tail, None
        return "" if tail is None else tail.encode()

    def forsake(self) -> None:
        """In a forked process: the end is the parent's to write, and what is no line yet."""
        self._is_open.clear()
        self._assemblies.clear()

    def _put_mark(self, mark: Mark) -> None:
        form = self._log.form
        if form is not None:
            self._log.put(form.mark(time(), self.request_id, mark))


CURRENT: Final[ContextVar[Output | None]] = ContextVar("gateway.logs.output", default=None)
"""Whose words they are that are written now; `None`: no invocation's."""
