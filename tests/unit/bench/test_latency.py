"""Quantiles and curves."""

from bench.loads.latency import curve, figures

HUNDRED = [float(number) for number in range(1, 101)]


def test_one_value_is_every_quantile() -> None:
    assert set(figures([3.5]).values()) == {3.5}


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
