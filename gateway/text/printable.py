"""Makes text safe for a line of a log or a terminal."""

import re
from typing import Final

CONTINUED: Final = "  | "
"""The beginning of a log line that continues the line above."""


def printable(text: str) -> str:
    """`text` with escapes for characters that are not printable: controls, line ends, direction
    marks."""
    return text if text.isprintable() else _ODD.sub(_escape, text)


_ODD: Final = re.compile(r"[^ -~]")


def _escape(match: re.Match[str]) -> str:
    character = match[0]
    return character if character.isprintable() else ascii(character)[1:-1]
