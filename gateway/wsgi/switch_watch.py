"""Has the interpreter switch threads more often while a handler computes.

Theory of operation: who wants the interpreter lock waits for up to the switch interval, 5 ms by
default, for each thread that computes; the loop does so at every step, so four handlers that
compute made a quick request wait for 75 ms.  A short interval for ever costs small handlers up to
a tenth.  So the watch looks at the CPU clocks of the threads at work, and shortens the interval
while the jobs of one are long.  The more compute, the shorter it is: the loop gets its turn behind
all of them (eight that compute made a refusal under overload wait for 1.7 s in the worst hundredth;
now for 17 ms, at the price of a fiftieth of what is served).
"""

import asyncio
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Final, NamedTuple

from gateway.threads.timers import call_later

_TICK: Final = 0.05
"""Seconds between two looks."""

_SHARE: Final = 0.1
"""Of that time, which a handler that computes gets at the least, among seven others."""

_LONG: Final = 0.002
"""CPU seconds of a job for it to count."""

_LEAST: Final = 0.00005
"""Seconds: what a switch costs is a twentieth of it."""


class Running(NamedTuple):
    """A pool thread that runs a job."""

    clock: int
    """Of its CPU time, for `time.clock_gettime`."""
    job: int
    """Which of its jobs, by number."""


class SwitchWatch:
    """Sets the interpreter's switch interval; one to a process."""

    def __init__(self, running: Callable[[], Iterable[Running]], interval: float) -> None:
        """`running` tells of threads at work; `interval`, in seconds, holds while one computes."""
        self._running = running
        self._interval = interval
        self._usual = sys.getswitchinterval()
        self._seen: dict[int, tuple[float, int]] = {}
        """CPU seconds and job of the threads at work, by clock."""

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Look now and then, for as long as the loop runs."""
        call_later(loop, _TICK, lambda: self.start(loop))
        self.look()

    def look(self) -> None:
        """Set the interval for what the threads do."""
        before, self._seen = self._seen, {}
        computing = 0
        for clock, job in self._running():
            with suppress(OSError):  # It has ended since.
                used = time.clock_gettime(clock)
                self._seen[clock] = used, job
                used_before, job_before = before.get(clock, (used, job))
                jobs = job - job_before + 1
                computing += used - used_before >= max(_TICK * _SHARE, jobs * _LONG)
        wanted = self._usual
        if computing:
            wanted = max(_LEAST, self._interval / computing)
        if sys.getswitchinterval() != wanted:  # Handlers can set it too.
            sys.setswitchinterval(wanted)
