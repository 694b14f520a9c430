"""The sweep: one timer that looks at all deadlines, instead of one timer for each."""

import asyncio
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

from gateway.error_log.loggers import logger
from gateway.http.connection.shared_state import SharedState, Timeouts
from gateway.threads.timers import call_later

_LONGEST: Final = 0.25
_SHORTEST: Final = 0.02

_LEAST_DEPTH: Final = 100
"""A limit of recursion under which requests cannot be served.  Handlers set it for all threads."""
_DEPTH: Final = 1000
"""The interpreter's own."""

log = logger("gateway.server")


def sweep_interval(timeouts: Timeouts, *others: float) -> float:
    """Seconds between two sweeps: a deadline is noticed a quarter of itself too late at most."""
    times = [timeouts.head, timeouts.body, timeouts.write, timeouts.keep_alive, *others]
    shortest = min([seconds for seconds in times if seconds > 0], default=_LONGEST)
    return max(_SHORTEST, min(_LONGEST, shortest / 4))


class DeadlineSweep:
    """Calls each connection's `check_deadline`, and the given checks, every `interval` seconds."""

    def __init__(
        self, site: SharedState, interval: float, checks: Sequence[Callable[[float], None]]
    ) -> None:
        """`checks` take the loop's time, in seconds."""
        self._site = site
        self._interval = interval
        self._checks = list(checks)
        self._handle: asyncio.Handle | None = None

    def add(self, check: Callable[[float], None]) -> None:
        """Have one more check made."""
        self._checks.append(check)

    def start(self) -> None:
        """Sweep from now on."""
        self._handle = call_later(self._site.loop, self._interval, self._sweep)

    def stop(self) -> None:
        """Sweep no more, and tell what only the next sweep would have told."""
        if self._handle is not None:
            self._handle.cancel()
        self._site.troubles.close(self._site.loop.time())

    def _sweep(self) -> None:
        # Nothing is called here that could be spared: a handler may have left no more depth.
        site = self._site
        # First: a check that fails must not be the end of all deadlines.
        try:
            self._handle = site.loop.call_later(self._interval, self._sweep)
        except MemoryError:
            self.start()
        if sys.getrecursionlimit() < _LEAST_DEPTH:
            sys.setrecursionlimit(_DEPTH)
            self._tell_depth()
        now = site.loop.time()
        checks = [connection.check_deadline for connection in site.connections]
        for check in (*checks, self._settle, *self._checks):
            # What one raises must not keep the others from being made.
            try:
                check(now)
            except Exception as error:  # Memory may run out anywhere.
                self._report(error)

    def _tell_depth(self) -> None:
        with suppress(Exception):
            log.error(
                "a handler has set the limit of recursion below %d: it is %d again",
                _LEAST_DEPTH,
                _DEPTH,
            )

    def _settle(self, now: float) -> None:
        site = self._site
        site.refresh_date()
        site.budget.settle()
        site.budget.cut_slowest(now, site.timeouts.body)
        site.troubles.check(now)
        site.blocks.trim()

    def _report(self, error: Exception) -> None:
        with suppress(Exception):
            self._site.loop.call_exception_handler(
                {"message": "a check of the sweep has failed", "exception": error}
            )
