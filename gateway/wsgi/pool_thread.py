"""A thread that runs jobs, and the notes that a watch reads."""

import os
import time
from threading import Lock, get_ident, local
from time import monotonic
from typing import Protocol

from gateway.errors import Refusal
from gateway.threads.main_thread import MainThread
from gateway.threads.user_thread import UserThread
from gateway.wsgi.job_queue import JobQueue


class Job(Protocol):
    """The work of a thread."""

    def run(self, waited: float) -> None:
        """Do the work; `waited` is the time in the queue, in seconds.  Must not raise."""

    def expire(self) -> None:
        """Respond: the job has run for too long.  Called on the loop, once, while `run` goes on."""

    def refuse(self, waited: float) -> None:
        """Respond: the job was in the queue for too long and will not run.  Called on the loop."""

    def decline(self, refusal: Refusal) -> None:
        """Respond with `refusal`: the job will not run.  Called on the loop."""

    def lose(self) -> None:
        """Respond: the thread of the job has ended.  Called on the loop."""


class PoolThread(UserThread):
    """A thread and its notes."""

    def __init__(self, queue: "JobQueue[tuple[Job | None, float]]", number: int) -> None:
        super().__init__(name=f"gateway-{number}")
        self.job: Job | None = None
        self.queued_at = self.started_at = 0.0
        self.is_replaced = False
        """Whether another thread has its place; it ends after its job."""
        self.taken = 0
        """Jobs that it has begun."""
        self.expired: Job | None = None
        """The job that the watch has given up."""
        self.clock: int | None = None
        """Its CPU clock; `None` before it runs, and on systems without one."""
        self._queue = queue
        self.lock = Lock()
        """Acquired to wait for a job."""
        self.lock.acquire()

    def run(self) -> None:
        _here.thread = self
        self.begin()
        if hasattr(time, "pthread_getcpuclockid"):  # Not on macOS.
            self.clock = time.pthread_getcpuclockid(get_ident())
        get = self._queue.get
        lock = self.lock
        while not self.is_replaced:
            job, self.queued_at = get(lock)
            if job is None:
                return
            # In this order, so that the watch never mistakes an old start for the new job's.
            self.started_at = now = monotonic()
            self.job = job
            self.taken += 1  # After `job`: a job that counts as taken is running or done.
            job.run(now - self.queued_at)
            self.job = None
            # Otherwise the job, its environ and its body would live until the next one comes.
            del job


class MainPoolThread(PoolThread):
    """The main thread as a thread of the pool: jobs run where the handler was imported.

    It counts as ended when an exception has ended its loop.  Another `MainPoolThread` may then take
    over, in the same thread.
    """

    def __init__(
        self, main: MainThread, queue: "JobQueue[tuple[Job | None, float]]", number: int
    ) -> None:
        super().__init__(queue, number)
        self._main = main
        self._has_ended = False

    def start(self) -> None:
        """Make the main thread run jobs."""
        self._main.start(self.run)

    def run(self) -> None:
        try:
            super().run()
        finally:
            _here.thread = None
            self._has_ended = True

    @property
    def ident(self) -> int:
        """The main thread's."""
        return self._main.ident

    def is_alive(self) -> bool:
        """Whether it runs jobs or will run them."""
        return not self._has_ended


_here = local()


def current_pool_thread() -> PoolThread | None:
    """The calling thread, if it is one of a pool."""
    thread: PoolThread | None = getattr(_here, "thread", None)
    return thread


def _retire_in_child() -> None:
    thread = current_pool_thread()
    if thread is not None:
        thread.is_replaced = True


if hasattr(os, "register_at_fork"):
    # A process that a handler forks has a copy of the queue; its jobs belong to the parent.
    os.register_at_fork(after_in_child=_retire_in_child)


def job_times() -> tuple[float, float]:
    """When the job of the calling pool thread was queued and picked up (`time.monotonic()`)."""
    thread = current_pool_thread()
    assert thread is not None
    return thread.queued_at, thread.started_at
