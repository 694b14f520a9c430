"""What supervisor and worker tell one another: single bytes over a pair of sockets.

Nobody waits for the other.  The end of the connection tells the worker that its supervisor is gone,
and so does every error of it but that there is nothing to read yet: beats that were never read turn
the end into a reset.  That a worker is gone the supervisor hears from the system, because a process
that a handler has forked may keep the worker's end open.
"""

import logging
import os
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, Protocol

from gateway.processes.connection_counts import ConnectionCounts
from gateway.processes.orphan import end_with
from gateway.threads.timers import call_later

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

_MOST_UNTOLD: Final = 5
"""Beats in a row at which a worker cannot tell how it is."""

_LOADING: Final = 3.0
"""Seconds in which a process without a supervisor may end that has not served yet."""

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


class SlotCounts:
    """How many connections all workers have, from where one of them stands."""

    def __init__(self, board: ConnectionCounts, place: int) -> None:
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
        self,
        sock: socket.socket,
        counts: SlotCounts | None,
        *,
        is_often_replaced: bool = False,
        lines: Any = None,
    ) -> None:
        """Take over the socket, which does not block; `counts`: where there are other workers.

        `is_often_replaced`: being replaced is not worth a line in the log.  `lines`: what the
        supervisor has lent this worker.
        """
        self._socket = sock
        self._identity = _identity(sock)
        self._parent: int | None = None
        self._is_attended = False
        self.counts = counts
        self.lines = lines
        self._replaced_level = logging.DEBUG if is_often_replaced else logging.INFO

    def end_with(self, supervisor: int, leaving_time: float) -> None:
        """Have this process end when that process has gone, whatever runs in it.

        `leaving_time` is for how many seconds it may drain then, once it serves.
        """
        self._parent = supervisor

        def leave() -> float:
            if self._is_attended:
                return leaving_time
            os.kill(os.getpid(), signal.SIGTERM)  # Nothing has been accepted.
            return _LOADING

        end_with(supervisor, leave)

    def tell_ready(self) -> None:
        """Requests are served from now on."""
        self._say(READY)

    def tell_explained(self, *, is_code_at_fault: bool) -> None:
        """This worker ends, for a reason that its user has been told."""
        self._say(FAULTY if is_code_at_fault else EXPLAINED)

    def tell_worn(self) -> None:
        """This worker is to be replaced, without waiting for its next beat."""
        self._say(WORN)

    def tell_closed(self) -> None:
        """This worker takes no more requests, also from who is connected to it."""
        self._say(CLOSED)

    def _say(self, word: int) -> None:
        if self._is_whole():
            say(self._socket, word)

    def _is_whole(self) -> bool:
        """Whether the descriptor is still the link's: a handler may have closed it, and the next
        file or client has its number then."""
        return _identity(self._socket) == self._identity

    def _is_orphan(self) -> bool:
        return self._parent is not None and os.getppid() != self._parent

    def attend(
        self,
        loop: "AbstractEventLoop",
        server: Ending,
        needs_replacement: Callable[[], bool],
        interval: float,
    ) -> None:
        """Beat every `interval` seconds, and pass on to `server` what the supervisor says.

        `needs_replacement` tells whether this worker should be replaced.  One that cannot even
        tell, for some beats in a row, should be, too.
        """
        untold = 0
        self._is_attended = True

        def beat() -> None:
            if self._is_orphan():
                server.drain("the supervisor has gone", takes_queue=True)
            elif not self._is_whole():
                # It can say nothing more, and would be taken for one that hangs.
                server.drain("the link to the supervisor is broken", takes_queue=False)
            else:
                tell()

        def tell() -> None:
            nonlocal untold
            try:
                loop.call_later(interval, beat)
            except MemoryError:
                call_later(loop, interval, beat)
            try:
                should_go = needs_replacement()
                untold = 0
            except Exception:  # Memory, or the depth of recursion that is left.
                untold += 1
                should_go = untold >= _MOST_UNTOLD
            say(self._socket, WORN if should_go else BEAT)

        def listen() -> None:
            try:
                words = self._socket.recv(64)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                words = b""
            if not words:
                with suppress(Exception):  # The number may be another file's by now.
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
        call_later(loop, interval, beat)


def _identity(sock: socket.socket) -> tuple[int, int] | None:
    """What tells a socket from others that may have its number later; `None`: it is closed."""
    try:
        status = os.fstat(sock.fileno())
    except OSError:
        return None
    return status.st_dev, status.st_ino
