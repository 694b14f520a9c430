"""Forking and reaping for the supervisor, and whether it still has its terminal."""

import os
import socket
from collections.abc import Callable, Iterator

from gateway.signals.inbox import SignalInbox


def fork_linked(inbox: SignalInbox, leave: Callable[[], None]) -> tuple[int, socket.socket]:
    """Fork; return the child's process ID (0 in the child) and this process's end of a socket pair.

    The socket does not block.  The child calls `leave`, to close what else belongs to the parent.

    Raises:
        OSError: no child could be forked.
    """
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    theirs.setblocking(False)
    try:
        # Before the child has left the inbox, the parent would take the child's signals for its
        # own.
        with inbox.held():
            pid = os.fork()
            if not pid:
                inbox.leave()
                leave()
    except OSError:
        ours.close()
        theirs.close()
        raise
    mine, other = (ours, theirs) if pid else (theirs, ours)
    other.close()
    return pid, mine


def reap() -> Iterator[tuple[int, int]]:
    """Reap the children that have reap, adopted ones of process 1 too; yield process ID and
    status."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not pid:
            return
        yield pid, status


def has_terminal() -> bool:
    """Whether the process has a controlling terminal, which sends SIGHUP when it closes."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True
