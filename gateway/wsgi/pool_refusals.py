"""What a pool refuses or loses: the refusals that clients get, and the log's lines about them."""

import logging
from collections.abc import Callable, Sequence
from contextlib import suppress

from gateway.error_log.rate_limited import RateLimitedWarning
from gateway.errors import QueueFull

_REFUSED = "requests were refused"
_MORE_THREADS = "give more --threads or --workers"

_IDS_PER_LINE = 50


class PoolRefusals:
    """The refusals of one pool, counted by their kinds."""

    def __init__(self, log: logging.Logger, state: Callable[[], str]) -> None:
        """`state` describes the pool in a few words."""
        self._log = log
        self._busy = RateLimitedWarning(log, _REFUSED, "every thread is busy", _MORE_THREADS)
        self._stuck = RateLimitedWarning(
            log, _REFUSED, "every thread is stuck in a handler", "the log has their stacks"
        )
        self._late = RateLimitedWarning(
            log, "requests were answered 503", "they waited for --queue-timeout", _MORE_THREADS
        )
        self._async = RateLimitedWarning(
            log,
            f"asynchronous {_REFUSED}",
            "too many wait to run",
            f"{_MORE_THREADS}, or raise --queue and --body-memory",
        )
        self._troubles = (self._busy, self._stuck, self._late, self._async)
        for trouble in self._troubles:
            trouble.state = state

    def busy(self, retry_after: int, *, is_full: bool) -> QueueFull:
        """For a request that cannot wait, because the queue `is_full` or the wait is too long."""
        self._busy.note()
        message = "the queue is full" if is_full else "the wait for one would be too long"
        return QueueFull(f"every thread is busy and {message}", retry_after)

    def stuck(self, retry_after: int) -> QueueFull:
        """For a request while every thread is stuck."""
        self._stuck.note()
        return QueueFull("every thread is stuck", retry_after)

    def not_accepted(self, retry_after: int) -> QueueFull:
        """For an asynchronous invocation without room."""
        self._async.note()
        return QueueFull("too many asynchronous invocations wait", retry_after)

    def note_late(self) -> None:
        """Count a request that has waited for too long; in any thread."""
        self._late.note()

    def check(self, now: float) -> None:
        """Log what is due; the watch calls this.  `now` is `time.monotonic()`."""
        for trouble in self._troubles:
            trouble.check(now)

    def end(self, now: float, under_way: Sequence[object], waiting: Sequence[object]) -> None:
        """Log the last counts, and the accepted jobs that the end of the pool may lose."""
        self._tell_lost("are still running or about to", under_way)
        self._tell_lost("did not run", waiting)
        for trouble in self._troubles:
            trouble.close(now)

    def _tell_lost(self, what: str, jobs: Sequence[object]) -> None:
        """Log the request id of each."""
        for start in range(0, len(jobs), _IDS_PER_LINE):
            ids = " ".join(map(str, jobs[start : start + _IDS_PER_LINE]))
            with suppress(Exception):  # The handler may have broken the log.
                self._log.error(
                    "the end comes too soon for %d asynchronous invocations, which %s: %s",
                    *(len(jobs), what, ids),
                )
