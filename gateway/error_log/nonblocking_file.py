"""Writes to an inherited file without waiting for its reader.

Standard output and standard error may be a pipe without a reader, a terminal stopped with ^S, or a
socket.  `O_NONBLOCK` belongs to the open file description (open(2)), which other processes share:
setting it would make their writes fail.  So the file is opened a second time, which gives the
gateway its own description.  Where that is not possible (macOS, a file of another user) a write
happens only when poll(2) reports room, and has at most PIPE_BUF bytes, which a pipe then takes at
once; another process that fills the pipe in between can still make that write wait.

Regular files and devices have no reader: they take the data or return an error.
"""

import fcntl
import os
import select
import socket
import stat
import sys
import termios
from contextlib import suppress
from time import monotonic
from typing import Final

_PIPE_BUF: Final[int] = select.PIPE_BUF
"""The most bytes that a pipe takes in one piece (pipe(7))."""

_FIRST_NONSTANDARD: Final = 3
"""The first descriptor after the standard streams."""

STANDARD_ERROR: Final = 2

_PIPE_CAPACITY_BYTES: Final = 64 * 1024
"""The assumed capacity where the system does not report it (macOS)."""

_SEND_FLAGS: Final[int] = getattr(socket, "MSG_DONTWAIT", 0) | getattr(socket, "MSG_NOSIGNAL", 0)


class NonBlockingFile:
    """Writes to the file of a descriptor; the caller keeps the descriptor."""

    def __init__(self, descriptor: int) -> None:
        """Raises OSError if `descriptor` is not open."""
        self._given = descriptor
        self._identity = _identity(descriptor)
        self._asks_first = False
        self._is_pipe = False
        self._socket: socket.socket | None = None
        self.descriptor = self._open()
        """The gateway's own descriptor; non-blocking if the file could be opened anew."""

    def _open(self) -> int:
        mode = os.fstat(self._given).st_mode
        self._is_pipe = stat.S_ISFIFO(mode)
        if stat.S_ISFIFO(mode) or os.isatty(self._given):
            with suppress(OSError):
                flags = os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
                return _above_standard(os.open(f"/proc/self/fd/{self._given}", flags))
            self._asks_first = True
        own = fcntl.fcntl(self._given, fcntl.F_DUPFD_CLOEXEC, _FIRST_NONSTANDARD)
        if stat.S_ISSOCK(mode):
            self._socket = socket.socket(fileno=own)
        return own

    def write(self, data: bytes | memoryview) -> int:
        """Write what there is room for; return the number of written bytes.

        A pipe takes up to PIPE_BUF bytes whole or not at all.

        Raises:
            BlockingIOError: there is no room now.
            OSError: the file takes nothing, such as on a full disk, or has been closed.
        """
        self._require_file()
        if self._socket is not None:
            return self._socket.send(data, _SEND_FLAGS)
        if self._asks_first:
            if not self._has_room(0.0):
                raise BlockingIOError
            data = data[:_PIPE_BUF]
        return os.write(self.descriptor, data)

    def write_whole(self, data: bytes | memoryview) -> int:
        """Like `write`, but write nothing to a pipe without room for all of `data`.

        Otherwise the output of other processes could stand in its middle.  Only data larger than
        the pipe is written in parts, once the pipe is empty.
        """
        if len(data) > _PIPE_BUF and self._is_pipe:
            self._require_file()
            count = fcntl.ioctl(self.descriptor, termios.FIONREAD, bytes(4))
            queued = int.from_bytes(count, sys.byteorder)
            # A pipe also counts pages, which may be partly filled.
            if queued and queued + len(data) > self._capacity() - _PIPE_BUF:
                raise BlockingIOError
        return self.write(data)

    def _capacity(self) -> int:
        if not hasattr(fcntl, "F_GETPIPE_SZ"):
            return _PIPE_CAPACITY_BYTES
        return fcntl.fcntl(self.descriptor, fcntl.F_GETPIPE_SZ)

    def write_within(self, seconds: float, data: bytes | memoryview) -> int:
        """Write all, waiting for room up to `seconds`; return the number of written bytes.

        Raises OSError like `write`, but not BlockingIOError.
        """
        until = monotonic() + seconds
        left = len(data)
        while left:
            try:
                left -= self.write(data[-left:])
            except BlockingIOError:
                if not self._has_room(max(0.0, until - monotonic())):
                    break
        return len(data) - left

    def await_room(self, seconds: float) -> None:
        """Wait up to `seconds` for room."""
        self._has_room(seconds)

    def close(self) -> None:
        """Close the file, unless a handler has closed it."""
        if self._socket is not None:
            self._socket.detach()
            self._socket = None
        with suppress(OSError):
            if _identity(self.descriptor) == self._identity:
                os.close(self.descriptor)

    def _has_room(self, seconds: float) -> bool:
        poll = select.poll()
        poll.register(self.descriptor, select.POLLOUT)
        return bool(poll.poll(seconds * 1000))

    def _require_file(self) -> None:
        """Check that the descriptor still belongs to the file.

        If a handler closes all descriptors, lines would otherwise go to whatever gets the number
        next, such as a client's connection.
        """
        with suppress(OSError):
            if _identity(self.descriptor) == self._identity:
                return
        if self._socket is not None:
            self._socket.detach()
            self._socket = None
        if _identity(self._given) != self._identity:
            raise OSError(9, "it has been closed")
        self.descriptor = self._open()


def standard_error() -> NonBlockingFile | None:
    """Standard error; `None` if it is closed, or no descriptor is free."""
    try:
        return NonBlockingFile(STANDARD_ERROR)
    except OSError:
        return None


def _identity(descriptor: int) -> tuple[int, int]:
    status = os.fstat(descriptor)
    return status.st_dev, status.st_ino


def _above_standard(descriptor: int) -> int:
    if descriptor >= _FIRST_NONSTANDARD:
        return descriptor
    try:
        return fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, _FIRST_NONSTANDARD)
    finally:
        os.close(descriptor)
