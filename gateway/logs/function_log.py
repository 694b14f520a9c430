"""The log of what a function prints and logs, by invocation.

Theory of operation.  `sys.stdout`, `sys.stderr` and a handler of the root logger read from a
context variable which invocation output belongs to (`invocation_log`), make lines of it
(`line_assembly`, `line_forms`) and queue them for a writer, so code that prints never waits for the
reader of the log.

Without a form nothing is written here, and output goes where it would go without the gateway.
While a client has asked for the tail of an invocation, output is copied for the tail, too.
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
from gateway.logs.output_streams import LoggedStream, OutputStream, TeeStream
from gateway.logs.peak_memory import peak_memory
from gateway.logs.records import RecordHandler


class FunctionLog:
    """Makes the lines of a worker's invocations and passes them on."""

    def __init__(
        self,
        form: Form | None,
        put: Callable[[str], None],
        *,
        memory: int,
        shows_stack: bool = False,
        tail_readers: Readers = "nobody",
    ) -> None:
        """`put` takes lines in `form`; with the form `None` nothing is written.

        `memory` is the function's memory in MB.  `tail_readers` says which clients may ask for a
        tail, and `shows_stack` whether a tail has the tracebacks of handlers.
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
        that runs the code, in its own context (`contextvars`).  Output and records inside belong to
        `request_id`, between a start mark and an end mark.  An exception that escapes marks the end
        as failed; the code that catches it inside logs its traceback.
        """
        return InvocationLog(
            self, phase, request_id, wants_tail=wants_tail and self.tail_readers != "nobody"
        )

    # Input.

    def install(self) -> None:
        """Take over standard output, standard error and the root logger."""
        self._originals = sys.stdout, sys.stderr
        sys.stdout = self._stream(sys.stdout, STDOUT)
        sys.stderr = self._stream(sys.stderr, STDERR)
        self._records.install()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._go_on_in_child)

    def _stream(self, original: Any, name: str) -> Any:
        """The replacement for `original`, or `original` if it is not a text stream."""
        if self.form is not None:
            if not isinstance(original, io.TextIOWrapper):  # `None` if its file is closed.
                original = io.TextIOWrapper(io.BufferedWriter(io.FileIO(os.devnull, "w")), "utf-8")
            stream: OutputStream = LoggedStream(original, name, self.output)
        elif isinstance(original, io.TextIOWrapper):
            stream = TeeStream(original, name, self.overheard)
        else:
            return original
        self._streams.append(stream)  # Deleting one would close the file.
        return stream

    def output(self) -> Output:
        """The output that present writes belong to."""
        return CURRENT.get() or self._outside.output

    def overheard(self) -> Output | None:
        """The output of the present invocation, if there is one."""
        return CURRENT.get()

    def count_tail(self, change: int) -> None:
        """Add `change` to the number of tails, and copy output only while there are any."""
        if self.form is not None:
            return
        with self._tails_lock:
            self._tails += change
            is_any = self._tails > 0
            for stream in self._streams:
                if isinstance(stream, TeeStream):
                    stream.listen(is_any)

    def closing_line(self, milliseconds: float) -> str:
        """The last line of a tail, after an empty line, as on Function Compute."""
        used = peak_memory() / MIB
        return (
            f"\nDuration: {milliseconds:.2f} ms, Billed Duration: {ceil(milliseconds)} ms, "
            f"Memory Size: {self._memory} MB, Max Memory Used: {used:.2f} MB\n"
        )

    # The end.

    def withdraw(self) -> None:
        """Restore the original streams, unless other code has replaced ours; take no more
        records."""
        stdout, stderr = self._originals
        if sys.stdout in self._streams:
            sys.stdout.flush()
            sys.stdout = stdout
        if sys.stderr in self._streams:
            sys.stderr = stderr
        self._records.withdraw()

    def leave(self) -> None:
        """Write later output directly, since the writer ends."""
        self._outside.output.finish()
        self.put = _write_directly

    def _go_on_in_child(self) -> None:
        """In a child that a handler has forked: it has no writer, and the parent writes the
        marks."""
        self.put = _write_directly
        self._tails_lock = Lock()
        current = CURRENT.get()
        if isinstance(current, InvocationLog):
            current.renew_lock()
            current.forsake()


def _write_directly(line: str) -> None:
    with suppress(OSError):  # The reader has gone.
        os.write(1, line.encode())
