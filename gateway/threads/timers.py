"""Timers for callbacks that schedule themselves: the deadline sweep and the beats."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import asyncio

_RETRY_SECONDS: Final = 0.01


def call_later(
    loop: "asyncio.AbstractEventLoop", seconds: float, callback: Callable[[], object]
) -> "asyncio.TimerHandle":
    """Call `callback` once after `seconds`, even if there is no memory for a timer at first.

    A callback that schedules itself would never run again after one failure.  So the loop blocks
    until there is memory: without memory it could do nothing else, and handlers in their threads go
    on.  If it takes too long, the supervisor finds the worker silent and replaces it.
    """
    while True:
        try:
            return loop.call_later(seconds, callback)
        except MemoryError:
            time.sleep(_RETRY_SECONDS)
