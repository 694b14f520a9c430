"""The status that a handler gives."""

from http import HTTPStatus

import pytest

from gateway.wsgi import result
from gateway.wsgi.result import parse_status


@pytest.mark.parametrize(
    ("text", "code", "line"),
    [
        ("200 OK", 200, "200 OK"),
        ("200 Fine", 200, "200 Fine"),
        ("404 Not Found", 404, "404 Not Found"),
        ("200", 200, "200 OK"),
        ("200 ", 200, "200 OK"),
        ("799 Odd", 799, "799 Odd"),
        ("799", 799, "799 "),
        ("200 Sch\xf6n", 200, "200 Sch\xf6n"),
    ],
)
def test_statuses(text, code, line):
    for _ in range(2):
        assert parse_status(text) == (code, line)


@pytest.mark.parametrize(
    "status",
    [
        "", " ", "OK", "20 OK", "2000 OK", "2OO OK", "-20 OK", " 200 OK", "200OK", "+200 OK",
        "٢٠٠ OK", "100 Continue", "101 Switching Protocols", "199 x", "000 x",
        "200 O\r\nK: 1", "200 \n", "200 O\0K", "200 \u20ac", "200\tOK", "200 \x7f",
    ],
)  # fmt: skip
def test_statuses_that_are_none(status):
    with pytest.raises(ValueError, match="status"):
        parse_status(status)


@pytest.mark.parametrize(
    "status", [200, None, b"200 OK", HTTPStatus.OK, 200.0, True, ["200 OK"], {}]
)
def test_statuses_of_another_type(status):
    with pytest.raises(TypeError, match="status"):
        parse_status(status)


def test_the_memory_of_statuses_is_bounded(monkeypatch):
    monkeypatch.setattr(result, "known_statuses", {})
    for number in range(1000):
        parse_status(f"200 {number}")
    assert len(result.known_statuses) == 512
