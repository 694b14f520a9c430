"""Text that cannot pass for another line, nor steer a terminal."""

import re
from typing import Final

CONTINUED: Final = "  | "
"""What a line of a log begins with that belongs to the one above it."""


def printable(text: str) -> str:
    """`text` with escapes for what is not printable: controls, line ends, marks of direction."""
    return text if text.isprintable() else _ODD.sub(_escape, text)


_ODD: Final = re.compile(r"[^ -~]")


def _escape(match: re.Match[str]) -> str:
    character = match[0]
    return character if character.isprintable() else ascii(character)[1:-1]
