"""Requests for operations of Function Compute's API on the function.

On FC, these operations share hosts with the default URLs of functions, and never reach a function
as requests.  So they never reach a handler here.  The gateway performs the operations that it has,
and refuses the others as FC refuses unknown paths ("Error codes").
"""

from collections.abc import Callable
from typing import Final
from urllib.parse import unquote

from gateway.errors import PathNotSupported
from gateway.fc import names
from gateway.fc.invocation_url import parse_invocation_url

_OPERATIONS: Final = frozenset(
    (names.INVOCATIONS, names.STATEFUL_ASYNC_INVOCATIONS, names.ASYNC_TASKS)
)
_MAX_SHOWN_CHARACTERS: Final = 200
"""Characters of the path in the response."""

Unserved = Callable[[str, str], PathNotSupported | None]
"""Takes method and target of a request; returns the refusal if the request is for FC's API."""


def unserved(method: str, target: str) -> PathNotSupported | None:
    """The refusal of a request for an operation; `None`: the request is for the handler.

    `target` is path and query as they arrived: percent-encoded, latin-1.
    """
    if not is_operation(target):
        return None
    path = target.partition("?")[0]
    return PathNotSupported(f"'{method}' against '{path[:_MAX_SHOWN_CHARACTERS]}' is not supported")


def unserved_but_invocations(method: str, target: str) -> PathNotSupported | None:
    """As `unserved`, for a gateway that serves InvokeFunction."""
    if parse_invocation_url(method, target) is not None:
        return None
    return unserved(method, target)


def is_operation(target: str) -> bool:
    """Whether `target` is an operation on a function, whatever the method and the names in it."""
    if not target.startswith(names.API_PREFIXES):
        return False
    match [unquote(part) for part in target.partition("?")[0].split("/")]:
        case [_, _, "services", _, "functions", _, operation, *_]:
            return operation in _OPERATIONS
        case [_, _, "functions", _, operation, *_]:
            return operation in _OPERATIONS
    return False
