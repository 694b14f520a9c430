"""Kinds of criteria: what is held against a bound, and what it comes to."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from bench.results import Results
from bench.statistics import Estimate, difference, estimate, ratio, samples

MET = "met"
NOT_MET = "not met"
AT_THE_BOUND = "at the bound"
NOT_MEASURED = "not measured"
TOLD = "told"
"""Of a figure that nothing is promised of."""

OURS = "gateway"
TIMES = "\N{MULTIPLICATION SIGN}"
"""The unit of ratios."""


@dataclass(frozen=True)
class Judgement:
    """What one criterion came to."""

    verdict: str
    measured: Estimate | None = None
    """What is held against the bound: a ratio, a difference or a figure as it is."""
    ours: Estimate | None = None
    reference: Estimate | None = None
    """What ours is divided by, or what is taken off it."""
    reason: str = ""
    """Why it was not measured."""


@dataclass(frozen=True)
class Bound:
    """A range that is kept when the whole interval lies inside; without ends it judges nothing."""

    unit: str
    at_least: float = -math.inf
    at_most: float = math.inf

    def verdict(self, measured: Estimate) -> str:
        """By the interval; a single run has none and is judged by its figure."""
        if self.at_least == -math.inf and self.at_most == math.inf:
            return TOLD
        low, high = measured.interval or (measured.value, measured.value)
        if self.at_least <= low and high <= self.at_most:
            return MET
        if high < self.at_least or low > self.at_most:
            return NOT_MET
        return AT_THE_BOUND


class Criterion(Protocol):
    """One thing to measure, and its bound."""

    @property
    def text(self) -> str:
        """What is measured, in words."""

    @property
    def bound(self) -> Bound:
        """Where it is to stay."""

    def judge(self, results: Results) -> Judgement:
        """Hold what was measured against the bound; never raises for want of runs."""


@dataclass(frozen=True)
class Figure:
    """A figure of a peer under a scenario."""

    scenario: str
    name: str
    peer: str = OURS


@dataclass(frozen=True)
class Alone:
    """One of our figures as it is."""

    text: str
    ours: Figure
    bound: Bound

    def judge(self, results: Results) -> Judgement:
        """See `Criterion`."""
        measured = samples(results, self.ours.scenario, self.ours.peer, self.ours.name)
        if not measured:
            return _missing(self.ours, results)
        found = estimate(measured)
        return Judgement(self.bound.verdict(found), found, found)


@dataclass(frozen=True)
class Pair:
    """One of our figures beside another: a peer's, or ours under something else."""

    text: str
    ours: Figure
    reference: Figure
    bound: Bound
    combined: Callable[..., Estimate] = ratio

    def judge(self, results: Results) -> Judgement:
        """See `Criterion`."""
        sides = []
        for side in (self.ours, self.reference):
            sides.append(samples(results, side.scenario, side.peer, side.name))
            if not sides[-1]:
                return _missing(side, results)
        ours, reference = (estimate(side) for side in sides)
        try:
            found = self.combined(*sides)
        except ValueError as error:
            return Judgement(NOT_MEASURED, None, ours, reference, str(error))
        return Judgement(self.bound.verdict(found), found, ours, reference)


@dataclass(frozen=True)
class Overhead:
    """CPU time that a path through the gateway takes on top of the bare handler."""

    text: str
    bound: Bound

    def judge(self, results: Results) -> Judgement:
        """See `Criterion`."""
        whole, direct = (cpu_on(results, path) for path in ("whole server", "direct"))
        if not whole or not direct:
            path = "direct" if whole else "whole server"
            return Judgement(NOT_MEASURED, reason=f"no CPU time of the path “{path}”")
        found = difference(whole, direct)
        return Judgement(self.bound.verdict(found), found, estimate(whole), estimate(direct))


def _missing(side: Figure, results: Results) -> Judgement:
    runs = [run for run in results.runs if (run.scenario, run.peer) == (side.scenario, side.peer)]
    if not runs:
        reason = f"no run of {side.peer} under {side.scenario}"
    elif all(run.failure is not None for run in runs):
        reason = f"every run of {side.peer} under {side.scenario} failed"
    else:
        reason = f"no {side.name} of {side.peer} under {side.scenario}"
    return Judgement(NOT_MEASURED, reason=reason)


def cpu_on(
    results: Results, path: str, handler: str = "hello", peer: str = OURS
) -> list[tuple[int, float]]:
    """CPU µs of an invocation on a way to a handler, by round; may be empty."""
    way = {"path": path, "handler": handler, "peer": peer}
    return [
        (int(number), float(cpu_us))
        for row in results.overhead
        if all(row.get(key) == value for key, value in way.items())
        for number, cpu_us in row.get("samples", ())
    ]
