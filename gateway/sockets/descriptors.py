"""How many connections the process's limit of open files allows (getrlimit(2), `RLIMIT_NOFILE`)."""

import os
import resource
from contextlib import suppress

from gateway.error_log.loggers import logger

log = logger("gateway.server")

_STANDARD = 3
"""Descriptors below it are input, output and errors."""

_PER_CONNECTION = 2
"""The loop's and, from the first request on, the duplicate that pool threads write to."""

_LEAST_RESERVE = 16
_MOST_RESERVE = 1024
_MOST_TURNED_AWAY = 512


_FOLDERS = ("/dev/fd", "/proc/self/fd")

_MOST_PROBED = 65536


def open_descriptors() -> list[int]:
    """The numbers of the process's open files, and perhaps one of what has listed them."""
    for folder in _FOLDERS:  # A bare container may have neither.
        with suppress(OSError):
            return [int(name) for name in os.listdir(folder)]
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _MOST_PROBED if soft == resource.RLIM_INFINITY else min(soft, _MOST_PROBED)
    return [descriptor for descriptor in range(most) if is_open(descriptor)]


def is_open(descriptor: int) -> bool:
    """Whether the number is one of an open file."""
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def identity_of(descriptor: int) -> tuple[int, int] | None:
    """What tells a descriptor's file or socket from others; `None` when it is closed."""
    try:
        status = os.fstat(descriptor)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def connections_allowed(wanted: int) -> int:
    """How many connections there may be, up to `wanted`; raises the soft limit as far as needed.

    Some descriptors are kept back: for the handler, and for clients that are turned away.
    """
    used = len(open_descriptors())
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = used + _PER_CONNECTION * wanted + _MOST_RESERVE
    if resource.RLIM_INFINITY != soft < needed:
        soft = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        with suppress(OSError, ValueError):  # Systems have limits besides.
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return wanted
    reserve = max(_LEAST_RESERVE, min(_MOST_RESERVE, soft // 8))
    allowed = max(1, (soft - used - reserve) // _PER_CONNECTION)
    if allowed < wanted:
        log.warning(
            "%d connections at once, not %d: the process may open %d files (ulimit -n)",
            *(allowed, wanted, soft),
        )
    return min(wanted, allowed)


def turned_away_allowed(connections: int) -> int:
    """How many clients may be told at a time that there is no room, besides `connections`.

    Half of the descriptors that those leave is the handler's.
    """
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return _MOST_TURNED_AWAY
    left = soft - len(open_descriptors()) - _PER_CONNECTION * connections
    return max(_LEAST_RESERVE // 2, min(_MOST_TURNED_AWAY, left // 2))


def is_standard(descriptor: int) -> bool:
    """Whether what somebody prints may go to this descriptor."""
    return descriptor < _STANDARD


def occupy_standard() -> None:
    """Have nothing take the place of a standard stream that a handler has closed."""
    for descriptor in range(_STANDARD):
        if not is_open(descriptor):
            os.open(os.devnull, os.O_RDWR)  # Takes the lowest number that is free: this one.


def take_back_standard(descriptor: int) -> None:
    """Close what has taken the place of a standard stream, which libuv would not; if it has."""
    if is_standard(descriptor):
        null = os.open(os.devnull, os.O_RDWR)
        os.dup2(null, descriptor)
        if null != descriptor:
            os.close(null)
    occupy_standard()
