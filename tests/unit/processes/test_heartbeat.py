"""When a silence is one."""

import pytest

from gateway.processes.heartbeat import Heartbeat, beat_interval


def looks(pulse: Heartbeat, start: float, end: float, step: float) -> bool:
    """Whether a watcher that looks every `step` seconds finds it stopped."""
    found = False
    steps = round((end - start) / step)
    for number in range(1, steps + 1):
        found |= pulse.has_stopped(start + number * step)
    return found


@pytest.mark.parametrize(
    ("timeout", "interval"), [(0.0, 1.0), (1.0, 0.25), (3.0, 0.75), (4.0, 1.0), (60.0, 1.0)]
)
def test_beats_are_four_times_as_many_as_needed(timeout: float, interval: float) -> None:
    assert beat_interval(timeout) == interval


@pytest.mark.parametrize(("end", "found"), [(159.0, False), (160.0, False), (161.0, True)])
def test_silence_up_to_the_timeout_is_none(end: float, found: bool) -> None:
    assert looks(Heartbeat(60.0, 100.0), 100.0, end, 1.0) is found


def test_a_beat_begins_anew() -> None:
    pulse = Heartbeat(60.0, 0.0)
    assert not looks(pulse, 0.0, 59.0, 1.0)
    pulse.beat(59.5)
    assert not looks(pulse, 59.5, 119.5, 1.0)
    assert pulse.has_stopped(120.5)


def test_without_a_timeout_silence_is_no_death() -> None:
    assert not looks(Heartbeat(0.0, 0.0), 0.0, 100_000.0, 1.0)


def test_a_watcher_that_was_stopped_itself_has_heard_nothing() -> None:
    pulse = Heartbeat(60.0, 0.0)
    assert not looks(pulse, 0.0, 10.0, 1.0)
    assert not pulse.has_stopped(10_000.0)  # Ten of its seconds and two are what it knows of.
    assert not looks(pulse, 10_000.0, 10_048.0, 1.0)
    assert pulse.has_stopped(10_049.0)


@pytest.mark.parametrize(("seconds", "found"), [(0.99, False), (1.0, False), (1.01, True)])
def test_a_timeout_of_a_second_is_one(seconds: float, found: bool) -> None:
    pulse = Heartbeat(1.0, 0.0)
    assert not pulse.has_stopped(0.4)
    assert not pulse.has_stopped(0.8)
    assert pulse.has_stopped(seconds) is found


@pytest.mark.parametrize("timeout", [2.0, 4.0, 60.0])
def test_a_look_counts_no_more_than_two_beats(timeout: float) -> None:
    pulse = Heartbeat(timeout, 0.0)
    step = 2 * beat_interval(timeout)
    silent = 0.0
    now = 0.0
    while silent <= timeout:
        assert not pulse.has_stopped(now)
        now += 10_000.0
        silent += step
    assert pulse.has_stopped(now)
