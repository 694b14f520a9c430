"""Medians, their intervals and ratios."""

import math
import random

import pytest
from unit.bench import synthetic

from bench.results import Run
from bench.statistics import (
    Samples,
    difference,
    estimate,
    median,
    quantile,
    ratio,
    samples,
)


def numbered(*values: float, first: int = 0) -> list[tuple[int, float]]:
    return list(enumerate(values, start=first))


@pytest.mark.parametrize(
    ("values", "middle"), [([7], 7), ([3, 1, 2], 2), ([4, 1, 3, 2], 2.5), ([1, 1, 1e9], 1)]
)
def test_median(values: list[float], middle: float) -> None:
    assert median(values) == middle


def test_there_is_no_median_of_nothing() -> None:
    with pytest.raises(ValueError, match="nothing to take a median of"):
        median([])
    with pytest.raises(ValueError, match="nothing"):
        estimate([])
    with pytest.raises(ValueError, match="nothing"):
        ratio([], numbered(1))
    with pytest.raises(ValueError, match="nothing"):
        difference(numbered(1), [])


@pytest.mark.parametrize(
    ("share", "value"),
    [(0, 1), (0.01, 1), (0.07, 7), (0.5, 50), (0.501, 51), (0.99, 99), (0.999, 100), (1, 100)],
)
def test_a_quantile_is_a_value_that_occurred(share: float, value: int) -> None:
    assert quantile(range(1, 101), share) == value


def test_quantiles_that_do_not_exist() -> None:
    with pytest.raises(ValueError, match="nothing"):
        quantile([], 0.5)
    for share in (-0.1, 1.1, math.nan):
        with pytest.raises(ValueError, match=r"within 0\.\.1"):
            quantile([1.0], share)


def test_one_run_has_no_interval() -> None:
    found = estimate(numbered(5))
    assert (found.value, found.interval, found.runs) == (5, None, 1)
    assert found.confidence == 0


def test_of_five_runs_the_interval_is_their_range_and_says_how_sure_it_is() -> None:
    found = estimate(numbered(3, 1, 2, 5, 4))
    assert (found.value, found.interval) == (3, (1, 5))
    assert found.confidence == pytest.approx(0.9375)


def test_of_many_runs_the_interval_is_narrower_than_their_range() -> None:
    found = estimate(numbered(*range(101)))
    assert found.interval is not None
    low, high = found.interval
    assert 35 < low < 45
    assert 55 < high < 65
    assert found.confidence == 0.95


def test_the_same_runs_give_the_same_interval() -> None:
    values = [random.Random(place).gauss(10, 2) for place in range(9)]
    assert estimate(numbered(*values)) == estimate(numbered(*values))


def test_the_interval_covers_the_true_median_about_as_often_as_it_says() -> None:
    chance = random.Random(1)
    hits = 0
    for _ in range(300):
        found = estimate(numbered(*(chance.lognormvariate(0, 1) for _ in range(15))))
        assert found.interval is not None
        hits += found.interval[0] <= 1 <= found.interval[1]
    assert 0.90 <= hits / 300 <= 0.99


def test_a_ratio_is_of_the_medians() -> None:
    found = ratio(numbered(2, 4, 6), numbered(1, 2, 9))
    assert (found.value, found.runs) == (2, 3)


def test_drift_that_both_shared_is_not_in_the_ratio() -> None:
    drift = (1.0, 0.6, 1.9, 1.3, 0.8)
    above = numbered(*(30 * by for by in drift))
    below = numbered(*(10 * by for by in drift))
    paired, apart = ratio(above, below), ratio(above, numbered(*(y for _, y in below), first=9))
    assert paired.value == pytest.approx(3)
    assert paired.interval == pytest.approx((3, 3))
    assert apart.interval is not None
    assert apart.interval[0] < 2.5
    assert apart.interval[1] > 3.5


def test_runs_are_paired_whatever_their_order() -> None:
    above, below = numbered(2, 4, 6, 8), numbered(1, 2, 3, 4)
    assert ratio(above, below[::-1]).interval == (2, 2)


@pytest.mark.parametrize("below", [numbered(0), numbered(1, 2, -1)])
def test_a_ratio_needs_something_to_divide_by(below: Samples) -> None:
    with pytest.raises(ValueError, match="positive"):
        ratio(numbered(1, 2, 3), below)


def test_difference() -> None:
    found = difference(numbered(16, 17, 18), numbered(0.5, 0.6, 0.7))
    assert found.value == pytest.approx(16.4)
    assert found.interval == pytest.approx((15.5, 17.3))


def test_samples_are_of_good_runs_that_have_the_figure() -> None:
    results = synthetic.empty()
    results.runs = [
        Run("a", "gateway", 1, {"p50_ms": 2.0}),
        Run("a", "gateway", 0, {"p50_ms": 1.0}),
        Run("a", "gateway", 2, {"p99_ms": 3.0}),
        Run("a", "gateway", 3, {"p50_ms": math.nan}),
        Run("a", "gateway", 4, {"p50_ms": 4.0}, failure="it broke"),
        Run("a", "granian", 5, {"p50_ms": 5.0}),
        Run("b", "gateway", 6, {"p50_ms": 6.0}),
    ]
    assert samples(results, "a", "gateway", "p50_ms") == [(0, 1.0), (1, 2.0)]
    assert samples(results, "c", "gateway", "p50_ms") == []
