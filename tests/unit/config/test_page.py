"""The settings page and the help text: made from the options, complete, and up to date."""

import re
from pathlib import Path

import pytest

from gateway.config.options import OPTIONS
from gateway.config.page import EXAMPLE, settings_page
from gateway.config.sources import parse_file
from gateway.config.usage import Command, Page, write_command, write_overview

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
    shown = help_of("serve", is_long=True).split(f"\n  {option.usage}\n", 1)[1]
    told = [option.variable, option.shown_default or "none", option.fallback or ""]
    assert all(part in row for part in [*told, option.help])
    assert all(part in " ".join(shown[:600].split()) for part in [*told, option.help])
    assert (f"| `{name}` |" in row) == option.in_file


def help_of(
    name: str = "", *, width: int = 80, colours: bool = False, is_long: bool = False
) -> str:
    """The text for a command; without a name that for the gateway."""
    page = Page(width, colours=colours)
    command = Command("Serves the handler over HTTP until it is told to stop.")
    if name:
        write_command(page, name, command, is_long=is_long)
    else:
        write_overview(page, {"serve": command}, is_long=is_long)
    return str(page)


@pytest.mark.parametrize("name", ["", "serve"])
def test_the_short_help_has_twenty_options_by_group(name: str) -> None:
    lines = help_of(name).splitlines()
    shown = [line.split()[0] for line in lines if line.startswith("  --")]
    briefs = [option for option in OPTIONS.values() if option.brief and not option.positional]
    assert shown == [option.flag for option in briefs]
    assert len(shown) == 20
    assert (
        lines.index("Workers")
        < lines.index("  --workers N|auto        Worker processes; auto for as many as cores. [1]")
        < lines.index("Limits")
    )
    assert len(lines) < 90
    assert f"these are 20 of {len(OPTIONS) - 1}." in lines[-1]


@pytest.mark.parametrize("name", ["", "serve"])
def test_the_long_help_has_every_option(name: str) -> None:
    text = help_of(name, is_long=True)
    assert all(f"\n  {option.usage}\n" in text for option in OPTIONS.values())


@pytest.mark.parametrize("is_long", [False, True])
@pytest.mark.parametrize("name", ["", "serve"])
@pytest.mark.parametrize(
    ("width", "widest"), [(1, 40), (39, 40), (40, 40), (60, 60), (80, 80), (100, 100), (101, 100)]
)
def test_help_fits_the_terminal(width: int, widest: int, name: str, is_long: bool) -> None:
    lines = help_of(name, width=width, is_long=is_long).splitlines()
    usages = {option.usage for option in OPTIONS.values()} | {"-h, --help [all]"}
    # A single word that is longer, such as a variable, is not broken.
    prose = [line for line in lines[1:] if " " in line.strip() and line.strip() not in usages]
    assert widest - 12 < max(map(len, prose)) <= widest


def test_colours_add_nothing_but_colours() -> None:
    for is_long in (False, True):
        plain = help_of("serve", is_long=is_long)
        coloured = help_of("serve", colours=True, is_long=is_long)
        assert "\x1b" not in plain
        assert "\x1b[1mWorkers\x1b[0m" in coloured
        assert "\x1b[36m  --port PORT\x1b[0m" in coloured
        assert re.sub("\x1b\\[[0-9]*m", "", coloured) == plain


def test_every_row_of_a_table_has_five_cells() -> None:
    rows = [row for row in settings_page().splitlines() if "`GATEWAY_" in row and row[0] == "|"]
    assert len(rows) == len(OPTIONS)
    assert {row.replace("\\|", "").count("|") for row in rows} == {6}
