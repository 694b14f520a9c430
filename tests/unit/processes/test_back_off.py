"""How long is waited with, death after death."""

import pytest

from gateway.processes.back_off import BackOff


def delays(*served: float | None) -> list[float]:
    back_off = BackOff()
    return [back_off.delay(one) for one in served]


def test_the_first_death_is_followed_at_once() -> None:
    assert delays(0.0) == [0.0]
    assert delays(None) == [0.0]


def test_code_that_cannot_be_loaded_is_tried_every_half_minute_in_the_end() -> None:
    waited = delays(*[None] * 12)
    assert waited[:5] == [0.0, 0.1, 0.2, 0.4, 0.8]
    assert waited[8:] == [12.8, 25.6, 30.0, 30.0]


def test_a_worker_that_serves_for_a_moment_comes_back_soon() -> None:
    waited = delays(*[0.5] * 8)
    assert waited == [0.0, 0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0]


@pytest.mark.parametrize(("served", "delay"), [(9.9, 0.2), (10.0, 0.0), (10.1, 0.0)])
def test_a_long_life_is_a_new_beginning(served: float, delay: float) -> None:
    assert delays(0.0, 0.0, served) == [0.0, 0.1, delay]


def test_a_thousand_deaths_are_no_overflow() -> None:
    assert delays(*[None] * 2000)[-1] == 30.0
