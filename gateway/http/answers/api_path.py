"""The operations of Function Compute's API on a function that is served.

On FC they are at the very hosts where the default URLs of functions are, and none of them reaches
a function as a request.  So they never reach a handler here: what the gateway has of them it does,
and the rest is refused as FC refuses paths that it does not have ("Error codes").
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
_LONGEST_SHOWN: Final = 200
"""Characters of a path in the answer."""

Unserved = Callable[[str, str], PathNotSupported | None]
"""Of method and target of a request: why it is refused, if it is for FC's API."""


def unserved(method: str, target: str) -> PathNotSupported | None:
    """The refusal of a request for an operation; `None`: it is for the handler.

    `target` is path and query as they arrived: percent-encoded, latin-1.
    """
    if not is_operation(target):
        return None
    path = target.partition("?")[0]
    return PathNotSupported(f"'{method}' against '{path[:_LONGEST_SHOWN]}' is not supported")


def unserved_but_invocations(method: str, target: str) -> PathNotSupported | None:
    """The same where InvokeFunction is served."""
    if parse_invocation_url(method, target) is not None:
        return None
    return unserved(method, target)


def is_operation(target: str) -> bool:
    """Whether `target` is that of an operation on a function, whatever the method and the names."""
    if not target.startswith(names.API_PREFIXES):
        return False
    match [unquote(part) for part in target.partition("?")[0].split("/")]:
        case [_, _, "services", _, "functions", _, operation, *_]:
            return operation in _OPERATIONS
        case [_, _, "functions", _, operation, *_]:
            return operation in _OPERATIONS
    return False
