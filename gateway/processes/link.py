"""Messages between supervisor and worker: single bytes over a socket pair.

Neither side waits for the other.  The end of the connection means to the worker that its supervisor
is gone, and so does every error except "nothing to read yet": unread beats turn the end into a
reset.  The supervisor learns from the system that a worker is gone, because a process that a
handler has forked may keep the worker's end open.
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
WANTS_REPLACEMENT: Final = ord("w")
"""A beat with a request to be replaced."""
START_FAILED: Final = ord("e")
"""The worker cannot start, and has reported why to the user."""
CODE_FAILED: Final = ord("f")
"""Like `START_FAILED`, and the fault is in the user's code."""
CLOSED: Final = ord("c")
"""The worker accepts no further requests."""

# From the supervisor.
LEAVE: Final = ord("l")
"""End; other workers accept the connections that wait."""
DRAIN: Final = ord("d")
"""End and accept the connections that wait: the whole gateway ends."""
END: Final = ord("n")
"""End at once."""

_MAX_FAILED_CHECKS: Final = 5
"""Consecutive beats at which a worker fails to check its own state."""

_LOADING_END_SECONDS: Final = 3.0
"""Time to end for a process whose supervisor has gone before it could serve."""

_NO_SIGNAL: Final[int] = getattr(socket, "MSG_NOSIGNAL", 0)
"""0 where the system lacks it; the interpreter ignores SIGPIPE anyway."""


def send_byte(sock: socket.socket, code: int) -> bool:
    """Send one byte on a non-blocking socket; whether it was sent."""
    try:
        return sock.send(bytes([code]), _NO_SIGNAL) == 1
    except OSError:  # The other side has gone, or is stopped and does not read.
        return False


class StoppableServer(Protocol):
    """The part of a worker's server that ends it."""

    def drain(self, reason: str, *, takes_queue: bool, level: int = logging.INFO) -> None:
        """Finish the running requests; with `takes_queue` also serve the connections that wait.

        `level` is the level of the log line.
        """

    def end_at_once(self, reason: str) -> None:
        """Stop without waiting for running requests."""


class SlotCounts:
    """The shared connection counts, bound to the slot of one worker."""

    def __init__(self, counts: ConnectionCounts, slot: int) -> None:
        self._counts = counts
        self._slot = slot
        self.least = counts.least
        self.activity_of_least = counts.activity_of_least

    def note(self, count: int) -> None:
        """Store the number of this worker's connections."""
        self._counts.note(self._slot, count)


class Link:
    """The worker's end of the link."""

    def __init__(
        self,
        sock: socket.socket,
        counts: SlotCounts | None,
        *,
        is_often_replaced: bool = False,
        lines: Any = None,
    ) -> None:
        """Take over the non-blocking socket; `counts` is `None` where there are no other workers.

        `is_often_replaced` logs replacements at DEBUG only.  `lines` is the buffer that the
        supervisor has lent to this worker.
        """
        self._socket = sock
        self._identity = _identity(sock)
        self._parent: int | None = None
        self._is_started = False
        self.counts = counts
        self.lines = lines
        self._replaced_level = logging.DEBUG if is_often_replaced else logging.INFO

    def end_with(self, supervisor: int, leaving_time: float) -> None:
        """End this process when the supervisor process has gone, whatever code runs.

        Once the worker serves, it may then drain for `leaving_time` seconds.
        """
        self._parent = supervisor

        def leave() -> float:
            if self._is_started:
                return leaving_time
            os.kill(os.getpid(), signal.SIGTERM)  # It has accepted no connection yet.
            return _LOADING_END_SECONDS

        end_with(supervisor, leave)

    def tell_ready(self) -> None:
        """Report that the worker serves requests from now on."""
        self._send(READY)

    def tell_explained(self, *, is_code_at_fault: bool) -> None:
        """Report that this worker ends for a reason that it has reported to the user."""
        self._send(CODE_FAILED if is_code_at_fault else START_FAILED)

    def ask_for_replacement(self) -> None:
        """Ask to be replaced, without waiting for the next beat."""
        self._send(WANTS_REPLACEMENT)

    def tell_closed(self) -> None:
        """Report that this worker accepts no more requests, not even on open connections."""
        self._send(CLOSED)

    def _send(self, code: int) -> None:
        if self._is_whole():
            send_byte(self._socket, code)

    def _is_whole(self) -> bool:
        """Whether the descriptor still belongs to the link: a handler may have closed it, and a
        file or client may have the number now."""
        return _identity(self._socket) == self._identity

    def _is_orphan(self) -> bool:
        return self._parent is not None and os.getppid() != self._parent

    def start(
        self,
        loop: "AbstractEventLoop",
        server: StoppableServer,
        needs_replacement: Callable[[], bool],
        interval: float,
    ) -> None:
        """Beat every `interval` seconds, and pass the supervisor's commands on to `server`.

        `needs_replacement` says whether this worker should be replaced.  If it raises at several
        consecutive beats, the worker is replaced, too.
        """
        failed_checks = 0
        self._is_started = True

        def beat() -> None:
            if self._is_orphan():
                server.drain("the supervisor has gone", takes_queue=True)
            elif not self._is_whole():
                # The supervisor would hear no beats and take this worker for a hung one.
                server.drain("the link to the supervisor is broken", takes_queue=False)
            else:
                tell()

        def tell() -> None:
            nonlocal failed_checks
            try:
                loop.call_later(interval, beat)
            except MemoryError:
                call_later(loop, interval, beat)
            try:
                should_go = needs_replacement()
                failed_checks = 0
            except Exception:  # MemoryError or RecursionError.
                failed_checks += 1
                should_go = failed_checks >= _MAX_FAILED_CHECKS
            send_byte(self._socket, WANTS_REPLACEMENT if should_go else BEAT)

        def listen() -> None:
            try:
                codes = self._socket.recv(64)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                codes = b""
            if not codes:
                with suppress(Exception):  # The number may belong to another file by now.
                    loop.remove_reader(self._socket.fileno())
                server.drain("the supervisor has gone", takes_queue=True)
            for code in codes:
                if code == END:
                    server.end_at_once("the gateway ends")
                else:
                    reason = "the gateway ends" if code == DRAIN else "another worker takes over"
                    level = logging.INFO if code == DRAIN else self._replaced_level
                    server.drain(reason, takes_queue=code == DRAIN, level=level)

        loop.add_reader(self._socket.fileno(), listen)
        call_later(loop, interval, beat)


def _identity(sock: socket.socket) -> tuple[int, int] | None:
    """Device and inode of the socket, since its number may be reused; `None` once it is closed."""
    try:
        status = os.fstat(sock.fileno())
    except OSError:
        return None
    return status.st_dev, status.st_ino
