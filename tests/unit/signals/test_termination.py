"""Signals that ask for the end."""

import pytest

from gateway.signals.termination import TerminationSignals


@pytest.mark.parametrize(("after", "is_again"), [(0.0, False), (1.0, False), (1.001, True)])
def test_what_comes_within_a_second_is_the_same_wish(after: float, is_again: bool) -> None:
    signals = TerminationSignals()
    assert not signals.count(100.0)
    assert signals.count(100.0 + after) is is_again


def test_the_second_begins_with_the_first_signal() -> None:
    signals = TerminationSignals()
    assert [signals.count(now) for now in (0.0, 0.6, 1.2)] == [False, False, True]
