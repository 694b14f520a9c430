"""How the names of handlers and hooks are written; loading them tells whether they are there."""

from gateway.config.values import BadHandlerError, Kind


def _read_target(text: str) -> str:
    name, call, end = text.partition("(")  # What it calls a factory with is read by `factories`.
    if call and not end.endswith(")"):
        raise BadHandlerError("its call has no end; give package.module:create_app()")
    _read_hook(name)
    return text


def _read_hook(text: str) -> str:
    # The form only: loading it tells whether there is such a module.
    module, colon, attribute = text.rpartition(":")
    if not colon:
        module, _, attribute = text.rpartition(".")
    # 'app.py' would read as the attribute 'py' of the module 'app'.
    if module.endswith(".py") or (not colon and attribute == "py"):
        raise BadHandlerError("it is a file name; give its module and the handler: app:handler")
    names = attribute.split(".")
    if not module or not all(name.isidentifier() for name in names):
        raise BadHandlerError("give package.module:handler or module.handler")
    return text


TARGET = Kind("TARGET", _read_target)
"""A handler, or the call of a factory that makes it."""
HOOK = Kind("TARGET", _read_hook)
