"""Terminal colours (ECMA-48 §8.3.117, Select Graphic Rendition), and when to use them."""

from collections.abc import Mapping
from typing import Final

FAINT: Final = "2"
RED: Final = "31"
GREEN: Final = "32"
YELLOW: Final = "33"
CYAN: Final = "36"


def painted(text: str, colour: str) -> str:
    """`text` in a colour; unchanged if `colour` is empty."""
    return f"\x1b[{colour}m{text}\x1b[0m" if colour else text


def colour_of(status: int) -> str:
    """The colour of an HTTP status."""
    return _OF_CLASS.get(status // 100, "")


_OF_CLASS: Final = {2: GREEN, 3: CYAN, 4: YELLOW, 5: RED}


def wants_colour(environ: Mapping[str, str], *, is_terminal: bool) -> bool:
    """Whether output should be coloured.

    The precedence follows common conventions: NO_COLOR (no-color.org), FORCE_COLOR
    (force-color.org), CLICOLOR_FORCE and CLICOLOR (bixense.com/clicolors), then the terminal.
    """
    if environ.get("NO_COLOR"):
        return False
    if environ.get("FORCE_COLOR") or environ.get("CLICOLOR_FORCE", "0") not in ("", "0"):
        return True
    is_able = is_terminal and environ.get("TERM") != "dumb"
    return is_able and environ.get("CLICOLOR") != "0"
