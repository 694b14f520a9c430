"""The settings page and the help text: made from the options, complete, and up to date."""

from pathlib import Path

import pytest

from gateway.config.options import OPTIONS
from gateway.config.page import EXAMPLE, settings_page
from gateway.config.sources import parse_file
from gateway.config.usage import command_help, overview

PAGE = Path(__file__).parents[3] / "docs" / "settings.md"


def test_the_page_in_docs_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == settings_page(), "run: make docs"


def test_the_example_on_the_page_is_valid() -> None:
    settings = parse_file(EXAMPLE, Path("gateway.toml"))
    assert settings["handler_timeout"].value == 120.0
    assert EXAMPLE in settings_page()


@pytest.mark.parametrize("name", OPTIONS)
def test_page_and_help_tell_everything_about_an_option(name: str) -> None:
    option = OPTIONS[name]
    rows = [row for row in settings_page().splitlines() if row.startswith("|")]
    (row,) = [row for row in rows if f"| `{option.variable}`" in row]
    shown = command_help("serve", "Serves.").split(f"\n  {option.usage}\n", 1)[1]
    told = [option.variable, option.shown_default or "none", option.fallback or ""]
    assert all(part in row for part in [*told, option.help])
    assert all(part in " ".join(shown[:600].split()) for part in [*told, option.help])
    assert (f"| `{name}` |" in row) == option.in_file


@pytest.mark.parametrize("text", [overview({"serve": "Serves."}), command_help("serve", "Serves.")])
def test_help_fits_a_terminal(text: str) -> None:
    assert max(map(len, text.splitlines())) <= 88


def test_every_row_of_a_table_has_five_cells() -> None:
    rows = [row for row in settings_page().splitlines() if "`GATEWAY_" in row and row[0] == "|"]
    assert len(rows) == len(OPTIONS)
    assert {row.replace("\\|", "").count("|") for row in rows} == {6}
