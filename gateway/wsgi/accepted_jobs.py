"""Jobs that run whatever happens: their clients have got a 202 and wait for no response.

Theory of operation: these jobs wait here for as long as it takes.  Only so many at a time are in
the queue or run that a thread is left for other jobs.  Each that ends lets the next one into the
queue, after all that wait there.  So neither kind displaces the other.  The gateway bounds their
number and their memory, instead of their time, before it accepts them.
"""

from collections import deque
from collections.abc import Callable
from threading import Lock
from typing import Final

from gateway.wsgi.pool_thread import Job

_JOB_BYTES: Final = 8 * 1024
"""Memory that a job counts for besides its body: its head, and what belongs to it."""

_THREADS_PER_FREE_ONE: Final = 4
"""One in four threads, and at least one of several, is left for other jobs."""


class AcceptedJobs:
    """The accepted jobs of one pool; all methods may be called in any thread."""

    __slots__ = ("_at_once", "_limit", "_lock", "_max_bytes", "_size", "_under_way", "_waiting")

    def __init__(self, threads: int, limit: int, max_bytes: int) -> None:
        """`threads` is the size of the pool; at most `limit` jobs wait, with `max_bytes` in all."""
        self._at_once = max(1, threads - max(1, threads // _THREADS_PER_FREE_ONE))
        self._limit = limit
        self._max_bytes = max_bytes
        self._lock = Lock()
        self._waiting: deque[tuple[Job, int]] = deque()
        self._under_way: dict[Job, int] = {}
        """Jobs in the queue or running, and the bytes that each counts for."""
        self._size = 0

    def __repr__(self) -> str:
        return f"<AcceptedJobs {len(self._waiting)} waiting {len(self._under_way)} under way>"

    def __len__(self) -> int:
        """How many wait here, without those in the queue."""
        return len(self._waiting)

    def __contains__(self, job: Job) -> bool:
        """Whether `job` is in the queue or runs."""
        return job in self._under_way

    def may_accept(self, size: int, *, has_thread: bool) -> bool:
        """Whether one more job may be accepted; `size` is the size of its body in bytes.

        `has_thread`: a thread is idle, so the job need not wait.
        """
        need_not_wait = has_thread and len(self._under_way) < self._at_once
        has_room = len(self._waiting) < self._limit or need_not_wait
        return has_room and self._size + size + _JOB_BYTES <= self._max_bytes

    def accept(self, job: Job, size: int) -> None:
        """Keep `job` until `let_in` puts it into the queue."""
        with self._lock:
            self._size += size + _JOB_BYTES
            self._waiting.append((job, size + _JOB_BYTES))

    def let_in(self, enter: Callable[[Job], None]) -> None:
        """Let as many jobs into the queue as may be there now."""
        with self._lock:
            while self._waiting and len(self._under_way) < self._at_once:
                job, size = self._waiting[0]
                enter(job)
                self._under_way[job] = size
                self._waiting.popleft()

    def end(self, job: Job) -> None:
        """Forget a job that has run or was given up; a second call does nothing."""
        with self._lock:
            self._size -= self._under_way.pop(job, 0)

    def take_all(self) -> tuple[list[Job], list[Job]]:
        """The jobs under way, and the waiting ones, which are forgotten: the pool ends."""
        with self._lock:
            waiting = [job for job, _ in self._waiting]
            self._waiting.clear()
            return list(self._under_way), waiting
