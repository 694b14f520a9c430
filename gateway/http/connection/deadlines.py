"""The sweep: one timer that checks all deadlines, instead of one timer per deadline."""

import asyncio
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

from gateway.error_log.loggers import logger
from gateway.http.connection.shared_state import SharedState, Timeouts
from gateway.threads.timers import call_later

_MAX_INTERVAL_SECONDS: Final = 0.25
_MIN_INTERVAL_SECONDS: Final = 0.02

_MIN_RECURSION_LIMIT: Final = 100
"""Below this limit requests cannot be served.  A handler that sets it sets it for all threads."""
_DEFAULT_RECURSION_LIMIT: Final = 1000
"""The interpreter's default."""

log = logger("gateway.server")


def sweep_interval(timeouts: Timeouts, *others: float) -> float:
    """Seconds between two sweeps: a timeout is noticed late by a quarter of itself at most."""
    times = [timeouts.head, timeouts.body, timeouts.write, timeouts.keep_alive, *others]
    shortest = min([seconds for seconds in times if seconds > 0], default=_MAX_INTERVAL_SECONDS)
    return max(_MIN_INTERVAL_SECONDS, min(_MAX_INTERVAL_SECONDS, shortest / 4))


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
        """Make one more check in each sweep."""
        self._checks.append(check)

    def start(self) -> None:
        """Start sweeping."""
        self._handle = call_later(self._site.loop, self._interval, self._sweep)

    def stop(self) -> None:
        """Stop sweeping, and log what the next sweep would have logged."""
        if self._handle is not None:
            self._handle.cancel()
        self._site.troubles.close(self._site.loop.time())

    def _sweep(self) -> None:
        # As few calls as possible: a handler may have set a very low recursion limit.
        site = self._site
        # First: a check that fails must not end all later sweeps.
        try:
            self._handle = site.loop.call_later(self._interval, self._sweep)
        except MemoryError:
            self.start()
        if sys.getrecursionlimit() < _MIN_RECURSION_LIMIT:
            sys.setrecursionlimit(_DEFAULT_RECURSION_LIMIT)
            self._log_recursion_limit()
        now = site.loop.time()
        checks = [connection.check_deadline for connection in site.connections]
        for check in (*checks, self._settle, *self._checks):
            # A check that raises must not prevent the others.
            try:
                check(now)
            except Exception as error:  # Memory may run out anywhere.
                self._report(error)

    def _log_recursion_limit(self) -> None:
        with suppress(Exception):
            log.error(
                "a handler has set the recursion limit below %d; the gateway has reset it to %d",
                _MIN_RECURSION_LIMIT,
                _DEFAULT_RECURSION_LIMIT,
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
