"""Makes the interpreter switch threads more often while handlers compute.

Theory of operation: a thread that needs the interpreter lock waits for up to the switch interval,
5 ms by default, for each thread that computes.  The loop waits so at every step: with four
handlers that compute, a quick request took 75 ms.  A permanently short interval costs small
handlers up to a tenth.  So the watch reads the CPU clocks of the threads at work, and shortens the
interval while one has long jobs.  The more threads compute, the shorter the interval, because the
loop gets its turn after all of them: with eight that compute, a refusal under overload took 1.7 s
in the worst hundredth; now it takes 17 ms, at the price of a fiftieth of the throughput.
"""

import asyncio
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Final, NamedTuple

from gateway.threads.timers import call_later

_TICK_SECONDS: Final = 0.05
"""Time between two looks."""

_MIN_SHARE: Final = 0.1
"""A thread computes if it used this part of the tick; among seven others it gets at least that."""

_LONG_JOB_SECONDS: Final = 0.002
"""CPU time from which a job is long."""

_MIN_INTERVAL_SECONDS: Final = 0.00005
"""Shortest interval; a switch takes a twentieth of it."""


class Running(NamedTuple):
    """A pool thread that runs a job."""

    clock: int
    """Its CPU clock, for `time.clock_gettime`."""
    job: int
    """Number of the job, counted from the thread's start."""


class SwitchWatch:
    """Sets the interpreter's switch interval; a process has one."""

    def __init__(self, running: Callable[[], Iterable[Running]], interval: float) -> None:
        """`interval` applies while one of the threads of `running` computes; in seconds."""
        self._running = running
        self._interval = interval
        self._usual = sys.getswitchinterval()
        self._seen: dict[int, tuple[float, int]] = {}
        """CPU seconds and job number of each thread at work, by clock."""

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Look at every tick, as long as the loop runs."""
        call_later(loop, _TICK_SECONDS, lambda: self.start(loop))
        self.look()

    def look(self) -> None:
        """Set the interval for the present work of the threads."""
        before, self._seen = self._seen, {}
        computing = 0
        for clock, job in self._running():
            with suppress(OSError):  # The thread has ended meanwhile.
                used = time.clock_gettime(clock)
                self._seen[clock] = used, job
                used_before, job_before = before.get(clock, (used, job))
                jobs = job - job_before + 1
                least = max(_TICK_SECONDS * _MIN_SHARE, jobs * _LONG_JOB_SECONDS)
                computing += used - used_before >= least
        wanted = self._usual
        if computing:
            wanted = max(_MIN_INTERVAL_SECONDS, self._interval / computing)
        if sys.getswitchinterval() != wanted:  # Handlers may have set it too.
            sys.setswitchinterval(wanted)
