"""Latencies as figures and as a curve over quantiles."""

from collections.abc import Sequence

from bench.statistics import quantile

_QUANTILES = (
    *(step / 40 for step in range(36)),
    *(0.9 + step / 200 for step in range(18)),
    *(0.99, 0.992, 0.994, 0.996, 0.998, 0.999, 0.9995, 0.9999, 1.0),
)
"""Where a curve has its points: denser towards the tail."""


def figures(latencies: Sequence[float]) -> dict[str, float]:
    """Mean and quantiles of `latencies`, in their unit: milliseconds."""
    ordered = sorted(latencies)
    return {
        "mean_ms": sum(ordered) / len(ordered),
        "p50_ms": quantile(ordered, 0.5),
        "p90_ms": quantile(ordered, 0.9),
        "p99_ms": quantile(ordered, 0.99),
        "p999_ms": quantile(ordered, 0.999),
    }


def curve(latencies: Sequence[float]) -> list[list[float]]:
    """Points (quantile, milliseconds)."""
    ordered = sorted(latencies)
    return [[round(share, 4), quantile(ordered, share)] for share in _QUANTILES]
