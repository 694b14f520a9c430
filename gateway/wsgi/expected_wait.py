"""How many may wait in a queue, by how long they would: a bound in time instead of a count.

Theory of operation: a look now and then, several in a second, notes how many jobs threads have
taken from the queue.  While the queue is never empty, that tells the rate at which it is worked
off, and with it what a newcomer has to expect.  Two bounds come from it:

- No longer than `longest`: who would wait longer is refused at once, instead of after that time.
- Lastingly no longer than `lasting`.  A burst may wait longer, it passes.  When for `lasting`
  seconds everybody has waited longer than that, it is an overload: the queue only adds its length
  to each answer.  From then on only so many are let in, until the oldest has waited for less than
  half.  (The idea is that of CoDel, RFC 8289: what counts is how long the oldest has waited, and
  for how long that is so.)  A handler that is slow itself has a longer queue: so many as its
  threads need some turns for always wait.

Where nothing is known, nobody is refused: at the beginning, behind an idle moment, and when threads
have taken few jobs, be they stuck or loading something, until that has lasted for a while.  And
where the oldest came behind the last look, the queue may have been empty since, and is short.
"""

import sys
from collections import deque
from math import ceil, inf
from typing import Final

NO_LIMIT: Final = sys.maxsize

_REMEMBERED: Final = 32.0
"""Seconds of notes."""

_RECENT: Final = 4.0
"""Seconds of them that count, if in them threads have taken enough jobs: so it is noticed soon when
handlers become slow or quick, and single slow ones between many quick ones are no change."""

_ENOUGH: Final = 4
"""Jobs per thread that are enough."""

_FEW: Final = 2
"""Jobs per thread that must have been taken: the first ones often load something."""

_STUCK: Final = 0.1
"""Of the longest wait; for so long few jobs were taken, and it is believed that it goes on."""

_STOOD_STILL: Final = 1.0
"""Seconds between two looks, in which the process was stopped, or nothing in it ran."""

_TURNS: Final = 8
"""Jobs per thread that may always wait, however slow they are, within `longest`."""

_LONGEST_RETRY: Final = 60
"""Seconds, told to those who are refused."""


class ExpectedWait:
    """Looks at a queue with `threads` threads."""

    def __init__(self, threads: int, *, longest: float, lasting: float) -> None:
        """`longest` and `lasting` in seconds; 0: no such bound."""
        self._threads = threads
        self._longest = longest
        self._lasting = lasting
        self._marks: deque[tuple[float, int]] = deque()
        """When, and how many jobs had been taken: as long as the queue has not been empty."""
        self._looked_at = -inf
        self._still = 0.0
        """Seconds that do not count: the process stood still."""
        self._over_since = inf
        self.is_lasting = False
        """Whether there is a lasting overload."""
        self.rate: float | None = None
        """Jobs that are taken in a second; `None`: it is not known."""
        self._is_measured = False
        """Whether the rate is, or only a bound of it."""
        self.most = NO_LIMIT
        """Jobs of the queue that are taken within the longest wait; others need not wait on."""
        self.limit = NO_LIMIT
        """How many may wait until the next look."""
        self.retry_after = 1
        """Whole seconds in which those who wait now have been taken."""

    def __repr__(self) -> str:
        return f"<ExpectedWait limit={self.limit} rate={self.rate} lasting={self.is_lasting}>"

    def look(self, now: float, taken: int, queued: int, oldest: float | None) -> None:
        """See how the queue does; `now` is by a monotonic clock, in seconds.

        `taken` counts the jobs that threads have taken so far, `queued` those that wait; `oldest`
        is when the first of these came, `None` if there is none.
        """
        before, self._looked_at = self._looked_at, now
        if oldest is None:
            self._marks.clear()
        else:
            if oldest > before:
                self._marks.clear()
                self._still = 0.0
            elif now - before > _STOOD_STILL:
                self._still += now - before
            self._mark(now - self._still, taken)
        self._judge(now, oldest)
        self.rate = self._measured()
        self._bound(queued)

    def _mark(self, now: float, taken: int) -> None:
        marks = self._marks
        marks.append((now, taken))
        while now - marks[0][0] > _REMEMBERED:
            marks.popleft()

    def _judge(self, now: float, oldest: float | None) -> None:
        """Whether there is a lasting overload."""
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
            if seconds >= _RECENT and jobs >= self._threads * _ENOUGH:
                break
        if seconds <= 0:
            return None
        if jobs >= max(self._threads * _FEW, _ENOUGH):
            self._is_measured = True
            return jobs / seconds
        if self._longest and seconds >= self._longest * _STUCK:
            return (jobs + self._threads) / seconds  # As if all were just about to return.
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
            self.retry_after = max(1, min(_LONGEST_RETRY, ceil(queued / rate)))
