"""Jobs that run whatever happens: somebody has been told so (202), and waits for no answer.

Theory of operation: they wait here, for as long as it takes, and only as many at a time stand in
the queue or run as leave a thread for others; each that is done lets the next one into the queue,
behind all that wait there by then.  So they displace nobody, and nobody displaces them.  Instead of
their time their number and their memory are bounded, before they are accepted.
"""

from collections import deque
from collections.abc import Callable
from threading import Lock
from typing import Final

from gateway.wsgi.pool_thread import Job

_OWN: Final = 8 * 1024
"""Bytes that a job is counted for besides its body: its head, and what belongs to that."""

_LEFT_TO_OTHERS: Final = 4
"""One in so many threads, and at least one of several."""


class AcceptedJobs:
    """Those of one pool; all methods may be called in any thread."""

    __slots__ = ("_at_once", "_limit", "_lock", "_max_bytes", "_size", "_under_way", "_waiting")

    def __init__(self, threads: int, limit: int, max_bytes: int) -> None:
        """Of a pool with so many threads; at most `limit` wait, with `max_bytes` in all."""
        self._at_once = max(1, threads - max(1, threads // _LEFT_TO_OTHERS))
        self._limit = limit
        self._max_bytes = max_bytes
        self._lock = Lock()
        self._waiting: deque[tuple[Job, int]] = deque()
        self._under_way: dict[Job, int] = {}
        """In the queue, or running; and what they are counted for."""
        self._size = 0

    def __repr__(self) -> str:
        return f"<AcceptedJobs {len(self._waiting)} waiting {len(self._under_way)} under way>"

    def __len__(self) -> int:
        """How many wait; those in the queue not counted."""
        return len(self._waiting)

    def __contains__(self, job: Job) -> bool:
        """Whether it is in the queue, or runs."""
        return job in self._under_way

    def may_accept(self, size: int, *, has_thread: bool) -> bool:
        """Whether one more may be promised; `size` is its body's, in bytes.

        `has_thread`: one is idle, so that it need not wait.
        """
        need_not_wait = has_thread and len(self._under_way) < self._at_once
        has_room = len(self._waiting) < self._limit or need_not_wait
        return has_room and self._size + size + _OWN <= self._max_bytes

    def accept(self, job: Job, size: int) -> None:
        """Keep it until it is let into the queue."""
        with self._lock:
            self._size += size + _OWN
            self._waiting.append((job, size + _OWN))

    def let_in(self, enter: Callable[[Job], None]) -> None:
        """Have as many enter the queue as may now."""
        with self._lock:
            while self._waiting and len(self._under_way) < self._at_once:
                job, size = self._waiting[0]
                enter(job)
                self._under_way[job] = size
                self._waiting.popleft()

    def end(self, job: Job) -> None:
        """It has run, or is given up; it may be told twice."""
        with self._lock:
            self._size -= self._under_way.pop(job, 0)

    def take_all(self) -> tuple[list[Job], list[Job]]:
        """Those that are under way, and those that wait, which are forgotten: it is the end."""
        with self._lock:
            waiting = [job for job, _ in self._waiting]
            self._waiting.clear()
            return list(self._under_way), waiting
