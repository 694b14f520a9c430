"""The log of what a function prints and logs, invocation by invocation.

Theory of operation: `sys.stdout`, `sys.stderr` and a handler of the root logger ask a context
variable to whom a word belongs (`attendance`), make lines of it (`line_assembly`, `line_forms`) and
queue them for a writer, so nobody who prints waits for the reader of the log.

Without a form nothing of that is written, and output goes where it would go without the gateway.
While a client has asked for the tail of an invocation it is listened to, too.
"""

import io
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from math import ceil
from threading import Lock
from typing import Any

from gateway.http.connection.invocation_log import Readers
from gateway.limits import MIB
from gateway.logs.invocation_log import CURRENT, InvocationLog, Output, Outside
from gateway.logs.line_forms import STDERR, STDOUT, Form, Stamps
from gateway.logs.output import LoggedStream, OutputStream, OverheardStream
from gateway.logs.peak_memory import peak_memory
from gateway.logs.records import RecordHandler


class FunctionLog:
    """Makes the lines of a worker's invocations and hands them on."""

    def __init__(
        self,
        form: Form | None,
        put: Callable[[str], None],
        *,
        memory: int,
        shows_stack: bool = False,
        tail_readers: Readers = "nobody",
    ) -> None:
        """`put` takes lines in `form`, which has them written; `None`: nothing is.

        `memory` is the function's, in MB.  `tail_readers`: which clients may ask for a tail, and
        `shows_stack`: whether they see there where a handler failed.
        """
        self.form = form
        self.is_on = form is not None
        self.put = put
        self.tail_readers = tail_readers
        self.shows_stack = shows_stack
        self.stamp = Stamps()
        self._memory = memory
        self._tails = 0
        self._tails_lock = Lock()
        self._outside = Outside(self)
        self._streams: list[OutputStream] = []
        self._originals: tuple[Any, Any] = (None, None)
        self._records = RecordHandler(self)
        self.tell = self._records.tell
        self.take_own = self._records.take_own

    def __repr__(self) -> str:
        return f"<FunctionLog {type(self.form).__name__} {self._tails} tails>"

    def attend(self, phase: str, request_id: str, wants_tail: bool = False) -> InvocationLog:
        """A context manager for one run of the function's code.

        `phase` is `Invoke`, `Initialize`, `PreFreeze` or `PreStop`.  Enter it in the thread or task
        that runs the code, and in a context of its own (`contextvars`): what is printed and logged
        inside belongs to `request_id`, and marks for the start and the end stand around it.  What
        escapes makes the end a failure; its traceback is logged by who catches it, inside.
        """
        return InvocationLog(
            self, phase, request_id, wants_tail=wants_tail and self.tail_readers != "nobody"
        )

    # Where words come in.

    def install(self) -> None:
        """Listen to the process: standard output and errors, and the root logger."""
        self._originals = sys.stdout, sys.stderr
        sys.stdout = self._stream(sys.stdout, STDOUT)
        sys.stderr = self._stream(sys.stderr, STDERR)
        self._records.install()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._go_on_in_child)

    def _stream(self, original: Any, name: str) -> Any:
        """What takes the place of `original`, or itself where that is no stream to listen to."""
        if self.form is not None:
            if not isinstance(original, io.TextIOWrapper):  # `None` where its file is closed.
                original = io.TextIOWrapper(io.BufferedWriter(io.FileIO(os.devnull, "w")), "utf-8")
            stream: OutputStream = LoggedStream(original, name, self.output)
        elif isinstance(original, io.TextIOWrapper):
            stream = OverheardStream(original, name, self.overheard)
        else:
            return original
        self._streams.append(stream)  # Or the end of the last one would close the original's file.
        return stream

    def output(self) -> Output:
        """Whose output is written now."""
        return CURRENT.get() or self._outside.output

    def overheard(self) -> Output | None:
        """Whose output is written now, if it is an invocation's."""
        return CURRENT.get()

    def count_tail(self, change: int) -> None:
        """One tail more, or less, is listened for."""
        if self.form is not None:
            return
        with self._tails_lock:
            self._tails += change
            is_any = self._tails > 0
            for stream in self._streams:
                if isinstance(stream, OverheardStream):
                    stream.listen(is_any)

    def closing_line(self, milliseconds: float) -> str:
        """The last of a tail, as Function Compute has it behind an empty line."""
        used = peak_memory() / MIB
        return (
            f"\nDuration: {milliseconds:.2f} ms, Billed Duration: {ceil(milliseconds)} ms, "
            f"Memory Size: {self._memory} MB, Max Memory Used: {used:.2f} MB\n"
        )

    # The end.

    def withdraw(self) -> None:
        """Take the streams out of their places, unless somebody else has; hear no more records."""
        stdout, stderr = self._originals
        if sys.stdout in self._streams:
            sys.stdout.flush()
            sys.stdout = stdout
        if sys.stderr in self._streams:
            sys.stderr = stderr
        self._records.withdraw()

    def leave(self) -> None:
        """No writer takes lines any more: write what comes at the process's end directly."""
        self._outside.output.finish()
        self.put = _write_directly

    def _go_on_in_child(self) -> None:
        """A handler has forked: the child has no writer, and answers for nothing."""
        self.put = _write_directly
        self._tails_lock = Lock()
        current = CURRENT.get()
        if isinstance(current, InvocationLog):
            current.renew_lock()
            current.forsake()


def _write_directly(line: str) -> None:
    with suppress(OSError):  # Nobody reads.
        os.write(1, line.encode())
