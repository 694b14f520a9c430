"""Reads files that the user names: settings, projects, keys.

A name can lead to anything: a pipe without a writer, a device, an endless system file.  So every
wait and every read is bounded.  Pipes are allowed, because `<(command)` in a shell is one, and a
good way to pass secrets.
"""

import errno
import os
import select
import stat
from pathlib import Path
from time import monotonic
from typing import Final

from gateway.errors import UsageError

MAX_BYTES: Final = 1024 * 1024
"""The default limit of a file's size in bytes."""

_MAX_WAIT_SECONDS: Final = 10.0
"""The longest wait for the writer of a pipe."""

_POLL_SECONDS: Final = 0.05
"""The polling interval for a pipe without a writer: poll(2) does not report a new writer."""

_CHUNK_BYTES: Final = 65536


def content_of(
    path: Path, named_by: str, *, most: int = MAX_BYTES, fault: type[UsageError] = UsageError
) -> bytes:
    """The content of a file or a pipe; only `most` + 1 bytes if it is larger.

    `named_by` is the setting that names it.

    Raises:
        UsageError: it cannot be read; the type is `fault`.
    """
    try:
        return read_bounded(path, most + 1)
    except OSError as error:
        raise fault(
            f"{named_by}: cannot read {str(path)!r}: {error.strerror}; check the path"
        ) from None


def read_bounded(path: Path, most: int) -> bytes:
    """At most `most` bytes from the beginning of a file or a pipe.

    Raises:
        OSError: it cannot be read, is neither, or is a pipe whose writer takes too long.
    """
    _require_data(os.stat(path))  # Before opening it, which has side effects on devices.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    try:
        status = os.fstat(descriptor)
        _require_data(status)
        until = monotonic() + _MAX_WAIT_SECONDS
        content = bytearray()
        while len(content) < most:
            data = _read(descriptor, min(most - len(content), _CHUNK_BYTES))
            if data:
                content += data
            elif data is not None and (content or not stat.S_ISFIFO(status.st_mode)):
                break  # The end of the file.
            elif monotonic() >= until:
                raise OSError(errno.ETIMEDOUT, "it is a pipe, and what it has does not come")
            else:
                _await_data(descriptor, until, has_writer=data is None)
        return bytes(content)
    finally:
        os.close(descriptor)


def _read(descriptor: int, most: int) -> bytes | None:
    """Some bytes; empty at the end or without a writer; `None` if they are still to come."""
    try:
        return os.read(descriptor, most)
    except BlockingIOError:
        return None


def _await_data(descriptor: int, until: float, *, has_writer: bool) -> None:
    seconds = max(0.0, until - monotonic())
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    poll.poll((seconds if has_writer else min(seconds, _POLL_SECONDS)) * 1000 + 1)


def _require_data(status: os.stat_result) -> None:
    """Raises OSError unless it is a regular file, a pipe or the null device."""
    if stat.S_ISDIR(status.st_mode):
        raise OSError(errno.EISDIR, os.strerror(errno.EISDIR))
    is_file = stat.S_ISREG(status.st_mode) or stat.S_ISFIFO(status.st_mode)
    if not is_file and status.st_rdev != os.stat(os.devnull).st_rdev:  # Commonly named.
        raise OSError(errno.EINVAL, "it is a device or a socket, and no file")
