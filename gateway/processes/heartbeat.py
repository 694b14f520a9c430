"""Whether a worker's event loop still turns, told by its beats."""


def beat_interval(timeout: float) -> float:
    """Seconds between two beats, so that a worker may be silent for `timeout` seconds."""
    return min(1.0, timeout / 4) if timeout else 1.0


class Heartbeat:
    """How long a loop has been silent, as far as its watcher was awake to hear it.

    A watcher that was stopped itself (SIGSTOP for the process group, a suspended machine, a frozen
    container) finds a long silence that proves nothing.  So of the time between two looks no more
    counts than two beats take.
    """

    def __init__(self, timeout: float, now: float) -> None:
        """`timeout` in seconds, 0: none; `now` is `time.monotonic()`, here and below."""
        self._timeout = timeout
        self._longest_step = 2 * beat_interval(timeout)
        self._looked_at = now
        self._silence = 0.0

    def beat(self, now: float) -> None:
        """The loop has turned."""
        self._silence = 0.0
        self._looked_at = now

    def has_stopped(self, now: float) -> bool:
        """Look whether it has been silent for too long; once in an interval at least."""
        self._silence += min(now - self._looked_at, self._longest_step)
        self._looked_at = now
        return 0 < self._timeout < self._silence
