"""The sweep: one timer that looks at all deadlines, instead of one timer for each."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from gateway.http.site import Site, Timeouts

_LONGEST: Final = 0.25
_SHORTEST: Final = 0.02


def sweep_interval(timeouts: Timeouts, *others: float) -> float:
    """Seconds between two sweeps: a deadline is noticed a quarter of itself too late at most."""
    times = [timeouts.head, timeouts.body, timeouts.write, timeouts.keep_alive, *others]
    shortest = min([seconds for seconds in times if seconds > 0], default=_LONGEST)
    return max(_SHORTEST, min(_LONGEST, shortest / 4))


class DeadlineSweep:
    """Calls each connection's `check_deadline`, and the given checks, every `interval` seconds."""

    def __init__(
        self, site: Site, interval: float, checks: Sequence[Callable[[float], None]]
    ) -> None:
        """`checks` take the loop's time, in seconds."""
        self._site = site
        self._interval = interval
        self._checks = checks
        self._handle: asyncio.Handle | None = None

    def start(self) -> None:
        """Sweep from now on."""
        self._handle = self._site.loop.call_later(self._interval, self._sweep)

    def stop(self) -> None:
        """Sweep no more."""
        if self._handle is not None:
            self._handle.cancel()

    def _sweep(self) -> None:
        self.start()  # First: a check that fails must not be the end of all deadlines.
        now = self._site.loop.time()
        self._site.refresh_date()
        for connection in list(self._site.connections):
            connection.check_deadline(now)
        self._site.budget.settle()
        self._site.unsent.check()
        self._site.backlog.check()
        self._site.blocks.trim()
        for check in self._checks:
            check(now)
