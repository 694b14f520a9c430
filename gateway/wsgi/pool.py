"""The threads that run handlers, and the bounded queue in front of them.

Theory of operation: jobs are handed over once per turn of the loop, together: a thread that is
woken in the middle of a turn can only wait for the interpreter lock (handing over each at once
served a fifth fewer requests, 32 connections on one core).  `wsgi.job_queue` says how threads are
woken.

Each thread notes what it runs and since when; a watch on the loop reads the notes.  A thread
cannot be killed, so one that runs for too long is written off: another takes its place, and it ends
by itself when its handler returns.
"""

import logging
import sys
import traceback
from collections.abc import Callable
from threading import Lock, Thread
from time import monotonic
from typing import Protocol

from gateway.wsgi.job_queue import JobQueue

log = logging.getLogger("gateway.pool")


class Job(Protocol):
    """What a thread runs."""

    def run(self, waited: float) -> None:
        """Do the work; `waited` is how long it stood in the queue, in seconds.  Must not raise."""

    def expire(self) -> None:
        """It has run for too long.  Called on the loop, once, while `run` goes on."""


class PoolThread(Thread):
    """A thread and its notes."""

    def __init__(self, pool: "ThreadPool", number: int) -> None:
        super().__init__(name=f"gateway-{number}", daemon=True)
        self.job: Job | None = None
        self.started_at = 0.0
        self.is_written_off = False
        self.taken = 0
        """Jobs that it has begun."""
        self._pool = pool

    def run(self) -> None:
        get = self._pool.queue.get
        lock = Lock()
        lock.acquire()
        while not self.is_written_off:
            item = get(lock)
            if item is None:
                return
            job, queued_at = item
            now = monotonic()
            # In this order, so that the watch never takes an old start for the new job's.
            self.started_at = now
            self.job = job
            self.taken += 1  # Behind `job`: what counts as taken is then running or done.
            job.run(now - queued_at)
            self.job = None
            # Or the job, its environ and its body would live until the next one comes.
            del item, job


class ThreadPool:
    """`threads` threads and a queue of `limit_queue` jobs.  Its methods belong to the loop."""

    def __init__(self, threads: int, limit_queue: int, *, handler_timeout: float = 0.0) -> None:
        """`handler_timeout` in seconds; 0: none."""
        self.size = threads
        self.queue: JobQueue[tuple[Job, float] | None] = JobQueue()
        self._batch: list[Job] = []
        self._call_soon: Callable[[Callable[[], None]], object] | None = None
        self.limit_queue = limit_queue
        self.handler_timeout = handler_timeout
        self.written_off: list[PoolThread] = []
        self._threads: list[PoolThread] = []
        self._started = 0
        self._submitted = 0
        self._taken_by_gone = 0

    def __repr__(self) -> str:
        return (
            f"<ThreadPool {self.busy}/{self.size} busy, "
            f"{len(self.queue) + len(self._batch)} queued, "
            f"{len(self.written_off)} written off>"
        )

    @property
    def busy(self) -> int:
        """How many threads run a job."""
        return sum([thread.job is not None for thread in self._threads])

    @property
    def _idle(self) -> int:
        return len(self._threads) - self.busy

    def start(self, call_soon: Callable[[Callable[[], None]], object] | None) -> None:
        """Start the threads; `call_soon` is the loop's, `None`: each job is handed over at once."""
        self._call_soon = call_soon
        while len(self._threads) < self.size:
            self._start_thread()

    def _start_thread(self) -> None:
        self._started += 1
        thread = PoolThread(self, self._started)
        self._threads.append(thread)
        thread.start()

    def submit(self, job: Job) -> bool:
        """Queue a job; False when the queue is full."""
        batch = self._batch
        waiting = len(self.queue) + len(batch)
        if waiting >= self.limit_queue and waiting >= self.limit_queue + self._idle:
            return False
        if not self._threads:
            return False  # All are stuck and written off: nobody would come for it.
        self._submitted += 1
        batch.append(job)
        if self._call_soon is None:
            self._hand_over()
        elif len(batch) == 1:
            self._call_soon(self._hand_over)
        return True

    def _hand_over(self) -> None:
        batch = self._batch
        if batch:
            now = monotonic()
            self.queue.put([(job, now) for job in batch])
            batch.clear()

    @property
    def is_idle(self) -> bool:
        """Whether nothing is queued or running, written-off threads aside.

        The queue's size alone would miss a job between the queue and the notes of its thread.
        """
        taken = sum([thread.taken for thread in (*self._threads, *self.written_off)])
        return taken + self._taken_by_gone == self._submitted and not self.busy

    def stop(self) -> None:
        """Let each thread end behind the jobs that are queued."""
        self._hand_over()
        self.queue.put([None] * len(self._threads))

    def check_deadlines(self, now: float) -> None:
        """Write off the threads whose job is past its time; `now` is `time.monotonic()`."""
        if not self.handler_timeout:
            return
        for thread in list(self._threads):
            job = thread.job
            if job is not None and now - thread.started_at > self.handler_timeout:
                self._write_off(thread, job)
        for thread in list(self.written_off):
            if not thread.is_alive():
                self.written_off.remove(thread)
                self._taken_by_gone += thread.taken
        if self._started:
            self._replace_threads()

    def _write_off(self, thread: PoolThread, job: Job) -> None:
        thread.is_written_off = True
        self._threads.remove(thread)
        self.written_off.append(thread)
        log.error(
            "%s: handler runs for more than %g s; its thread is given up%s",
            job,
            self.handler_timeout,
            _stack(thread),
        )
        if not self._may_replace:
            log.critical(
                "%d threads are stuck in handlers and no more are started: "
                "capacity shrinks until some return or the process is replaced",
                len(self.written_off),
            )
        job.expire()

    @property
    def _may_replace(self) -> bool:
        return len(self.written_off) <= self.size * _MAX_WRITTEN_OFF

    def _replace_threads(self) -> None:
        while len(self._threads) < self.size and self._may_replace:
            self._start_thread()


_MAX_WRITTEN_OFF = 8
"""Written-off threads per thread of the pool, beyond which they are not replaced."""


def _stack(thread: Thread) -> str:
    """Where a thread is, for the log."""
    frame = sys._current_frames().get(thread.ident or 0)
    if frame is None:
        return ""
    return "\n" + "".join(traceback.format_stack(frame)).rstrip()
