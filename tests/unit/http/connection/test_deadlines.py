"""The sweep: how often, over whom, and that nothing stops it."""

import sys

import pytest

from gateway.http.connection import deadlines
from gateway.http.connection.deadlines import DeadlineSweep, sweep_interval
from gateway.http.connection.shared_state import Timeouts


class Watched:
    """A connection that only notes when it was looked at."""

    def __init__(self, site):
        self.site = site
        self.times = []

    def check_deadline(self, now):
        self.times.append(now)
        if self.times == [1003.0]:
            self.site.connections.discard(self)


@pytest.mark.parametrize(
    ("timeouts", "others", "expected"),
    [
        (Timeouts(), (), 0.25),
        (Timeouts(), (0.4,), 0.1),
        (Timeouts(), (0,), 0.25),
        (Timeouts(head=0.2), (), 0.05),
        (Timeouts(write=0.001), (), 0.02),
        (Timeouts(keep_alive=0), (), 0.25),
        (Timeouts(head=0, body=0, write=0, keep_alive=0), (), 0.0625),
    ],
)
def test_interval(timeouts, others, expected):
    assert sweep_interval(timeouts, *others) == pytest.approx(expected)


def test_everything_is_looked_at_until_it_stops(site, loop):
    checked = []
    site.connections |= {one := Watched(site), other := Watched(site)}
    sweep = DeadlineSweep(site, 3.0, [checked.append])
    sweep.stop()
    sweep.start()
    loop.advance(2)
    assert checked == []
    loop.advance(1)
    loop.advance(3)
    assert checked == [1003.0, 1006.0]
    assert one.times == other.times == [1003.0], "a connection may go while it is looked at"
    sweep.stop()
    loop.advance(3)
    assert len(checked) == 2


def test_the_budget_is_settled(make_site, loop):
    site = make_site()
    resumed = []
    site.budget.enter("oldest")
    site.budget.enter("waiting")
    site.budget.take("waiting", 1 << 21, lambda: resumed.append(1))
    site.budget.give_back(1 << 21)
    DeadlineSweep(site, 1.0, []).start()
    loop.advance(1)
    assert resumed == [1]


def test_a_check_that_fails_is_not_the_end_of_all_deadlines(site, loop):
    """Such as the access log's, when nobody reads standard output any more."""

    def fail(_):
        raise BrokenPipeError

    checked = []
    site.connections |= {watched := Watched(site), broken := Watched(site), Watched(site)}
    watched.times.append(0)
    broken.check_deadline = fail
    sweep = DeadlineSweep(site, 1.0, [fail, checked.append])
    sweep.add(fail)
    sweep.add(checked.append)
    sweep.start()
    loop.advance(1)
    loop.advance(1)
    assert watched.times == [0, 1001.0, 1002.0]
    assert checked == [1001.0, 1001.0, 1002.0, 1002.0]
    assert len(loop.reported) == 6, "each is told"
    for told in loop.reported:
        assert told["message"] == "a check of the sweep has failed"
        assert type(told["exception"]) is BrokenPipeError


def test_memory_for_its_timer_is_waited_for(site, loop, monkeypatch):
    checked, refused = [], []
    DeadlineSweep(site, 1.0, [checked.append]).start()
    plain = loop.call_later

    def call_later(*arguments):
        if len(refused) < 3:
            refused.append(1)
            raise MemoryError
        return plain(*arguments)

    monkeypatch.setattr(loop, "call_later", call_later)
    loop.advance(1)
    loop.advance(1)
    assert checked == [1001.0, 1002.0]
    assert len(refused) == 3


@pytest.mark.parametrize(("depth", "is_raised"), [(99, True), (100, False), (101, False)])
def test_a_limit_of_recursion_that_is_too_low_is_raised(
    site, loop, monkeypatch, caplog, depth, is_raised
):
    """A handler has set it, for all threads."""
    limits = [depth]
    monkeypatch.setattr(sys, "getrecursionlimit", lambda: limits[-1])
    monkeypatch.setattr(sys, "setrecursionlimit", limits.append)
    DeadlineSweep(site, 1.0, []).start()
    loop.advance(1)
    assert limits == ([depth, 1000] if is_raised else [depth])
    told = "a handler has set the recursion limit below 100; the gateway has reset it to 1000"
    assert caplog.messages == ([told] if is_raised else [])


def test_a_log_that_is_broken_keeps_no_deadline_from_being_looked_at(site, loop, monkeypatch):
    def fail(*_):
        raise ValueError

    monkeypatch.setattr(sys, "getrecursionlimit", lambda: 50)
    monkeypatch.setattr(sys, "setrecursionlimit", lambda _: None)
    monkeypatch.setattr(deadlines.log, "error", fail)
    checked = []
    DeadlineSweep(site, 1.0, [checked.append]).start()
    loop.advance(1)
    assert checked == [1001.0]
