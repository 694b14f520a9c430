"""What event handlers return."""

import base64
import json
from enum import IntEnum, StrEnum
from http import HTTPStatus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import BadResponse
from gateway.events.result import HttpResponse, http_response, output

JSON = [("Content-Type", "application/json")]


class Colour(StrEnum):
    RED = "red"


class Number(IntEnum):
    ONE = 1


ENDLESS: list[object] = []
ENDLESS.append(ENDLESS)


def nested(depth):
    value: list[object] = []
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        (b"", b""),
        (b"\xff\0", b"\xff\0"),
        (bytearray(b"a"), b"a"),
        (memoryview(b"a"), b"a"),
        ("", b""),
        ("Grüße 你好", "Grüße 你好".encode()),
        ("\ud83d\ude00", "😀".encode()),
        ("a\ud83d", "a\ufffd".encode()),
        (Colour.RED, b"red"),
        (None, b"null"),
        (True, b"true"),
        (0, b"0"),
        (1.5, b"1.5"),
        (Number.ONE, b"1"),
        ([], b"[]"),
        ((1, "a"), b'[1, "a"]'),
        ({}, b"{}"),
        ({"a": "ä"}, b'{"a": "\\u00e4"}'),
        ({1: None}, b'{"1": null}'),
        ({"statusCode": 404}, b'{"statusCode": 404}'),  # Of InvokeFunction it is what it is.
    ],
)
def test_output(result, expected):
    assert output(result) == expected


UNSPEAKABLE = [
    (object(), TypeError),
    ({"a": b"bytes"}, TypeError),
    ({1, 2}, TypeError),
    (float("nan"), ValueError),
    (float("-inf"), ValueError),
    ({"a": [{"b": float("inf")}]}, ValueError),
    ({float("nan"): 1}, ValueError),
    ({"a": 10**5000}, ValueError),
    (iter([b"a"]), TypeError),
    ({(1, 2): 3}, TypeError),
    (1j, TypeError),
    (ENDLESS, ValueError),
    (nested(100_000), RecursionError),
]


@pytest.mark.parametrize(("result", "error"), UNSPEAKABLE)
def test_what_json_cannot_say(result, error):
    with pytest.raises(error):
        output(result)
    with pytest.raises(error):
        http_response(result)
    with pytest.raises(error):
        http_response({"statusCode": 200, "extra": result})


@pytest.mark.parametrize(
    ("result", "body"),
    [
        ("Hello FC!", b"Hello FC!"),
        (b"\xff", b"\xff"),
        (None, b"null"),
        ([{"statusCode": 404}], b'[{"statusCode": 404}]'),
        ({"message": "Hello"}, b'{"message": "Hello"}'),
        ({"StatusCode": 404}, b'{"StatusCode": 404}'),
        ({}, b"{}"),
        ('{"message": "Hello"}', b'{"message": "Hello"}'),
        ('{"statusCode": 404', b'{"statusCode": 404'),
        (b'{"statusCode": \xff}', b'{"statusCode": \xff}'),
        ('"statusCode"', b'"statusCode"'),
        ('{"a": {"statusCode": 404}}', b'{"a": {"statusCode": 404}}'),
        ("{" * 5 + '"statusCode"', b'{{{{{"statusCode"'),
    ],
)
def test_an_answer_that_the_handler_does_not_shape(result, body):
    assert http_response(result) == HttpResponse("200", JSON, body)


def test_json_that_is_too_deep_is_no_struct():
    body = b'{"statusCode": 404, "a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    assert http_response(body) == HttpResponse("200", JSON, body)


@pytest.mark.parametrize(
    ("struct", "expected"),
    [
        ({"statusCode": 200}, ("200", JSON, b"")),
        ({"statusCode": 204}, ("204", [], b"")),
        ({"statusCode": 304, "headers": {"ETag": "1"}}, ("304", [("ETag", "1")], b"")),
        ({"statusCode": 999}, ("999", JSON, b"")),
        ({"statusCode": "404"}, ("404", JSON, b"")),
        ({"statusCode": HTTPStatus.CREATED}, ("201", JSON, b"")),
        ({"statusCode": 200, "headers": None, "body": None}, ("200", JSON, b"")),
        ({"statusCode": 200, "headers": {}, "body": ""}, ("200", JSON, b"")),
        ({"statusCode": 200, "body": "Grüße"}, ("200", JSON, "Grüße".encode())),
        ({"statusCode": 200, "body": "\ud83d\ude00"}, ("200", JSON, "😀".encode())),
        ({"statusCode": 200, "body": Colour.RED}, ("200", JSON, b"red")),
        ({"statusCode": 200, "body": "/w==", "isBase64Encoded": True}, ("200", JSON, b"\xff")),
        ({"statusCode": 200, "body": "/w==", "isBase64Encoded": False}, ("200", JSON, b"/w==")),
        ({"statusCode": 200, "body": "/w==", "isBase64Encoded": None}, ("200", JSON, b"/w==")),
        ({"statusCode": 200, "body": "", "isBase64Encoded": True}, ("200", JSON, b"")),
        ({"statusCode": 200, "isBase64Encoded": True}, ("200", JSON, b"")),
        ({"statusCode": 200, "body": "YQ\r\n==\n", "isBase64Encoded": True}, ("200", JSON, b"a")),
        ({"statusCode": 200, "cookies": ["a=1"], "x": {}}, ("200", JSON, b"")),
        (
            {"statusCode": 200, "headers": {"content-TYPE": "text/html"}},
            ("200", [("content-TYPE", "text/html")], b""),
        ),
        (
            {"statusCode": 200, "headers": {"X-A": "1", "X-B": 2, "X-C": ""}},
            ("200", [("X-A", "1"), ("X-B", "2"), ("X-C", ""), *JSON], b""),
        ),
        (
            {"statusCode": 200, "headers": {"Set-Cookie": ["a=1", "b=2"], "X-A": (), "X-B": [3]}},
            ("200", [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"), ("X-B", "3"), *JSON], b""),
        ),
    ],
)
def test_a_struct(struct, expected):
    assert http_response(struct) == expected
    as_text = json.dumps(struct)
    assert http_response(as_text) == http_response(f"\n {as_text}\n".encode()) == expected


@pytest.mark.parametrize(
    ("struct", "words"),
    [
        *[
            ({"statusCode": wrong}, f"status {wrong} is refused: 1xx is interim")
            for wrong in (100, 101, 199, "103")
        ],
        *[
            ({"statusCode": wrong}, "statusCode is no number from 200 to 999")
            for wrong in (
                None, True, 200.0, "", "OK", "200 OK", " 200", "2e2", "²00", 0, -200, 199.0,
                1000, 10**30, [200], {},
            )
        ],
        *[
            ({"statusCode": 200, "headers": wrong}, "headers is not an object")
            for wrong in ("", "X-A: 1", [["X-A", "1"]], [], 0, False)
        ],
        *[
            ({"statusCode": 200, "headers": {"X-A": wrong}}, "the value of header X-A is not text")
            for wrong in (None, True, 1.5, {}, [[]], [None])
        ],
        ({"statusCode": 200, "headers": {"ä": None}}, "value of header  is not text"),
        ({"statusCode": 200, "headers": {"X-A: secret": None}}, "value of header X-A is not text"),
        ({"statusCode": 200, "headers": {"x" * 101: None}}, "header x{100} is not text"),
        *[
            ({"statusCode": 200, "isBase64Encoded": wrong}, "neither true nor false")
            for wrong in ("true", "", 0, 1, 1.0, [], {})
        ],
        *[
            ({"statusCode": 200, "body": wrong}, "body is not text")
            for wrong in (0, False, 1.5, [], {}, {"a": 1})
        ],
        *[
            ({"statusCode": 200, "isBase64Encoded": True, "body": wrong}, "body is not base64")
            for wrong in ("a", "YQ=", "YQ", "Y Q=", "!!!!", "YQ==YQ==", "ä===", "-_==")
        ],
    ],
)  # fmt: skip
def test_a_struct_of_which_no_answer_can_be_made(struct, words):
    for result in (struct, json.dumps(struct)):
        with pytest.raises(BadResponse, match=words) as caught:
            http_response(result)
        assert caught.value.message.isascii()
        assert len(caught.value.message) < 1000


def test_bytes_in_a_struct_are_what_they_are_on_function_compute():
    with pytest.raises(TypeError, match="bytes is not JSON serializable"):
        http_response({"statusCode": 200, "body": b"bytes"})


@given(st.binary())
def test_every_body_comes_through_as_base64(body):
    text = base64.b64encode(body).decode()
    struct = {"statusCode": 200, "body": text, "isBase64Encoded": True}
    assert http_response(struct).body == http_response(json.dumps(struct)).body == body


@given(st.text())
def test_every_text_comes_through(text):
    struct = {"statusCode": 200, "body": text}
    assert http_response(struct).body == http_response(json.dumps(struct)).body == text.encode()


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["statusCode", "headers", "body", "isBase64Encoded", "a"]), inner
            )
        ),
    )
)
def test_every_result_has_an_outcome(result):
    try:
        status, headers, body = http_response(result)
    except (BadResponse, TypeError, ValueError):
        return
    assert "200" <= status <= "999"
    assert all(isinstance(value, str) for header in headers for value in header)
    assert isinstance(body, bytes)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), [float("-inf")]])
def test_a_struct_with_what_is_no_json(value):
    with pytest.raises(ValueError, match="not JSON compliant"):
        http_response({"statusCode": 200, "body": "b", "more": value})


@pytest.mark.parametrize("text", ['{"statusCode": 201, "a": NaN}', '{"statusCode": -Infinity}'])
def test_text_that_is_no_json_is_no_struct(text):
    """It goes out as it is, as all text does."""
    assert http_response(text) == HttpResponse("200", JSON, text.encode())
