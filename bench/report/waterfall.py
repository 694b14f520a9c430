"""Waterfalls: how the time of an invocation adds up."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.criteria import cpu_on
from bench.report.figures import number
from bench.report.look import BLUE, GREY, INK, PALE, panels
from bench.report.overhead import DIRECT, IN_MEMORY, WHOLE_SERVER, stages
from bench.results import Results
from bench.statistics import median

_BAR = 0.26
"""Inches that a step takes."""

_ADDS = {DIRECT: "handler", IN_MEMORY: "gateway", WHOLE_SERVER: "sockets, loop, threads"}
"""What each way adds to the one before it."""

Steps = list[tuple[str, float]]


def overhead(results: Results) -> Figure | None:
    """CPU time by path, and waiting included by stage; whichever there is."""
    shown = [
        (title, steps)
        for title, steps in (
            ("CPU µs of an invocation of hello", _path_steps(results)),
            ("Stages of an invocation: median µs, waiting included", stages(results)),
        )
        if steps
    ]
    if not shown:
        return None
    drawing, column = panels([0.6 + _BAR * (len(steps) + 1) for _, steps in shown])
    for axes, (title, steps) in zip(column, shown, strict=True):
        axes.set_title(title, color=INK)
        _panel(axes, steps)
    return drawing


def _path_steps(results: Results) -> Steps:
    """Of the handler that does next to nothing."""
    before = 0.0
    steps = []
    for path, name in _ADDS.items():
        if not (found := cpu_on(results, path)):
            continue
        now = median([value for _, value in found])
        steps.append((name, now - before))
        before = now
    return steps


def _panel(axes: Axes, steps: Sequence[tuple[str, float]]) -> None:
    so_far = 0.0
    reach = 0.0
    for place, (_, length) in enumerate(steps):
        axes.barh(place, length, left=so_far, height=0.68, color=GREY)
        so_far += length
        reach = max(reach, so_far)
        axes.plot([so_far, so_far], [place, place + 1], color=PALE, linewidth=0.8, zorder=0)
        _label(axes, max(so_far, so_far - length), place, length, INK)
    axes.barh(len(steps), so_far, height=0.68, color=BLUE)
    _label(axes, so_far, len(steps), so_far, BLUE)
    axes.set_yticks(range(len(steps) + 1), [*(name for name, _ in steps), "sum"])
    axes.invert_yaxis()
    axes.set_xlim(min(0.0, so_far), reach * 1.1 or 1)
    axes.set_xticks([])
    axes.tick_params(length=0, colors=INK)
    axes.spines[["bottom", "left"]].set_visible(False)


def _label(axes: Axes, x: float, place: int, value: float, colour: str) -> None:
    axes.annotate(
        number(value), (x, place), (4, 0), textcoords="offset points", va="center", color=colour
    )
