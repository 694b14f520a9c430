"""What was accepted runs, a few at a time, and is bounded before."""

import pytest

from gateway.wsgi.accepted_jobs import AcceptedJobs

OWN = 8 * 1024


class Job:
    """One that only is."""


def accept(accepted, count, size=0):
    jobs = [Job() for _ in range(count)]
    for job in jobs:
        assert accepted.may_accept(size, has_thread=False)
        accepted.accept(job, size)
    return jobs


@pytest.mark.parametrize(("threads", "at_once"), [(1, 1), (2, 1), (3, 2), (4, 3), (8, 6), (16, 12)])
def test_a_thread_is_left_to_others(threads, at_once):
    accepted = AcceptedJobs(threads, 100, 10**9)
    jobs = accept(accepted, 30)
    entered = []
    accepted.let_in(entered.append)
    assert entered == jobs[:at_once]
    assert len(accepted) == 30 - at_once
    accepted.let_in(entered.append)
    assert len(entered) == at_once
    for number in range(30):
        accepted.end(entered[number])
        accepted.end(entered[number])
        accepted.let_in(entered.append)
    assert entered == jobs, "in their order, all of them, each once"
    assert repr(accepted) == "<AcceptedJobs 0 waiting 0 under way>"
    assert accepted.take_all() == ([], [])


@pytest.mark.parametrize("limit", [0, 1, 5])
def test_how_many_may_wait(limit):
    accepted = AcceptedJobs(1, limit, 10**9)
    assert accepted.may_accept(0, has_thread=True)
    assert accepted.may_accept(0, has_thread=False) == bool(limit)
    accepted.accept(Job(), 0)
    accepted.let_in(lambda _: None)
    for _ in range(limit):
        accept(accepted, 1)
        accepted.let_in(lambda _: None)
    for has_thread in (False, True):
        assert not accepted.may_accept(0, has_thread=has_thread)
    assert len(accepted) == limit


@pytest.mark.parametrize(("size", "fits"), [(999, True), (1000, True), (1001, False)])
def test_their_memory_is_bounded(size, fits):
    accepted = AcceptedJobs(1, 100, 2 * (OWN + 1000))
    (first,) = accept(accepted, 1, 1000)
    assert accepted.may_accept(size, has_thread=False) == fits
    (second,) = accept(accepted, 1, 1000)
    assert not accepted.may_accept(0, has_thread=False)
    accepted.let_in(lambda _: None)
    assert not accepted.may_accept(0, has_thread=False), "what runs is in memory, too"
    accepted.end(second)
    assert not accepted.may_accept(0, has_thread=False), "it waits still"
    accepted.end(first)
    accepted.end(first)
    assert accepted.may_accept(1000, has_thread=False)


def test_which_is_under_way():
    accepted = AcceptedJobs(1, 100, 10**9)
    first, second = accept(accepted, 2)
    accepted.let_in(lambda _: None)
    assert first in accepted
    assert second not in accepted


def test_the_end():
    accepted = AcceptedJobs(1, 100, 10**9)
    first, *others = accept(accepted, 3)
    accepted.let_in(lambda _: None)
    assert accepted.take_all() == ([first], others)
    assert len(accepted) == 0


def test_one_that_cannot_enter_is_not_lost():
    accepted = AcceptedJobs(1, 100, 10**9)
    (job,) = accept(accepted, 1)

    def fail(job):
        raise MemoryError

    with pytest.raises(MemoryError):
        accepted.let_in(fail)
    entered = []
    accepted.let_in(entered.append)
    assert entered == [job]


def test_a_job_that_ends_twice_gives_its_memory_back_once():
    accepted = AcceptedJobs(1, 5, OWN + 1000)
    (job,) = accept(accepted, 1, 1000)
    accepted.let_in(lambda _: None)
    for _ in range(3):
        accepted.end(job)
    assert accepted.may_accept(1000, has_thread=False)
    assert not accepted.may_accept(1001, has_thread=False)
