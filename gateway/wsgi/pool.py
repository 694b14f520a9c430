"""The threads that run handlers, and the bounded queue in front of them.

Theory of operation: the pool hands jobs over once per turn of the loop, together: a thread that
wakes in the middle of a turn can only wait for the interpreter lock (handing over each job at once
served a fifth fewer requests, with 32 connections on one core).  `wsgi.job_queue` describes how
threads are woken.

Each thread notes what it runs and since when; a watch on the loop reads the notes.  A thread
cannot be killed.  So the pool abandons one that runs for too long: another takes its place, and it
ends by itself when its handler returns.  The pool also replaces a thread that a slow client stalls
in the middle of a response; otherwise as many such clients as there are threads would stop them
all.

The pool refuses a job at once if it would wait for too long (`wsgi.expected_wait`).  That costs
little: the watch looks at the queue now and then and decides how many may wait; a submission only
compares.  Jobs that were accepted for good wait beside the queue (`wsgi.accepted_jobs`).

A thread may also end unasked: an exception can be thrown into it from outside, at any of its steps
(`PyThreadState_SetAsyncExc`, with which libraries for timeouts interrupt a handler, sometimes too
late).  So the watch replaces threads that have ended, and responds for their jobs.

A pool whose only thread is the main one never runs two jobs at a time, whatever happens: its
handlers rely on that, with requests in globals and with connections for one thread only.  When a
job is past its time there, the pool responds for it; other jobs wait until it returns or the
process, which asks to be replaced, ends.  (A second thread could show users each other's data;
Function Compute ends the instance.)
"""

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from threading import Lock
from time import monotonic

from gateway.error_log.loggers import logger
from gateway.errors import QueueFull
from gateway.limits import MIB
from gateway.threads.main_thread import MainThread
from gateway.threads.thread_stack import stack_of
from gateway.wsgi.accepted_jobs import AcceptedJobs
from gateway.wsgi.expected_wait import ExpectedWait
from gateway.wsgi.hook_job import HookJob
from gateway.wsgi.job_queue import JobQueue
from gateway.wsgi.pool_refusals import PoolRefusals
from gateway.wsgi.pool_thread import Job, MainPoolThread, PoolThread, current_pool_thread
from gateway.wsgi.switch_watch import Running

log = logger("gateway.pool")


class ThreadPool:
    """`threads` threads and a queue of at most `limit_queue` jobs.

    Call its methods on the loop, except `relieve` and `end_accepted`.
    """

    def __init__(
        self,
        threads: int,
        limit_queue: int,
        *,
        handler_timeout: float = 0.0,
        queue_timeout: float = 0.0,
        queue_delay: float = 0.0,
        async_memory: int = 128 * MIB,
        main_thread: MainThread | None = None,
        on_work: Callable[[], object] | None = None,
    ) -> None:
        """`handler_timeout`, `queue_timeout` and `queue_delay` are in seconds; 0 is no limit.

        The last two bound the longest wait and the lasting one (`wsgi.expected_wait`).  As many
        jobs that were accepted for good may wait besides, with `async_memory` bytes in all.

        With `main_thread` the main thread runs the jobs, one at a time.  `threads` is 1 then, and
        `on_work` is called on the loop when jobs have been handed over.
        """
        self.size = threads
        self._main = main_thread
        self._on_work = on_work
        self._has_overrun = False
        """Whether a job of the main thread has ever been past its time."""
        self.queue: JobQueue[tuple[Job | None, float]] = JobQueue()
        self._batch: list[Job] = []
        self._plan: Callable[[], object] = self._hand_over
        """Hands the batch over, now or at the end of the loop's turn."""
        self.limit_queue = limit_queue
        self._limit = limit_queue
        """How many jobs may wait at present."""
        self._expected = ExpectedWait(threads, longest=queue_timeout, lasting=queue_delay)
        self._accepted = AcceptedJobs(threads, limit_queue, async_memory)
        self.handler_timeout = handler_timeout
        self.queue_timeout = queue_timeout
        self.abandoned: list[PoolThread] = []
        self._threads: list[PoolThread] = []
        self._stalled: list[PoolThread] = []
        """Threads that wait for slow clients; replaced, but still watched."""
        self._roster = Lock()
        """Guards moves between the lists of threads."""
        self._started = 0
        self._submitted = 0
        self._taken_by_gone = 0
        """Jobs that forgotten threads and the watch have taken."""
        self._taken_back = 0
        """Jobs that the watch has taken."""
        self._let_in = 0
        """Accepted jobs let into the queue; counted under the lock of `_accepted`."""
        self.refusals = PoolRefusals(log, self._state)

    def __repr__(self) -> str:
        return (
            f"<ThreadPool {self.busy}/{self.size} busy, "
            f"{self._queued} queued, "
            f"{len(self._stalled)} stalled, {len(self.abandoned)} abandoned>"
        )

    @property
    def _queued(self) -> int:
        return len(self.queue) + len(self._batch)

    def _state(self) -> str:
        """The pool's state in a few words, for the log."""
        rate = self._expected.rate
        known = "" if rate is None else f", some {rate:.3g} are begun in a second"
        accepted = f", {len(self._accepted)} asynchronous ones besides" if self._accepted else ""
        return f"{self.busy} of {self.size} threads at work, {self._queued} wait{known}{accepted}"

    @property
    def busy(self) -> int:
        """How many threads run a job."""
        return sum([thread.job is not None for thread in self._threads])

    @property
    def _idle(self) -> int:
        return len(self._threads) - self.busy

    def start(self, call_soon: Callable[[Callable[[], None]], object] | None) -> None:
        """Start the threads.

        `call_soon` is the loop's; with `None` each job is handed over at once.
        """
        if call_soon is not None:
            self._plan = partial(call_soon, self._hand_over)
        with self._roster:
            while len(self._threads) < self.size:
                self._start_thread()

    def _start_thread(self) -> None:
        number = self._started + 1
        if self._main is None:
            thread = PoolThread(self.queue, number)
        else:
            thread = MainPoolThread(self._main, self.queue, number)
        thread.start()
        self._started += 1
        self._threads.append(thread)

    def _try_to_start_thread(self) -> bool:
        """Start a thread in place of another; False when the system has none to give."""
        try:
            self._start_thread()
        except (RuntimeError, MemoryError) as error:
            with suppress(Exception):
                log.error("no thread can be started in place of another: %s", error)
            return False
        return True

    def submit(self, job: Job) -> bool:
        """Queue a job; False when too many wait or it would wait for too long (`refusal`)."""
        batch = self._batch
        waiting = len(self.queue) + len(batch)
        if waiting >= self._limit and waiting >= self._limit + self._idle:
            return False
        if not self._threads:
            return False  # All threads are stuck and abandoned.
        batch.append(job)
        if len(batch) == 1:
            self._plan()
        return True

    def refusal(self) -> QueueFull:
        """The refusal for a job that could not be submitted."""
        retry_after = self._expected.retry_after
        if not self._threads:
            return self.refusals.stuck(retry_after)
        return self.refusals.busy(retry_after, is_full=self._queued >= self.limit_queue)

    def accept(self, job: Job, size: int) -> bool:
        """Take a job that runs whatever happens, once there is room in the queue.

        `size` is the size of its body in bytes.  False when too many wait (`refusal_of_async`).
        """
        has_thread = self._idle > self._queued
        if not (self._threads and self._accepted.may_accept(size, has_thread=has_thread)):
            return False
        self._accepted.accept(job, size)
        self._accepted.let_in(self._enter)
        return True

    def refusal_of_async(self) -> QueueFull:
        """The refusal for a job that could not be accepted."""
        return self.refusals.not_accepted(self._expected.retry_after)

    def end_accepted(self, job: Job) -> None:
        """Note that an accepted job has ended or was given up; in any thread."""
        self._accepted.end(job)
        self._accepted.let_in(self._enter)

    def _enter(self, job: Job) -> None:
        """Queue an accepted job; called under the lock of `_accepted`."""
        self._let_in += 1
        self.queue.put([(job, monotonic())])

    def _hand_over(self) -> None:
        batch = self._batch
        if batch:
            now = monotonic()
            jobs = [(job, now) for job in batch]
            batch.clear()  # After what fails without memory: then the watch tries again.
            self._submitted += len(jobs)
            self.queue.put(jobs)
            if self._main is not None and self._on_work is not None:
                self._on_work()

    def running_for(self, now: float) -> float:
        """Seconds since the oldest running job began; `now` is `time.monotonic()`."""
        return max([now - thread.started_at for thread in self._threads if thread.job], default=0.0)

    def begin(self, job: HookJob) -> PoolThread | None:
        """Queue a job that is not a request; returns its thread, `None` when none is free."""
        if not self.is_idle or self.busy == len(self._threads):
            return None
        self._submitted += 1
        self.queue.put([(job, monotonic())])
        return self._threads[0]

    @property
    def load(self) -> int:
        """How many jobs are queued or running."""
        return self.busy + self._queued

    @property
    def is_idle(self) -> bool:
        """Whether nothing is queued or running, except in abandoned threads.

        The queue's size alone would miss a job between the queue and the notes of its thread.
        """
        with self._roster:
            working = [*self._threads, *self._stalled]
            taken = sum([thread.taken for thread in (*working, *self.abandoned)])
            is_busy = any(
                thread.job is not None and not self._is_overrun(thread) for thread in working
            )
            done = taken + self._taken_by_gone
            is_over = done == self._submitted + self._let_in
            return is_over and not (is_busy or self._batch or self._accepted)

    @property
    def needs_replacement(self) -> bool:
        """Whether so many threads are abandoned that the process should be replaced.

        That is early enough for a new process to be ready before the capacity of this one shrinks.
        """
        return self._has_overrun or len(self.abandoned) > self.size * _MANY_ABANDONED

    def _is_overrun(self, thread: PoolThread) -> bool:
        """Whether it is the main thread, and its job has been given up."""
        job = thread.job
        return self._main is not None and job is not None and job is thread.expired

    def refuse_behind_overrun(self, now: float) -> None:
        """Refuse the jobs that wait for one that is past its time: the process ends.

        `now` is `time.monotonic()`.
        """
        if not any(self._is_overrun(thread) for thread in self._threads):
            return
        self._hand_over()
        with suppress(IndexError):
            while True:
                job, since = self.queue.popleft()
                if job is not None:
                    self._taken_by_gone += 1
                    self._taken_back += 1
                    job.refuse(now - since)

    def running(self) -> list[Running]:
        """The threads at work that have a CPU clock."""
        with self._roster:
            threads = [*self._threads, *self._stalled, *self.abandoned]
        return [
            Running(thread.clock, thread.taken)
            for thread in threads
            if thread.job is not None and thread.clock is not None
        ]

    def relieve(self) -> bool:
        """Start another thread in place of the calling one, which waits for a slow client.

        False when there is none, so that other jobs wait as well.  A pool of one stays one: its
        handler relies on running alone.
        """
        thread = current_pool_thread()
        if thread is None:
            return True  # A thread that the handler has started.
        with self._roster:
            has_room = self.size > 1 and len(self._stalled) < self.size * _MAX_STALLED
            if has_room and thread in self._threads and self._try_to_start_thread():
                self._replace(thread, self._stalled)
            return thread.is_replaced

    def _replace(self, thread: PoolThread, to: list[PoolThread]) -> None:
        """Let the thread end after its job, and keep it in the list `to`."""
        thread.is_replaced = True
        (self._stalled if thread in self._stalled else self._threads).remove(thread)
        to.append(thread)

    def stop(self) -> None:
        """Let each thread end after the jobs that are queued.

        The log names accepted jobs that have not run: the process may end before they do.
        """
        self._hand_over()
        under_way, waiting = self._accepted.take_all()
        for job in waiting:
            self._enter(job)
        self.queue.put([_END] * len(self._threads))
        self.refusals.end(monotonic(), under_way, waiting)

    def check_deadlines(self, now: float) -> None:
        """Give up jobs that are past their time, and replace threads.

        `now` is `time.monotonic()`.
        """
        if not self._started:
            return
        self._hand_over()
        if self.queue_timeout:
            self._refuse_overdue(now)
        self._look(now)
        with self._roster:
            overdue = self._overdue(now)
            for thread, _ in overdue:
                if self._main is not None:
                    self._has_overrun = True
                elif thread not in self.abandoned:
                    self._replace(thread, self.abandoned)
            lost = self._forget_ended()
            while len(self._threads) < self.size and self._may_replace:
                if not self._try_to_start_thread():
                    break
        for thread, job in overdue:
            with suppress(Exception):  # The handler may have broken the log.
                self._log_overdue(thread, job)
            job.expire()
        for thread, left in lost:
            with suppress(Exception):
                log.error("%s ended in the middle of its work, by an exception", thread.name)
            if left is not None:
                left.lose()

    def _refuse_overdue(self, now: float) -> None:
        """Refuse jobs that have waited too long, without waiting for a thread."""
        queue = self.queue
        kept = []
        with suppress(IndexError):  # A thread was quicker.
            while now - queue[0][1] > self.queue_timeout:
                job, since = item = queue.popleft()
                if job is not None and job in self._accepted:
                    kept.append(item)
                    continue
                if job is None or now - since <= self.queue_timeout:
                    queue.put_back(item)  # A thread has taken the job that was looked at.
                    break
                self._taken_by_gone += 1
                self._taken_back += 1
                job.refuse(now - since)
        for item in reversed(kept):
            queue.put_back(item)

    def _look(self, now: float) -> None:
        """Estimate how long new jobs would wait, and decide how many may."""
        queue, expected = self.queue, self._expected
        oldest = None
        with suppress(IndexError):
            oldest = queue[0][1]
        queued = len(queue)
        taken = self._submitted + self._let_in - self._taken_back - queued
        expected.look(now, taken, queued, oldest)
        self._limit = min(self.limit_queue, expected.limit)
        if queued > expected.most:
            self._refuse_newest(queued - expected.most)
        self.refusals.check(now)

    def _refuse_newest(self, count: int) -> None:
        """Refuse the newest jobs, queued before the pool knew that they would wait too long."""
        queue = self.queue
        kept = []
        with suppress(IndexError):  # Threads were quicker.
            for _ in range(count):
                item = queue.pop()
                job = item[0]
                if job is None or job in self._accepted:
                    kept.append(item)
                    continue
                self._taken_by_gone += 1
                self._taken_back += 1
                job.decline(self.refusal())
        if kept:
            queue.put(reversed(kept))

    def _overdue(self, now: float) -> list[tuple[PoolThread, Job]]:
        """The threads whose jobs are past their time; returns each job once."""
        found = []
        for thread in (*self._threads, *self._stalled, *self.abandoned):
            job = thread.job
            if job is None or job is thread.expired:
                continue
            limit = job.time_limit if isinstance(job, HookJob) else self.handler_timeout
            if limit and now - thread.started_at > limit:
                thread.expired = job
                found.append((thread, job))
        return found

    def _forget_ended(self) -> list[tuple[PoolThread, Job | None]]:
        """Forget threads that have ended; returns those that ended unasked, and their jobs."""
        unasked = []
        for threads in (self._threads, self._stalled, self.abandoned):
            for thread in [one for one in threads if not one.is_alive()]:
                threads.remove(thread)
                self._taken_by_gone += thread.taken
                if thread.job is not None or not thread.is_replaced:
                    unasked.append((thread, thread.job))
                    self.queue.forget(thread.lock)
        return unasked

    def _log_overdue(self, thread: PoolThread, job: Job) -> None:
        if isinstance(job, HookJob):
            return  # The caller of the hook logs it.
        log.error(
            "%s: handler runs for more than %g s; its %s is given up%s",
            job,
            self.handler_timeout,
            "thread" if self._main is None else "worker",
            stack_of(thread),
        )
        if not self._may_replace:
            log.critical(
                "%d threads are stuck in handlers and no more are started: "
                "capacity shrinks until some return or the process is replaced",
                len(self.abandoned),
            )

    @property
    def _may_replace(self) -> bool:
        return len(self.abandoned) <= self.size * _MAX_ABANDONED


_END: tuple[None, float] = (None, 0.0)
"""Ends the thread that takes it from the queue."""

_MAX_ABANDONED = 8
"""Per thread of the pool; with more, abandoned threads are not replaced."""

_MANY_ABANDONED = _MAX_ABANDONED // 2
"""Per thread of the pool; with more, the process should be replaced."""

_MAX_STALLED = 32
"""Per thread of the pool; with more, threads that wait for slow clients are not replaced."""
