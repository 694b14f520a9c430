"""What an application may say of its response, rule by rule."""

import pytest

from gateway.http.message import response_head
from gateway.http.message.fields import FieldNames
from gateway.http.message.parser import HeadParser
from gateway.http.message.response import status_of
from gateway.http.message.response_head import ResponseHead, response_header_too_large
from gateway.limits import Limits


def head(*headers):
    return ResponseHead(status_of(200), headers)


def test_headers_keep_order_spelling_and_repeats():
    fields = [("b", "1"), ("A", "2"), ("Set-Cookie", "x"), ("set-cookie", "y")]
    found = head(*fields)
    assert found.fields == fields
    assert found.dropped == ()
    assert found.content_length is None
    assert found.size == 2 + 2 + 11 + 11


@pytest.mark.parametrize("value", ["", " ", "a b", "\t", "\xe4\xff", '"quoted; x"', "~" * 9000])
def test_values(value):
    assert head(("X-A", value)).fields == [("X-A", value)]


@pytest.mark.parametrize(
    "value", ["a\r\nB: c", "a\n", "\r", "\0", "\x0b", "\x7f", "\u20ac", "\ud800", "\u2028"]
)
def test_values_with_forbidden_characters(value):
    with pytest.raises(ValueError, match="forbidden character"):
        head(("X-A", value))


@pytest.mark.parametrize("value", [1, None, b"b", ["b"], 1.5])
def test_values_that_are_no_text(value):
    with pytest.raises(TypeError, match="X-A is not a str"):
        head(("X-A", value))


@pytest.mark.parametrize(
    "name", ["", " ", "X A", "X-A ", "X-A:", "X\r\nA", "\xe4", "X/A", 'X"A', "(x)", "X\0"]
)
def test_names_that_are_no_tokens(name):
    for _ in range(2):
        with pytest.raises(ValueError, match="not a token"):
            head((name, "b"))


@pytest.mark.parametrize("name", [None, 1, b"X-A"])
def test_names_that_are_no_text(name):
    with pytest.raises(TypeError, match="not a str"):
        head((name, "b"))


@pytest.mark.parametrize("item", [["A", "b"], ("A",), ("A", "b", "c"), "Ab", None, ()])
def test_items_that_are_no_pairs(item):
    with pytest.raises(TypeError, match="tuple"):
        head(item)


@pytest.mark.parametrize(
    "name",
    ["Transfer-Encoding", "TE", "te", "Trailer", "Trailers", "Proxy-Authenticate",
     "Proxy-Authorization", "proxy-connection"],
)  # fmt: skip
def test_hop_by_hop_headers_are_refused(name):
    with pytest.raises(ValueError, match="hop-by-hop"):
        head((name, "x"))


@pytest.mark.parametrize(
    "name",
    ["Connection", "connection", "Date", "Keep-Alive", "Server", "Upgrade", "X-Fc-Request-Id",
     "x-fc-anything"],
)  # fmt: skip
def test_reserved_headers_are_dropped(name):
    found = head((name, "x"), ("X-A", "b"))
    assert found.fields == [("X-A", "b")]
    assert found.dropped == (name,)
    assert found.size == len(name) + 1 + 4, "they count: the handler has set them"


def test_a_dropped_header_is_checked_too():
    with pytest.raises(ValueError, match="forbidden character"):
        head(("Date", "a\r\nb"))


def test_the_memory_of_names_is_bounded(monkeypatch):
    monkeypatch.setattr(response_head, "_roles", {})
    for number in range(1000):
        head((f"X-{number}", ""))
        assert len(response_head._roles) <= 512
        assert f"X-{number}" in response_head._roles
    head(("X" * 257, ""))
    assert "X" * 257 not in response_head._roles


# --- headers that are used again and again -----------------------------------------------------


@pytest.fixture(autouse=True)
def nothing_known(monkeypatch):
    monkeypatch.setattr(response_head, "_known", {})


@pytest.mark.parametrize("item", [("Content-Type", "text/plain"), ("VARY", "Accept")])
def test_a_known_header_counts_as_before(item):
    first, second = head(item, ("A", "b")), head(item, ("A", "b"))
    assert item in response_head._known
    assert first.fields == second.fields
    assert first.size == second.size == len(item[0]) + len(item[1]) + 2


@pytest.mark.parametrize(
    "item", [("Set-Cookie", "secret"), ("X-A", "b"), ("Content-Type", "x" * 300)]
)
def test_headers_that_are_not_remembered(item):
    head(item)
    assert response_head._known == {}


def test_faulty_values_of_steady_headers_are_never_known():
    for _ in range(2):
        with pytest.raises(ValueError, match="forbidden character"):
            head(("Content-Type", "a\r\nb: c"))


def test_the_memory_of_headers_is_bounded():
    for number in range(1000):
        head(("Cache-Control", str(number)))
        assert len(response_head._known) <= 512
        assert ("Cache-Control", str(number)) in response_head._known


# --- Content-Length ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "length"), [("0", 0), ("5", 5), ("005", 5), (str(10**15), 10**15)]
)
def test_content_length(value, length):
    found = head(("content-length", value))
    assert (found.content_length, found.fields) == (length, [])


def test_content_length_twice_the_same():
    assert head(("Content-Length", "5"), ("content-length", "5")).content_length == 5


def test_content_length_twice_in_contradiction():
    with pytest.raises(ValueError, match="two different"):
        head(("Content-Length", "5"), ("Content-Length", "6"))


@pytest.mark.parametrize(
    "value", ["", " 5", "5 ", "-5", "+5", "5.0", "0x5", "5_0", "\u0665", "²", "x"]
)
def test_content_lengths_that_are_none(value):
    with pytest.raises(ValueError, match=r"Content-Length|forbidden"):
        head(("Content-Length", value))


def test_the_refusal_of_too_many():
    refusal = response_header_too_large(8192)
    assert (refusal.status, refusal.closes) == (502, False)
    assert "8192" in refusal.message


# The bytes that leave.


def request(line):
    return HeadParser(FieldNames(lambda _: False), Limits()).feed(line + b"\r\nHost: a\r\n\r\n")


HTTP_1_0, HTTP_1_1 = request(b"GET / HTTP/1.0"), request(b"GET / HTTP/1.1")


@pytest.mark.parametrize(
    ("code", "asked", "length", "keep_alive", "framing"),
    [
        (200, HTTP_1_1, 0, True, "Content-Length: 0\r\n"),
        (200, HTTP_1_1, 5, False, "Content-Length: 5\r\nConnection: close\r\n"),
        (200, HTTP_1_1, None, True, "Transfer-Encoding: chunked\r\n"),
        (200, HTTP_1_0, None, False, "Connection: close\r\n"),
        (200, HTTP_1_0, 5, True, "Content-Length: 5\r\nConnection: keep-alive\r\n"),
        (200, None, None, False, "Connection: close\r\n"),
        (200, None, 5, True, "Content-Length: 5\r\n"),
        (204, HTTP_1_1, 5, True, ""),
        (304, HTTP_1_1, None, True, ""),
    ],
)
def test_what_leaves(code, asked, length, keep_alive, framing):
    found = ResponseHead(status_of(code), [("X-A", "\xe4"), ("x-b", "2")])
    line = status_of(code).line
    expected = f"HTTP/1.1 {line}\r\nX-A: \xe4\r\nx-b: 2\r\n{framing}Server: z\r\n\r\n"
    assert found.encode(asked, length, keep_alive, "Server: z") == expected.encode("latin-1")


def test_whether_a_head_may_be_said_again():
    assert head(("Content-Type", "text/plain"), ("Content-Length", "3")).is_steady
    assert not head(("Content-Type", "text/plain"), ("X-A", "b")).is_steady


def test_known_headers_count_as_new_ones_do():
    twice = [("Content-Type", "text/plain"), ("Vary", "Accept")]
    assert head(*twice).size == head(*twice).size == 12 + 10 + 4 + 6
