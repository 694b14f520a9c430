"""A connection's socket: its two ends, and a duplicate of it for pool threads."""

import asyncio
import errno
import socket
from typing import cast

from gateway.sockets.descriptors import is_standard, take_back_standard


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


def descriptor_of(transport: asyncio.BaseTransport | None) -> int:
    """Of its socket; -1 without one."""
    return -1 if transport is None else cast("int", transport.get_extra_info("socket").fileno())


def stands_for_standard(transport: asyncio.BaseTransport) -> bool:
    """Whether its socket has the number of a standard stream that a handler has closed.

    What is printed would go to the client.  So the number is taken from the transport, which is
    then good for nothing but `abort`.
    """
    descriptor = descriptor_of(transport)
    if not is_standard(descriptor):
        return False
    take_back_standard(descriptor)
    return True


def peer_of(sock: socket.socket) -> tuple[str, int] | None:
    """The client's address and port, empty where it has reset the connection; `None`: a path."""
    if sock.family == socket.AF_UNIX:
        return None
    try:
        return cast("tuple[str, int]", sock.getpeername()[:2])
    except OSError:
        return ("", 0)
