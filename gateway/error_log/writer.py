"""The gateway's own log on standard error, which works without a reader.

Theory of operation.  Each record is one write, which never waits (`nonblocking_file`).  Records
without room are queued, up to a bound, and written before the next record or by `flush`, which the
loop's sweep and the supervisor call.  Beyond the bound records are dropped and counted until half
of the queue is written; then a line in their place says how many are missing.  There is no thread,
because the supervisor forks.
"""

import logging
import os
from collections import deque
from threading import RLock
from time import monotonic
from typing import Final

from gateway.error_log.lines import LineFormatter
from gateway.error_log.nonblocking_file import NonBlockingFile

_MAX_QUEUED_BYTES: Final = 256 * 1024
"""Enough for a hundred failures with tracebacks of a few KB."""


class ErrorLog:
    """A `loggers.Voice` that writes to a file."""

    def __init__(self, file: NonBlockingFile | None, level: str) -> None:
        """Take records of `level`, such as `info`, and above; without a file drop them."""
        self._file = file
        self._level = logging.getLevelNamesMapping()[level.upper()]
        self._formatter = LineFormatter()
        self._queue: deque[bytes] = deque()
        self._size = 0
        self._dropped = 0
        self._is_full = False
        # Reentrant for a signal handler that logs in the middle of a record.
        self._lock = RLock()
        self._is_writing = False
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._forget)

    @property
    def descriptor(self) -> int:
        """The descriptor that it writes to; -1 without a file."""
        return -1 if self._file is None else self._file.descriptor

    def is_enabled(self, _: str, level: int, /) -> bool:
        """Whether records of any logger are wanted."""
        return level >= self._level

    def handle(self, record: logging.LogRecord) -> None:
        """Write a record, or queue it, or count it as dropped."""
        if record.levelno >= self._level:
            self.say(self._text(record))

    def say(self, text: str) -> None:
        """Write lines in one piece, without the last line end; like `handle`."""
        if self._file is None:
            return
        data = f"{text}\n".encode("utf-8", "backslashreplace")
        with self._lock:
            self._put(data)
            self._write()

    def flush(self) -> bool:
        """Write what there is room for; return whether the queue is empty."""
        if not self._queue and not self._dropped:
            return True
        with self._lock:
            self._write()
        return not self._queue

    def close(self, seconds: float) -> None:
        """Write the queue, waiting up to `seconds` for room."""
        until = monotonic() + seconds
        while not self.flush() and self._file is not None and monotonic() < until:
            self._file.await_room(min(_POLL_SECONDS, max(0.0, until - monotonic())))

    def _text(self, record: logging.LogRecord) -> str:
        try:
            return self._formatter.format(record)
        except Exception as error:  # A method of a user's object has failed.
            record.msg, record.args = "a message cannot be shown: %s", (type(error).__name__,)
            record.exc_info = record.stack_info = None
            return self._formatter.format(record)

    def _put(self, data: bytes) -> None:
        if self._is_full or (self._queue and self._size + len(data) > _MAX_QUEUED_BYTES):
            self._is_full = True
            self._dropped += 1
        else:
            self._queue.append(data)
            self._size += len(data)

    def _write(self) -> None:
        file, queue = self._file, self._queue
        if file is None or self._is_writing:
            return
        self._is_writing = True
        try:
            while queue:
                data = queue[0]
                written = file.write_whole(data)
                self._size -= written
                if written < len(data):
                    queue[0] = data[written:]
                    continue
                queue.popleft()
                if self._is_full and self._size <= _MAX_QUEUED_BYTES // 2:
                    self._resume()
        except OSError:
            pass  # No room now, or a full disk, which may have room later.
        finally:
            self._is_writing = False

    def _resume(self) -> None:
        """Accept records again, after one that says how many are missing."""
        dropped, self._dropped, self._is_full = self._dropped, 0, False
        if dropped:
            text = "%d records are missing: standard error was not read as fast as they came"
            record = logging.LogRecord(
                "gateway.log", logging.WARNING, "", 0, text, (dropped,), None
            )
            self._put(f"{self._formatter.format(record)}\n".encode())

    def _forget(self) -> None:
        """In a forked process: the parent writes the queue, and the lock's holder does not
        exist."""
        self._lock = RLock()
        self._is_writing = False
        self._queue.clear()
        self._size = self._dropped = 0
        self._is_full = False


_POLL_SECONDS: Final = 0.05
"""The interval of attempts where poll reports room but the file takes nothing."""
