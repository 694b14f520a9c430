"""The parameters of the user's callables.

A decorator with `*args` reveals nothing, but the function that it wraps does, if `functools.wraps`
was used.  So there is a signature for each layer, from the outside in.
"""

import functools
import inspect
from collections.abc import Callable, Iterator
from inspect import Parameter, Signature
from types import MethodType
from typing import Any, Final

Handler = Callable[..., Any]

_MAX_LAYERS: Final = 100
"""A longer chain of wrappers is a circle."""

_MARKS: Final[dict[Any, str]] = {Parameter.VAR_POSITIONAL: "*", Parameter.VAR_KEYWORD: "**"}
_POSITIONAL: Final = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)


def called(handler: Handler) -> Handler:
    """The function that runs when `handler` is called; a class stays what it is."""
    while isinstance(handler, functools.partial):
        handler = handler.func
    if isinstance(handler, staticmethod):
        return called(handler.__func__)
    if inspect.isroutine(handler) or inspect.isclass(handler):
        return handler
    call: Handler = handler.__call__  # type: ignore[operator]  # what is callable has it
    return call


def signature(handler: Handler) -> Signature | None:
    """Its own signature, not of what it wraps; `None` for C code that does not provide one."""
    if isinstance(handler, staticmethod):
        handler = handler.__func__
    try:
        return inspect.signature(handler, follow_wrapped=False)
    except (TypeError, ValueError):
        return None


def layers(handler: Handler) -> Iterator[Handler]:
    """`handler`, then what it wraps, and so on; bound arguments stay bound."""
    layer: Handler | None = handler
    for _ in range(_MAX_LAYERS):
        if layer is None:
            return
        yield layer
        layer = _wrapped(layer)


def accepts(signature: Signature | None, count: int) -> bool:
    """Whether `count` positional arguments fit; an unknown signature accepts any number."""
    if signature is None:
        return True
    try:
        signature.bind(*range(count))
    except TypeError:
        return False
    return True


def hands_on(signature: Signature | None) -> bool:
    """Whether it takes any positional arguments, which it may hand on to something else."""
    if signature is None:
        return True
    return any(each.kind is Parameter.VAR_POSITIONAL for each in signature.parameters.values())


def positional(signature: Signature | None) -> list[str]:
    """The names of the positional parameters except `*args`."""
    if signature is None:
        return []
    return [name for name, each in signature.parameters.items() if each.kind in _POSITIONAL]


def shown(signature: Signature | None) -> str:
    """The parameters as text for a sentence."""
    if signature is None:
        return "(…)"
    names = [_MARKS.get(each.kind, "") + name for name, each in signature.parameters.items()]
    return f"({', '.join(names)})"


def _wrapped(handler: Handler) -> Handler | None:
    """The callable that `handler` wraps, as recorded by `functools.wraps`."""
    if isinstance(handler, functools.partial):
        inner = _wrapped(handler.func)
        return inner and functools.partial(inner, *handler.args, **handler.keywords)
    if isinstance(handler, MethodType):
        function: Handler | None = getattr(handler.__func__, "__wrapped__", None)
        return function and MethodType(function, handler.__self__)
    inner = getattr(handler, "__wrapped__", None)
    if inner is None and not (inspect.isroutine(handler) or inspect.isclass(handler)):
        # A callable object: its class's `__call__` may be the wrapper.
        call = getattr(handler, "__call__", None)  # noqa: B004  # Its method, not whether it is.
        inner = _wrapped(call) if isinstance(call, MethodType) else None
    return inner if callable(inner) else None
