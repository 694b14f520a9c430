"""Detects from its beats whether a worker's event loop still turns."""


def beat_interval(timeout: float) -> float:
    """Seconds between two beats when a worker may be silent for `timeout` seconds."""
    return min(1.0, timeout / 4) if timeout else 1.0


class Heartbeat:
    """Measures how long a loop has been silent while its observer was awake.

    An observer that was itself stopped (SIGSTOP to the process group, a suspended machine, a frozen
    container) sees a long silence that proves nothing.  So the time between two checks counts for
    at most two beat intervals.
    """

    def __init__(self, timeout: float, now: float) -> None:
        """`timeout` is in seconds, 0 means none; `now` is `time.monotonic()`, here and below."""
        self._timeout = timeout
        self._longest_step = 2 * beat_interval(timeout)
        self._looked_at = now
        self._silence = 0.0

    def beat(self, now: float) -> None:
        """Note that the loop has turned."""
        self._silence = 0.0
        self._looked_at = now

    def has_stopped(self, now: float) -> bool:
        """Whether the loop has been silent for too long; call it at least once per beat
        interval."""
        self._silence += min(now - self._looked_at, self._longest_step)
        self._looked_at = now
        return 0 < self._timeout < self._silence
