"""How a supervisor forks, and whether its terminal is still there."""

import os
import socket
from collections.abc import Callable, Iterator

from gateway.signals.inbox import SignalInbox


def split(inbox: SignalInbox, leave: Callable[[], None]) -> tuple[int, socket.socket]:
    """Fork: the child's number, or in the child 0; and the own end of what links the two.

    The end does not block.  In the child `leave` is called, to let go of what else is the parent's.

    Raises:
        OSError: there is no child.
    """
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    theirs.setblocking(False)
    try:
        # A signal to the child before it has left the inbox would be taken for the parent's.
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


def ended() -> Iterator[tuple[int, int]]:
    """The children that have ended, process 1's adopted ones too: number and status of each."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not pid:
            return
        yield pid, status


def has_terminal() -> bool:
    """Whether the process is controlled from one, which sends SIGHUP when it goes."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True
