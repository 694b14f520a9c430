"""Quantiles and curves."""

import pytest

from bench.loads.latency import curve, figures, quantile

HUNDRED = [float(number) for number in range(1, 101)]


@pytest.mark.parametrize(
    ("share", "expected"), [(0, 1), (0.001, 1), (0.5, 50), (0.901, 91), (0.99, 99), (1, 100)]
)
def test_a_quantile_is_a_value_that_was_seen(share: float, expected: float) -> None:
    assert quantile(HUNDRED, share) == expected


def test_one_value_is_every_quantile() -> None:
    assert {quantile([3.5], share) for share in (0, 0.5, 0.999, 1)} == {3.5}


def test_figures_do_not_need_an_order() -> None:
    assert figures(HUNDRED[::-1]) == {
        "mean_ms": 50.5,
        "p50_ms": 50,
        "p90_ms": 90,
        "p99_ms": 99,
        "p999_ms": 100,
    }


def test_a_curve_rises_to_the_slowest_and_is_densest_there() -> None:
    points = curve(HUNDRED[::-1])
    shares = [share for share, _ in points]
    assert shares == sorted(set(shares))
    assert [value for _, value in points] == sorted(value for _, value in points)
    assert (points[0], points[-1]) == ([0, 1], [1, 100])
    assert sum(share >= 0.99 for share in shares) >= 8
    assert 50 <= len(points) <= 70
