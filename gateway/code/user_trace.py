"""Where in the user's code an exception comes from: the stack without what is not the user's."""

import os
from traceback import StackSummary, TracebackException
from typing import Final

_MOST_LINES: Final = 200

_PACKAGE: Final = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "")
_IMPORT_SYSTEM: Final = os.path.join("importlib", "__init__.py")


def user_trace(error: BaseException | None) -> list[str]:
    """The lines of a traceback of `error` and what led to it, from the user's modules on.

    Frames of the import system and of the gateway are left out.  Nothing where there are no others,
    but for a syntax error, which has its place in itself.
    """
    if error is None:
        return []
    try:
        told = TracebackException.from_exception(error)
        count = _leave_out(told)
        if not count and not isinstance(error, SyntaxError):
            return []
        lines = "".join(told.format()).rstrip("\n").split("\n")
    except Exception:  # By what a user's exception does when it is looked at.
        return []
    if len(lines) > _MOST_LINES:
        half = _MOST_LINES // 2
        lines[half:-half] = [f"... {len(lines) - 2 * half} lines more ..."]
    return lines


def _leave_out(told: TracebackException) -> int:
    """Remove the frames that are not the user's; how many are left."""
    told.stack = StackSummary.from_list(
        [frame for frame in told.stack if _is_user_s(frame.filename)]
    )
    others = [told.__cause__, told.__context__, *(told.exceptions or ())]
    return len(told.stack) + sum(_leave_out(other) for other in others if other is not None)


def _is_user_s(file: str) -> bool:
    return not (file.startswith(("<frozen importlib", _PACKAGE)) or file.endswith(_IMPORT_SYSTEM))
