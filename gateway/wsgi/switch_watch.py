"""Has the interpreter switch threads more often while a handler computes.

Theory of operation: who wants the interpreter lock waits for up to the switch interval, 5 ms by
default, for each thread that computes; the loop does so at every step, so four handlers that
compute made a quick request wait for 75 ms.  A short interval for ever costs small handlers up to
a tenth.  So the watch looks at the CPU clocks of the threads that have been at the same job since
it looked last, and shortens the interval while one of them has used its time.
"""

import asyncio
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Final, NamedTuple

_TICK: Final = 0.05
"""Seconds between two looks."""

_SHARE: Final = 0.1
"""Of that time, which a handler that computes gets at the least, among seven others."""


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
        self._seen: dict[Running, float] = {}
        """CPU seconds of the threads at work, by thread and job."""

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Look now and then, for as long as the loop runs."""
        self.look()
        loop.call_later(_TICK, self.start, loop)

    def look(self) -> None:
        """Set the interval for what the threads do."""
        before, self._seen = self._seen, {}
        is_computing = False
        for thread in self._running():
            with suppress(OSError):  # It has ended since.
                used = self._seen[thread] = time.clock_gettime(thread.clock)
                is_computing |= used - before.get(thread, used) >= _TICK * _SHARE
        wanted = self._interval if is_computing else self._usual
        if sys.getswitchinterval() != wanted:  # Handlers can set it too.
            sys.setswitchinterval(wanted)
