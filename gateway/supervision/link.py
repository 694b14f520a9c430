"""What supervisor and worker tell one another: single bytes over a pair of sockets.

Nobody waits for the other.  The end of the connection tells the worker that its supervisor is gone;
that a worker is gone the supervisor hears from the system, because a process that a handler has
forked may keep the worker's end open.
"""

import logging
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Protocol

from gateway.supervision.load_board import LoadBoard

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

# From the worker.
READY: Final = ord("r")
BEAT: Final = ord("b")
WORN: Final = ord("w")
"""A beat, and the wish to be replaced."""
EXPLAINED: Final = ord("e")
"""It cannot start, and has told its user why."""
FAULTY: Final = ord("f")
"""The same, and other code of the user would mend it."""
CLOSED: Final = ord("c")
"""What it has not been asked by now it will not answer."""

# From the supervisor.
LEAVE: Final = ord("l")
"""End; other workers take what waits to be accepted."""
DRAIN: Final = ord("d")
"""End; the whole gateway does."""
END: Final = ord("n")
"""End at once."""


_NO_SIGNAL: Final[int] = getattr(socket, "MSG_NOSIGNAL", 0)
"""Where the system has it; the interpreter ignores SIGPIPE besides."""


def say(sock: socket.socket, word: int) -> bool:
    """Send a word on a socket that does not block; whether it has left."""
    try:
        return sock.send(bytes([word]), _NO_SIGNAL) == 1
    except OSError:  # Nobody reads: the other has gone, or is stopped.
        return False


class Ending(Protocol):
    """A worker's server, as far as it can be told to end."""

    def drain(self, reason: str, *, takes_queue: bool, level: int = logging.INFO) -> None:
        """Let what is under way end; `takes_queue`: and what waits to be accepted.

        `level` is that of the line in the log.
        """

    def end_at_once(self, reason: str) -> None:
        """Wait no longer."""


class PlaceCounts:
    """How many connections all workers have, from where one of them stands."""

    def __init__(self, board: LoadBoard, place: int) -> None:
        self._board = board
        self._place = place
        self.least = board.least
        self.sign_of_least = board.sign_of_least

    def note(self, count: int) -> None:
        """This worker has so many."""
        self._board.note(self._place, count)


class Link:
    """A worker's end."""

    def __init__(
        self, sock: socket.socket, counts: PlaceCounts | None, *, is_often_replaced: bool = False
    ) -> None:
        """Take over the socket, which does not block; `counts`: where there are other workers.

        `is_often_replaced`: being replaced is not worth a line in the log.
        """
        self._socket = sock
        self.counts = counts
        self._replaced_level = logging.DEBUG if is_often_replaced else logging.INFO

    def tell_ready(self) -> None:
        """Requests are served from now on."""
        say(self._socket, READY)

    def tell_explained(self, *, is_code_at_fault: bool) -> None:
        """This worker ends, for a reason that its user has been told."""
        say(self._socket, FAULTY if is_code_at_fault else EXPLAINED)

    def tell_worn(self) -> None:
        """This worker is to be replaced, without waiting for its next beat."""
        say(self._socket, WORN)

    def tell_closed(self) -> None:
        """This worker takes no more requests, also from who is connected to it."""
        say(self._socket, CLOSED)

    def attend(
        self,
        loop: "AbstractEventLoop",
        server: Ending,
        is_worn: Callable[[], bool],
        interval: float,
    ) -> None:
        """Beat every `interval` seconds, and pass on to `server` what the supervisor says.

        `is_worn` tells whether this worker should be replaced.
        """

        def beat() -> None:
            loop.call_later(interval, beat)
            say(self._socket, WORN if is_worn() else BEAT)

        def listen() -> None:
            words = b""
            with suppress(BlockingIOError):
                words = self._socket.recv(64)
                if not words:
                    loop.remove_reader(self._socket.fileno())
                    server.drain("the supervisor has gone", takes_queue=True)
            for word in words:
                if word == END:
                    server.end_at_once("the gateway ends")
                else:
                    reason = "the gateway ends" if word == DRAIN else "another worker takes over"
                    level = logging.INFO if word == DRAIN else self._replaced_level
                    server.drain(reason, takes_queue=word == DRAIN, level=level)

        loop.add_reader(self._socket.fileno(), listen)
        loop.call_later(interval, beat)
