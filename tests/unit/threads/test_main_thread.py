"""The main thread as one that runs tasks, with other work beside it."""

import os
import threading
import time
from collections.abc import Callable

import pytest

from gateway.threads.main_thread import MainThread
from gateway.wsgi.hook_job import HookJob
from gateway.wsgi.pool import ThreadPool


class Job:
    """Notes where it has run, and when it is answered for."""

    def __init__(self, work: Callable[[], object] = lambda: None) -> None:
        self.work = work
        self.thread: threading.Thread | None = None
        self.told: list[str] = []
        self.ended = threading.Event()

    def __str__(self) -> str:
        return "request-1"

    def run(self, waited: float) -> None:
        self.thread = threading.current_thread()
        self.work()
        self.ended.set()

    def expire(self) -> None:
        self.told.append("expired")

    def refuse(self, waited: float) -> None:
        self.told.append("refused")

    def lose(self) -> None:
        self.told.append("lost")


def beside(work: Callable[[MainThread], None]) -> list[BaseException | None]:
    """Run `work` beside the main thread, here: the one of the test; what it was stuck with."""
    stuck: list[BaseException | None] = []
    main = MainThread(())
    try:
        main.run_beside(lambda: work(main), stuck.append)
    finally:
        main._inbox.leave()
    return stuck


def in_pool(work: Callable[[ThreadPool], None], **more: float) -> None:
    def run(main: MainThread) -> None:
        pool = ThreadPool(1, 10, main_thread=main, **more)  # type: ignore[arg-type]
        pool.start(None)
        try:
            work(pool)
        finally:
            pool.stop()

    assert beside(run) == []


def test_tasks_run_here_and_the_work_does_not() -> None:
    seen: list[threading.Thread] = []

    def work(main: MainThread) -> None:
        seen.append(threading.current_thread())
        main.start(lambda: seen.append(threading.current_thread()))

    assert beside(work) == []
    assert seen[0] is not threading.current_thread()
    assert seen[1] is threading.current_thread()


def test_what_the_work_raises_is_raised_here() -> None:
    def work(main: MainThread) -> None:
        raise SystemExit(3)

    with pytest.raises(SystemExit, match="3"):
        beside(work)


def test_a_task_that_fails_is_told_and_others_run(caplog: pytest.LogCaptureFixture) -> None:
    ran = threading.Event()

    def fail() -> None:
        raise KeyboardInterrupt

    def work(main: MainThread) -> None:
        main.start(fail)
        main.start(ran.set)
        assert ran.wait(10)

    assert beside(work) == []
    assert "outside of the function" in caplog.text


def test_a_task_that_does_not_return_does_not_hide_a_failure() -> None:
    go = threading.Event()
    stuck: list[BaseException | None] = []

    def end(error: BaseException | None) -> None:
        stuck.append(error)
        go.set()

    def work(main: MainThread) -> None:
        main.start(lambda: go.wait(10) and None)
        raise ValueError("failed")

    main = MainThread(())
    with pytest.raises(ValueError, match="failed"):
        main.run_beside(lambda: work(main), end)
    main._inbox.leave()
    assert [str(error) for error in stuck] == ["failed"]


def test_a_task_that_does_not_return_does_not_put_off_the_end() -> None:
    go = threading.Event()
    stuck: list[BaseException | None] = []

    def end(error: BaseException | None) -> None:
        stuck.append(error)
        assert not main.has_left(0)
        go.set()
        assert main.has_left(10)

    main = MainThread(())
    main.run_beside(lambda: main.start(lambda: go.wait(10) and None), end)
    main._inbox.leave()
    assert stuck == [None]


def test_a_pool_of_the_main_thread_runs_jobs_there_one_after_the_other() -> None:
    jobs = [Job() for _ in range(5)]

    def work(pool: ThreadPool) -> None:
        for job in jobs:
            assert pool.submit(job)
        assert jobs[-1].ended.wait(10)

    in_pool(work)
    assert {job.thread for job in jobs} == {threading.main_thread()}


def test_a_thread_that_an_exception_has_ended_is_the_main_one_again() -> None:
    def fail() -> None:
        raise KeyboardInterrupt  # As a signal handler may, at any line of the gateway's.

    killed, following = Job(fail), Job()

    def work(pool: ThreadPool) -> None:
        assert pool.submit(killed)
        assert pool.submit(following)
        for _ in range(1000):
            pool.check_deadlines(time.monotonic())
            if following.ended.wait(0.01):
                break

    in_pool(work)
    assert killed.told == ["lost"]
    assert following.thread is threading.main_thread()


def test_behind_a_job_past_its_time_none_runs_until_it_returns() -> None:
    go = threading.Event()
    late, waiting, refused = Job(lambda: go.wait(10)), Job(), Job()

    def work(pool: ThreadPool) -> None:
        assert pool.submit(late)
        while late.thread is None:
            time.sleep(0.001)
        assert pool.submit(refused)
        pool.check_deadlines(time.monotonic() + 4.9)
        pool.refuse_behind_overrun(time.monotonic())
        assert (late.told, refused.told, pool.needs_replacement, pool.is_idle) == (
            [],
            [],
            False,
            False,
        )
        pool.check_deadlines(time.monotonic() + 5.1)
        assert (late.told, pool.needs_replacement) == (["expired"], True)
        assert not pool.is_idle, "one waits"
        pool.refuse_behind_overrun(time.monotonic())
        assert refused.told == ["refused"]
        assert pool.is_idle, "nothing is left that would be answered"
        assert pool.submit(waiting)
        assert not waiting.ended.wait(0.05)
        go.set()
        assert waiting.ended.wait(10)

    in_pool(work, handler_timeout=5.0)
    assert waiting.thread is threading.main_thread()
    assert refused.thread is None


def test_a_hook_has_a_time_of_its_own() -> None:
    go, begun = threading.Event(), threading.Event()

    def hook() -> None:
        begun.set()
        go.wait(10)

    def work(pool: ThreadPool) -> None:
        assert pool.begin(HookJob(hook, 9.0)) is not None
        assert begun.wait(10)
        assert pool.begin(HookJob(hook, 9.0)) is None, "it is occupied"
        pool.check_deadlines(time.monotonic() + 8.9)
        assert not pool.needs_replacement
        pool.check_deadlines(time.monotonic() + 9.1)
        assert pool.needs_replacement
        go.set()

    in_pool(work, handler_timeout=5.0)


def test_how_busy_it_is() -> None:
    go = threading.Event()
    running = Job(lambda: go.wait(10))
    noted: list[int] = []

    def run(main: MainThread) -> None:
        pool = ThreadPool(1, 10, main_thread=main, on_work=lambda: noted.append(pool.load))
        pool.start(None)
        assert (pool.load, pool.running_for(time.monotonic())) == (0, 0.0)
        pool.submit(running)
        while running.thread is None:
            time.sleep(0.001)
        pool.submit(Job())
        assert pool.load == 2
        assert 5 <= pool.running_for(time.monotonic() + 5) < 6 + 10
        go.set()
        pool.stop()

    assert beside(run) == []
    assert noted[-1] == 2


def test_a_child_is_not_the_main_thread_s_to_go_on_with() -> None:
    def work(main: MainThread) -> None:
        done = threading.Event()

        def fork() -> None:
            pid = os.fork()
            if pid:
                assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
                done.set()

        main.start(fork)
        assert done.wait(10)

    assert beside(work) == []
