"""Adapts handlers of each interface to the WSGI runner."""

from collections.abc import Callable
from typing import Any, NamedTuple

from gateway.code.interface import Interface
from gateway.config import Config
from gateway.events.errors import EventErrors
from gateway.events.handler import EventHandler
from gateway.fc.invocation_url import parse_container_call
from gateway.http.answers.api_path import Unserved, unserved, unserved_but_invocations
from gateway.http.answers.error_style import ErrorStyle
from gateway.http.message.head import RequestHead
from gateway.worker.responses import error_style, is_container


class Bridged(NamedTuple):
    """The arguments of `WsgiRunner` that depend on the handler."""

    handler: Callable[..., Any]
    """A WSGI application."""
    style_of: Callable[[RequestHead | None], ErrorStyle] | None = None
    has_exact_environ: bool = False
    unserved: Unserved | None = None
    """Refuses requests for FC's API; `None` behind FC, which serves its API itself."""


def bridged(config: Config, handler: Callable[..., Any], interface: Interface) -> Bridged:
    """Adapt a WSGI or event handler to the runner."""
    is_in_container = is_container(config)
    if interface == "wsgi":
        return Bridged(
            handler,
            has_exact_environ=config.exact_environ,
            unserved=None if is_in_container else unserved,
        )
    if is_in_container:
        return Bridged(EventHandler(handler, parse_container_call, is_behind_platform=True))
    errors = EventErrors(error_style(config), shows_stack=config.tracebacks)
    return Bridged(EventHandler(handler), errors.of, unserved=unserved_but_invocations)
