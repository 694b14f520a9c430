"""Files that the user names: settings, projects, keys.

A name can lead to anything: to a pipe that nobody writes to, a device, a file of the system that
never ends.  Nothing here waits or reads without a bound.  Pipes are read, because `<(command)` of a
shell is one, and a good way to hand over secrets.
"""

import errno
import os
import select
import stat
from pathlib import Path
from time import monotonic
from typing import Final

from gateway.errors import UsageError

LARGEST: Final = 1024 * 1024
"""Bytes of a file, where nothing else is said."""

_LONGEST: Final = 10.0
"""Seconds for the writer of a pipe."""

_STEP: Final = 0.05
"""Seconds between two looks at a pipe that has no writer, of which the system does not tell."""

_CHUNK: Final = 65536


def content_of(
    path: Path, named_by: str, *, most: int = LARGEST, fault: type[UsageError] = UsageError
) -> bytes:
    """The bytes of a file or a pipe; of one that has more than `most`, as many and one.

    `named_by` is the place that names it.

    Raises:
        UsageError: it cannot be read; of the type `fault`.
    """
    try:
        return read_bounded(path, most + 1)
    except OSError as error:
        raise fault(
            f"{named_by}: cannot read {str(path)!r}: {error.strerror}; check the path"
        ) from None


def read_bounded(path: Path, most: int) -> bytes:
    """At most so many bytes from the beginning of a file, or of a pipe.

    Raises:
        OSError: it cannot be read, is neither, or is a pipe whose writer takes too long.
    """
    _require_data(os.stat(path))  # Before it is opened, which does things to devices.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    try:
        status = os.fstat(descriptor)
        _require_data(status)
        until = monotonic() + _LONGEST
        content = bytearray()
        while len(content) < most:
            data = _read(descriptor, min(most - len(content), _CHUNK))
            if data:
                content += data
            elif data is not None and (content or not stat.S_ISFIFO(status.st_mode)):
                break  # Its end.
            elif monotonic() >= until:
                raise OSError(errno.ETIMEDOUT, "it is a pipe, and what it has does not come")
            else:
                _await_data(descriptor, until, has_writer=data is None)
        return bytes(content)
    finally:
        os.close(descriptor)


def _read(descriptor: int, most: int) -> bytes | None:
    """Some bytes; none at the end, or where a pipe has no writer; `None` where they are to come."""
    try:
        return os.read(descriptor, most)
    except BlockingIOError:
        return None


def _await_data(descriptor: int, until: float, *, has_writer: bool) -> None:
    seconds = max(0.0, until - monotonic())
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    poll.poll((seconds if has_writer else min(seconds, _STEP)) * 1000 + 1)


def _require_data(status: os.stat_result) -> None:
    """Raises OSError for what is no file of data."""
    if stat.S_ISDIR(status.st_mode):
        raise OSError(errno.EISDIR, os.strerror(errno.EISDIR))
    is_file = stat.S_ISREG(status.st_mode) or stat.S_ISFIFO(status.st_mode)
    if not is_file and status.st_rdev != os.stat(os.devnull).st_rdev:  # Nothing, said usually.
        raise OSError(errno.EINVAL, "it is a device or a socket, and no file")
