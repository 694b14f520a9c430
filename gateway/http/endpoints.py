"""A connection's socket: its two ends, and a duplicate of it for pool threads."""

import errno
import socket
from typing import cast

from gateway.descriptors import is_standard, take_back_standard


def duplicate_of(sock: socket.socket) -> socket.socket:
    """Another descriptor of the same socket.

    Raises:
        OSError: none is left; or a handler has closed a standard stream, and what is printed would
            go to the client.
    """
    duplicate = sock.dup()
    if is_standard(sock.fileno()) or is_standard(duplicate.fileno()):
        duplicate.close()
        take_back_standard(sock.fileno())
        raise OSError(errno.EBADF, "a handler has closed a standard stream")
    return duplicate


def peer_of(sock: socket.socket) -> tuple[str, int] | None:
    """The client's address and port, empty where it has reset the connection; `None`: a path."""
    if sock.family == socket.AF_UNIX:
        return None
    try:
        return cast("tuple[str, int]", sock.getpeername()[:2])
    except OSError:
        return ("", 0)
