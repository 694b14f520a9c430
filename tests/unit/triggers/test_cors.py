"""CORS: which answers pages of other origins may read, and who says so."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.triggers.heads import head_of

from gateway.http.message.response import status_of
from gateway.http.message.response_head import ResponseHead
from gateway.triggers.cors import Cors

CORS = Cors()
OK = status_of(200)


def lines(*fields, own=()):
    text = CORS.lines(head_of("/", "GET", list(fields)), ResponseHead(OK, own))
    assert text == "" or text.startswith("\r\n")
    return dict(line.split(": ", 1) for line in text.split("\r\n")[1:])


@pytest.mark.parametrize(
    "origin",
    [
        "https://example.com", "http://localhost:3000", "http://[::1]:80", "null",
        "app+x://id", "https://" + "a" * 500,
    ],
)  # fmt: skip
def test_an_origin_is_told_that_it_may(origin):
    assert lines(("Origin", origin)) == {
        "Vary": "Origin",
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Allow-Credentials": "true",
        "Access-Control-Expose-Headers": "Date,x-fc-request-id,x-fc-error-type,x-fc-code-checksum,"
        "x-fc-instance-id,x-fc-invocation-duration,x-fc-invocation-service-version,"
        "x-fc-log-result,x-fc-max-memory-usage,x-fc-async-task-id,"
        "x-fc-stateful-async-invocation-id",
    }


@pytest.mark.parametrize(
    "origin",
    [
        "", "*", "example.com", "https://", "https://a/", "https://a/b", "https://a b",
        "https://a, https://b", "https://u@a", "https://a:", "https://a:123456", "NULL",
        "https://a\tb", "https://a\xe9", "1http://a", "https://" + "a" * 505,
    ],
)  # fmt: skip
def test_what_is_no_origin_is_not_answered_for(origin):
    assert lines(("Origin", origin)) == {"Vary": "Origin"}


def test_without_an_origin_and_with_two():
    assert lines() == {"Vary": "Origin"}
    assert lines(("Origin", "https://a"), ("Origin", "https://b")) == {"Vary": "Origin"}


def test_the_handler_has_the_word():
    origin = ("Origin", "https://a")
    assert lines(origin, own=[("Access-Control-Allow-Origin", "https://b")]) == {}
    assert lines(origin, own=[("ACCESS-control-allow-ORIGIN", "*")]) == {}
    said = lines(origin, own=[("Access-Control-Expose-Headers", "X-A")])
    assert "Access-Control-Expose-Headers" not in said
    assert said["Access-Control-Allow-Origin"] == "https://a"
    said = lines(origin, own=[("Access-Control-Allow-Credentials", "false")])
    assert "Access-Control-Allow-Credentials" not in said


@given(st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF), max_size=30))
def test_nothing_is_repeated_that_could_end_a_line(text):
    said = lines(("Origin", "https://" + text.replace("\x7f", "")))
    assert said.get("Access-Control-Allow-Origin", "").isprintable()


def preflight(*fields, method="OPTIONS", methods=()):
    answer = CORS.preflight(head_of("/", method, list(fields)), methods)
    if answer is None:
        return None
    head, body = answer
    assert head.status.code == 200
    assert body == b""
    return dict(head.fields)


ASKS = (("Origin", "https://a"), ("Access-Control-Request-Method", "PUT"))


def test_preflights():
    assert preflight(*ASKS) == {
        "Access-Control-Allow-Methods": "PUT",
        "Access-Control-Max-Age": "3600",
    }
    said = preflight(*ASKS, ("Access-Control-Request-Headers", "x-a, X-B"), methods=("GET", "POST"))
    assert said["Access-Control-Allow-Methods"] == "GET,POST"
    assert said["Access-Control-Allow-Headers"] == "x-a, X-B"


@pytest.mark.parametrize(
    "fields",
    [
        (),
        ASKS[:1],
        ASKS[1:],
        (ASKS[0], ("Access-Control-Request-Method", "")),
        (ASKS[0], ("Access-Control-Request-Method", "PUT, GET")),
        (*ASKS, ASKS[1]),
        (("Origin", "*"), ASKS[1]),
    ],
)
def test_what_is_no_preflight(fields):
    assert preflight(*fields) is None


def test_only_options_is_a_preflight():
    assert preflight(*ASKS, method="GET") is None


@pytest.mark.parametrize("names", ["", ",", "x-a,", "x a", "x-a;x", "x:\xe9"])
def test_names_that_are_none_are_not_repeated(names):
    said = preflight(*ASKS, ("Access-Control-Request-Headers", names))
    assert "Access-Control-Allow-Headers" not in said
