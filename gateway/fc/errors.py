"""Bodies of the errors that Function Compute attributes to the function.

Shape: `{"errorMessage": str, "errorType": str, "stackTrace": [[where, source line], …]}`, status
502, `X-Fc-Error-Type: UnhandledInvocationError` (FC, "Error handling").
"""

import json
import traceback
from types import TracebackType
from typing import Any, Final

from gateway.fc import names

STATUS: Final = 502

HEADERS: Final = [
    ("Content-Type", "application/json"),
    (names.ERROR_TYPE, names.UNHANDLED_INVOCATION_ERROR),
]


def exception_body(error: BaseException, *, has_stack: bool) -> bytes:
    """The body for an exception that a handler let escape.

    `has_stack`: whether the client sees the stack; otherwise `stackTrace` is empty.
    """
    return json.dumps(exception_content(error, has_stack=has_stack)).encode()


def exception_content(error: BaseException, *, has_stack: bool) -> dict[str, Any]:
    """The content of `exception_body`."""
    return {
        "errorMessage": message_of(error),
        "errorType": type(error).__name__,
        "stackTrace": _stack(error.__traceback__) if has_stack else [],
    }


def timeout_body(seconds: float) -> bytes:
    """The body for a handler that ran for longer than `seconds`."""
    return json.dumps({"errorMessage": f"Function time out after {seconds:g} seconds"}).encode()


LOST_BODY: Final = json.dumps({"errorMessage": "The thread of the handler was ended"}).encode()
"""The body for a handler whose thread has ended."""


def message_of(error: BaseException) -> str:
    """The exception's text; its own `str()` may fail."""
    try:
        return str(error)
    except BaseException as second:  # Also SystemExit: it must not end the gateway's thread.
        return f"<{type(second).__name__} in str() of the exception>"


def _stack(trace: TracebackType | None) -> list[list[str]]:
    """The frames of the function's own code, without the gateway's, outermost first."""
    frames = [frame for frame in _summary(trace) if not frame.filename.startswith(_OWN_CODE)]
    return [
        [f'File "{frame.filename}", line {frame.lineno}, in {frame.name}', frame.line or ""]
        for frame in frames
    ]


def _summary(trace: TracebackType | None) -> list[traceback.FrameSummary]:
    """The frames; only the first and the last ones of an endless recursion."""
    first = traceback.extract_tb(trace, _MAX_FRAMES // 2)
    last = traceback.extract_tb(trace, -_MAX_FRAMES)
    depth = sum(1 for _ in traceback.walk_tb(trace))
    return [*last] if depth <= _MAX_FRAMES else [*first, *last[_MAX_FRAMES // 2 :]]


_MAX_FRAMES: Final = 100
"""Frames that the client sees of a stack."""


_OWN_CODE: Final = tuple(
    __file__.rsplit("/fc/", 1)[0] + folder
    for folder in ("/asgi/", "/events/", "/hooks/", "/http/", "/logs/", "/threads/", "/wsgi/")
)
