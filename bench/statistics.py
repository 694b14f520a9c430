"""Medians and how sure they are: few runs, no assumption about how these spread."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from bench.results import Results

RESAMPLES = 4000
CONFIDENCE = 0.95
_SEED = 20240229

Samples: TypeAlias = Sequence[tuple[int, float]]
"""A figure of several runs: (round, value)."""
_Floats: TypeAlias = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """A median, or what is computed from two, with its interval."""

    value: float
    interval: tuple[float, float] | None
    """Percentile bootstrap; `None` for a single run, which tells nothing of its spread."""
    runs: int

    @property
    def confidence(self) -> float:
        """What the interval can hold at most: half of all runs lie on either side of the median,
        so that n of them miss it with probability 2^(1-n). 5 runs reach 94 %, 3 runs 75 %."""
        return min(CONFIDENCE, 1 - 2.0 ** (1 - self.runs))


def samples(results: Results, scenario: str, peer: str, figure: str) -> list[tuple[int, float]]:
    """The figure in all good runs of a peer under a scenario, by round; may be empty."""
    return sorted(
        (run.round, run.figures[figure])
        for run in results.runs
        if (run.scenario, run.peer, run.failure) == (scenario, peer, None)
        and math.isfinite(run.figures.get(figure, math.nan))
    )


def median(values: Sequence[float]) -> float:
    """The middle of `values`.

    Raises:
        ValueError: there are none.
    """
    _refuse_none(values)
    return float(np.median(values))


def quantile(ordered: Sequence[float], share: float) -> float:
    """The least of the sorted values that `share` of them do not exceed (nearest rank).

    Never between two values: nobody waited for as long as an interpolated p99.9.

    Raises:
        ValueError: there are none, or `share` is not within 0..1.
    """
    _refuse_none(ordered)
    if not 0 <= share <= 1:
        raise ValueError(f"a quantile is asked for a share within 0..1, not {share}")
    # 0.07 * 100 is 7.000000000000001, which must not become rank 8.
    rank = math.ceil(round(share * len(ordered), 9))
    return ordered[max(rank, 1) - 1]


def estimate(measured: Samples) -> Estimate:
    """The median of some runs.

    Raises:
        ValueError: there are none.
    """
    _refuse_none(measured)
    values = _values(measured)
    drawn = values[_resampled(len(values), np.random.default_rng(_SEED))]
    return _estimate(float(np.median(values)), np.median(drawn, axis=1), len(values))


def ratio(above: Samples, below: Samples) -> Estimate:
    """Of two medians. Runs of the same rounds are resampled together, since they share the drift
    of the machine; otherwise each set by itself.

    Raises:
        ValueError: one of them is empty, or there is nothing positive to divide by.
    """
    if any(value <= 0 for _, value in below):
        raise ValueError("a ratio needs positive values below the line")
    return _combined(above, below, np.divide)


def difference(from_: Samples, less: Samples) -> Estimate:
    """Of two medians, resampled as for `ratio`.

    Raises:
        ValueError: one of them is empty.
    """
    return _combined(from_, less, np.subtract)


def _combined(
    one: Samples, other: Samples, combine: Callable[[_Floats, _Floats], _Floats]
) -> Estimate:
    _refuse_none(one)
    _refuse_none(other)
    one, other = sorted(one), sorted(other)
    ours, theirs = _values(one), _values(other)
    chance = np.random.default_rng(_SEED)
    picked = _resampled(len(ours), chance)
    is_paired = [number for number, _ in one] == [number for number, _ in other]
    picked_there = picked if is_paired else _resampled(len(theirs), chance)
    drawn = combine(np.median(ours[picked], axis=1), np.median(theirs[picked_there], axis=1))
    middle = combine(np.median(ours, keepdims=True), np.median(theirs, keepdims=True))
    return _estimate(float(middle[0]), drawn, min(len(ours), len(theirs)))


def _estimate(value: float, drawn: _Floats, runs: int) -> Estimate:
    if runs == 1:
        return Estimate(value, None, runs)
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(drawn, (tail, 1 - tail))
    return Estimate(value, (float(low), float(high)), runs)


def _values(measured: Samples) -> _Floats:
    return np.array([value for _, value in measured], dtype=np.float64)


def _resampled(count: int, chance: np.random.Generator) -> npt.NDArray[np.int64]:
    """Which runs each of the resamples consists of."""
    return chance.integers(0, count, size=(RESAMPLES, count))


def _refuse_none(values: Sequence[object]) -> None:
    if not values:
        raise ValueError("there is nothing to take a median of")
