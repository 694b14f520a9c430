"""The threads and their queue: real threads, held and let go by events."""

import threading
from threading import Event
from time import monotonic

import pytest

from gateway.wsgi import pool as module
from gateway.wsgi import pool_thread
from gateway.wsgi.job_queue import JobQueue
from gateway.wsgi.pool import ThreadPool

PATIENCE = 10.0
"""Seconds after which something that should happen counts as not happening."""


class HeldJob:
    """A job that runs until it is let go."""

    def __init__(self):
        self.begun = Event()
        self.go = Event()
        self.ended = Event()
        self.waited = None
        self.times_expired = 0

    def __str__(self):
        return "request-1"

    def run(self, waited):
        self.waited = waited
        self.begun.set()
        self.go.wait(PATIENCE)
        self.ended.set()

    def expire(self):
        self.times_expired += 1


class Turn:
    """A loop's `call_soon`: what is called waits for the end of the turn."""

    def __init__(self):
        self.callbacks = []

    def __call__(self, callback):
        self.callbacks.append(callback)

    def end(self):
        callbacks, self.callbacks = self.callbacks, []
        for callback in callbacks:
            callback()


@pytest.fixture
def make_pool():
    pools = []
    jobs = []

    def make(threads=1, limit_queue=2, call_soon=None, **more):
        pool = ThreadPool(threads, limit_queue, **more)
        pool.start(call_soon)
        pools.append(pool)
        return pool

    def submit(pool):
        jobs.append(HeldJob())
        return jobs[-1] if pool.submit(jobs[-1]) else None

    make.submit = submit
    yield make
    for job in jobs:
        job.go.set()
    for pool in pools:
        threads = [*pool._threads, *pool.abandoned]
        pool.stop()
        for thread in threads:
            thread.join(PATIENCE)
            assert not thread.is_alive()


def await_true(predicate):
    """Wait for a thread to make its last note, which nothing tells of."""
    deadline = monotonic() + PATIENCE
    while not predicate():
        assert monotonic() < deadline
    return True


def begin(make_pool, pool, count):
    """Occupy `count` threads."""
    jobs = [make_pool.submit(pool) for _ in range(count)]
    for job in jobs:
        assert job.begun.wait(PATIENCE)
    await_true(lambda: pool.busy == count)
    return jobs


# --- the bound ---------------------------------------------------------------------------------


@pytest.mark.parametrize("limit_queue", [0, 1, 3])
@pytest.mark.parametrize("threads", [1, 2])
def test_the_queue_holds_exactly_its_limit_behind_busy_threads(make_pool, threads, limit_queue):
    pool = make_pool(threads, limit_queue)
    running = begin(make_pool, pool, threads)
    queued = [make_pool.submit(pool) for _ in range(limit_queue)]
    assert None not in queued
    assert make_pool.submit(pool) is None
    running[0].go.set()
    for job in queued:
        job.go.set()
        assert job.ended.wait(PATIENCE)
    await_true(lambda: pool.busy == threads - 1)
    assert make_pool.submit(pool) is not None


@pytest.mark.parametrize("limit_queue", [0, 1, 3])
@pytest.mark.parametrize("busy", [0, 1, 2, 3])
def test_idle_threads_are_room_for_jobs_of_the_same_turn(make_pool, limit_queue, busy):
    turn = Turn()
    pool = make_pool(3, limit_queue)
    begin(make_pool, pool, busy)
    pool._plan = lambda: turn(pool._hand_over)
    accepted = 0
    while make_pool.submit(pool) is not None:
        accepted += 1
    assert accepted == 3 - busy + limit_queue
    assert len(turn.callbacks) == (1 if accepted else 0)
    turn.end()


def test_jobs_of_a_turn_are_handed_over_together_and_in_order(make_pool):
    turn = Turn()
    pool = make_pool(1, 10, turn)
    jobs = [make_pool.submit(pool) for _ in range(3)]
    assert not pool.queue
    assert not pool.is_idle
    turn.end()
    for job in jobs:
        assert job.begun.wait(PATIENCE)
        job.go.set()
    assert await_true(lambda: pool.is_idle)
    assert turn.callbacks == []


def test_how_long_a_job_has_waited(make_pool, monkeypatch):
    pool = make_pool(1, 1)
    (first,) = begin(make_pool, pool, 1)
    monkeypatch.setattr(module, "monotonic", lambda: 100.0)
    second = make_pool.submit(pool)
    monkeypatch.setattr(pool_thread, "monotonic", lambda: 107.5)
    first.go.set()
    assert second.begun.wait(PATIENCE)
    assert second.waited == 7.5


def test_repr(make_pool):
    pool = make_pool(1, 5)
    begin(make_pool, pool, 1)
    make_pool.submit(pool)
    assert repr(pool) == "<ThreadPool 1/1 busy, 1 queued, 0 stalled, 0 abandoned>"


# --- life --------------------------------------------------------------------------------------


def test_starting_twice_starts_no_more_threads(make_pool):
    pool = make_pool(2)
    threads = list(pool._threads)
    pool.start(None)
    assert pool._threads == threads
    assert {thread.name for thread in threads} == {"gateway-1", "gateway-2"}


def test_stopping_lets_what_is_queued_run(make_pool):
    turn = Turn()
    pool = make_pool(1, 5, turn)
    jobs = [make_pool.submit(pool) for _ in range(3)]
    threads = list(pool._threads)
    pool.stop()
    for job in jobs:
        job.go.set()
    for thread in threads:
        thread.join(PATIENCE)
        assert not thread.is_alive()
    assert all(job.ended.is_set() for job in jobs)
    turn.end()
    assert not pool.queue


def test_idleness(make_pool):
    pool = make_pool(2, 5)
    assert pool.is_idle
    (job,) = begin(make_pool, pool, 1)
    assert not pool.is_idle
    job.go.set()
    assert await_true(lambda: pool.is_idle)


def test_a_thread_keeps_nothing_of_a_job_that_has_ended(make_pool):
    import weakref  # noqa: PLC0415 - the subject of this test

    pool = make_pool(1, 1)
    job = HeldJob()
    job.go.set()
    pool.submit(job)
    seen = weakref.ref(job)
    assert job.ended.wait(PATIENCE)
    del job
    assert await_true(lambda: seen() is None)


# --- threads that slow clients stall -----------------------------------------------------------


class HeldUpJob(HeldJob):
    """A job whose client is slow."""

    def __init__(self, pool):
        super().__init__()
        self.pool = pool

    def run(self, waited):
        self.pool.relieve()
        self.pool.relieve()  # It waits a second time.
        super().run(waited)


def hold_up(pool, count):
    jobs = [HeldUpJob(pool) for _ in range(count)]
    for job in jobs:
        assert pool.submit(job)
        assert job.begun.wait(PATIENCE)
    return jobs


def test_another_thread_takes_the_place_of_one_that_is_stalled(make_pool):
    pool = make_pool(2, 0)
    jobs = hold_up(pool, 5)
    assert len(pool._stalled) == 5
    begun = begin(make_pool, pool, 2)
    assert not pool.is_idle
    for job in begun:
        job.go.set()
    assert await_true(lambda: pool.busy == 0)
    assert not pool.is_idle, "those that are held up still work"
    threads = list(pool._stalled)
    for job in jobs:
        job.go.set()
    for thread in threads:
        thread.join(PATIENCE)
        assert not thread.is_alive(), "it ends with its job"
    assert pool.is_idle
    pool.check_deadlines(monotonic())
    assert pool._stalled == []
    assert pool.is_idle
    assert len(pool._threads) == 2


def test_a_pool_of_one_runs_one_handler_at_a_time(make_pool):
    pool = make_pool(1, 5)
    (job,) = hold_up(pool, 1)
    waiting = make_pool.submit(pool)
    assert pool._stalled == []
    assert not waiting.begun.is_set()
    job.go.set()
    assert waiting.begun.wait(PATIENCE)
    waiting.go.set()


@pytest.mark.parametrize(("limit", "replaced"), [(1, 2), (2, 4)])
def test_threads_that_are_stalled_are_not_replaced_for_ever(
    make_pool, monkeypatch, limit, replaced
):
    monkeypatch.setattr(module, "_MAX_STALLED", limit)
    pool = make_pool(2, 0)
    jobs = hold_up(pool, replaced + 2)
    assert (len(pool._stalled), pool.busy) == (replaced, 2)
    assert make_pool.submit(pool) is None
    for job in jobs:
        job.go.set()


def test_a_thread_that_is_stalled_for_too_long_is_given_up(make_pool):
    pool = make_pool(2, 1, handler_timeout=5)
    (job,) = hold_up(pool, 1)
    (thread,) = pool._stalled
    pool.check_deadlines(thread.started_at + 5)
    assert job.times_expired == 0
    for _ in range(2):
        pool.check_deadlines(thread.started_at + 5.1)
        assert job.times_expired == 1
    assert (pool._stalled, pool.abandoned, len(pool._threads)) == ([], [thread], 2)
    job.go.set()


def test_a_thread_of_the_handler_s_own_is_not_replaced(make_pool):
    pool = make_pool(2, 1)
    pool.relieve()
    assert len(pool._threads) == 2


# --- threads that are given up -----------------------------------------------------------------


def test_a_handler_past_its_time(make_pool, caplog):
    pool = make_pool(1, 1, handler_timeout=5)
    (stuck,) = begin(make_pool, pool, 1)
    waiting = make_pool.submit(pool)
    (thread,) = pool._threads
    started = thread.started_at
    pool.check_deadlines(started + 5)
    assert stuck.times_expired == 0
    pool.check_deadlines(started + 5.1)
    assert stuck.times_expired == 1
    assert waiting.begun.wait(PATIENCE), "another thread has taken its place"
    assert pool.abandoned == [thread]
    assert thread not in pool._threads
    assert "request-1: handler runs for more than 5 s" in caplog.text
    assert "self.go.wait(PATIENCE)" in caplog.text, "the log shows where it is"
    waiting.go.set()
    assert await_true(lambda: pool.busy == 0)
    pool.check_deadlines(started + 5.2)
    assert stuck.times_expired == 1
    stuck.go.set()
    thread.join(PATIENCE)
    assert not thread.is_alive(), "it ends when its handler returns"
    assert await_true(lambda: pool.is_idle)
    pool.check_deadlines(started + 6)
    assert pool.abandoned == []
    assert pool.is_idle, "what the thread has done still counts"
    again = make_pool.submit(pool)
    assert again.begun.wait(PATIENCE)


def test_a_handler_in_time_is_left_alone(make_pool):
    pool = make_pool(2, 1, handler_timeout=5)
    begin(make_pool, pool, 1)
    pool.check_deadlines(monotonic())
    assert pool.abandoned == []


def test_a_pool_that_was_not_started_stays_so():
    pool = ThreadPool(2, 1, handler_timeout=5)
    pool.check_deadlines(monotonic())
    assert pool._threads == []
    assert not pool.submit(HeldJob())


def test_no_timeout(make_pool):
    pool = make_pool(1, 1, handler_timeout=0)
    (job,) = begin(make_pool, pool, 1)
    pool.check_deadlines(monotonic() + 1e9)
    assert job.times_expired == 0


def test_stuck_threads_are_not_replaced_for_ever(make_pool, monkeypatch, caplog):
    monkeypatch.setattr(module, "_MAX_ABANDONED", 2)
    pool = make_pool(1, 5, handler_timeout=5)
    for _ in range(3):
        begin(make_pool, pool, 1)
        pool.check_deadlines(monotonic() + 6)
    assert len(pool.abandoned) == 3
    assert pool._threads == []
    assert "capacity shrinks" in caplog.text


@pytest.mark.parametrize("threads", [1, 2])
def test_a_pool_is_worn_before_its_capacity_shrinks(make_pool, monkeypatch, threads):
    monkeypatch.setattr(module, "_MAX_ABANDONED", 4)
    monkeypatch.setattr(module, "_MANY_ABANDONED", 2)
    pool = make_pool(threads, 5, handler_timeout=5)
    for _ in range(2):
        begin(make_pool, pool, threads)
        pool.check_deadlines(monotonic() + 6)
    assert len(pool.abandoned) == 2 * threads
    assert not pool.needs_replacement
    begin(make_pool, pool, 1)
    pool.check_deadlines(monotonic() + 6)
    assert pool.needs_replacement
    assert len(pool._threads) == threads


@pytest.mark.parametrize("threads", [1, 2])
def test_capacity_comes_back_when_stuck_handlers_return(make_pool, monkeypatch, threads):
    monkeypatch.setattr(module, "_MAX_ABANDONED", 1)
    pool = make_pool(threads, 5, handler_timeout=5)
    stuck = []
    while pool._threads:
        stuck += begin(make_pool, pool, len(pool._threads))
        pool.check_deadlines(monotonic() + 6)
    for job in stuck:
        job.go.set()
    for thread in list(pool.abandoned):
        thread.join(PATIENCE)
        assert not thread.is_alive()
    pool.check_deadlines(monotonic())
    job = make_pool.submit(pool)
    assert job.begun.wait(PATIENCE), "queued, and nobody will ever take it"


def test_no_threads_no_idle_ones(make_pool, monkeypatch):
    """Who is queued for threads that are gone would wait for ever."""
    monkeypatch.setattr(module, "_MAX_ABANDONED", 0)
    pool = make_pool(1, 0, handler_timeout=5)
    begin(make_pool, pool, 1)
    pool.check_deadlines(monotonic() + 6)
    assert make_pool.submit(pool) is None


# --- what waits too long, and threads that end --------------------------------------------------


class NotedJob(HeldJob):
    """Notes what it is told on the loop."""

    def __init__(self):
        super().__init__()
        self.told = []

    def expire(self):
        self.told.append("expired")

    def refuse(self, waited):
        self.told.append(("refused", waited))

    def lose(self):
        self.told.append("lost")


@pytest.mark.parametrize(("late", "is_refused"), [(-0.001, False), (0.0, False), (0.001, True)])
def test_the_watch_refuses_what_waits_too_long(make_pool, late, is_refused):
    pool = make_pool(queue_timeout=5.0)
    running, waiting = HeldJob(), NotedJob()
    assert pool.submit(running)
    assert running.begun.wait(PATIENCE)
    assert pool.submit(waiting)
    since = pool.queue[0][1]
    # Floats: what is added must be what is found again.
    now = since + 5.0 + late
    pool.check_deadlines(now)
    assert waiting.told == ([("refused", now - since)] if now - since > 5.0 else [])
    assert bool(waiting.told) == is_refused
    running.go.set()
    waiting.go.set()
    if not is_refused:
        assert waiting.ended.wait(PATIENCE)
    assert await_true(lambda: pool.is_idle)


def test_the_watch_leaves_the_order_as_it_is(make_pool):
    pool = make_pool(limit_queue=3, queue_timeout=5.0)
    running, *waiting = HeldJob(), NotedJob(), NotedJob(), NotedJob()
    for job in (running, *waiting):
        assert pool.submit(job)
    assert running.begun.wait(PATIENCE)
    old, *young = pool.queue
    for place, (job, since) in enumerate(young, 1):
        pool.queue[place] = (job, since + 10)
    young = list(pool.queue)[1:]
    pool.check_deadlines(old[1] + 6)
    assert [bool(job.told) for job in waiting] == [True, False, False]
    assert [*pool.queue] == young
    for job in (running, *waiting):
        job.go.set()
    assert await_true(lambda: pool.is_idle)


class RacedQueue(JobQueue):
    """A queue from whose front a thread takes an item just before the watch does."""

    is_raced = True

    def popleft(self):
        if self.is_raced and threading.current_thread() is threading.main_thread():
            self.is_raced = False
            self.taken = super().popleft()
        return super().popleft()


@pytest.mark.parametrize("is_last", [False, True])
def test_the_watch_puts_back_what_it_did_not_mean_to_take(make_pool, is_last):
    """A thread takes the overdue job in between: the watch holds a young one, or none."""
    pool = make_pool(limit_queue=3, queue_timeout=5.0)
    (running,) = begin(make_pool, pool, 1)
    overdue, *young = jobs = [NotedJob() for _ in range(1 if is_last else 3)]
    for job in jobs:
        assert pool.submit(job)
        job.go.set()
    raced = RacedQueue()
    raced.extend((job, since + (0 if job is overdue else 10)) for job, since in pool.queue)
    raced._waiting, since = pool.queue._waiting, pool.queue[0][1]
    pool.queue.clear()
    real, pool.queue = pool.queue, raced
    pool.check_deadlines(since + 6)
    pool.queue = real
    assert raced.taken[0] is overdue
    assert [job for job, _ in raced] == young
    assert [job.told for job in jobs] == [[] for _ in jobs]
    pool.queue.put([raced.taken, *raced])
    running.go.set()
    for job in jobs:
        assert job.ended.wait(PATIENCE)
    assert await_true(lambda: pool.is_idle)


class KillingJob(NotedJob):
    """Ends its thread."""

    def run(self, waited):
        super().run(waited)
        raise SystemExit


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_thread_that_has_ended_is_replaced_and_answered_for(make_pool):
    pool = make_pool()
    killing, next_one = KillingJob(), HeldJob()
    thread = pool._threads[0]
    assert pool.submit(killing)
    killing.go.set()
    thread.join(PATIENCE)
    assert not thread.is_alive()
    assert pool.submit(next_one)
    pool.check_deadlines(monotonic())
    assert killing.told == ["lost"]
    assert next_one.begun.wait(PATIENCE)
    pool.check_deadlines(monotonic())
    assert killing.told == ["lost"]
    next_one.go.set()
    assert await_true(lambda: pool.is_idle)


class FatalLock:
    """A lock; the thread that waits for it ends as soon as it has it, once `is_fatal`.

    Exceptions that are thrown from outside come between two steps, as at this one.  A real one
    (`PyThreadState_SetAsyncExc`) cannot be used: while it is pending, CPython 3.11 makes every
    thread with a trace function spin.
    """

    is_fatal = False

    def __init__(self):
        self._lock = threading.Lock()
        self.release = self._lock.release

    def acquire(self):
        self._lock.acquire()
        if self.is_fatal:
            raise SystemExit


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_thread_that_ends_when_it_is_woken_does_not_take_the_wake_up_along(
    make_pool, monkeypatch
):
    """As an exception does that is thrown into a waiting thread: it comes with the next job."""
    monkeypatch.setattr(pool_thread, "Lock", FatalLock)
    pool = make_pool(threads=2)
    await_true(lambda: len(pool.queue._waiting) == 2)
    lock = pool.queue._waiting[-1]
    victim = next(thread for thread in pool._threads if thread.lock is lock)
    lock.is_fatal = True
    jobs = [HeldJob() for _ in range(3)]
    for job in jobs:
        job.go.set()
        assert pool.submit(job)
    victim.join(PATIENCE)
    assert not victim.is_alive()
    assert not jobs[0].begun.is_set()
    pool.check_deadlines(monotonic())
    for job in jobs:
        assert job.ended.wait(PATIENCE)
    assert await_true(lambda: pool.is_idle)


def test_what_could_not_be_handed_over_is_by_the_watch(make_pool, monkeypatch):
    turn = Turn()
    pool = make_pool(call_soon=turn)
    job = HeldJob()
    job.go.set()
    assert pool.submit(job)

    def no_memory():
        raise MemoryError

    monkeypatch.setattr(module, "monotonic", no_memory)
    with pytest.raises(MemoryError):
        turn.end()
    monkeypatch.undo()
    another = HeldJob()
    assert pool.submit(another)
    another.go.set()
    assert not turn.callbacks
    pool.check_deadlines(monotonic())
    for one in (job, another):
        assert one.ended.wait(PATIENCE)
    assert await_true(lambda: pool.is_idle)


def test_when_no_thread_can_be_started_it_is_tried_again(make_pool, monkeypatch, caplog):
    pool = make_pool(handler_timeout=5)
    stuck, next_one = NotedJob(), HeldJob()
    assert pool.submit(stuck)
    assert stuck.begun.wait(PATIENCE)

    def start(thread):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(module.PoolThread, "start", start)
    pool.check_deadlines(monotonic() + 6)
    assert stuck.told == ["expired"]
    assert "can't start new thread" in caplog.text
    assert not pool.submit(next_one)
    monkeypatch.undo()
    pool.check_deadlines(monotonic())
    assert pool.submit(next_one)
    assert next_one.begun.wait(PATIENCE)
    for job in (stuck, next_one):
        job.go.set()
    assert await_true(lambda: pool.is_idle)


def test_a_broken_log_keeps_nobody_from_being_answered(make_pool, monkeypatch):
    pool = make_pool(threads=2, handler_timeout=5)
    jobs = [NotedJob(), NotedJob()]
    for job in jobs:
        assert pool.submit(job)
        assert job.begun.wait(PATIENCE)

    def fail(*arguments, **more):
        raise ValueError("the log is broken")

    monkeypatch.setattr(module.log, "error", fail)
    pool.check_deadlines(monotonic() + 6)
    assert [job.told for job in jobs] == [["expired"], ["expired"]]
    for job in jobs:
        job.go.set()


# --- who would wait too long -------------------------------------------------------------------


class DeclinedJob(NotedJob):
    """Notes what it is refused with."""

    def decline(self, refusal):
        self.told.append(refusal)


def test_a_submission_goes_by_the_expected_wait(make_pool):
    pool = make_pool(1, 100, queue_timeout=30.0)
    begin(make_pool, pool, 1)
    assert make_pool.submit(pool)
    pool._expected.look = lambda *_: None
    pool._expected.limit, pool._expected.retry_after = 2, 7
    pool.check_deadlines(monotonic())
    assert make_pool.submit(pool)
    assert not make_pool.submit(pool)
    refusal = pool.refusal()
    assert "would be too long" in refusal.message
    assert refusal.retry_after == 7
    pool._expected.limit = 1000
    pool.check_deadlines(monotonic())
    assert pool._limit == 100, "the number stays a bound"


def test_a_full_queue_says_so(make_pool):
    pool = make_pool(1, 0)
    begin(make_pool, pool, 1)
    assert not make_pool.submit(pool)
    assert "the queue is full" in pool.refusal().message


def test_the_newest_are_refused_once_it_is_known_that_they_wait_too_long(make_pool):
    pool = make_pool(1, 100, queue_timeout=30.0)
    begin(make_pool, pool, 1)
    waiting = [DeclinedJob() for _ in range(5)]
    for job in waiting:
        job.go.set()
        assert pool.submit(job)
    pool._expected.look = lambda *_: None
    pool._expected.most = 2
    pool.check_deadlines(monotonic())
    assert [len(job.told) for job in waiting] == [0, 0, 1, 1, 1]
    assert [job for job, _ in pool.queue] == waiting[:2]
    pool.check_deadlines(monotonic())
    assert [len(job.told) for job in waiting] == [0, 0, 1, 1, 1]


def test_the_queue_is_looked_at_as_it_is(make_pool):
    """What the watch has taken was not taken by threads."""
    pool = make_pool(1, 100, queue_timeout=30.0)
    (running,) = begin(make_pool, pool, 1)
    waiting = [DeclinedJob() for _ in range(5)]
    for job in waiting:
        assert pool.submit(job)
    seen = []
    pool._expected.look = lambda *found: seen.append(found)
    pool._expected.most = 3
    oldest = pool.queue[0][1]
    for now in (oldest + 1, oldest + 2):
        pool.check_deadlines(now)
    pool.check_deadlines(oldest + 31)
    for job in (running, *waiting):
        job.go.set()
    await_true(lambda: pool.is_idle)
    assert seen == [
        (oldest + 1, 1, 5, oldest),
        (oldest + 2, 1, 3, oldest),
        (oldest + 31, 1, 0, None),
    ]


def test_refusals_are_told_in_the_log(make_pool, caplog):
    pool = make_pool(1, 0, handler_timeout=5)
    begin(make_pool, pool, 1)
    for _ in range(3):
        assert not make_pool.submit(pool)
        pool.refusal()
    pool.check_deadlines(100.0)
    (record,) = caplog.records
    assert record.getMessage() == (
        "3 requests were refused: every thread is busy (1 of 1 threads at work, 0 wait); "
        "give more --threads or --workers"
    )


def test_timeouts_are_told_in_the_log(make_pool, caplog):
    pool = make_pool()
    pool.refusals.note_late()
    pool.check_deadlines(100.0)
    assert "1 requests were answered 503: they waited for --queue-timeout" in caplog.text


def test_stuck_threads_are_told_in_the_log(make_pool, monkeypatch, caplog):
    monkeypatch.setattr(module, "_MAX_ABANDONED", 0)
    pool = make_pool(1, 5, handler_timeout=5)
    begin(make_pool, pool, 1)
    pool.check_deadlines(monotonic() + 6)
    assert not make_pool.submit(pool)
    pool.refusal()
    pool.check_deadlines(monotonic() + 7)
    assert "1 requests were refused: every thread is stuck in a handler" in caplog.text


# --- what was accepted ---------------------------------------------------------------------------


def accept(pool, count):
    """Jobs that end by `end_accepted`, as detached exchanges do."""
    jobs = []
    for number in range(count):
        job = AcceptedJob(pool, f"accepted-{number}")
        assert pool.accept(job, 0)
        jobs.append(job)
    return jobs


class AcceptedJob(DeclinedJob):
    """One that was promised."""

    def __init__(self, pool, name):
        super().__init__()
        self.pool = pool
        self.name = name

    def __str__(self):
        return self.name

    def run(self, waited):
        super().run(waited)
        self.pool.end_accepted(self)

    def expire(self):
        super().expire()
        self.pool.end_accepted(self)


def test_what_was_accepted_waits_for_ever(make_pool):
    pool = make_pool(1, 20, queue_timeout=5.0)
    (running,) = begin(make_pool, pool, 1)
    jobs = accept(pool, 20)
    pool._expected.most = 0
    pool._expected.look = lambda *_: None
    for _ in range(2):
        pool.check_deadlines(monotonic() + 1000)
    assert not pool.is_idle
    running.go.set()
    for job in jobs:
        job.go.set()
        assert job.ended.wait(PATIENCE)
        assert job.told == []
    assert await_true(lambda: pool.is_idle)


def test_others_are_refused_in_time_behind_what_was_accepted(make_pool):
    pool = make_pool(1, 5, queue_timeout=5.0)
    (running,) = begin(make_pool, pool, 1)
    (job,) = accept(pool, 1)
    others = [DeclinedJob(), DeclinedJob()]
    for other in others:
        assert pool.submit(other)
    pool.check_deadlines(monotonic() + 6)
    assert [[kind for kind, _ in other.told] for other in others] == [["refused"]] * 2
    running.go.set()
    job.go.set()
    assert job.ended.wait(PATIENCE)
    assert await_true(lambda: pool.is_idle)


def test_what_was_accepted_and_what_waits_take_turns(make_pool):
    pool = make_pool(1, 100)
    (running,) = begin(make_pool, pool, 1)
    order = []

    class Ordered(AcceptedJob):
        def run(self, waited):
            order.append(self.name)
            self.pool.end_accepted(self)

    for number in range(3):
        assert pool.accept(Ordered(pool, f"accepted-{number}"), 0)
    for number in range(3):
        assert pool.submit(Ordered(pool, f"other-{number}"))
    running.go.set()
    assert await_true(lambda: pool.is_idle)
    assert order[0] == "accepted-0"
    assert order[1:4] == ["other-0", "other-1", "other-2"]
    assert order[4:] == ["accepted-1", "accepted-2"]


def test_a_thread_is_left_to_others(make_pool):
    pool = make_pool(4, 100)
    jobs = accept(pool, 10)
    await_true(lambda: pool.busy == 3)
    other = make_pool.submit(pool)
    assert other.begun.wait(PATIENCE)
    other.go.set()
    for job in jobs:
        job.go.set()
    assert await_true(lambda: pool.is_idle)
    assert all(job.ended.is_set() for job in jobs)


def test_one_that_is_given_up_lets_the_next_one_in(make_pool):
    pool = make_pool(1, 5, handler_timeout=5)
    first, second = accept(pool, 2)
    assert first.begun.wait(PATIENCE)
    pool.check_deadlines(monotonic() + 6)
    assert first.told == ["expired"]
    assert second.begun.wait(PATIENCE)
    for job in (first, second):
        job.go.set()
    assert await_true(lambda: pool.is_idle)


def test_what_has_not_run_at_the_end_is_told(make_pool, caplog):
    pool = make_pool(1, 60)
    jobs = accept(pool, 60)
    assert jobs[0].begun.wait(PATIENCE)
    pool.stop()
    texts = [record.getMessage() for record in caplog.records]
    assert [text.partition(",")[0] for text in texts] == [
        "the end comes too soon for 1 asynchronous invocations",
        "the end comes too soon for 59 asynchronous invocations",
        "the end comes too soon for 59 asynchronous invocations",
    ]
    assert texts[0].endswith("still running or about to: accepted-0")
    assert " ".join(texts[1:]).split("accepted-")[1:][-1] == "59"
    for job in jobs:
        job.go.set()
        assert job.ended.wait(PATIENCE), "for as long as the process is there, they run"


def test_nothing_is_told_when_all_have_run(make_pool, caplog):
    pool = make_pool(1, 5)
    for job in accept(pool, 3):
        job.go.set()
        assert job.ended.wait(PATIENCE)
    assert await_true(lambda: pool.is_idle)
    pool.stop()
    assert caplog.records == []
    pool.start(None)


def test_who_cannot_be_accepted_is_counted(make_pool, caplog):
    pool = make_pool(1, 1)
    jobs = accept(pool, 2)
    assert not pool.accept(HeldJob(), 0)
    assert "asynchronous" in pool.refusal_of_async().message
    pool.check_deadlines(100.0)
    assert "1 asynchronous requests were refused: too many wait to run" in caplog.text
    for job in jobs:
        job.go.set()
