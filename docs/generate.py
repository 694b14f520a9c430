"""Writes the pages that are made from the code: `python -m docs.generate`, or `make docs`."""

from pathlib import Path

from docs import reliability_page
from docs.errors_page import render_errors
from docs.project_files_page import render_project_files
from docs.reliability_page import render_reliability
from docs.reliability_plot import PLOT, plot_soak
from gateway.config.page import settings_page

FOLDER = Path(__file__).parent


def render_plot() -> str:
    """The plot of the soak."""
    return plot_soak(reliability_page.load(reliability_page.FOLDER / "soak.json")["samples"])


PAGES = {
    "settings.md": settings_page,
    "errors.md": render_errors,
    "project-files.md": render_project_files,
    "reliability.md": render_reliability,
    f"reliability/{PLOT}": render_plot,
}


def main() -> None:
    for name, render in PAGES.items():
        (FOLDER / name).write_text(render(), encoding="utf-8")
        print(f"docs/{name}")


if __name__ == "__main__":
    main()
