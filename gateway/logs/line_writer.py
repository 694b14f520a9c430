"""Writes lines to a descriptor in a thread, so that no other thread waits for the reader.

Theory of operation.  Any thread puts lines into a buffer; the writer takes them in batches.  A full
batch wakes it, and so do `flush` and `rouse` for less.  While the reader is slow or stopped, or the
disk full, the writer waits and the buffer fills.  When it is full, lines are dropped and counted
until half of it is written; then a line says how many are missing.  All lines in the buffer by then
are older than the dropped ones, so this line stands in their place.

The supervisor may share the buffer; it then writes the lines that a killed process has left.
"""

import fcntl
import os
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from threading import Event, Lock, Thread
from time import monotonic
from typing import Final

from gateway.error_log.loggers import logger
from gateway.error_log.nonblocking_file import NonBlockingFile
from gateway.logs.line_buffer import LineBuffer

log = logger("gateway.log")

_BATCH_BYTES: Final = 128 * 1024
"""The most bytes of one write."""

_WAKE_BYTES: Final = 128 * 1024
"""More queued bytes than this wake the writer."""

_RETRY_SECONDS: Final = 1.0
"""The interval of attempts after an error: a full disk may have room again."""

MAX_CLOSE_SECONDS: Final = 6.0
"""Seconds for a slow reader to take the end of the log."""

_LINGER_SECONDS: Final = 0.005
"""After `rouse` the writer waits this long for further lines, which then need no wake-up."""


class LineWriter:
    """Writes lines to a descriptor.  Create it in each process, after the fork."""

    def __init__(
        self,
        descriptor: int,
        tell_dropped: Callable[[int], str],
        lock: int | None = None,
        buffer: LineBuffer | None = None,
    ) -> None:
        """Take over `descriptor`; `tell_dropped` makes the line that replaces dropped lines.

        `lock` is a file to lock while a batch is written; otherwise processes that write to the
        same pipe could mix their lines (POSIX keeps writes together only up to PIPE_BUF).  `buffer`
        holds the queued lines; `None` creates one.
        """
        self._descriptor = descriptor
        self._file = NonBlockingFile(descriptor)
        self._buffer = buffer or LineBuffer()
        self._lock = lock
        self._tell_dropped = tell_dropped
        self._is_full = self._is_awake = self._has_failed = self._lingers = False
        self._dropped = 0
        self._written = 0
        """The number of written bytes, by which `close` sees progress."""
        self._drop_lock = Lock()
        self._wakes: SimpleQueue[None] = SimpleQueue()
        self._closing = Event()
        # A daemon: a stopped reader must not keep the process alive.
        self._thread = Thread(target=self._run, name="gateway-log", daemon=True)
        self._thread.start()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._leave_to_parent)

    def put(self, line: str) -> None:
        """Queue a line with its end, or drop it, without waiting.  Safe in any thread."""
        if not self._is_full:
            size = self._buffer.put(line.encode())
            if size >= 0:
                if size > _WAKE_BYTES and not self._is_awake:
                    self._wake()
                return
            self._is_full = True
        with self._drop_lock:
            self._dropped += 1
        if not self._is_awake:
            self._wake()

    def flush(self) -> None:
        """Wake the writer if lines are queued, without waiting."""
        if not self._is_awake and (self._dropped or self._is_full or not self._buffer.is_empty):
            self._wake()

    def rouse(self) -> None:
        """Let queued lines be written within milliseconds, with few wake-ups."""
        if not self._is_awake:
            self._lingers = True
            self._wake()

    def close(self, seconds: float, most: float = MAX_CLOSE_SECONDS) -> None:
        """Write the queued lines and close the descriptor.

        It gives up when the reader takes nothing for `seconds`, or after `most` seconds in all.
        Lines may then be lost, which is logged.
        """
        self._closing.set()
        self._wake()
        until = monotonic() + most
        written = -1
        while self._thread.is_alive() and written != self._written and monotonic() < until:
            written = self._written
            self._thread.join(min(seconds, most))
        if self._thread.is_alive() or not self._buffer.is_empty or self._dropped:
            left = self._buffer.rest().count(b"\n") + self._dropped
            log.warning("the log was not taken to its end: %d lines or more are left", left)

    def _wake(self) -> None:
        self._is_awake = True
        self._wakes.put(None)

    def _leave_to_parent(self) -> None:
        """In a forked process: leave the buffer and the end of the log to the parent."""
        self._drop_lock = Lock()
        self._is_full = self._is_awake = True

    # In the writer's thread.

    def _run(self) -> None:
        try:
            self._serve()
        finally:
            # In this thread, otherwise a write could go to another file with the same number.
            self._file.close()
            with suppress(OSError):
                os.close(self._descriptor)

    def _serve(self) -> None:
        while True:
            is_last = self._closing.is_set()  # Before the queue, or lines could be missed.
            if not self._write_all() or is_last:
                return
            lingers, self._lingers = self._lingers, False
            if lingers:
                self._closing.wait(_LINGER_SECONDS)
            self._is_awake = False
            # Lines that were queued before this, without a wake-up, must be seen now.
            if not lingers or self._buffer.is_empty:
                self._wakes.get()

    def _write_all(self) -> bool:
        """Write until the buffer is empty; False if writing failed while closing."""
        while True:
            lines = self._buffer.take(_BATCH_BYTES)
            if self._is_full or self._dropped:
                self._go_on()
            if not lines:
                if self._buffer.is_empty:
                    return True
            elif not self._write(lines):
                return False

    def _go_on(self) -> None:
        """Once a half is written accept lines again, after one that says how many are missing."""
        if not self._buffer.has_room:
            return
        with self._drop_lock:
            dropped, self._dropped = self._dropped, 0
        if dropped:
            self._buffer.put(self._tell_dropped(dropped).encode())
        self._is_full = False

    def _write(self, data: memoryview) -> bool:
        """Write all of `data`, however long it takes; False if it failed while closing."""
        if self._lock is None:
            return self._write_alone(data)
        # The lock belongs to the process, so the system releases it at the end of the process.
        with suppress(OSError):  # A handler has closed it, as daemons close all descriptors.
            fcntl.lockf(self._lock, fcntl.LOCK_EX)
        try:
            return self._write_alone(data)
        finally:
            with suppress(OSError):
                fcntl.lockf(self._lock, fcntl.LOCK_UN)

    def _write_alone(self, data: memoryview) -> bool:
        while data:
            try:
                written = self._file.write(data)
            except BlockingIOError:
                self._file.await_room(_RETRY_SECONDS)
            except OSError as error:
                if not self._has_failed:
                    self._has_failed = True
                    log.warning("the log cannot be written: %s; trying again", error.strerror)
                if self._closing.is_set():
                    return False
                self._closing.wait(_RETRY_SECONDS)
            else:
                self._buffer.advance(written)
                self._written += written
                data = data[written:]
                self._has_failed = False
        return True
