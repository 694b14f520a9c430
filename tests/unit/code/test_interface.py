"""What a handler speaks: shapes as people write them, and as frameworks and decorators do."""

import contextlib
import functools
import inspect

import pytest
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from flask import Flask
from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.wrappers import Request, Response

from gateway.code.interface import check_interface, detect_interface, doubt, is_in_doubt
from gateway.code.load_errors import LoadError


def wsgi(environ, start_response): ...


async def asgi(scope, receive, send): ...


def event_handler(event, context): ...


class Wsgi:
    def __init__(self, environ, start_response): ...

    def __iter__(self): ...


class WsgiInstance:
    def __call__(self, environ, start_response): ...

    def method(self, environ, start_response): ...


class AsgiInstance:
    async def __call__(self, scope, receive, send): ...

    async def method(self, scope, receive, send): ...


class AsgiMiddleware:
    def __init__(self, app): ...

    def __call__(self, scope, receive, send): ...


class Asgi2:
    def __init__(self, scope): ...

    async def __call__(self, receive, send): ...


class EventInstance:
    def __call__(self, event, context): ...

    def method(self, event, context): ...

    @staticmethod
    def static(event, context): ...

    @classmethod
    def of_class(cls, event, context): ...


class Mangum:
    """As adapters between FaaS and ASGI are."""

    def __init__(self, app, lifespan="auto"): ...

    def __call__(self, event, context): ...


class MiddlewareOfAsgi:
    """As a2wsgi's `ASGIMiddleware`: WSGI outside, ASGI inside."""

    def __init__(self, app):
        self.app = app
        functools.update_wrapper(self, app)

    def __call__(self, environ, start_response): ...


def passing(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        return function(*args, **kwargs)

    return wrapper


def passing_for_methods(function):
    @functools.wraps(function)
    def wrapper(self, *args, **kwargs):
        return function(self, *args, **kwargs)

    return wrapper


def opaque(function):
    def wrapper(*args, **kwargs):
        return function(*args, **kwargs)

    return wrapper


def bridged(function):
    @functools.wraps(function)
    def wrapper(environ, start_response): ...

    return wrapper


def as_event_handler(function):
    @functools.wraps(function)
    def wrapper(event, context): ...

    return wrapper


def renaming(function):
    @functools.wraps(function)
    def wrapper(one, two):
        return function(one, two)

    return wrapper


def with_signature(function):
    """As the library `decorator` and `wrapt` do it."""
    wrapper = opaque(function)
    wrapper.__signature__ = inspect.signature(function)
    return wrapper


def powertools(function):
    """As decorators of AWS's and Alibaba's clients do it."""

    @functools.wraps(function)
    def decorate(event, context, *args, **kwargs):
        return function(event, context, *args, **kwargs)

    return decorate


class Decorated:
    @passing
    def __call__(self, event, context): ...

    @passing_for_methods
    def method(self, evt, ctx): ...

    @passing
    def application(self, environ, start_response): ...


def configured(name, environ, start_response): ...


async def configured_asgi(name, scope, receive, send): ...


def configured_event(app, event, context): ...


@contextlib.contextmanager
def timed():
    yield


WSGI = [
    wsgi,
    Wsgi,
    WsgiInstance(),
    WsgiInstance().method,
    functools.partial(configured, "name"),
    functools.partial(WsgiInstance()),
    passing(wsgi),
    passing(passing(wsgi)),
    timed()(wsgi),
    Decorated().application,
    bridged(asgi),
    bridged(event_handler),
    passing(bridged(event_handler)),
    functools.partial(passing(configured), "name"),
    functools.cache(wsgi),
    with_signature(wsgi),
    staticmethod(wsgi),
    MiddlewareOfAsgi(asgi),
    lambda environ, start_response, exc_info=None: [],
    lambda env, start_resp: [],
    lambda env, sr: [],
    lambda e, start_response: [],
    lambda _environ, _start_response: [],
    lambda event, start_response: [],
    lambda environ, _: [],
    lambda environment, respond: [],
    lambda request, start: [],
    lambda environ, *rest: [],
    Flask("name"),
    Flask("name").wsgi_app,
    ProxyFix(Flask("name")),
    DispatcherMiddleware(Flask("name")),
    WSGIHandler.__new__(WSGIHandler),
    Request.application(lambda request: Response()),
]

ASGI = [
    asgi,
    AsgiInstance(),
    AsgiInstance().method,
    functools.partial(asgi),
    functools.partial(functools.partial(configured_asgi, "name")),
    functools.partial(AsgiInstance()),
    passing(asgi),
    functools.partial(passing(configured_asgi), "name"),
    AsgiMiddleware(asgi),
    Asgi2,
    lambda scope: None,
    lambda scope, receive, send: None,
    Starlette(),
    HTTPEndpoint,
    ASGIHandler.__new__(ASGIHandler),
]

EVENT = [
    event_handler,
    EventInstance(),
    EventInstance().method,
    EventInstance.static,
    EventInstance.of_class,
    Mangum(asgi),
    Mangum(asgi).__call__,
    Decorated(),
    Decorated().__call__,
    Decorated().method,
    passing(event_handler),
    passing(passing(event_handler)),
    timed()(event_handler),
    powertools(event_handler),
    passing(powertools(event_handler)),
    renaming(event_handler),
    as_event_handler(wsgi),
    passing(as_event_handler(wsgi)),
    functools.partial(configured_event, "app"),
    functools.partial(passing(configured_event), "app"),
    functools.cache(event_handler),
    with_signature(event_handler),
    staticmethod(event_handler),
    lambda event, context: None,
    lambda event, context, x=1: None,
    lambda event=None, context=None: None,
    lambda event, context, *args, **kwargs: None,
    lambda evt, ctx: None,
    lambda ev, context: None,
    lambda e, ctxt: None,
    lambda event, _: None,
    lambda _, context: None,
    lambda _event, _context: None,
    lambda event_, context_: None,
    lambda event, *_: None,
    lambda payload, fc_context: None,
    lambda events, ctx=None: None,
    lambda raw_event, lambda_context: None,
]

IN_DOUBT = [
    lambda *args: [],
    lambda a, b: [],
    lambda context, event: [],
    opaque(event_handler),
    opaque(wsgi),
    max,
]


@pytest.mark.parametrize(
    ("handler", "interface"),
    [(handler, "wsgi") for handler in WSGI]
    + [(handler, "asgi") for handler in ASGI]
    + [(handler, "fc-event") for handler in EVENT],
)
def test_what_is_known(handler, interface):
    assert detect_interface(handler) == interface
    assert not is_in_doubt(handler)


@pytest.mark.parametrize("handler", IN_DOUBT)
def test_what_tells_nothing_is_taken_for_wsgi_and_told(handler):
    assert detect_interface(handler) == "wsgi"
    assert is_in_doubt(handler)
    assert "--interface fc-event" in doubt(handler)
    check_interface(handler, "fc-event")


def test_what_is_told_of_a_doubt():
    assert doubt(lambda *args, **more: []).startswith("its parameters (*args, **more) do not tell ")
    assert doubt(max).startswith("its parameters (…) do not tell ")


def test_a_wrapper_that_wraps_itself():
    wrapper = opaque(wsgi)
    wrapper.__wrapped__ = wrapper
    assert detect_interface(wrapper) == "wsgi"
    assert is_in_doubt(wrapper)


async def asynchronous_wsgi(environ, start_response): ...


async def asynchronous_event_handler(event, context): ...


async def asynchronous_generator(scope, receive, send):
    yield


class AsynchronousGenerator:
    async def __call__(self, scope, receive, send):
        yield


def awaiting(function):
    @functools.wraps(function)
    async def wrapper(*args, **kwargs):
        return await function(*args, **kwargs)

    return wrapper


async def events_of(event, context):
    yield event


def generating(event, context):
    yield event


class EventClass:
    def __init__(self, event, context): ...


def factory(): ...


@pytest.mark.parametrize(
    ("handler", "words"),
    [
        (asynchronous_wsgi, "takes (environ, start_response): ASGI is (scope, receive, send)"),
        (awaiting(asynchronous_wsgi), "it is async but takes (*args, **kwargs): ASGI is"),
        (asynchronous_generator, "async generator"),
        (AsynchronousGenerator(), "async generator"),
        (asynchronous_event_handler, "--interface fc-event wants a plain function; let one call"),
        (awaiting(asynchronous_event_handler), "it is async, and --interface fc-event wants"),
        (events_of, "async generator"),
        (generating, "it is a generator, and --interface fc-event wants"),
        (EventClass, "it is a class, and --interface fc-event wants"),
        (factory, "it takes (), not (environ, start_response), (event, context) or (scope, "),
        (AsgiInstance, "it takes (), not"),
        (AsgiMiddleware, "it takes (app), not"),
        (EventInstance.method, "it is a method: let the module make an instance"),
        (lambda *, event, context: None, "it takes (event, context), not"),
        (Flask, "it is a class and no result; to have an instance made, name it with ()"),
        (Starlette, "it is a class and no result"),
        (Mangum, "it is a class and no result"),
    ],
)
def test_what_speaks_nothing(handler, words):
    with pytest.raises(LoadError, match=r"^Invalid handler '") as caught:
        detect_interface(handler)
    assert caught.value.error_type == "InvalidHandleName"
    assert words in caught.value.cause


@pytest.mark.parametrize(
    ("handler", "interface"),
    [
        (event_handler, "fc-event"),
        (wsgi, "fc-event"),
        (WsgiInstance(), "fc-event"),
        (lambda *args: None, "fc-event"),
        (lambda event, context, more=None: None, "fc-event"),
        (max, "fc-event"),
        (wsgi, "wsgi"),
        (lambda *args: [], "wsgi"),
        (lambda *args: None, "asgi"),
        (max, "asgi"),
        (asgi, "asgi"),
        (AsgiMiddleware, "asgi"),  # ASGI 2, for all that can be known.
        (lambda scope: None, "asgi"),
    ],
)
def test_an_interface_that_was_chosen_and_may_fit(handler, interface):
    check_interface(handler, interface)


@pytest.mark.parametrize(
    ("handler", "interface", "words"),
    [
        (asgi, "wsgi", "it is async, and --interface wsgi wants a plain function"),
        (asynchronous_wsgi, "wsgi", "it is async"),
        (lambda scope: None, "wsgi", "it takes (scope), and --interface wsgi gives (environ, "),
        (wsgi, "asgi", "it takes (environ, start_response), and --interface asgi gives (scope, "),
        (factory, "asgi", "it takes (), and"),
        (asynchronous_event_handler, "fc-event", "it is async, and --interface fc-event wants a"),
        (events_of, "fc-event", "it is async"),
        (asgi, "fc-event", "it is async"),
        (generating, "fc-event", "it is a generator, and --interface fc-event wants a function"),
        (EventClass, "fc-event", "it is a class, and --interface fc-event wants a function"),
        (factory, "fc-event", "it takes (), and --interface fc-event gives (event, context)"),
        (lambda event: None, "fc-event", "it takes (event), and"),
        (AsgiMiddleware(None), "fc-event", "it takes (scope, receive, send), and"),
    ],
)
def test_an_interface_that_was_chosen_and_cannot_fit(handler, interface, words):
    with pytest.raises(LoadError, match=r"^Invalid handler '") as caught:
        check_interface(handler, interface)
    assert words in caught.value.cause
