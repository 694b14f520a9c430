"""Whether a client that has ended its side of the connection still took its answer.

To the end of what a client sends, it may have closed (it has left: a browser's stop, a proxy's
timeout, a process that was killed) or half-closed (it reads on).  Both look the same, until
something is sent: who has left resets the connection, who reads acknowledges.
"""

import socket
from array import array
from contextlib import suppress
from fcntl import ioctl
from termios import TIOCOUTQ
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from gateway.http.exchange import Exchange
    from gateway.http.site import Site

_PATIENCE: Final = 30.0
"""Seconds without an acknowledgement, after which the client counts as gone."""

_TCP_CLOSE: Final = 7
"""Of the states in `TCP_INFO` (tcp(7))."""

_DRAIN_SECONDS: Final = 2.0
"""The same, when the worker ends."""


class Delivery:
    """Holds the record of an exchange back until its answer has been acknowledged, or never will.

    Stands among the site's connections meanwhile: the sweep asks again, and the end of the worker
    waits for it.
    """

    __slots__ = ("_deadline", "_exchange", "_missing", "_site", "_socket")

    def __init__(self, site: "Site", exchange: "Exchange", sock: socket.socket) -> None:
        """Take over `sock`, a duplicate of the connection's, to which the answer was handed."""
        self._site = site
        self._exchange = exchange
        self._socket = sock
        self._missing = -1
        self._deadline = 0.0
        site.connections.add(self)
        self.check_deadline(site.loop.time())

    def __repr__(self) -> str:
        return f"<Delivery {self._exchange!r} missing={self._missing}>"

    def check_deadline(self, now: float) -> None:
        """Called by the sweep, every now and then; `now` is the loop's time."""
        missing = unacknowledged(self._socket)
        if not missing:
            self._end(is_taken=True)
        elif _is_closed(self._socket):
            self._end(is_taken=False)
        elif missing != self._missing:
            self._missing = missing
            self._deadline = now + _PATIENCE
        elif now > self._deadline:
            self._end(is_taken=False)

    def drain(self) -> None:
        """The worker ends, and waits a little."""
        self._deadline = min(self._deadline, self._site.loop.time() + _DRAIN_SECONDS)

    def cut(self) -> None:
        """The worker waits no longer."""
        self._end(is_taken=False)

    def _end(self, *, is_taken: bool) -> None:
        self._site.connections.discard(self)
        self._socket.close()
        self._exchange.confirm(is_taken=is_taken)


def unacknowledged(sock: socket.socket) -> int:
    """Bytes that the other side has not confirmed (tcp(7), `SIOCOUTQ`)."""
    count = array("i", [0])
    try:
        ioctl(sock, TIOCOUTQ, count)
    except OSError:  # Not Linux: what was sent counts as taken.
        return 0
    return count[0]


def _is_closed(sock: socket.socket) -> bool:
    """Whether the other side has reset it.  (The error itself is told once, to whom asks first.)"""
    return sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == _TCP_CLOSE


def confirm_delivery(
    site: "Site", exchange: "Exchange", sock: socket.socket, *, is_last: bool
) -> None:
    """Have the record of `exchange` made once it is known whether its answer was taken.

    `is_last`: all of it has been handed to `sock`, and nothing else will be.
    """
    try:
        # Of the other side of a Unix socket the send itself has told.
        duplicate = None if sock.family == socket.AF_UNIX else sock.dup()
    except OSError:  # No descriptor is left.
        duplicate = None
    if duplicate is None:
        exchange.confirm(is_taken=True)
        return
    if is_last:
        with suppress(OSError):  # It is gone, as will be found.
            # The duplicate keeps the connection open; who reads on is to see the end.
            duplicate.shutdown(socket.SHUT_WR)
    Delivery(site, exchange, duplicate)
