"""The page of a set of results, made from its JSON alone: the same JSON gives the same bytes."""

import os
from pathlib import Path

from bench.results import Results

__all__ = ["render"]


def render(results: Results, page: Path, plots: Path) -> None:
    """Write the page, and its plots into the folder `plots`.

    Raises:
        OSError: they cannot be written.
    """
    # Loading matplotlib takes longer than most commands that import from this package.
    from bench.report.page import page_text  # noqa: PLC0415
    from bench.report.plots import draw  # noqa: PLC0415

    plots.mkdir(parents=True, exist_ok=True)
    page.parent.mkdir(parents=True, exist_ok=True)
    drawn = draw(results, plots)
    folder = os.path.relpath(plots, page.parent)
    page.write_text(page_text(results, drawn, folder), encoding="utf-8")
