"""Tracebacks reduced to the user's code."""

import os
from traceback import StackSummary, TracebackException
from typing import Final

_MAX_LINES: Final = 200

_PACKAGE: Final = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "")
_IMPORT_SYSTEM: Final = os.path.join("importlib", "__init__.py")


def user_trace(error: BaseException | None) -> list[str]:
    """The lines of a traceback of `error` and its causes, without frames of the import system and
    of the gateway.

    Empty if no other frames are left, except for a syntax error, which names its own place.
    """
    if error is None:
        return []
    try:
        told = TracebackException.from_exception(error)
        count = _leave_out(told)
        if not count and not isinstance(error, SyntaxError):
            return []
        lines = "".join(told.format()).rstrip("\n").split("\n")
    except Exception:  # A method of the user's exception has failed.
        return []
    if len(lines) > _MAX_LINES:
        half = _MAX_LINES // 2
        lines[half:-half] = [f"... {len(lines) - 2 * half} lines more ..."]
    return lines


def _leave_out(told: TracebackException) -> int:
    """Remove the frames outside the user's code; return how many are left."""
    told.stack = StackSummary.from_list(
        [frame for frame in told.stack if _is_user_code(frame.filename)]
    )
    others = [told.__cause__, told.__context__, *(told.exceptions or ())]
    return len(told.stack) + sum(_leave_out(other) for other in others if other is not None)


def _is_user_code(file: str) -> bool:
    return not (file.startswith(("<frozen importlib", _PACKAGE)) or file.endswith(_IMPORT_SYSTEM))
