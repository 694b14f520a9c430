"""Lines go to a descriptor by a thread of their own: nobody who has one waits for its reader.

Theory of operation.  Any thread puts lines into a buffer; the writer takes them in batches.  It is
woken when there is a batch, and by `flush` or `rouse` for what is less.  While the reader is slow,
stopped, or the disk full, the writer waits and the buffer fills.  Once it is full lines are dropped
and counted until half of it has been written; then a line in their place tells how many.  All that
is in the buffer by then came before them, so it stands where they would have stood.

The buffer may be shared with the supervisor, which writes what a killed process has left there.
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
"""What a pipe or a page cache takes at once."""

_WAKE_BYTES: Final = 128 * 1024
"""Queued, that wake the writer."""

_RETRY_SECONDS: Final = 1.0
"""Between two attempts to write where an error came back: a full disk may have room again."""

CLOSE_MOST: Final = 6.0
"""Seconds for a reader that takes the end of the log, but slowly."""

_LINGER_SECONDS: Final = 0.005
"""In which further lines of those that are wanted soon gather, and wake nobody."""


class LineWriter:
    """Writes lines to a descriptor.  Make one per process, after it has forked."""

    def __init__(
        self,
        descriptor: int,
        tell_dropped: Callable[[int], str],
        lock: int | None = None,
        buffer: LineBuffer | None = None,
    ) -> None:
        """Take over `descriptor`; `tell_dropped` makes the line that stands for so many.

        `lock` is a file that is locked while a batch is written: other processes that write to the
        same pipe, and lock the same file, would else put theirs in the middle (POSIX keeps writes
        together only up to PIPE_BUF).  `buffer` is where lines wait; `None`: in one of its own.
        """
        self._descriptor = descriptor
        self._file = NonBlockingFile(descriptor)
        self._buffer = buffer or LineBuffer()
        self._lock = lock
        self._tell_dropped = tell_dropped
        self._is_full = self._is_awake = self._has_failed = self._lingers = False
        self._dropped = 0
        self._written = 0
        """Bytes; `close` looks whether there are more."""
        self._drop_lock = Lock()
        self._wakes: SimpleQueue[None] = SimpleQueue()
        self._closing = Event()
        # A daemon: a reader that has stopped must not keep the process from its end.
        self._thread = Thread(target=self._run, name="gateway-log", daemon=True)
        self._thread.start()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._leave_to_parent)

    def put(self, line: str) -> None:
        """Queue a line with its end, or drop it; never waits.  From any thread."""
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
        """Have what is queued written, and do not wait for it."""
        if not self._is_awake and (self._dropped or self._is_full or not self._buffer.is_empty):
            self._wake()

    def rouse(self) -> None:
        """Have it written within milliseconds, without a wake-up for each line; as `flush`."""
        if not self._is_awake:
            self._lingers = True
            self._wake()

    def close(self, seconds: float, most: float = CLOSE_MOST) -> None:
        """Write what is queued and close the descriptor.

        A reader that takes nothing for `seconds` is not waited for, and a slow one for up to `most`
        seconds.  What has not left by then may be lost, which is logged.
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
        """In a forked process: the buffer is the parent's, and so is the end of the log."""
        self._drop_lock = Lock()
        self._is_full = self._is_awake = True

    # In the writer's thread.

    def _run(self) -> None:
        try:
            self._serve()
        finally:
            # Here, or a write could go to whatever has the number next.
            self._file.close()
            with suppress(OSError):
                os.close(self._descriptor)

    def _serve(self) -> None:
        while True:
            is_last = self._closing.is_set()  # Before the look at the queue, or its end is lost.
            if not self._write_all() or is_last:
                return
            lingers, self._lingers = self._lingers, False
            if lingers:
                self._closing.wait(_LINGER_SECONDS)
            self._is_awake = False
            # Whoever has queued before this and roused nobody, counts on being seen now.
            if not lingers or self._buffer.is_empty:
                self._wakes.get()

    def _write_all(self) -> bool:
        """Write until the buffer is empty; False when that is given up."""
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
        """Take lines again, behind one that tells how many are missing, once a half has left."""
        if not self._buffer.has_room:
            return
        with self._drop_lock:
            dropped, self._dropped = self._dropped, 0
        if dropped:
            self._buffer.put(self._tell_dropped(dropped).encode())
        self._is_full = False

    def _write(self, data: memoryview) -> bool:
        """Write all of `data`, however long that takes; False when it failed while closing."""
        if self._lock is None:
            return self._write_alone(data)
        # Of the process, and released at its end whatever ends it.
        with suppress(OSError):  # A handler has closed it, as daemons close all they have.
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
