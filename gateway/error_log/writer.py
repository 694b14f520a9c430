"""The gateway's own log on standard error, which nobody has to read.

Theory of operation.  Each record is one write, which never waits (`outlet`).  What there is no room
for is kept, up to a bound, and written before the next record or when `flush` is called, which the
loop's sweep and the supervisor do.  Beyond the bound records are dropped and counted until half of
what is kept has left; then a line in their place tells how many are missing.  There is no thread:
the supervisor forks.
"""

import logging
import os
from collections import deque
from threading import RLock
from time import monotonic
from typing import Final

from gateway.error_log.lines import LineFormatter
from gateway.error_log.outlet import Outlet

_MOST_KEPT: Final = 256 * 1024
"""Bytes; with some tracebacks of a few KB each that is a hundred failures."""


class ErrorLog:
    """A `loggers.Voice` over an outlet."""

    def __init__(self, outlet: Outlet | None, level: str) -> None:
        """Take records of `level`, such as `info`, and above; `None`: there is nowhere to write."""
        self._outlet = outlet
        self._level = logging.getLevelNamesMapping()[level.upper()]
        self._formatter = LineFormatter()
        self._kept: deque[bytes] = deque()
        self._size = 0
        self._dropped = 0
        self._is_full = False
        # For a signal handler that logs in the middle of a record.
        self._lock = RLock()
        self._is_writing = False
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._forget)

    @property
    def descriptor(self) -> int:
        """Where it is written to; -1: nowhere."""
        return -1 if self._outlet is None else self._outlet.descriptor

    def is_enabled(self, _: str, level: int, /) -> bool:
        """Whether records of any logger are wanted."""
        return level >= self._level

    def handle(self, record: logging.LogRecord) -> None:
        """Write a record, or keep it for later, or count it as dropped."""
        if record.levelno >= self._level:
            self.say(self._text(record))

    def say(self, text: str) -> None:
        """Write lines, without the end of the last one, in one piece; as `handle`."""
        if self._outlet is None:
            return
        data = f"{text}\n".encode("utf-8", "backslashreplace")
        with self._lock:
            self._put(data)
            self._write()

    def flush(self) -> bool:
        """Write what there is room for; whether nothing is kept any more."""
        if not self._kept and not self._dropped:
            return True
        with self._lock:
            self._write()
        return not self._kept

    def close(self, seconds: float) -> None:
        """Write what is kept, and wait up to `seconds` for room."""
        until = monotonic() + seconds
        while not self.flush() and self._outlet is not None and monotonic() < until:
            self._outlet.await_room(min(_POLL, max(0.0, until - monotonic())))

    def _text(self, record: logging.LogRecord) -> str:
        try:
            return self._formatter.format(record)
        except Exception as error:  # By what a user's object does when it is made into text.
            record.msg, record.args = "a message cannot be shown: %s", (type(error).__name__,)
            record.exc_info = record.stack_info = None
            return self._formatter.format(record)

    def _put(self, data: bytes) -> None:
        if self._is_full or (self._kept and self._size + len(data) > _MOST_KEPT):
            self._is_full = True
            self._dropped += 1
        else:
            self._kept.append(data)
            self._size += len(data)

    def _write(self) -> None:
        outlet, kept = self._outlet, self._kept
        if outlet is None or self._is_writing:
            return
        self._is_writing = True
        try:
            while kept:
                data = kept[0]
                written = outlet.write_whole(data)
                self._size -= written
                if written < len(data):
                    kept[0] = data[written:]
                    continue
                kept.popleft()
                if self._is_full and self._size <= _MOST_KEPT // 2:
                    self._go_on()
        except OSError:
            pass  # No room now, or none at all: a full disk may have some later.
        finally:
            self._is_writing = False

    def _go_on(self) -> None:
        """Take records again, behind one that tells how many are missing."""
        dropped, self._dropped, self._is_full = self._dropped, 0, False
        if dropped:
            text = "%d records are missing: standard error was not read as fast as they came"
            record = logging.LogRecord(
                "gateway.log", logging.WARNING, "", 0, text, (dropped,), None
            )
            self._put(f"{self._formatter.format(record)}\n".encode())

    def _forget(self) -> None:
        """In a forked process: what is kept is the parent's to write; who held the lock is gone."""
        self._lock = RLock()
        self._is_writing = False
        self._kept.clear()
        self._size = self._dropped = 0
        self._is_full = False


_POLL: Final = 0.05
"""Seconds between two attempts where the file says that it has room, and takes nothing."""
