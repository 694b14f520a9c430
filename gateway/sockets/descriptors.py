"""File descriptors: the connections that `RLIMIT_NOFILE` allows (getrlimit(2)), standard
streams."""

import os
import resource
from contextlib import suppress

from gateway.error_log.loggers import logger

log = logger("gateway.server")

_FIRST_NONSTANDARD = 3
"""The descriptors below are standard input, output and error."""

_PER_CONNECTION = 2
"""The loop's descriptor and, after the first request, the duplicate for pool threads."""

_MIN_RESERVE = 16
_MAX_RESERVE = 1024
_MAX_TURNED_AWAY = 512


_FOLDERS = ("/dev/fd", "/proc/self/fd")

_MAX_PROBED = 65536


def open_descriptors() -> list[int]:
    """The open descriptors, perhaps with one that only the listing used."""
    for folder in _FOLDERS:  # A minimal container may have neither.
        with suppress(OSError):
            return [int(name) for name in os.listdir(folder)]
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _MAX_PROBED if soft == resource.RLIM_INFINITY else min(soft, _MAX_PROBED)
    return [descriptor for descriptor in range(most) if is_open(descriptor)]


def is_open(descriptor: int) -> bool:
    """Whether the descriptor is open."""
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def identity_of(descriptor: int) -> tuple[int, int] | None:
    """Device and inode of the descriptor's file or socket; `None` if it is closed."""
    try:
        status = os.fstat(descriptor)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def connections_allowed(wanted: int) -> int:
    """How many connections are possible, up to `wanted`; raises the soft limit as far as needed.

    Some descriptors are reserved for the handler and for clients that are turned away.
    """
    used = len(open_descriptors())
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = used + _PER_CONNECTION * wanted + _MAX_RESERVE
    if resource.RLIM_INFINITY != soft < needed:
        soft = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        with suppress(OSError, ValueError):  # Some systems have further limits.
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return wanted
    reserve = max(_MIN_RESERVE, min(_MAX_RESERVE, soft // 8))
    allowed = max(1, (soft - used - reserve) // _PER_CONNECTION)
    if allowed < wanted:
        log.warning(
            "%d connections at once, not %d: the process may open %d files (ulimit -n)",
            *(allowed, wanted, soft),
        )
    return min(wanted, allowed)


def turned_away_allowed(connections: int) -> int:
    """How many clients at a time may get a refusal, in addition to `connections`.

    Half of the remaining descriptors stay reserved for the handler.
    """
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return _MAX_TURNED_AWAY
    left = soft - len(open_descriptors()) - _PER_CONNECTION * connections
    return max(_MIN_RESERVE // 2, min(_MAX_TURNED_AWAY, left // 2))


def is_standard(descriptor: int) -> bool:
    """Whether this is the descriptor of a standard stream."""
    return descriptor < _FIRST_NONSTANDARD


def occupy_standard() -> None:
    """Occupy the descriptors of closed standard streams, so that no socket gets their numbers."""
    for descriptor in range(_FIRST_NONSTANDARD):
        if not is_open(descriptor):
            os.open(os.devnull, os.O_RDWR)  # It gets the lowest free number: this one.


def take_back_standard(descriptor: int) -> None:
    """Replace a socket that got the number of a standard stream, which libuv would not close."""
    if is_standard(descriptor):
        null = os.open(os.devnull, os.O_RDWR)
        os.dup2(null, descriptor)
        if null != descriptor:
            os.close(null)
    occupy_standard()
