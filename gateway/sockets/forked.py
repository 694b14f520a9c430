"""What becomes of a process that a handler forks, by `os.fork` or `multiprocessing`.

Theory of operation: the child has a copy of everything, but of the threads only the one that forked
it.  It must not speak to clients, nor keep their connections open when the gateway closes them; a
signal that it gets must not be told to the gateway's loop, whose wake-up descriptor it shares; and
SIGTERM must end it.  So it leaves all that behind before any of the handler's code runs in it.
`wsgi.pool` has its thread take no more jobs.  The gateway itself is not touched.
"""

import os
import signal
from collections.abc import Iterable
from contextlib import suppress
from typing import Protocol

from gateway.sockets.descriptors import identity_of, open_descriptors


class Client(Protocol):
    """Who is connected, in whatever state."""

    @property
    def descriptor(self) -> int:
        """Of its socket; -1: it is closed."""


def leave_to_parent(connections: Iterable[Client], listener: tuple[int, int] | None) -> None:
    """Called in the child: close its copies of the parent's sockets, and take signals as usual.

    `listener` is the identity of the listening socket.
    """
    with suppress(ValueError):  # Not the main thread of the main interpreter.
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
    sockets = {listener}
    for connection in connections:
        sockets.add(identity_of(connection.descriptor))
        # One that has had no request yet has no writer.
        writer = getattr(connection, "writer", None)
        if writer is not None:
            writer.close()
    sockets.discard(None)
    for descriptor in open_descriptors():
        if identity_of(descriptor) in sockets:
            with suppress(OSError):
                os.close(descriptor)
