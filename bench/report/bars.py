"""Bars with intervals: one for each peer, the best on top."""

from collections.abc import Iterable

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.report.figures import heading, number
from bench.report.look import INK, colour, ink, panels, weight
from bench.report.scenes import Scene, scene
from bench.results import Results
from bench.statistics import Estimate

_SCENARIOS = ("hello-32", "flask-32")
_BAR = 0.24
"""Inches that a bar takes."""


def throughput(results: Results) -> Figure | None:
    """Requests per second of all peers."""
    return _bars(results, "requests_per_second")


def cpu(results: Results) -> Figure | None:
    """CPU time of a request of all peers."""
    return _bars(results, "cpu_us")


def _bars(results: Results, figure: str) -> Figure | None:
    scenes = [found for name in _SCENARIOS if (found := scene(results, name))]
    shown = [(found, rows) for found in scenes if (rows := _sorted(found, figure))]
    if not shown:
        return None
    drawing, column = panels([0.6 + _BAR * len(rows) for _, rows in shown])
    for axes, (found, rows) in zip(column, shown, strict=True):
        better = "more" if heading(figure).higher_is_better else "less"
        axes.set_title(f"{found.title}: {heading(figure).text} ({better} is better)", color=INK)
        _panel(axes, rows)
    return drawing


def _sorted(found: Scene, figure: str) -> list[tuple[str, Estimate]]:
    sign = -1 if heading(figure).higher_is_better else 1
    rows = [(row.peer, row.figures[figure]) for row in found.rows if figure in row.figures]
    return sorted(rows, key=lambda row: (sign * row[1].value, row[0]))


def _panel(axes: Axes, rows: Iterable[tuple[str, Estimate]]) -> None:
    reach = 0.0
    names = []
    for place, (peer, found) in enumerate(rows):
        low, high = found.interval or (found.value, found.value)
        names.append(peer)
        reach = max(reach, high)
        axes.barh(place, found.value, height=0.72, color=colour(peer))
        axes.plot([low, high], [place, place], color=INK, linewidth=1.2, solid_capstyle="butt")
        axes.annotate(
            number(found.value),
            (high, place),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            color=ink(peer),
            weight=weight(peer),
        )
    axes.set_yticks(range(len(names)), names)
    for name, tick in zip(names, axes.get_yticklabels(), strict=True):
        tick.set(color=ink(name), fontweight=weight(name))
    axes.invert_yaxis()
    # The figures stand at the bars, so that no axis has to be read.
    axes.set_xlim(0, reach * 1.12 or 1)
    axes.set_xticks([])
    axes.tick_params(length=0)
    axes.spines[["bottom", "left"]].set_visible(False)
