"""A worker process as its supervisor sees it."""

import os
import signal
import socket
from typing import Any, Final, NamedTuple

from gateway.error_log.loggers import logger
from gateway.processes.heartbeat import Heartbeat, beat_interval
from gateway.processes.link import (
    BEAT,
    CLOSED,
    CODE_FAILED,
    DRAIN,
    END,
    LEAVE,
    READY,
    START_FAILED,
    WANTS_REPLACEMENT,
    send_byte,
)

log = logger("gateway.supervisor")

_DUMP_SECONDS: Final = 2.0
"""Time for a hung worker to write the stacks of its threads."""

GRACE_SECONDS: Final = 10.0
"""Time that a worker may take to end beyond the time of its requests."""

_END_SECONDS: Final = 3.0
"""Time for a worker that must end at once, to write the end of its log.  A worker that still loads
gets no more either: it has accepted nothing."""

NEVER: Final = float("inf")


class Times(NamedTuple):
    """Time limits of a worker, in seconds."""

    loading: float
    """From the fork until the worker can serve; 0 means no limit."""
    silence: float
    """Between two signs of life of its loop, once it serves; 0 means no limit."""
    leaving: float
    """From the command to end until it has ended."""


class WorkerProcess:
    """A child process and its messages.  All times are `time.monotonic()`."""

    def __init__(
        self, pid: int, link: socket.socket, *, generation: int, times: Times, now: float
    ) -> None:
        """`generation` is the number of reloads before the fork."""
        self.pid = pid
        self.link = link
        self.generation = generation
        self.times = times
        self.forked_at = now
        self.ready_at: float | None = None
        self.lines: Any = None
        """The line buffer that the worker has been lent."""
        self.is_leaving = False
        """Whether it has been sent a command to end."""
        self.wants_replacement_since: float | None = None
        """When it asked to be replaced, if it has."""
        self.has_explained = False
        self.is_code_at_fault = False
        """Whether it has reported that the user's code keeps it from starting."""
        self.has_closed = False
        """Whether it accepts no further requests."""
        self.kill_at = NEVER
        self._was_sent = 0
        # A loading worker is silent: the loading time, too, counts only while the supervisor is
        # awake.
        self._heartbeat: Heartbeat | None = Heartbeat(times.loading, now)
        """`None` once the worker hangs or has closed."""

    def hear(self, now: float) -> bool:
        """Read its messages; False once the connection has ended."""
        try:
            codes = self.link.recv(4096)
        except BlockingIOError:
            return True
        except OSError:
            return False
        if READY in codes and self.ready_at is None:
            self.ready_at = now
            self._heartbeat = Heartbeat(self.times.silence, now)
        elif self._heartbeat is not None and (BEAT in codes or WANTS_REPLACEMENT in codes):
            self._heartbeat.beat(now)
        if WANTS_REPLACEMENT in codes and self.wants_replacement_since is None:
            self.wants_replacement_since = now
        self.is_code_at_fault |= CODE_FAILED in codes
        self.has_explained |= START_FAILED in codes or self.is_code_at_fault
        if CLOSED in codes and not self.has_closed:
            self.has_closed = True
            # Its loop ends; the user's threads may go on until `kill_at`.
            self._heartbeat = None
            self.kill_at = min(self.kill_at, now + self._time_to_leave())
        return bool(codes)

    @property
    def needs_replacement(self) -> bool:
        """Whether it wishes to be replaced."""
        return self.wants_replacement_since is not None

    def served(self, now: float) -> float | None:
        """Seconds since it became ready; `None` if it never did."""
        return None if self.ready_at is None else now - self.ready_at

    # Ending it.

    def leave(self, now: float) -> None:
        """End it after the requests that it has accepted."""
        self._tell(LEAVE, now + self._time_to_leave())

    def drain(self, now: float) -> None:
        """End it after all connections that wait in the backlog."""
        self._tell(DRAIN, now + self._time_to_leave())

    def end(self, now: float) -> None:
        """End it at once."""
        self._tell(END, now + _END_SECONDS)

    def _time_to_leave(self) -> float:
        return _END_SECONDS if self.ready_at is None else self.times.leaving + GRACE_SECONDS

    def _tell(self, code: int, kill_at: float) -> None:
        self.is_leaving = True
        self.kill_at = min(self.kill_at, kill_at)
        # Before it is ready it does not read the link; it has accepted nothing, so SIGTERM is safe.
        if not send_byte(self.link, code) or self.ready_at is None:
            self._send(signal.SIGTERM)

    def enforce(self, now: float) -> None:
        """Kill it if it hangs or has not ended in time; call it every `look_interval` seconds."""
        if now >= self.kill_at:
            log.warning("worker %d has not ended in time and is killed", self.pid)
            self.kill_at = NEVER
            self._send(signal.SIGKILL)
        elif self._heartbeat is not None and self._heartbeat.has_stopped(now):
            log.error("worker %d %s; it is killed", self.pid, self._fault())
            self._heartbeat = None
            self.kill_at = min(self.kill_at, now + _DUMP_SECONDS)
            self._send(signal.SIGABRT)  # `faulthandler` then writes its stacks.

    def _fault(self) -> str:
        if self.ready_at is None:
            return f"hangs: after {self.times.loading:g} s of loading it cannot serve"
        return f"hangs: its loop has not turned for {self.times.silence:g} s"

    def look_interval(self) -> float:
        """The longest time between two calls of `enforce`, in seconds."""
        timeout = self.times.loading if self.ready_at is None else self.times.silence
        return beat_interval(timeout) if timeout else NEVER

    def _send(self, number: int) -> None:
        self._was_sent = number
        os.kill(self.pid, number)  # The process ID is not reused until the supervisor reaps it.

    def ending(self, status: int) -> str:
        """The status of `os.waitpid` in words, with a hint where the system killed it."""
        is_from_outside = os.waitstatus_to_exitcode(status) == -signal.SIGKILL != -self._was_sent
        hint = " (the system does this when memory runs out)" if is_from_outside else ""
        return f"{ending(status)}{hint}"


def ending(status: int) -> str:
    """The status of `os.waitpid` in words."""
    code = os.waitstatus_to_exitcode(status)
    if code >= 0:
        return f"ended with status {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:  # A real-time signal.
        name = f"signal {-code}"
    return f"was killed by {name}"
