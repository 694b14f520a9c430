"""A worker process as its supervisor knows it."""

import os
import signal
import socket
from typing import Any, Final

from gateway.loggers import logger
from gateway.supervision.link import (
    BEAT,
    CLOSED,
    DRAIN,
    END,
    EXPLAINED,
    FAULTY,
    LEAVE,
    READY,
    WORN,
    say,
)
from gateway.supervision.pulse import Pulse

log = logger("gateway.supervisor")

_DUMP_SECONDS: Final = 2.0
"""In which a worker that has hung may write where its threads are."""

NEVER: Final = float("inf")


class WorkerProcess:
    """A child process and what it has said.  All times are `time.monotonic()`."""

    def __init__(
        self, pid: int, link: socket.socket, *, generation: int, timeout: float, now: float
    ) -> None:
        """`generation` tells whether it was forked before a reload.

        `timeout` is for how many seconds its loop may be silent; 0: for ever.
        """
        self.pid = pid
        self.link = link
        self.generation = generation
        self.forked_at = now
        self.ready_at: float | None = None
        self.lines: Any = None
        """What it has been lent for lines that wait to be written."""
        self.is_leaving = False
        """Whether it was told to end."""
        self.is_worn = False
        """Whether it wishes to be replaced."""
        self.has_explained = False
        self.is_code_at_fault = False
        """Whether it has explained that the user's code keeps it from starting."""
        self.has_closed = False
        """Whether it answers nothing that it has not been asked yet."""
        self.kill_at = NEVER
        self._timeout = timeout
        self._was_sent = 0
        self._pulse: Pulse | None = None
        """None while it loads, and once it has been found without one."""

    def hear(self, now: float) -> bool:
        """Take in what it says; False once it can say no more."""
        try:
            words = self.link.recv(4096)
        except BlockingIOError:
            return True
        except OSError:
            return False
        if READY in words and self.ready_at is None:
            self.ready_at = now
            self._pulse = Pulse(self._timeout, now)
        if self._pulse is not None and (BEAT in words or WORN in words):
            self._pulse.beat(now)
        self.is_worn |= WORN in words
        self.is_code_at_fault |= FAULTY in words
        self.has_explained |= EXPLAINED in words or self.is_code_at_fault
        self.has_closed |= CLOSED in words
        return bool(words)

    def served(self, now: float) -> float | None:
        """Seconds since it was ready; `None` if it never was."""
        return None if self.ready_at is None else now - self.ready_at

    # How it ends.

    def leave(self, kill_at: float) -> None:
        """Have it end behind what it has accepted."""
        self._tell(LEAVE, kill_at)

    def drain(self, kill_at: float) -> None:
        """Have it end behind all that waits for the gateway."""
        self._tell(DRAIN, kill_at)

    def end(self, kill_at: float) -> None:
        """Have it end at once."""
        self._tell(END, kill_at)

    def _tell(self, word: int, kill_at: float) -> None:
        self.is_leaving = True
        self.kill_at = min(self.kill_at, kill_at)
        # Before it is ready nobody listens; what has accepted nothing may end anyhow.
        if not say(self.link, word) or self.ready_at is None:
            self._send(signal.SIGTERM)

    def enforce(self, now: float) -> None:
        """Kill it if it has not ended in time, or hangs; to be called every now and then."""
        if now >= self.kill_at:
            log.warning("worker %d has not ended in time and is killed", self.pid)
            self.kill_at = NEVER
            self._send(signal.SIGKILL)
        elif self._pulse is not None and self._pulse.has_stopped(now):
            log.error(
                "worker %d hangs: its loop has not turned for %g s; it is killed",
                self.pid,
                self._timeout,
            )
            self._pulse = None
            self.kill_at = min(self.kill_at, now + _DUMP_SECONDS)
            self._send(signal.SIGABRT)  # On which its stacks are written.

    def _send(self, number: int) -> None:
        self._was_sent = number
        os.kill(self.pid, number)  # Its number is its own until the supervisor has reaped it.

    def ending(self, status: int) -> str:
        """What `os.waitpid` tells of its end, in words."""
        is_from_outside = os.waitstatus_to_exitcode(status) == -signal.SIGKILL != -self._was_sent
        hint = " (as the system does when memory runs out)" if is_from_outside else ""
        return f"{ending(status)}{hint}"


def ending(status: int) -> str:
    """What `os.waitpid` tells of a process's end, in words."""
    code = os.waitstatus_to_exitcode(status)
    if code >= 0:
        return f"ended with status {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:  # A real-time signal.
        name = f"signal {-code}"
    return f"was killed by {name}"
