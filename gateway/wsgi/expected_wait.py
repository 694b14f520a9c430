"""How many jobs may wait in a queue, by how long they would wait: a bound in time, not in number.

Theory of operation: the watch looks several times in a second and notes how many jobs threads have
taken from the queue.  As long as the queue is never empty, these notes give the rate at which
threads take jobs, and with it the wait that a new job can expect.  Two bounds follow:

- No job waits longer than `longest`: a job that would is refused at once, instead of after that
  time.
- In the long run no job waits longer than `lasting`.  In a burst jobs may: it passes.  When all
  jobs of `lasting` seconds have waited longer than that, it is an overload, in which the queue only
  adds its length to each response time.  From then on fewer jobs may wait, until the oldest has
  waited for less than half of `lasting`.  (The idea is that of CoDel, RFC 8289: what counts is how
  long the oldest job has waited, and since when.)  The queue of a slow handler may be longer: some
  jobs per thread may always wait.

Without a known rate no job is refused: at the start, after an idle moment, and when threads have
taken few jobs, because they are stuck or load something, until that has lasted for a while.  If the
oldest job came after the last look, the queue is short, and may have been empty meanwhile.
"""

import sys
from collections import deque
from math import ceil, inf
from typing import Final

NO_LIMIT: Final = sys.maxsize

_KEPT_SECONDS: Final = 32.0
"""Notes are kept for so long."""

_RECENT_SECONDS: Final = 4.0
"""The rate is that of the last seconds, if threads have taken `_ENOUGH_JOBS` in them.  So a change
of the handlers' speed shows soon, and single slow ones among many quick ones change little."""

_ENOUGH_JOBS: Final = 4
"""Jobs per thread that make a rate."""

_FEW_JOBS: Final = 2
"""Jobs per thread without which there is no rate: the first ones often load something."""

_STUCK_SHARE: Final = 0.1
"""Part of the longest wait.  Threads that took few jobs for so long are assumed to go on so."""

_STOPPED_SECONDS: Final = 1.0
"""With more time between two looks the process was stopped, or nothing in it could run."""

_TURNS: Final = 8
"""Jobs per thread that may always wait within `longest`, however slow they are."""

_MAX_RETRY_SECONDS: Final = 60
"""The longest Retry-After."""


class ExpectedWait:
    """Looks at a queue with `threads` threads."""

    def __init__(self, threads: int, *, longest: float, lasting: float) -> None:
        """`longest` and `lasting` are in seconds; 0 is no such bound."""
        self._threads = threads
        self._longest = longest
        self._lasting = lasting
        self._marks: deque[tuple[float, int]] = deque()
        """Time and number of jobs taken, of each look since the queue was empty."""
        self._looked_at = -inf
        self._still = 0.0
        """Seconds that do not count, because the process was stopped."""
        self._over_since = inf
        self.is_lasting = False
        """Whether there is a lasting overload."""
        self.rate: float | None = None
        """Jobs that threads take in a second; `None` while it is not known."""
        self._is_measured = False
        """Whether `rate` is measured; otherwise it is an upper bound."""
        self.most = NO_LIMIT
        """Jobs in the queue that threads take within the longest wait; others wait in vain."""
        self.limit = NO_LIMIT
        """How many may wait until the next look."""
        self.retry_after = 1
        """Whole seconds until threads have taken all jobs that wait now."""

    def __repr__(self) -> str:
        return f"<ExpectedWait limit={self.limit} rate={self.rate} lasting={self.is_lasting}>"

    def look(self, now: float, taken: int, queued: int, oldest: float | None) -> None:
        """Note the state of the queue; `now` is by a monotonic clock, in seconds.

        `taken` counts the jobs that threads have taken so far, `queued` those that wait.  `oldest`
        is the time at which the first of these came, `None` if there is none.
        """
        before, self._looked_at = self._looked_at, now
        if oldest is None:
            self._marks.clear()
        else:
            if oldest > before:
                self._marks.clear()
                self._still = 0.0
            elif now - before > _STOPPED_SECONDS:
                self._still += now - before
            self._mark(now - self._still, taken)
        self._judge(now, oldest)
        self.rate = self._measured()
        self._bound(queued)

    def _mark(self, now: float, taken: int) -> None:
        marks = self._marks
        marks.append((now, taken))
        while now - marks[0][0] > _KEPT_SECONDS:
            marks.popleft()

    def _judge(self, now: float, oldest: float | None) -> None:
        """Decide whether there is a lasting overload."""
        waited = 0.0 if oldest is None else now - oldest
        if not self._lasting or waited < self._lasting / 2:
            self.is_lasting = False
            self._over_since = inf
        elif waited <= self._lasting:
            if not self.is_lasting:
                self._over_since = inf
        else:
            self._over_since = min(self._over_since, now)
            self.is_lasting |= now - self._over_since >= self._lasting

    def _measured(self) -> float | None:
        self._is_measured = False
        if not self._marks:
            return None
        now, taken = self._marks[-1]
        jobs, seconds = 0, 0.0
        for then, taken_then in reversed(self._marks):
            jobs, seconds = taken - taken_then, now - then
            if seconds >= _RECENT_SECONDS and jobs >= self._threads * _ENOUGH_JOBS:
                break
        if seconds <= 0:
            return None
        if jobs >= max(self._threads * _FEW_JOBS, _ENOUGH_JOBS):
            self._is_measured = True
            return jobs / seconds
        if self._longest and seconds >= self._longest * _STUCK_SHARE:
            return (jobs + self._threads) / seconds  # As if all threads returned at this moment.
        return None

    def _bound(self, queued: int) -> None:
        rate = self.rate
        self.limit = int(rate * self._longest) if rate is not None and self._longest else NO_LIMIT
        self.most = self.limit if self._is_measured else NO_LIMIT
        if self.is_lasting:
            lasting = int((rate or 0.0) * self._lasting)
            self.limit = min(self.limit, max(lasting, self._threads * _TURNS))
        self.retry_after = 1
        if rate is not None:
            self.retry_after = max(1, min(_MAX_RETRY_SECONDS, ceil(queued / rate)))
