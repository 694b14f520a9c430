"""Application factories: callables that make the application, and are none themselves.

A target may call one, `app:create_app("test", debug=True)`, with literals for arguments.  One that
is only named, `app:create_app`, is called as well where it needs no argument and cannot be the
application itself; what it returns is then served.
"""

import inspect
from typing import Any, NamedTuple

from gateway.code.interface import detect_interface, is_factory
from gateway.code.load_errors import LoadError, describe, factory_failure, invalid_handler
from gateway.signatures import Handler, accepts, called, hands_on, shown, signature


class Call(NamedTuple):
    """What a factory is called with."""

    arguments: tuple[Any, ...]
    keywords: dict[str, Any]


_NOTHING = Call((), {})
_LEAST = {"wsgi": 2, "fc-event": 2, "asgi": 3}
"""Arguments that an application of an interface is given."""


def parse_call(target: str) -> tuple[str, Call | None]:
    """The target without its call, and the call; `None`: there is none.

    Raises LoadError for a call that is more than literals.
    """
    name, parenthesis, rest = target.partition("(")
    if not parenthesis:
        return target, None
    import ast  # noqa: PLC0415 (start-up time: few targets have a call)

    mend = "write literals between its parentheses, as in app:create_app('test', debug=True)"
    try:
        made = ast.parse(f"f({rest}", mode="eval").body
        if not isinstance(made, ast.Call) or not isinstance(made.func, ast.Name):
            raise invalid_handler(target, "nothing may stand behind the call")
        arguments = tuple(ast.literal_eval(each) for each in made.args)
        named = {each.arg: ast.literal_eval(each.value) for each in made.keywords}
    except (SyntaxError, ValueError, TypeError, MemoryError, RecursionError):
        raise invalid_handler(target, mend) from None
    keywords = {name: value for name, value in named.items() if name is not None}
    if len(keywords) < len(made.keywords):  # A name twice is a fault of syntax; `**` has none.
        raise invalid_handler(target, mend)
    return name, Call(arguments, keywords)


def make(target: str, factory: Handler, call: Call = _NOTHING) -> Handler:
    """The application that `factory`, which `target` names, returns for `call`.

    Raises LoadError where it fails or returns none; KeyboardInterrupt alone passes through.
    """
    function = called(factory)
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        raise invalid_handler(target, "it is async, and a factory is a plain function")
    own = signature(factory)
    try:
        if own is not None:
            own.bind(*call.arguments, **call.keywords)
    except TypeError as exc:
        raise invalid_handler(target, f"it takes {shown(own)}: {exc}") from None
    try:
        application = factory(*call.arguments, **call.keywords)
    except KeyboardInterrupt:
        raise
    except BaseException as exc:
        # BaseException: a sys.exit() in the factory must not end the start without a word.
        raise factory_failure(target, exc) from exc
    if not callable(application):
        cause = f"it was called, and returned {describe(application)}, which is no application"
        raise invalid_handler(target, cause)
    made: Handler = application
    return made


def application_of(target: str, handler: Handler, interface: str) -> Handler:
    """What is served of the `handler` that `target` names: itself, or what it makes as a factory.

    interface: what the user says that it speaks; "auto": nothing.

    Raises LoadError where it can only be a factory, and makes no application.
    """
    if "(" in target or not is_factory(handler):
        return handler  # Of a call the result is in hand.
    own = signature(handler)
    if interface != "auto":
        # Whoever says what it is means what is named, wherever that can be.
        return handler if accepts(own, _LEAST[interface]) else make(target, handler)
    if not accepts(own, 2):
        return _checked(target, make(target, handler))
    try:
        application = make(target, handler)
        detect_interface(application)
    except LoadError as error:
        if error.__cause__ is None or hands_on(own):
            return handler  # It made no application, so it may be one.
        raise
    return application


def _checked(target: str, application: Handler) -> Handler:
    """Raises LoadError for what speaks no interface, with the name of its factory."""
    try:
        detect_interface(application)
    except LoadError as error:
        cause = f"as a factory it made what is no application: {error.cause}"
        raise invalid_handler(target, cause) from None
    return application
