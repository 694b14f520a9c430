"""Lines go to a descriptor by a thread of their own: nobody who has one waits for its reader.

Theory of operation.  Any thread queues lines; the writer takes them in batches, one write each.
It is woken when there is a batch, and by `flush` or `rouse` for what is less.  While the reader is
slow or stopped, or the disk full, the writer waits and the queue grows up to a bound.  From there
on lines are dropped and counted until half of the queue has left; then a line in their place tells
how many.  All that is queued by then came before them, so it stands where they would have stood.

`_size` is no exact count: in the free-threaded build two threads that raise it at once may raise it
by one line only.  It is set right each time that the queue is empty.
"""

import fcntl
import os
import select
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from threading import Event, Lock, Thread
from typing import Final

from gateway.loggers import logger

log = logger("gateway.log")

_BATCH_LINES: Final = 512
"""Of a few hundred bytes each: what a pipe or a page cache takes at once."""

_WAKE_BYTES: Final = 128 * 1024
"""Queued, that wake the writer."""

_MOST_BYTES: Final = 8 * 1024 * 1024
"""Queued; in memory they take up to half more, and the batch on its way comes on top."""

_RETRY_SECONDS: Final = 1.0
"""Between two attempts to write where an error came back: a full disk may have room again."""

_LINGER_SECONDS: Final = 0.005
"""In which further lines of those that are wanted soon gather, and wake nobody."""


class LineWriter:
    """Writes lines to a descriptor.  Make one per process, after it has forked."""

    def __init__(
        self, descriptor: int, tell_dropped: Callable[[int], str], lock: int | None = None
    ) -> None:
        """Take over `descriptor`; `tell_dropped` makes the line that stands for so many.

        `lock` is a file that is locked while a batch is written: other processes that write to the
        same pipe, and lock the same file, would else put theirs in the middle (POSIX keeps writes
        together only up to PIPE_BUF).
        """
        self._descriptor = descriptor
        self._lock = lock
        self._tell_dropped = tell_dropped
        self._lines: deque[str] = deque()
        self._size = 0
        self._is_full = self._is_awake = self._has_failed = self._lingers = False
        self._dropped = 0
        self._drop_lock = Lock()
        self._wakes: SimpleQueue[None] = SimpleQueue()
        self._closing = Event()
        # A daemon: a reader that has stopped must not keep the process from its end.
        self._thread = Thread(target=self._run, name="gateway-log", daemon=True)
        self._thread.start()

    def put(self, line: str) -> None:
        """Queue a line with its end, or drop it; never waits.  From any thread."""
        if self._is_full:
            with self._drop_lock:
                self._dropped += 1
            return
        length = len(line)
        self._lines.append(line)
        self._size += length
        if self._size > _WAKE_BYTES:
            if not self._is_awake:
                self._wake()
            elif self._size > _MOST_BYTES:
                self._is_full = True

    def flush(self) -> None:
        """Have what is queued written, and do not wait for it."""
        if (self._lines or self._is_full or self._dropped) and not self._is_awake:
            self._wake()

    def rouse(self) -> None:
        """Have it written within milliseconds, without a wake-up for each line; as `flush`."""
        if not self._is_awake:
            self._lingers = True
            self._wake()

    def close(self, seconds: float) -> None:
        """Write what is queued and close the descriptor; wait `seconds` for that at the most.

        What has not left by then may be lost, which is logged.
        """
        self._closing.set()
        self._wake()
        self._thread.join(seconds)
        if self._thread.is_alive() or self._lines or self._dropped:
            left = len(self._lines) + self._dropped
            log.warning("the log was not taken to its end: %d lines or more are left", left)

    def _wake(self) -> None:
        self._is_awake = True
        self._wakes.put(None)

    # In the writer's thread.

    def _run(self) -> None:
        try:
            self._serve()
        finally:
            # Here, or a write could go to whatever has the number next.
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
            if not (lingers and self._lines):
                self._wakes.get()

    def _write_all(self) -> bool:
        """Write until the queue is empty; False when that is given up."""
        while True:
            if not self._lines:
                self._size = 0
            if (self._is_full or self._dropped) and self._size <= _MOST_BYTES // 2:
                self._go_on()
            if not self._lines:
                return True
            if not self._write(self._take()):
                return False

    def _go_on(self) -> None:
        """Take lines again, behind one that tells how many are missing."""
        with self._drop_lock:
            dropped, self._dropped = self._dropped, 0
        if dropped:
            line = self._tell_dropped(dropped)
            self._lines.append(line)
            self._size += len(line)
        self._is_full = False

    def _take(self) -> bytes:
        lines = self._lines
        text = "".join([lines.popleft() for _ in range(min(len(lines), _BATCH_LINES))])
        length = len(text)
        self._size -= length
        return text.encode()

    def _write(self, data: bytes) -> bool:
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

    def _write_alone(self, data: bytes) -> bool:
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[os.write(self._descriptor, rest) :]
                self._has_failed = False
            except BlockingIOError:
                self._await_room()  # Whoever shares standard output may have made it non-blocking.
            except OSError as error:
                if not self._has_failed:
                    self._has_failed = True
                    log.warning("the log cannot be written: %s; trying again", error.strerror)
                if self._closing.is_set():
                    return False
                self._closing.wait(_RETRY_SECONDS)
        return True

    def _await_room(self) -> None:
        poll = select.poll()
        poll.register(self._descriptor, select.POLLOUT)
        poll.poll(_RETRY_SECONDS * 1000)
