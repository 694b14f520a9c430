"""When there are colours, and which."""

import pytest

from gateway.logs.colours import (
    CYAN,
    FAINT,
    GREEN,
    RED,
    YELLOW,
    colour_of,
    painted,
    wants_colour,
)


@pytest.mark.parametrize(
    ("environ", "on_terminal", "elsewhere"),
    [
        ({}, True, False),
        ({"TERM": "xterm-256color"}, True, False),
        ({"TERM": "dumb"}, False, False),
        ({"NO_COLOR": "1"}, False, False),
        ({"NO_COLOR": ""}, True, False),
        ({"FORCE_COLOR": "1"}, True, True),
        ({"FORCE_COLOR": ""}, True, False),
        ({"FORCE_COLOR": "1", "TERM": "dumb"}, True, True),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False, False),
        ({"CLICOLOR_FORCE": "1"}, True, True),
        ({"CLICOLOR_FORCE": "0"}, True, False),
        ({"CLICOLOR_FORCE": ""}, True, False),
        ({"CLICOLOR": "0"}, False, False),
        ({"CLICOLOR": "1"}, True, False),
        ({"CLICOLOR": "0", "CLICOLOR_FORCE": "1"}, True, True),
    ],
)
def test_who_wants_colours(environ: dict[str, str], on_terminal: bool, elsewhere: bool) -> None:
    assert wants_colour(environ, is_terminal=True) is on_terminal
    assert wants_colour(environ, is_terminal=False) is elsewhere


@pytest.mark.parametrize(
    ("status", "colour"),
    [
        (0, ""),
        (101, ""),
        (200, GREEN),
        (299, GREEN),
        (302, CYAN),
        (499, YELLOW),
        (500, RED),
        (600, ""),
    ],
)
def test_a_status_has_the_colour_of_its_class(status: int, colour: str) -> None:
    assert colour_of(status) == colour


def test_what_is_painted_ends() -> None:
    assert painted("a", FAINT) == "\x1b[2ma\x1b[0m"
    assert painted("a", "") == "a"
