"""A worker process as its supervisor knows it."""

import os
import signal
import socket
from typing import Any, Final, NamedTuple

from gateway.error_log.loggers import logger
from gateway.processes.heartbeat import Heartbeat, beat_interval
from gateway.processes.link import (
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

log = logger("gateway.supervisor")

_DUMP_SECONDS: Final = 2.0
"""In which a worker that has hung may write where its threads are."""

GRACE: Final = 10.0
"""Seconds that a worker may take longer to end than its requests may."""

_AT_ONCE: Final = 3.0
"""Seconds in which a worker that is told to end at once may write the end of its log.  Who still
loads has no more than this, either: it has accepted nothing."""

NEVER: Final = float("inf")


class Times(NamedTuple):
    """How long a worker may take, in seconds."""

    loading: float
    """From its fork until it can serve; 0: for ever."""
    silence: float
    """For a turn of its loop, once it serves; 0: for ever."""
    leaving: float
    """To end, after it was told to."""


class WorkerProcess:
    """A child process and what it has said.  All times are `time.monotonic()`."""

    def __init__(
        self, pid: int, link: socket.socket, *, generation: int, times: Times, now: float
    ) -> None:
        """`generation` tells whether it was forked before a reload."""
        self.pid = pid
        self.link = link
        self.generation = generation
        self.times = times
        self.forked_at = now
        self.ready_at: float | None = None
        self.lines: Any = None
        """What it has been lent for lines that wait to be written."""
        self.is_leaving = False
        """Whether it was told to end."""
        self.worn_at: float | None = None
        """When it wished to be replaced; `None`: it does not."""
        self.has_explained = False
        self.is_code_at_fault = False
        """Whether it has explained that the user's code keeps it from starting."""
        self.has_closed = False
        """Whether it answers nothing that it has not been asked yet."""
        self.kill_at = NEVER
        self._was_sent = 0
        # Who loads is silent: of that, too, no more counts than the supervisor was awake to hear.
        self._pulse: Heartbeat | None = Heartbeat(times.loading, now)
        """None once it has been found without one."""

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
            self._pulse = Heartbeat(self.times.silence, now)
        elif self._pulse is not None and (BEAT in words or WORN in words):
            self._pulse.beat(now)
        if WORN in words and self.worn_at is None:
            self.worn_at = now
        self.is_code_at_fault |= FAULTY in words
        self.has_explained |= EXPLAINED in words or self.is_code_at_fault
        if CLOSED in words and not self.has_closed:
            self.has_closed = True
            # Its loop ends; the user's threads may go on until the time is over.
            self._pulse = None
            self.kill_at = min(self.kill_at, now + self._time_to_leave())
        return bool(words)

    @property
    def needs_replacement(self) -> bool:
        """Whether it wishes to be replaced."""
        return self.worn_at is not None

    def served(self, now: float) -> float | None:
        """Seconds since it was ready; `None` if it never was."""
        return None if self.ready_at is None else now - self.ready_at

    # How it ends.

    def leave(self, now: float) -> None:
        """Have it end behind what it has accepted."""
        self._tell(LEAVE, now + self._time_to_leave())

    def drain(self, now: float) -> None:
        """Have it end behind all that waits for the gateway."""
        self._tell(DRAIN, now + self._time_to_leave())

    def end(self, now: float) -> None:
        """Have it end at once."""
        self._tell(END, now + _AT_ONCE)

    def _time_to_leave(self) -> float:
        return _AT_ONCE if self.ready_at is None else self.times.leaving + GRACE

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
            log.error("worker %d %s; it is killed", self.pid, self._fault())
            self._pulse = None
            self.kill_at = min(self.kill_at, now + _DUMP_SECONDS)
            self._send(signal.SIGABRT)  # On which its stacks are written.

    def _fault(self) -> str:
        if self.ready_at is None:
            return f"hangs: after {self.times.loading:g} s of loading it cannot serve"
        return f"hangs: its loop has not turned for {self.times.silence:g} s"

    def look_interval(self) -> float:
        """Seconds between two calls of `enforce`, at the most."""
        timeout = self.times.loading if self.ready_at is None else self.times.silence
        return beat_interval(timeout) if timeout else NEVER

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
