"""How fast a client brings what it has begun to send."""

from typing import Final

_STEP: Final = 2.0
"""Seconds between two notes: what counts is at least so long, and twice that at the most."""

_LEAST: Final = 1.0
"""Seconds before which nothing can be said."""


class UploadPace:
    """Of one body, by a clock that stands while the gateway does not read."""

    __slots__ = ("_at", "_at_before", "_bytes", "_bytes_before", "pace")

    def __init__(self, clock: float, received: int = 0) -> None:
        """From `clock` on, in seconds, when so many bytes were there."""
        self._at = self._at_before = clock
        self._bytes = self._bytes_before = received
        self.pace: float | None = None
        """Bytes per second lately; `None`: it is too new."""

    def note(self, clock: float, received: int) -> None:
        """So many bytes are there by now; called now and then."""
        seconds = clock - self._at_before
        if seconds >= _LEAST:
            self.pace = (received - self._bytes_before) / seconds
        if clock - self._at >= _STEP:
            self._at_before, self._bytes_before = self._at, self._bytes
            self._at, self._bytes = clock, received
