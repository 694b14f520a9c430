"""What a handler may be that was called as a WSGI application and did not behave as one."""

import inspect
from collections.abc import Callable
from typing import Any, Final

from gateway.signatures import called, positional, signature

_WSGI: Final = (
    "A WSGI handler is called with (environ, start_response), and calls start_response(status, "
    "headers) before the first bytes of its body."
)
_EVENTS: Final = "one that takes (event, context) needs --interface fc-event"
_ASGI: Final = "one that takes (scope, receive, send) needs --interface asgi"
_FACTORY: Final = "one that makes the application is named with its call, as in {name}()"


def what_else(handler: Callable[..., Any], result: object) -> str:
    """A hint for the log: what `handler`, which returned `result`, is most likely, and what else.

    Sources: PEP 3333, ASGI 3 ("Applications"), FC ("Request handlers").
    """
    name = getattr(handler, "__name__", None) or type(handler).__name__
    factory = _FACTORY.format(name=name)
    if inspect.isawaitable(result) or inspect.isasyncgen(result):
        likely, others = f"It is async: {_ASGI}", (_EVENTS, factory)
    elif callable(result):
        likely, others = (
            f"It returned {_kind(result)}, which can be called: {factory}",
            (
                _EVENTS,
                _ASGI,
            ),
        )
    elif "start_response" in positional(signature(called(handler))):
        return _WSGI
    else:
        likely, others = f"It returned {_kind(result)}: {_EVENTS}", (_ASGI, factory)
    return f"{_WSGI} {likely}; {'; '.join(others)}."


def _kind(result: object) -> str:
    return "None" if result is None else f"an object of type {type(result).__name__!r}"
