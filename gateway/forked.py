"""What becomes of a process that a handler forks, by `os.fork` or `multiprocessing`.

Theory of operation: the child has a copy of everything, but of the threads only the one that forked
it.  It must not speak to clients, nor keep their connections open when the gateway closes them; a
signal that it gets must not be told to the gateway's loop, whose wake-up descriptor it shares; and
SIGTERM must end it.  So it leaves all that behind before any of the handler's code runs in it.
`wsgi.pool` has its thread take no more jobs.  The gateway itself is not touched.
"""

import os
import signal
import socket
from collections.abc import Iterable
from contextlib import suppress
from typing import Final

_DESCRIPTORS: Final = "/dev/fd"


def leave_to_parent(connections: Iterable[object], listener: socket.socket) -> None:
    """Called in the child: close its copies of the parent's sockets, and take signals as usual."""
    with suppress(ValueError):  # Not the main thread of the main interpreter.
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
    inodes = {_inode(listener.fileno())}
    for connection in connections:
        # One that has had no request yet has no writer.
        writer = getattr(connection, "writer", None)
        if writer is not None:
            inodes.add(_inode(writer.duplicate.fileno()))
            writer.close()
    inodes.discard(None)
    for name in os.listdir(_DESCRIPTORS):
        if _inode(int(name)) in inodes:
            with suppress(OSError):
                os.close(int(name))


def _inode(descriptor: int) -> tuple[int, int] | None:
    """What tells a descriptor's socket from others; `None` when it is closed."""
    try:
        status = os.fstat(descriptor)
    except OSError:
        return None
    return status.st_dev, status.st_ino
