"""Subclasses of built-in types that lie about what they hold."""

import json

import pytest

from gateway.asgi.adapter import _as_bytes, _as_text
from gateway.events.result import http_response, output
from gateway.http.message import response_head
from gateway.http.message.response import Status
from gateway.http.message.response_head import ResponseHead
from gateway.text.exact_types import exact_bytes, exact_number, exact_text
from gateway.wsgi import result
from gateway.wsgi.invocation import Invocation

_KEPT = {"__new__", "__init__", "__class__", "__init_subclass__", "__subclasshook__", "__doc__",
         "__setattr__", "__delattr__", "__dict__", "__getattribute__"}  # fmt: skip

SPLIT = "a\r\nSet-Cookie: b"


def lying(base, **says):
    """A subclass of which each method raises, but for those that say something."""

    def fail(*_arguments, **_names):
        raise AssertionError("a method of the handler's class was called")

    methods = dict.fromkeys([name for name in dir(base) if name not in _KEPT], fail)
    return type("Lying", (base,), methods | {"__buffer__": fail} | says)


def plausible(value, pretended):
    """A `str` that holds `value` and behaves in all ways as `pretended`."""
    names = ("isascii", "isprintable", "isdigit", "lower", "startswith", "encode", "partition",
             "__len__", "__iter__", "__contains__", "__str__", "__repr__", "__format__", "__add__",
             "__hash__")  # fmt: skip

    def method(name):
        return lambda _self, *arguments: getattr(pretended, name)(*arguments)

    says = {name: method(name) for name in names}
    says["__eq__"] = lambda _self, other: other == pretended
    return type("Plausible", (str,), says)(value)


@pytest.mark.parametrize(
    ("base", "value", "exact"),
    [
        (str, SPLIT, exact_text),
        (int, 204, exact_number),
        (bytes, b"ab", exact_bytes),
        (bytearray, b"ab", exact_bytes),
    ],
)
def test_what_is_held_is_read_and_no_method_run(base, value, exact):
    found = exact(lying(base)(value))
    assert type(found) in (str, int, bytes)
    assert found == value
    assert exact(base(value)) == value


def test_who_only_says_to_be_text_is_none():
    class Pretender:
        __class__ = str

    with pytest.raises(TypeError):
        exact_text(Pretender())
    with pytest.raises(TypeError):
        exact_bytes(Pretender())


@pytest.fixture
def known():
    """Honest heads that lies may call themselves equal to."""
    result.response_head("200 OK", [("Content-Type", "text/plain"), ("X-A", "b")])


def lines_of(status, headers):
    return result.response_head(status, headers).lines


@pytest.mark.usefixtures("known")
@pytest.mark.parametrize(
    ("status", "headers"),
    [
        (plausible("200 " + SPLIT, "200 OK"), []),
        ("200 OK", [("Content-Type", plausible(SPLIT, "text/plain"))]),
        ("200 OK", [(plausible("Vary: a\r\nX", "Content-Type"), "text/plain")]),
        ("200 OK", [("X-A", plausible(SPLIT, "b"))]),
        ("200 OK", [(plausible("X:\r\nB", "X-A"), "b")]),
        ("200 OK", [(plausible("Transfer-Encoding", "X-A"), "chunked")]),
        ("200 OK", [("Content-Length", plausible("5\r\nX: y", "5"))]),
    ],
)
def test_a_lie_does_not_split_a_response(status, headers):
    """It is refused, or what honest text would have said is sent."""
    try:
        lines = lines_of(status, [*headers, ("X-Z", "1")])
    except (TypeError, ValueError):
        return
    honest = lines_of("200 OK", [("Content-Type", "text/plain"), ("X-Z", "1")])
    assert lines in (honest, lines_of("200 OK", [("X-Z", "1")]))


def test_a_lie_is_not_remembered_for_others():
    liar = plausible("text/html", "text/plain")
    lines_of("200 OK", [("Content-Type", liar)])
    lines_of(plausible("200 Fine", "200 OK"), [("Content-Type", "text/plain")])
    assert lines_of("200 OK", [("Content-Type", "text/plain")]) == (
        "200 OK\r\nContent-Type: text/plain\r\n"
    )
    for kept in (*result._known_heads, *response_head._known):
        for part in kept:
            assert type(part) in (str, tuple)


def test_harmless_subclasses_are_served():
    class Text(str):
        __slots__ = ()

    assert lines_of(Text("200 OK"), [(Text("X-A"), Text("b"))]) == "200 OK\r\nX-A: b\r\n"
    head = ResponseHead(Status(200, "200 OK"), [(Text("X-A"), Text("b"))])
    assert [type(part) for part in head.fields[0]] == [str, str]


class Silent:
    def warn_once(self, message):
        pass


@pytest.mark.parametrize(
    ("base", "value"), [(bytes, b"ab"), (bytearray, b"ab"), (str, "ab"), (None, memoryview(b"ab"))]
)
def test_items_of_a_body(base, value):
    item = value if base is None else lying(base)(value)
    invocation = Invocation.__new__(Invocation)
    invocation._rules = Silent()
    found = invocation._as_bytes(item)
    assert type(found) is bytes
    assert found == b"ab"


@pytest.mark.parametrize("base", [bytes, bytearray])
def test_bodies_of_asgi_events(base):
    item = lying(base)(b"ab")
    assert type(_as_bytes(item)) is bytes
    assert _as_bytes(item) == b"ab"


def test_headers_of_asgi_events():
    fields = _as_text([(lying(bytes)(b"X-A"), lying(bytes)(b"b"))])
    assert fields == [("X-A", "b")]
    assert _as_text([(lying(bytes)(b"Transfer-Encoding"), b"x")]) == []


def test_results_of_event_handlers():
    assert output(lying(bytes)(b"ab")) == b"ab"
    assert output(lying(str)("ab")) == b"ab"
    answer = http_response({"statusCode": 200, "body": lying(str)("ab")})
    assert (type(answer.body), answer.body) == (bytes, b"ab")
    code = lying(int, __repr__=lambda _: "200\r\nX: y")(201)
    assert http_response({"statusCode": code}).status == json.dumps(201)
