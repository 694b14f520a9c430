"""Writes the pages that are made from the code: `python -m docs.generate`, or `make docs`."""

from pathlib import Path

from docs.errors_page import render_errors
from gateway.config.page import settings_page

FOLDER = Path(__file__).parent

PAGES = {"settings.md": settings_page, "errors.md": render_errors}


def main() -> None:
    for name, render in PAGES.items():
        (FOLDER / name).write_text(render(), encoding="utf-8")
        print(f"docs/{name}")


if __name__ == "__main__":
    main()
