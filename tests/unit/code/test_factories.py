"""Application factories: what is called, with what, and what is said of those that fail."""

import functools

import pytest

from gateway.code.factories import Call, application_of, make, parse_call
from gateway.code.interface import is_factory
from gateway.code.load_errors import LoadError


def app(environ, start_response): ...


async def asgi(scope, receive, send): ...


def events(event, context): ...


def create():
    return app


def create_asgi(config=None):
    return asgi


def create_of_two(config=None, debug=False):
    return app


def create_keywords(*, config=None):
    return events


@functools.wraps(create)
def wrapped(*args, **kwargs):
    return create(*args, **kwargs)


class Maker:
    def create(self):
        return app

    def __call__(self):
        return app


FACTORIES = [
    create,
    create_asgi,
    create_of_two,
    create_keywords,
    wrapped,
    functools.lru_cache(create),
    functools.partial(create),
    functools.partial(lambda name: app, "test"),
    Maker().create,
    Maker(),
    lambda: app,
]


@pytest.mark.parametrize("factory", FACTORIES)
def test_what_needs_no_argument_and_returns_an_application_is_a_factory(factory):
    assert is_factory(factory)
    assert application_of("app:create", factory, "auto") in (app, asgi, events)


def keeps_off(*_, **__):
    raise AssertionError("called")


def optional_wsgi(environ=None, start_response=None):
    keeps_off()


def optional_event(event=None, context=None):
    keeps_off()


def optional_scope(scope=None, receive=None, send=None):
    keeps_off()


def needy(config):
    keeps_off()


def generator():
    keeps_off()
    yield


async def asynchronous():
    keeps_off()


class Class:
    def __init__(self):
        keeps_off()


@functools.wraps(optional_wsgi)
def wrapped_wsgi(*args):
    keeps_off()


@pytest.mark.parametrize(
    "handler",
    [
        *(app, asgi, events, optional_wsgi, optional_event, optional_scope, needy, generator),
        *(asynchronous, Class, keeps_off, wrapped_wsgi, functools.partial(keeps_off), print),
    ],
)
def test_nothing_else_is_called(handler):
    assert not is_factory(handler)
    assert application_of("app:handler", handler, "auto") is handler


@pytest.mark.parametrize("interface", ["wsgi", "fc-event", "asgi"])
def test_what_is_said_to_speak_an_interface_is_called_only_where_it_cannot(interface):
    assert application_of("app:create", create, interface) is app
    expected = asgi if interface == "asgi" else create_of_two
    if interface == "asgi":
        assert application_of("app:create", create_asgi, interface) is asgi
    else:
        assert application_of("app:create", create_of_two, interface) is expected


def returns_text(one=None, two=None):
    return "text"


def adapter_of(function):
    @functools.wraps(function)
    def adapter(*args):
        args[1]("200 OK", [])
        return [function()]

    return adapter


adapted = adapter_of(create)


@pytest.mark.parametrize("handler", [returns_text, adapted])
def test_what_may_be_an_application_and_makes_none_is_one(handler):
    assert is_factory(handler)
    assert application_of("app:handler", handler, "auto") is handler


def returns_none(): ...


def returns_needy():
    return needy


def fails(config=None, debug=False):
    raise KeyError("DATABASE_URL")


def exits():
    raise SystemExit(3)


@pytest.mark.parametrize(
    ("factory", "words"),
    [
        (
            returns_none,
            "Invalid handler 'app:create': it was called, and returned None, which is no "
            "application [InvalidHandleName]",
        ),
        (
            returns_needy,
            "Invalid handler 'app:create': as a factory it made what is no application: it takes "
            "(config), not (environ, start_response)",
        ),
        (fails, "Module initialization error: 'DATABASE_URL': KeyError at "),
        (exits, "Module initialization error: '3': SystemExit at "),
    ],
)
def test_a_factory_that_makes_no_application_ends_the_start(factory, words):
    with pytest.raises(LoadError) as caught:
        application_of("app:create", factory, "auto")
    assert str(caught.value).startswith(words)
    assert "\n" not in str(caught.value)


def test_the_stack_is_the_user_s_own():
    with pytest.raises(LoadError) as caught:
        make("app:fails", fails)
    assert caught.value.cause.endswith(", from 'app:fails' called as a factory")
    details = caught.value.details
    assert 'raise KeyError("DATABASE_URL")' in "\n".join(details)
    assert not [line for line in details if "gateway/factories" in line]


def test_an_interrupt_is_none_of_its_failures():
    def interrupt():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make("app:interrupt", interrupt)


@pytest.mark.parametrize(
    ("factory", "call", "words"),
    [
        (needy, Call((), {}), "it takes (config): missing a required argument: 'config'"),
        (create, Call((1,), {}), "it takes (): too many positional arguments"),
        (create, Call((), {"x": 1}), "it takes (): got an unexpected keyword argument 'x'"),
        (asynchronous, Call((), {}), "it is async, and a factory is a plain function"),
    ],
)
def test_a_call_that_does_not_fit_is_told_before_it_is_made(factory, call, words):
    with pytest.raises(LoadError) as caught:
        make("app:make(…)", factory, call)
    assert caught.value.cause == words
    assert caught.value.__cause__ is None


def test_classes_may_be_called_by_name():
    assert isinstance(make("app:Maker()", Maker), Maker)


@pytest.mark.parametrize(
    ("target", "name", "call"),
    [
        ("app:app", "app:app", None),
        ("app:create()", "app:create", Call((), {})),
        ("app.create( )", "app.create", Call((), {})),
        ("app:site.create('a.b:c', -1)", "app:site.create", Call(("a.b:c", -1), {})),
        ("app:create(debug=True)", "app:create", Call((), {"debug": True})),
        (
            "app:create({'a': [1, None]}, x=(2.5, b'y'))",
            "app:create",
            Call(({"a": [1, None]},), {"x": (2.5, b"y")}),
        ),
    ],
)
def test_calls(target, name, call):
    assert parse_call(target) == (name, call)


@pytest.mark.parametrize(
    "target",
    [
        "app:create(",
        "app:create(config)",
        "app:create(1 + 1)",
        "app:create(open('file'))",
        "app:create(*[1])",
        "app:create(**{'a': 1})",
        "app:create(x=1, x=2)",
        "app:create())",
        "app:create('\0')",
        "app:create(x for x in ())",
        f"app:create({'(' * 300}{')' * 300})",
        f"app:create({'-' * 100_000}1)",
        "app:create([{}, {[]: 1}])",
    ],
)
def test_calls_of_more_than_literals_are_refused(target):
    with pytest.raises(LoadError) as caught:
        parse_call(target)
    assert caught.value.cause == (
        "write literals between its parentheses, as in app:create_app('test', debug=True)"
    )


@pytest.mark.parametrize(
    "target", ["app:create().wsgi", "app:create()()", "app:create()[0]", "app:create() + 1"]
)
def test_nothing_stands_behind_a_call(target):
    with pytest.raises(LoadError) as caught:
        parse_call(target)
    assert caught.value.cause == "nothing may stand behind the call"
