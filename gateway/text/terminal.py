"""The terminal that a text is written to, if it is one: its width and its colours."""

import os
from collections.abc import Mapping
from typing import Final, TextIO

_USUAL: Final = 80
"""Columns, where there is no terminal to ask."""


def is_terminal(stream: TextIO | None) -> bool:
    """Whether people read it at once; a stream that is closed is none."""
    try:
        return stream is not None and stream.isatty()
    except (OSError, ValueError):
        return False


def width_of(stream: TextIO | None, environ: Mapping[str, str]) -> int:
    """Columns: those of the variable COLUMNS, else the terminal's own, else 80."""
    told = environ.get("COLUMNS", "")
    if told.isascii() and told.isdigit() and int(told[:6]) > 0:
        return int(told[:6])
    if stream is None or not is_terminal(stream):
        return _USUAL
    try:
        # Not that of `shutil`, whose import takes longer than all of this. 0: it does not know.
        return os.get_terminal_size(stream.fileno()).columns or _USUAL
    except (OSError, ValueError):
        return _USUAL
