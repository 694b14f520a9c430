"""What the runs of one scenario came to: a row for each peer."""

import math
from dataclasses import dataclass

from bench.criteria import OURS
from bench.report.figures import HEADINGS, heading
from bench.results import Results
from bench.scenarios import SCENARIOS
from bench.statistics import Estimate, Samples, estimate, ratio, samples

FLOOR = "floor"
"""Not a peer: a constant answer, which shows what the loop and the parser alone cost."""


@dataclass(frozen=True)
class Row:
    """A peer's good runs under one scenario."""

    peer: str
    figures: dict[str, Estimate]
    beside_ours: Estimate | None
    """Its primary figure over ours."""
    failures: int


@dataclass(frozen=True)
class Scene:
    """All peers under one scenario, the best first."""

    name: str
    title: str
    primary: str
    higher_is_better: bool
    figures: list[str]
    """Those of all its runs; the primary one first, then in the order of their columns."""
    rows: list[Row]

    def row(self, peer: str) -> Row | None:
        """That of a peer, if it has one."""
        return next((row for row in self.rows if row.peer == peer), None)

    def is_higher_better(self, figure: str) -> bool:
        """Which way is better."""
        return self.higher_is_better if figure == self.primary else heading(figure).higher_is_better


def scene(results: Results, name: str) -> Scene | None:
    """The scenario's rows; `None` when it was not run at all."""
    runs = [run for run in results.runs if run.scenario == name]
    if not runs:
        return None
    found = {figure for run in runs if run.failure is None for figure in run.figures}
    title, primary, higher_is_better = _definition(name, found)
    if primary == "requests_per_second":
        # Most bytes of a small answer are its head: whoever sends more of it is not better.
        found.discard("megabytes_per_second")
    figures = sorted(found, key=lambda figure: (figure != primary, _column(figure)))
    rows = [_row(results, name, peer, figures, primary) for peer in {run.peer for run in runs}]
    sign = -1 if higher_is_better else 1

    def place(row: Row) -> tuple[float, str]:
        best = row.figures.get(primary)
        return sign * best.value if best else math.inf, row.peer

    return Scene(name, title, primary, higher_is_better, figures, sorted(rows, key=place))


def _row(results: Results, name: str, peer: str, figures: list[str], primary: str) -> Row:
    measured = {figure: samples(results, name, peer, figure) for figure in figures}
    ours = samples(results, name, OURS, primary)
    runs = [run for run in results.runs if (run.scenario, run.peer) == (name, peer)]
    return Row(
        peer,
        {figure: estimate(found) for figure, found in measured.items() if found},
        maybe_ratio(measured.get(primary, ()), ours),
        sum(run.failure is not None for run in runs),
    )


def maybe_ratio(above: Samples, below: Samples) -> Estimate | None:
    """Of two medians; `None` when one is missing or there is nothing to divide by."""
    try:
        return ratio(above, below)
    except ValueError:
        return None


def _definition(name: str, figures: set[str]) -> tuple[str, str, bool]:
    """Title, primary figure and its direction; of old scenarios, what their figures tell."""
    known = SCENARIOS.get(name)
    if known is not None:
        return known.title, known.primary, known.higher_is_better
    primary = min(figures, key=_column, default="requests_per_second")
    return name, primary, heading(primary).higher_is_better


def _column(figure: str) -> tuple[int, str]:
    known = list(HEADINGS)
    return known.index(figure) if figure in known else len(known), figure
