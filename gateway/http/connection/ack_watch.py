"""Whether a client that has ended its side of the connection still took its response.

Such a client has either closed (it has left: a browser's stop, a proxy's timeout, a killed process)
or half-closed (it still reads).  Both look alike until the gateway sends something: a client that
has left resets the connection, one that reads acknowledges.
"""

import socket
from array import array
from contextlib import suppress
from fcntl import ioctl
from termios import TIOCOUTQ
from typing import Final

from gateway.http.connection.exchange import Exchange
from gateway.http.connection.shared_state import SharedState

_SILENCE_SECONDS: Final = 30.0
"""A client that has acknowledged nothing for this long counts as gone."""

_TCP_CLOSE: Final = 7
"""The state CLOSE in `TCP_INFO` (tcp(7))."""

_DRAIN_SECONDS: Final = 2.0
"""The same for an ending worker."""


class AckWatch:
    """Delays the records of a connection's exchanges until the client has acknowledged all
    responses, or never will.

    A connection has one watch: otherwise a client that pipelines and reads nothing would use a
    descriptor per response.  The watch is one of the site's connections, so that the sweep asks
    again and the worker's end waits for it.
    """

    __slots__ = ("_deadline", "_exchanges", "_missing", "_site", "_socket")

    def __init__(self, site: SharedState, sock: socket.socket) -> None:
        """Take over `sock`, a duplicate of the connection's socket."""
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
        """Whether the watch has ended, so that the next response needs another one."""
        return self._socket.fileno() < 0

    def add(self, exchange: Exchange, *, is_last: bool) -> None:
        """Watch the response of `exchange`, which the connection has.

        `is_last`: the kernel has all bytes of it, and no more will follow.
        """
        self._exchanges.append(exchange)
        if is_last:
            with suppress(OSError):  # The client is gone; `check_deadline` notices.
                # The duplicate keeps the connection open, but the client must see the end.
                self._socket.shutdown(socket.SHUT_WR)
        self.check_deadline(self._site.loop.time())

    def check_deadline(self, now: float) -> None:
        """Called by each sweep; `now` is the loop's time."""
        missing = unacknowledged(self._socket)
        if not missing:
            self._end(is_taken=True)
        elif _is_closed(self._socket):
            self._end(is_taken=False)
        elif missing != self._missing:
            self._missing = missing
            self._deadline = now + _SILENCE_SECONDS
        elif now > self._deadline:
            self._end(is_taken=False)

    @property
    def descriptor(self) -> int:
        """File descriptor of the socket, -1 once closed."""
        return self._socket.fileno()

    @property
    def waits_since(self) -> float:
        """The loop's time since which the client has acknowledged nothing."""
        return self._deadline - _SILENCE_SECONDS

    @property
    def pace(self) -> None:
        """`None`: there is no upload."""

    def make_room(self) -> bool:
        """Stop waiting: the client counts as gone."""
        self.cut()
        return True

    def drain(self) -> bool:
        """The worker ends: wait only a little longer."""
        self._deadline = min(self._deadline, self._site.loop.time() + _DRAIN_SECONDS)
        return False

    def cut(self) -> None:
        """Stop waiting: the client counts as gone."""
        self._end(is_taken=False)

    def _end(self, *, is_taken: bool) -> None:
        self._site.connections.discard(self)
        self._socket.close()
        exchanges, self._exchanges = self._exchanges, []
        for exchange in exchanges:
            exchange.confirm(is_taken=is_taken)


def unacknowledged(sock: socket.socket) -> int:
    """Bytes that the peer has not acknowledged (tcp(7), `SIOCOUTQ`)."""
    count = array("i", [0])
    try:
        ioctl(sock, TIOCOUTQ, count)
    except OSError:  # Not Linux: sent bytes count as taken.
        return 0
    return count[0]


def _is_closed(sock: socket.socket) -> bool:
    """Whether the peer has reset the connection.

    The socket's error would not do: only the first call that asks gets it.
    """
    return sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == _TCP_CLOSE


def watch_acknowledgements(site: SharedState, sock: socket.socket) -> AckWatch | None:
    """A watch on the connection of `sock`, which stays the caller's.

    `None`: acknowledgements cannot be watched; responses count as taken.
    """
    try:
        # On a Unix socket, the send itself fails if the peer has closed.
        return None if sock.family == socket.AF_UNIX else AckWatch(site, sock.dup())
    except OSError:  # No descriptor is left.
        return None
