"""A thread that runs jobs, and what a watch can read of it."""

import os
import time
from threading import Lock, current_thread, get_ident
from time import monotonic
from typing import Protocol

from gateway.user_thread import UserThread
from gateway.wsgi.job_queue import JobQueue


class Job(Protocol):
    """What a thread runs."""

    def run(self, waited: float) -> None:
        """Do the work; `waited` is how long it stood in the queue, in seconds.  Must not raise."""

    def expire(self) -> None:
        """It has run for too long.  Called on the loop, once, while `run` goes on."""

    def refuse(self, waited: float) -> None:
        """It stood in the queue for too long and will not run.  Called on the loop."""

    def lose(self) -> None:
        """Its thread has ended under it.  Called on the loop."""


class PoolThread(UserThread):
    """A thread and its notes."""

    def __init__(self, queue: "JobQueue[tuple[Job | None, float]]", number: int) -> None:
        super().__init__(name=f"gateway-{number}")
        self.job: Job | None = None
        self.queued_at = self.started_at = 0.0
        self.is_replaced = False
        """Whether another has its place: it ends with its job."""
        self.taken = 0
        """Jobs that it has begun."""
        self.expired: Job | None = None
        """The job that was given up, of which the watch has told."""
        self.clock: int | None = None
        """Of its CPU time; `None` where the system has none, and before it runs."""
        self._queue = queue
        self.lock = Lock()
        """What it waits with."""
        self.lock.acquire()

    def run(self) -> None:
        self.begin()
        if hasattr(time, "pthread_getcpuclockid"):  # Not on macOS.
            self.clock = time.pthread_getcpuclockid(get_ident())
        get = self._queue.get
        lock = self.lock
        while not self.is_replaced:
            job, self.queued_at = get(lock)
            if job is None:
                return
            # In this order, so that the watch never takes an old start for the new job's.
            self.started_at = now = monotonic()
            self.job = job
            self.taken += 1  # Behind `job`: what counts as taken is then running or done.
            job.run(now - self.queued_at)
            self.job = None
            # Or the job, its environ and its body would live until the next one comes.
            del job


def _retire_in_child() -> None:
    thread = current_thread()
    if isinstance(thread, PoolThread):
        thread.is_replaced = True


if hasattr(os, "register_at_fork"):
    # A process that a handler forks has a copy of the queue, whose jobs are the parent's.
    os.register_at_fork(after_in_child=_retire_in_child)


def job_times() -> tuple[float, float]:
    """When the job of the calling pool thread was queued and picked up (`time.monotonic()`)."""
    thread = current_thread()
    assert isinstance(thread, PoolThread)
    return thread.queued_at, thread.started_at
