"""How long a worker that has died is waited with, before another takes its place."""

from typing import Final

_FIRST: Final = 0.1
_LONGEST: Final = 30.0
_LONGEST_OF_SERVING: Final = 2.0
"""Seconds.  A request that kills its worker must not let one client keep the gateway away for as
long as code that cannot be loaded does."""

_LONG_LIFE: Final = 10.0
"""Seconds of service after which a death is a first one."""


class BackOff:
    """The deaths of the workers in one place, one after the other."""

    def __init__(self) -> None:
        self._deaths = 0

    def delay(self, served: float | None) -> float:
        """Seconds to wait after a death.

        `served` is for how long the worker could serve, in seconds; `None`: it never could.
        """
        if served is not None and served >= _LONG_LIFE:
            self._deaths = 0
        deaths, self._deaths = self._deaths, self._deaths + 1
        if not deaths:
            return 0.0
        longest = _LONGEST if served is None else _LONGEST_OF_SERVING
        # Bounded before it is a power: a float has an end.
        return min(_FIRST * 2.0 ** min(deaths - 1, 20), longest)
