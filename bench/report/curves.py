"""Curves: waiting times by quantile, memory by second."""

import math
from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator

from bench.criteria import OURS
from bench.report.look import INK, PALE, colour, label_ends, panels
from bench.report.scenes import Scene, scene
from bench.results import Results, Run

_QUANTILES = (0.5, 0.9, 0.99, 0.999, 0.9999)
_PANEL = 2.6
"""Inches."""
_GAP = 0.085
"""Between two labels, as a share of a panel."""

Curve = list[tuple[float, float]]


def latency(results: Results) -> Figure | None:
    """Waiting times in open loop; the axis gives every further nine as much room."""
    names = sorted({run.scenario for run in results.runs if run.scenario.startswith("open-loop")})
    shown = _shown(results, names, _median_latency)
    if not shown:
        return None
    drawing, column = panels([_PANEL] * len(shown))
    for axes, (found, curves) in zip(column, shown, strict=True):
        axes.set_title(f"{found.title}: ms until answered, by share of requests", color=INK)
        _log_time(axes, curves)
        _draw(axes, curves)
    return drawing


def memory(results: Results) -> Figure | None:
    """Resident memory while a scenario runs: for each peer its run with the median peak."""
    names = list(dict.fromkeys(run.scenario for run in results.runs if run.series.get("rss_mb")))
    shown = _shown(results, sorted(names), _memory_of_median_peak)
    if not shown:
        return None
    drawing, column = panels([_PANEL] * len(shown))
    for axes, (found, curves) in zip(column, shown, strict=True):
        axes.set_title(f"{found.title}: resident MB over seconds", color=INK)
        axes.set_ylim(0, 1.08 * max(y for curve in curves.values() for _, y in curve) or 1)
        axes.grid(axis="y", color=PALE, linewidth=0.5)
        _draw(axes, curves)
    return drawing


def _shown(
    results: Results, names: Sequence[str], curve_of: Callable[[Sequence[Run]], Curve]
) -> list[tuple[Scene, dict[str, Curve]]]:
    shown = []
    for name in names:
        found = scene(results, name)
        if found is None:
            continue
        curves = {row.peer: curve_of(_good(results, name, row.peer)) for row in found.rows}
        drawable = {peer: curve for peer, curve in curves.items() if len(curve) > 1}
        if drawable:
            shown.append((found, drawable))
    return shown


def _good(results: Results, name: str, peer: str) -> list[Run]:
    wanted = (name, peer, None)
    return [run for run in results.runs if (run.scenario, run.peer, run.failure) == wanted]


def _median_latency(runs: Sequence[Run]) -> Curve:
    """The median of the rounds at each quantile, over the nines of the quantile."""
    curves = [
        sorted((x, y) for x, y in run.series.get("latency_ms", ()) if x < 1 and y > 0)
        for run in runs
    ]
    curves = [curve for curve in curves if len(curve) > 1]
    if not curves:
        return []
    # Only as far into the tail as every round has a figure.
    last = min(curve[-1][0] for curve in curves)
    places = sorted({x for curve in curves for x, _ in curve if x <= last})
    heights = np.median(
        [np.interp(places, *np.array(curve).T) for curve in curves],
        axis=0,
    )
    return [(-math.log10(1 - x), float(y)) for x, y in zip(places, heights, strict=True)]


def _memory_of_median_peak(runs: Sequence[Run]) -> Curve:
    curves = [[(x, y) for x, y in curve] for run in runs if (curve := run.series.get("rss_mb"))]
    if not curves:
        return []
    return sorted(curves, key=lambda curve: max(y for _, y in curve))[(len(curves) - 1) // 2]


def _log_time(axes: Axes, curves: dict[str, Curve]) -> None:
    heights = [y for curve in curves.values() for _, y in curve]
    nines = max(x for curve in curves.values() for x, _ in curve)
    axes.set_yscale("log")
    axes.set_ylim(min(heights) / 1.3, max(heights) * 1.3)
    axes.yaxis.set_major_locator(LogLocator(base=10, subs=(1, 2, 5), numticks=12))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:g}"))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_minor_formatter(NullFormatter())
    ticks = [share for share in _QUANTILES if -math.log10(1 - share) <= nines + 0.01]
    axes.set_xticks([-math.log10(1 - x) for x in ticks], [f"{x * 100:g} %" for x in ticks])
    axes.grid(color=PALE, linewidth=0.5)


def _draw(axes: Axes, curves: dict[str, Curve]) -> None:
    for peer, curve in curves.items():
        is_ours = peer == OURS
        xs, ys = zip(*curve, strict=True)
        axes.plot(xs, ys, color=colour(peer), linewidth=2 if is_ours else 1.4, zorder=2 + is_ours)
    axes.set_xlim(
        min(curve[0][0] for curve in curves.values()),
        max(curve[-1][0] for curve in curves.values()),
    )
    axes.tick_params(length=0, colors=INK)
    axes.spines["left"].set_visible(False)
    axes.spines["bottom"].set_color(PALE)
    ends = [(peer, *curve[-1]) for peer, curve in curves.items()]
    label_ends(axes, ends, _GAP)
