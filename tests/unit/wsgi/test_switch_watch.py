"""When the interpreter switches often: real threads, which compute or wait."""

import sys
import time

import pytest

from gateway.wsgi import switch_watch as module
from gateway.wsgi.switch_watch import Running, SwitchWatch

USUAL, SHORT = 0.004, 0.001


@pytest.fixture
def clocks(monkeypatch):
    """CPU seconds by clock; the test sets them."""
    seconds = {}

    def clock_gettime(clock):
        if clock not in seconds:
            raise OSError("the thread has ended")
        return seconds[clock]

    monkeypatch.setattr(module.time, "clock_gettime", clock_gettime)
    return seconds


@pytest.fixture
def interval():
    before = sys.getswitchinterval()
    sys.setswitchinterval(USUAL)
    yield lambda: pytest.approx(sys.getswitchinterval())
    sys.setswitchinterval(before)


@pytest.mark.parametrize(("used", "expected"), [(0.0, USUAL), (0.0049, USUAL), (0.0051, SHORT)])
def test_a_job_that_uses_its_time(clocks, interval, used, expected):
    watch = SwitchWatch(lambda: [Running(1, 7)], SHORT)
    clocks[1] = 3.0
    watch.look()
    assert interval() == USUAL
    clocks[1] += used
    watch.look()
    assert interval() == expected
    watch.look()
    assert interval() == USUAL


def test_what_a_handler_sets_does_not_last(clocks, interval):
    watch = SwitchWatch(lambda: [Running(1, 7)], SHORT)
    for used, expected in [(0.0, USUAL), (0.0, USUAL), (1.0, SHORT), (1.0, SHORT)]:
        clocks[1] = clocks.get(1, 0.0) + used
        sys.setswitchinterval(10)
        watch.look()
        assert interval() == expected


@pytest.mark.parametrize(("used", "expected"), [(0.0199, USUAL), (0.0201, SHORT)])
def test_several_jobs_of_a_thread_count_when_each_is_long(clocks, interval, used, expected):
    """Ten of them, one of which runs."""
    jobs = iter(range(0, 100, 9))
    watch = SwitchWatch(lambda: [Running(1, next(jobs))], SHORT)
    clocks[1] = 0.0
    for wanted in (USUAL, expected, expected):
        watch.look()
        assert interval() == wanted
        clocks[1] += used


@pytest.mark.parametrize(
    ("count", "expected"), [(1, 0.001), (2, 0.0005), (8, 0.000125), (40, 5e-5)]
)
def test_the_more_compute_the_shorter(clocks, interval, count, expected):
    watch = SwitchWatch(lambda: [Running(number, 1) for number in range(count)], SHORT)
    for now in (0.0, 1.0):
        clocks.update(dict.fromkeys(range(count), now))
        watch.look()
    assert interval() == expected


def test_one_of_several_is_enough(clocks, interval):
    clocks.update({1: 0.0, 2: 0.0})
    watch = SwitchWatch(lambda: [Running(1, 1), Running(2, 1)], SHORT)
    watch.look()
    clocks[2] = 0.02
    watch.look()
    assert interval() == SHORT


def test_a_thread_that_has_ended_does_not_compute(clocks, interval):
    watch = SwitchWatch(lambda: [Running(1, 1)], SHORT)
    clocks[1] = 0.0
    watch.look()
    del clocks[1]
    watch.look()
    assert interval() == USUAL


def test_nothing_is_kept_of_jobs_that_are_over(clocks, interval):
    running = [Running(1, 1)]
    clocks[1] = 0.0
    watch = SwitchWatch(lambda: running, SHORT)
    watch.look()
    running.clear()
    watch.look()
    assert watch._seen == {}


def test_a_real_clock(interval):
    clock = time.pthread_getcpuclockid(__import__("threading").get_ident())
    watch = SwitchWatch(lambda: [Running(clock, 1)], SHORT)
    watch.look()
    end = time.thread_time() + 0.006
    while time.thread_time() < end:
        pass
    watch.look()
    assert interval() == SHORT
