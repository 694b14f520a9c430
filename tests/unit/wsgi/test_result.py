"""The status and the header fields that a handler gives."""

from http import HTTPStatus

import pytest

from gateway.wsgi import result
from gateway.wsgi.result import parse_status, response_head


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
        "٢٠٠ OK", "099 x", "000 x", "1 x", "1xx",
        "200 O\r\nK: 1", "200 \n", "200 O\0K", "200 \u20ac", "200\tOK", "200 \x7f",
    ],
)  # fmt: skip
def test_statuses_that_are_none(status):
    with pytest.raises(ValueError, match="status"):
        parse_status(status)


@pytest.mark.parametrize("code", [100, 101, 103, 199])
@pytest.mark.parametrize("phrase", ["", " Continue"])
def test_interim_statuses_are_refused_by_name(code, phrase):
    with pytest.raises(ValueError, match=f"^status {code} is refused: 1xx is interim") as caught:
        parse_status(f"{code}{phrase}")
    assert "from 200 on" in str(caught.value)


@pytest.mark.parametrize(
    "status", [200, None, b"200 OK", HTTPStatus.OK, 200.0, True, ["200 OK"], {}]
)
def test_statuses_of_another_type(status):
    with pytest.raises(TypeError, match="status"):
        parse_status(status)


def test_the_memory_of_statuses_is_bounded(monkeypatch):
    monkeypatch.setattr(result, "_known_statuses", {})
    for number in range(1000):
        parse_status(f"200 {number}")
        assert len(result._known_statuses) <= 512
        assert f"200 {number}" in result._known_statuses


STEADY = [("Content-Type", "text/plain"), ("Vary", "Accept")]


def facts(head):
    return head.status, head.fields, head.content_length, head.dropped, head.size, head.lines


def test_a_head_that_was_given_before_is_not_made_again():
    head = response_head("200 Again", list(STEADY))
    assert response_head("200 Again", list(STEADY)) is head
    assert head.fields == STEADY
    assert head.lines == "200 Again\r\nContent-Type: text/plain\r\nVary: Accept\r\n"


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        ("200 Other", STEADY),
        ("200 Again", STEADY[:1]),
        ("200 Again", STEADY[::-1]),
        ("200 Again", [*STEADY, ("Vary", "Accept")]),
        ("200 Again", [("Content-Type", "text/html"), STEADY[1]]),
    ],
)
def test_another_head_is_made(status, headers):
    first = response_head("200 Again", list(STEADY))
    assert facts(response_head(status, headers)) != facts(first)
    assert response_head("200 Again", list(STEADY)) is first


@pytest.mark.parametrize(
    "headers",
    [
        [("Set-Cookie", "a=b")],
        [("Date", "today")],
        [("Content-Type", "x" * 300)],
        STEADY * 8,
        tuple(STEADY),
    ],
)
def test_what_changes_is_not_remembered(headers):
    first = response_head("200 OK", headers)
    second = response_head("200 OK", headers)
    assert first is not second
    assert facts(first) == facts(second)


@pytest.mark.parametrize("headers", [[["Content-Type", "text/plain"]], [{}], [("A", ["b"])], [1]])
def test_what_is_no_header_is_refused_each_time(headers):
    for _ in range(2):
        with pytest.raises(TypeError, match="header"):
            response_head("200 OK", headers)


def test_headers_from_an_iterator_are_taken_once():
    assert response_head("200 OK", iter(STEADY)).fields == STEADY


def test_the_memory_of_heads_is_bounded(monkeypatch):
    monkeypatch.setattr(result, "_known_heads", {})
    for number in range(1000):
        response_head("200 OK", [("Content-Length", str(number))])
        assert len(result._known_heads) <= 512
    again = response_head("200 OK", [("Content-Length", "999")])
    assert again is response_head("200 OK", [("Content-Length", "999")])
    assert again.content_length == 999


@pytest.mark.parametrize("status", ["200", "999 Last", "999"])
def test_the_first_and_the_last_status(status):
    assert parse_status(status).code == int(status[:3])


@pytest.mark.parametrize("count", [15, 16])
def test_how_many_fields_a_remembered_head_may_have(count):
    """Fifteen of them and the status make sixteen parts."""
    headers = [("Vary", f"x-{number}") for number in range(count)]
    first = response_head("200 Many", list(headers))
    assert (response_head("200 Many", list(headers)) is first) == (count == 15)


class Sly(str):
    """Says that it is equal to another text."""

    __slots__ = ()
    __hash__ = str.__hash__

    def __eq__(self, other):
        return True


@pytest.mark.parametrize("place", ["status", "name", "value"])
def test_a_text_of_the_handler_s_own_is_not_remembered(monkeypatch, place):
    monkeypatch.setattr(result, "_known_heads", {})
    sly = {"status": "200 Sly", "name": "Vary", "value": "a"}
    sly[place] = Sly(sly[place])
    response_head(sly["status"], [(sly["name"], sly["value"]), ("Vary", "b")])
    assert result._known_heads == {}
    response_head("200 Exact", [("Vary", "a"), ("Vary", "b")])
    assert len(result._known_heads) == 1


def test_a_status_is_parsed_once(monkeypatch):
    response_head("200 Once", [])
    monkeypatch.setattr(result, "parse_status", lambda _: pytest.fail("it is known"))
    assert response_head("200 Once", [("X-A", "a")]).status.code == 200


def test_messages_say_what_was_given():
    with pytest.raises(TypeError, match=r"not an object of type int$"):
        response_head(200, [])
    with pytest.raises(ValueError, match=r"^the phrase of the status has a forbidden character$"):
        response_head("200 \n", [])
