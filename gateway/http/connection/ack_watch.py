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
    from gateway.http.connection.exchange import Exchange
    from gateway.http.connection.shared_state import SharedState

_PATIENCE: Final = 30.0
"""Seconds without an acknowledgement, after which the client counts as gone."""

_TCP_CLOSE: Final = 7
"""Of the states in `TCP_INFO` (tcp(7))."""

_DRAIN_SECONDS: Final = 2.0
"""The same, when the worker ends."""


class AckWatch:
    """Holds the records of a connection's exchanges back until all that was answered has been
    acknowledged, or never will be.

    One to a connection, however many answers it is sent: else who sends many requests at once, and
    reads no answer, would take a descriptor for each.  Stands among the site's connections
    meanwhile: the sweep asks again, and the end of the worker waits for it.
    """

    __slots__ = ("_deadline", "_exchanges", "_missing", "_site", "_socket")

    def __init__(self, site: "SharedState", sock: socket.socket) -> None:
        """Take over `sock`, a duplicate of the connection's."""
        self._site = site
        self._exchanges: list[Exchange] = []
        self._socket = sock
        self._missing = -1
        self._deadline = 0.0
        site.connections.add(self)

    def __repr__(self) -> str:
        return f"<AckWatch {len(self._exchanges)} exchanges missing={self._missing}>"

    @property
    def is_over(self) -> bool:
        """Whether it has ended, so that the next answer needs another."""
        return self._socket.fileno() < 0

    def add(self, exchange: "Exchange", *, is_last: bool) -> None:
        """Have the record of `exchange` made in the end; its answer was handed to the connection.

        `is_last`: all of it is in the system's hands, and nothing else will be.
        """
        self._exchanges.append(exchange)
        if is_last:
            with suppress(OSError):  # It is gone, as will be found.
                # The duplicate keeps the connection open; who reads on is to see the end.
                self._socket.shutdown(socket.SHUT_WR)
        self.check_deadline(self._site.loop.time())

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

    @property
    def descriptor(self) -> int:
        """Of its socket; -1: it is closed."""
        return self._socket.fileno()

    @property
    def waits_since(self) -> float:
        """Since when, by the loop's time, the client has acknowledged nothing."""
        return self._deadline - _PATIENCE

    @property
    def pace(self) -> None:
        """It brings nothing that is awaited."""

    def make_room(self) -> bool:
        """Wait no longer: the client counts as gone."""
        self.cut()
        return True

    def drain(self) -> bool:
        """The worker ends, and waits a little."""
        self._deadline = min(self._deadline, self._site.loop.time() + _DRAIN_SECONDS)
        return False

    def cut(self) -> None:
        """The worker waits no longer."""
        self._end(is_taken=False)

    def _end(self, *, is_taken: bool) -> None:
        self._site.connections.discard(self)
        self._socket.close()
        exchanges, self._exchanges = self._exchanges, []
        for exchange in exchanges:
            exchange.confirm(is_taken=is_taken)


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


def begin_delivery(site: "SharedState", sock: socket.socket) -> AckWatch | None:
    """Of the answers on a connection, of whose socket `sock` is a descriptor; `None`: it cannot be
    known whether they are taken."""
    try:
        # Of the other side of a Unix socket the send itself has told.
        return None if sock.family == socket.AF_UNIX else AckWatch(site, sock.dup())
    except OSError:  # No descriptor is left.
        return None
