"""Results that pages are made from: a shorter run does not replace a longer one's.

Whoever tries `make fuzz` or `make soak` for some seconds must not take from the page what hours
have found.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any


def publish(
    path: Path,
    text: str,
    extent: Callable[[dict[str, Any]], float],
    unit: str,
    *,
    replace: bool = False,
) -> bool:
    """Write a result, JSON, to `path` unless one of a larger extent is there; whether it has.

    extent: how much a result is of, in units.
    replace: write it all the same.
    """
    if path.exists() and not replace:
        there = extent(json.loads(path.read_text("utf-8")))
        made = extent(json.loads(text))
        if made < there:
            print(
                f"{path} stays as it is: it is of {there:,g} {unit} and this run of {made:,g}; "
                "it is not replaced unless that is asked for (--help)",
                file=sys.stderr,
            )
            return False
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    return True
