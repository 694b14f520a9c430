"""A stream that somebody else has opened, written to without waiting for its reader.

Standard output and standard error may be a pipe that nobody reads, a terminal that has been stopped
with ^S, or a socket.  `O_NONBLOCK` belongs to the open file description (open(2)), which other
processes share: set there, it would make their writes fail.  So the file is opened a second time,
for a description of the gateway's own.  Where that is not possible (macOS, a file of another user)
a write is made only when poll(2) says that there is room, and is no longer than PIPE_BUF, which a
pipe then takes at once; another process that fills it in between can still make that write wait.

Regular files and devices take what comes or tell an error; they have no reader.
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
"""Bytes that a pipe takes in one piece (pipe(7))."""

_LEAST: Final = 3
"""The first descriptor that is no standard stream."""

STANDARD_ERROR: Final = 2

_PIPE_CAPACITY: Final = 64 * 1024
"""Bytes, where the system does not tell (macOS)."""

_SEND_FLAGS: Final[int] = getattr(socket, "MSG_DONTWAIT", 0) | getattr(socket, "MSG_NOSIGNAL", 0)


class Outlet:
    """Writes to the file of a descriptor, which stays open and the caller's own."""

    def __init__(self, descriptor: int) -> None:
        """Raises OSError where `descriptor` is not open."""
        self._given = descriptor
        self._identity = _identity(descriptor)
        self._asks_first = False
        self._is_pipe = False
        self._socket: socket.socket | None = None
        self.descriptor = self._open()
        """Of the gateway's own; it does not block where it could be opened anew."""

    def _open(self) -> int:
        mode = os.fstat(self._given).st_mode
        self._is_pipe = stat.S_ISFIFO(mode)
        if stat.S_ISFIFO(mode) or os.isatty(self._given):
            with suppress(OSError):
                flags = os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
                return _above_standard(os.open(f"/proc/self/fd/{self._given}", flags))
            self._asks_first = True
        own = fcntl.fcntl(self._given, fcntl.F_DUPFD_CLOEXEC, _LEAST)
        if stat.S_ISSOCK(mode):
            self._socket = socket.socket(fileno=own)
        return own

    def write(self, data: bytes | memoryview) -> int:
        """Write what there is room for; how many bytes that were.

        Up to PIPE_BUF bytes go to a pipe whole or not at all.

        Raises:
            BlockingIOError: there is no room now.
            OSError: the file takes nothing, such as a full disk, or has been closed.
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
        """As `write`, but a pipe that has no room for all of `data` now takes nothing of it.

        Else what other processes write would stand in the middle.  Only more than a pipe can hold
        is written in part, once it is empty.
        """
        if len(data) > _PIPE_BUF and self._is_pipe:
            self._require_file()
            count = fcntl.ioctl(self.descriptor, termios.FIONREAD, bytes(4))
            queued = int.from_bytes(count, sys.byteorder)
            # Beside bytes a pipe counts pages, each of which may have some room left.
            if queued and queued + len(data) > self._capacity() - _PIPE_BUF:
                raise BlockingIOError
        return self.write(data)

    def _capacity(self) -> int:
        if not hasattr(fcntl, "F_GETPIPE_SZ"):
            return _PIPE_CAPACITY
        return fcntl.fcntl(self.descriptor, fcntl.F_GETPIPE_SZ)

    def write_within(self, seconds: float, data: bytes | memoryview) -> int:
        """Write all, and wait for room up to `seconds`; how many bytes that were.

        Raises OSError as `write` does, but for BlockingIOError.
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
        """Wait until there may be room, `seconds` at the most."""
        self._has_room(seconds)

    def close(self) -> None:
        """Let go of the file, unless a handler has done so."""
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
        """See that the number is the file's still.

        A handler that closes all descriptors would else have lines written to whatever has the
        number next, such as the connection of a client.
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


def standard_error() -> Outlet | None:
    """The process's; `None`: it is closed, or there is no descriptor left for it."""
    try:
        return Outlet(STANDARD_ERROR)
    except OSError:
        return None


def _identity(descriptor: int) -> tuple[int, int]:
    status = os.fstat(descriptor)
    return status.st_dev, status.st_ino


def _above_standard(descriptor: int) -> int:
    if descriptor >= _LEAST:
        return descriptor
    try:
        return fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, _LEAST)
    finally:
        os.close(descriptor)
