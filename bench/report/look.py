"""How the plots look: ours in one colour, everything else in greys, labels at the data."""

from collections.abc import Sequence
from statistics import fmean
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from bench.criteria import OURS
from bench.report.scenes import FLOOR

RC: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "figure.facecolor": "white",
}
INK = "#333333"
BLUE = "#0072b2"
"""Of Okabe and Ito's palette, which colour-blind readers can tell apart."""
GREY = "#b0b0b0"
PALE = "#dddddd"
WIDTH = 8.0
"""Inches."""


def panels(heights: Sequence[float]) -> tuple[Figure, list[Axes]]:
    """A figure of panels one above the other, with their heights in inches."""
    layout = ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.12)
    figure = Figure(figsize=(WIDTH, sum(heights)), layout=layout)
    column = figure.subplots(len(heights), 1, height_ratios=heights, squeeze=False)
    return figure, [row[0] for row in column]


def colour(peer: str) -> str:
    """Of a bar or a curve."""
    return BLUE if peer == OURS else PALE if peer == FLOOR else GREY


def ink(peer: str) -> str:
    """Of a label."""
    return BLUE if peer == OURS else INK


def weight(peer: str) -> str:
    """Of a label's letters."""
    return "bold" if peer == OURS else "normal"


def apart(wanted: Sequence[float], gap: float) -> list[float]:
    """Where to put labels that are wanted at these heights, so that none is nearer than `gap`.

    Labels that would touch become a pile around the middle of where they are wanted.
    """
    order = sorted(range(len(wanted)), key=lambda place: wanted[place])
    piles: list[list[float]] = []
    for rank, place in enumerate(order):
        # Less the room of the labels below, labels only have to stay in order.
        piles.append([wanted[place] - rank * gap])
        while len(piles) > 1 and fmean(piles[-2]) > fmean(piles[-1]):
            above = piles.pop()
            piles[-1] += above
    flat = [fmean(pile) for pile in piles for _ in pile]
    placed = {place: flat[rank] + rank * gap for rank, place in enumerate(order)}
    return [placed[place] for place in range(len(wanted))]


def label_ends(axes: Axes, ends: Sequence[tuple[str, float, float]], gap: float) -> None:
    """Names at the right of curves that end at (x, y); `gap` as a share of the panel's height."""
    to_panel = axes.transData + axes.transAxes.inverted()
    heights = [float(to_panel.transform((x, y))[1]) for _, x, y in ends]
    for (peer, x, y), height in zip(ends, apart(heights, gap), strict=True):
        axes.annotate(
            peer,
            (x, y),
            xytext=(1.03, height),
            textcoords="axes fraction",
            va="center",
            color=ink(peer),
            weight=weight(peer),
            annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": PALE, "linewidth": 0.7, "shrinkB": 2},
        )
