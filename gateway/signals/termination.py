"""Signals that ask for the end, and come twice by nature.

``timeout`` sends one to its child and one to the process group, terminals and service managers send
theirs to every process, and some send SIGTERM and SIGINT or SIGHUP in turn.  So what comes within a
second of the first one is the same wish; who asks again later wants the end at once.
"""

from typing import Final

SAME_WISH: Final = 1.0
"""Seconds after the first signal in which others say nothing new."""


class TerminationSignals:
    """Those that one process has had.  All times are `time.monotonic()`."""

    def __init__(self) -> None:
        self._first: float | None = None

    def count(self, now: float) -> bool:
        """Take note of one; whether it asks for the end at once."""
        if self._first is None:
            self._first = now
        return now - self._first > SAME_WISH
