"""A connection's socket: its two ends, and a duplicate of it for pool threads."""

import asyncio
import errno
import socket
from typing import cast

from gateway.sockets.descriptors import is_standard, take_back_standard


def duplicate_of(sock: socket.socket) -> socket.socket:
    """Another descriptor of the same socket.

    Raises:
        OSError: no descriptor is left; or a handler has closed a standard stream, so that printed
            text would go to the client.
    """
    duplicate = sock.dup()
    if is_standard(sock.fileno()) or is_standard(duplicate.fileno()):
        duplicate.close()
        take_back_standard(sock.fileno())
        raise OSError(errno.EBADF, "a handler has closed a standard stream")
    return duplicate


def descriptor_of(transport: asyncio.BaseTransport | None) -> int:
    """File descriptor of the transport's socket, -1 without one."""
    return -1 if transport is None else cast("int", transport.get_extra_info("socket").fileno())


def stands_for_standard(transport: asyncio.BaseTransport) -> bool:
    """Whether the socket has the number of a standard stream that a handler has closed.

    Printed text would go to the client.  So this takes the number from the transport; the only
    thing to do with the transport then is to abort it.
    """
    descriptor = descriptor_of(transport)
    if not is_standard(descriptor):
        return False
    take_back_standard(descriptor)
    return True


def peer_of(sock: socket.socket) -> tuple[str, int] | None:
    """The client's address and port; `None` on a Unix socket.

    Empty address and port 0 if the client has reset the connection.
    """
    if sock.family == socket.AF_UNIX:
        return None
    try:
        return cast("tuple[str, int]", sock.getpeername()[:2])
    except OSError:
        return ("", 0)
