"""How fast a client sends a body."""

from typing import Final

_STEP_SECONDS: Final = 2.0
"""Time between two marks.  The pace covers the last one to two steps."""

_MIN_SECONDS: Final = 1.0
"""The pace is unknown before this time."""


class UploadPace:
    """The pace of one body, by a clock that stops while the gateway does not read."""

    __slots__ = ("_at", "_at_before", "_bytes", "_bytes_before", "pace")

    def __init__(self, clock: float, received: int = 0) -> None:
        """Begin at `clock`, in seconds, with `received` bytes."""
        self._at = self._at_before = clock
        self._bytes = self._bytes_before = received
        self.pace: float | None = None
        """Recent bytes per second; `None`: not known yet."""

    def note(self, clock: float, received: int) -> None:
        """`received` bytes have come by `clock`; called by each sweep."""
        seconds = clock - self._at_before
        if seconds >= _MIN_SECONDS:
            self.pace = (received - self._bytes_before) / seconds
        if clock - self._at >= _STEP_SECONDS:
            self._at_before, self._bytes_before = self._at, self._bytes
            self._at, self._bytes = clock, received
