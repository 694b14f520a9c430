"""Timers of what keeps itself going: the sweep of deadlines, and the beats for the supervisor."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import asyncio

_UNTIL_THERE_IS_MEMORY: Final = 0.01
"""Seconds between two attempts."""


def call_later(
    loop: "asyncio.AbstractEventLoop", seconds: float, callback: Callable[[], object]
) -> "asyncio.TimerHandle":
    """Have `callback` called once, also when there is no memory for a timer at first.

    What sets its own timer anew each time would never be called again if that failed once.  So the
    loop stands until there is memory: it could do nothing else without, and handlers in their
    threads go on.  If it takes too long, the supervisor finds the worker silent and replaces it.
    """
    while True:
        try:
            return loop.call_later(seconds, callback)
        except MemoryError:
            time.sleep(_UNTIL_THERE_IS_MEMORY)
