"""Delay before a dead worker is replaced."""

from typing import Final

_FIRST_SECONDS: Final = 0.1
_MAX_SECONDS: Final = 30.0
_MAX_SECONDS_SERVING: Final = 2.0
"""A request that kills its worker must not let one client stop the gateway for as long as code that
cannot be loaded does."""

_STABLE_SECONDS: Final = 10.0
"""A worker that served this long and then dies starts the count anew."""


class BackOff:
    """Counts consecutive deaths of workers in one slot."""

    def __init__(self) -> None:
        self._deaths = 0

    def delay(self, served: float | None) -> float:
        """Seconds to wait after a death.

        `served` is how many seconds the worker was ready; `None` if it never was.
        """
        if served is not None and served >= _STABLE_SECONDS:
            self._deaths = 0
        deaths, self._deaths = self._deaths, self._deaths + 1
        if not deaths:
            return 0.0
        longest = _MAX_SECONDS if served is None else _MAX_SECONDS_SERVING
        # The exponent is bounded first: a large one overflows a float.
        return min(_FIRST_SECONDS * 2.0 ** min(deaths - 1, 20), longest)
