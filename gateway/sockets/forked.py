"""Detaches a process that a handler forks, by `os.fork` or `multiprocessing`.

Theory of operation.  The child has a copy of everything, except that only the forking thread runs
in it.  It must not write to clients, nor keep their connections open after the gateway closes them.
Its signals must not reach the gateway's loop, whose wake-up descriptor it shares, and SIGTERM must
end it.  So it drops all this before the handler's code goes on in it.  `wsgi.pool` stops its thread
from taking further jobs.  The gateway itself is not affected.
"""

import os
import signal
from collections.abc import Iterable
from contextlib import suppress
from typing import Protocol

from gateway.sockets.descriptors import identity_of, open_descriptors


class Client(Protocol):
    """A connection in any state."""

    @property
    def descriptor(self) -> int:
        """File descriptor of the socket, -1 once closed."""


def leave_to_parent(connections: Iterable[Client], listener: tuple[int, int] | None) -> None:
    """In the child: close its copies of the parent's sockets, and restore signal defaults.

    `listener` is the identity of the listening socket (`identity_of`).
    """
    with suppress(ValueError):  # Not the main thread of the main interpreter.
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
    sockets = {listener}
    for connection in connections:
        sockets.add(identity_of(connection.descriptor))
        # A connection has no writer before its first request.
        writer = getattr(connection, "writer", None)
        if writer is not None:
            writer.close()
    sockets.discard(None)
    for descriptor in open_descriptors():
        if identity_of(descriptor) in sockets:
            with suppress(OSError):
                os.close(descriptor)
