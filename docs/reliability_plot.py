"""The plot of a soak, as SVG: the same samples give the same bytes, on any machine."""

from collections.abc import Sequence

PLOT = "soak.svg"

_WIDTH, _PANEL, _LEFT, _TOP = 720, 110, 60, 24
_GAP = 40
_INK, _GRID, _CURVE = "#333333", "#dddddd", "#0072b2"

_TITLES = ("resident memory, MB", "descriptors", "threads")


def plot_soak(samples: Sequence[Sequence[float]]) -> str:
    """Panels one above the other, over the minutes; rows are (seconds, and a value for each)."""
    height = _TOP + len(_TITLES) * (_PANEL + _GAP)
    panels = "".join(
        [
            _panel(title, _TOP + number * (_PANEL + _GAP), samples, number + 1)
            for number, title in enumerate(_TITLES)
        ]
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" '
        f'viewBox="0 0 {_WIDTH} {height}" font-family="sans-serif" font-size="11" '
        f'fill="{_INK}">\n<rect width="100%" height="100%" fill="white"/>\n{panels}</svg>\n'
    )


def _panel(title: str, top: int, samples: Sequence[Sequence[float]], column: int) -> str:
    most = max(row[column] for row in samples) or 1
    last = samples[-1][0] or 1
    bottom = top + _PANEL
    room = _WIDTH - _LEFT - 20
    points = " ".join(
        [
            f"{_LEFT + row[0] / last * room:.1f},{bottom - row[column] / most * _PANEL:.1f}"
            for row in samples
        ]
    )
    return (
        f'<text x="{_LEFT}" y="{top - 8}" font-weight="bold">{title}</text>\n'
        f'<line x1="{_LEFT}" y1="{top}" x2="{_LEFT + room}" y2="{top}" stroke="{_GRID}"/>\n'
        f'<line x1="{_LEFT}" y1="{bottom}" x2="{_LEFT + room}" y2="{bottom}" stroke="{_INK}"/>\n'
        f'<text x="{_LEFT - 6}" y="{top + 4}" text-anchor="end">{most:g}</text>\n'
        f'<text x="{_LEFT - 6}" y="{bottom + 4}" text-anchor="end">0</text>\n'
        f'<text x="{_LEFT + room}" y="{bottom + 14}" text-anchor="end">'
        f"{last / 60:.1f} minutes</text>\n"
        f'<polyline points="{points}" fill="none" stroke="{_CURVE}" stroke-width="1.5"/>\n'
    )
