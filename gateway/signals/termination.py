"""Signals that ask the process to end, of which one request often sends two.

``timeout`` sends one to its child and one to the process group, terminals and service managers
signal every process, and some send SIGTERM, then SIGINT or SIGHUP.  So signals within a second of
the first belong to one request; a later signal asks for the end at once.
"""

from typing import Final

SAME_REQUEST_SECONDS: Final = 1.0
"""Signals within this time after the first belong to the same request."""


class TerminationSignals:
    """The termination signals of one process.  All times are `time.monotonic()`."""

    def __init__(self) -> None:
        self._first: float | None = None

    def count(self, now: float) -> bool:
        """Note a signal; return whether it asks for the end at once."""
        if self._first is None:
            self._first = now
        return now - self._first > SAME_REQUEST_SECONDS
