"""Which interface a handler speaks: WSGI, ASGI, or Function Compute's `handler(event, context)`.

Theory of operation: all three are callables, and an event handler takes as many arguments as a WSGI
application.  What differs is that ASGI is asynchronous, and the names that people give parameters.
The outermost layer whose names tell anything decides: an adapter that wraps an event handler and
takes `environ` and `start_response` speaks WSGI, and a decorator that takes `*args` speaks what it
wraps.  What tells nothing is taken for WSGI, and the user hears of it (`is_in_doubt`).
"""

import inspect
import re
from typing import Final, Literal

from gateway.code.load_errors import LoadError, invalid_handler
from gateway.signatures import (
    Handler,
    accepts,
    called,
    hands_on,
    layers,
    positional,
    shown,
    signature,
)

Interface = Literal["wsgi", "asgi", "fc-event"]

# Names without "_" and digits around them, in lower case.  PEP 3333 and Function Compute name the
# parameters, but they are positional, so everybody has a spelling of one's own.
_CONTEXT: Final = re.compile(r"\w*context|\w*ctxt?|cxt")
_START_RESPONSE: Final = re.compile(r"\w*start\w*|\w*resp(?:onse|ond)?|sr")
_ENVIRON: Final = re.compile(r"\w*environ(?:ment)?|env")
_EVENT: Final = re.compile(r"\w*(?:event|evt)s?")


def detect_interface(handler: Handler) -> Interface:
    """Which of the interfaces `handler` speaks.

    Sources of the names: PEP 3333, ASGI 3 and 2 ("Applications"), FC ("Request handlers").
    Raises LoadError for what fits none, such as an application factory, so that the start fails
    and not each request.
    """
    own = signature(handler)
    told = _told(handler)
    if inspect.isasyncgenfunction(called(handler)):
        raise _misfit(handler, "it is an async generator, which no interface knows")
    if inspect.iscoroutinefunction(called(handler)):
        return _asynchronous(handler, told)
    if told == "asgi":
        return "asgi"
    if told == "fc-event":
        _check_event_handler(handler)
        return "fc-event"
    if not accepts(own, 2):
        mend = (
            "it is a method: let the module make an instance, and name that one's method"
            if positional(own)[:1] == ["self"]
            else "if it makes the application, name it with its arguments, as in app:make('test')"
        )
        raise _misfit(
            handler,
            f"it takes {shown(own)}, not (environ, start_response), (event, context) or "
            f"(scope, receive, send); {mend}",
        )
    if _is_class_of_applications(handler):
        raise _misfit(
            handler, "it is a class and no result; to have an instance made, name it with ()"
        )
    return "wsgi"


def is_in_doubt(handler: Handler) -> bool:
    """Whether what `detect_interface` says of `handler` is a mere guess."""
    if _told(handler) is not None or inspect.iscoroutinefunction(called(handler)):
        return False
    # What wraps a function that could be none of the three does not hand its arguments on.
    return all(accepts(signature(layer), 2) for layer in layers(handler))


def is_factory(handler: Handler) -> bool:
    """Whether `handler` may be one that makes the application: it needs no argument.

    Names of parameters that tell an interface go before.  A class is none: its instance would be
    the result of a request.
    """
    call = called(handler)
    if inspect.isclass(call) or inspect.isgeneratorfunction(call):
        return False
    if inspect.iscoroutinefunction(call) or inspect.isasyncgenfunction(call):
        return False
    if not accepts(signature(handler), 0) or _told(handler) is not None:
        return False
    *_, innermost = layers(handler)
    inner = signature(innermost)
    # What takes anything, or is written in C, tells nothing.
    return not hands_on(inner) and accepts(inner, 0)


def doubt(handler: Handler) -> str:
    """What to tell of a handler that is in doubt, behind its name."""
    return (
        f"its parameters {shown(signature(handler))} do not tell what it speaks, so it is called "
        "as WSGI is, with (environ, start_response); give --interface fc-event where it takes "
        "(event, context), or --interface wsgi to say that this is right"
    )


def check_interface(handler: Handler, interface: Interface) -> None:
    """Refuse an `interface` that its user has chosen, and that `handler` certainly does not speak.

    Raises LoadError.  What `detect_interface` would only guess is left to the user.
    """
    own = signature(handler)
    if interface == "fc-event":
        _check_event_handler(handler)
    elif interface == "wsgi":
        if inspect.iscoroutinefunction(called(handler)):
            raise _misfit(handler, "it is async, and --interface wsgi wants a plain function")
        if not accepts(own, 2):
            cause = f"it takes {shown(own)}, and --interface wsgi gives (environ, start_response)"
            raise _misfit(handler, cause)
    # ASGI 2 takes the scope alone.
    elif not (accepts(own, 3) or accepts(own, 1)):
        cause = f"it takes {shown(own)}, and --interface asgi gives (scope, receive, send)"
        raise _misfit(handler, cause)


def _told(handler: Handler) -> Interface | None:
    """What the parameters' names say, from the outside in; `None`: nothing."""
    own = signature(handler)
    for layer in layers(handler):
        told = _told_by(positional(signature(layer)))
        if told is not None and _takes(own, told):
            return told
    return None


def _told_by(parameters: list[str]) -> Interface | None:
    names = [name.strip("_0123456789").lower() for name in parameters]
    first = names[0] if names else ""
    second = names[1] if len(names) > 1 else ""
    if first == "scope" and (len(names) == 1 or names[1:3] == ["receive", "send"]):
        return "asgi"
    if _CONTEXT.fullmatch(second):
        return "fc-event"
    if _START_RESPONSE.fullmatch(second) or _ENVIRON.fullmatch(first):
        return "wsgi"
    return "fc-event" if _EVENT.fullmatch(first) else None


def _takes(own: inspect.Signature | None, interface: Interface) -> bool:
    if interface == "asgi":
        return accepts(own, 3) or accepts(own, 1)
    return accepts(own, 2)


def _asynchronous(handler: Handler, told: Interface | None) -> Interface:
    """Of a coroutine function: ASGI 3, unless it says otherwise.  Raises LoadError."""
    own = signature(handler)
    if told == "fc-event":
        _check_event_handler(handler)
    if told == "wsgi" or not accepts(own, 3):
        raise _misfit(
            handler,
            f"it is async but takes {shown(own)}: ASGI is (scope, receive, send), "
            "and a WSGI handler is a plain function",
        )
    return "asgi"


def _is_class_of_applications(handler: Handler) -> bool:
    """Whether it is a class whose instances can be no result of WSGI, as those of Flask are."""
    return (
        inspect.isclass(handler)
        and not hasattr(handler, "__iter__")
        and not hasattr(handler, "__getitem__")
        and handler.__new__ is object.__new__
        and type(handler).__call__ is type.__call__
    )


def _check_event_handler(handler: Handler) -> None:
    call, own = called(handler), signature(handler)
    if inspect.iscoroutinefunction(call) or inspect.isasyncgenfunction(call):
        raise _misfit(
            handler,
            "it is async, and --interface fc-event wants a plain function; "
            "let one call it with asyncio.run()",
        )
    if inspect.isgeneratorfunction(call) or inspect.isclass(call):
        kind = "a class" if inspect.isclass(call) else "a generator"
        cause = f"it is {kind}, and --interface fc-event wants a function that returns its result"
        raise _misfit(handler, cause)
    if not accepts(own, 2):
        cause = f"it takes {shown(own)}, and --interface fc-event gives (event, context)"
        raise _misfit(handler, cause)


def _misfit(handler: Handler, cause: str) -> LoadError:
    name = getattr(handler, "__qualname__", None) or type(handler).__qualname__
    return invalid_handler(name, cause)
