"""Runs Python WSGI handlers the way Alibaba Function Compute runs them, anywhere."""

from typing import TYPE_CHECKING

from gateway.version import __version__

if TYPE_CHECKING:
    from gateway.events.handler import EventHandler
    from gateway.limits import Limits
    from gateway.wsgi.bridge import WsgiBridge

__all__ = ["EventHandler", "Limits", "WsgiBridge", "__version__"]


def __getattr__(name: str) -> object:
    """Import the public names when they are used: the command starts faster without them."""
    # ruff: noqa: PLC0415
    if name == "WsgiBridge":
        from gateway.wsgi.bridge import WsgiBridge

        return WsgiBridge
    if name == "EventHandler":
        from gateway.events.handler import EventHandler

        return EventHandler
    if name == "Limits":
        from gateway.limits import Limits

        return Limits
    if name[:2] == "__":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    # The code that is served may have a package of this name.
    from gateway.code.same_named_package import attribute

    return attribute(name)
