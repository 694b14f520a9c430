"""Lines of the function log: what they look like, and that nothing else comes out."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.logs.line_assembly import MAX_LINE_CHARACTERS, Piece
from gateway.logs.line_forms import (
    END,
    START,
    STDERR,
    STDOUT,
    JsonForm,
    Mark,
    Stamps,
    TextForm,
    record_lines,
    shown,
)

AT = 1704365444.1239
STAMP = "2024-01-04T10:50:44.123Z"
BEGIN = f"{STAMP} id-1 "


def test_text():
    form = TextForm()
    assert form.output(AT, "id-1", STDOUT, Piece("hello", False)) == f"{BEGIN}[STDOUT] hello\n"
    assert form.output(AT, "id-1", STDERR, Piece("more", True)) == f"{BEGIN}[STDERR]   | more\n"
    assert form.record(AT, "id-1", "INFO", "message") == f"{BEGIN}[INFO] message\n"
    assert form.record(AT, "id-1", "A\nB", "a\nb") == (f"{BEGIN}[A\\nB] a\n{BEGIN}[A\\nB]   | b\n")
    assert form.mark(AT, "id-1", Mark("Invoke", START)) == "FC Invoke Start RequestId: id-1\n"
    assert form.mark(AT, "id-1", Mark("PreStop", END, "a\nb", 1.0)) == (
        "FC PreStop End RequestId: id-1, Error: a\\nb\n"
    )
    assert form.missing(AT, 7).startswith(f"{STAMP} - [WARNING] 7 lines are missing")


def test_json():
    form = JsonForm("my-function")
    about = {"time": STAMP, "request_id": "id-1", "function": "my-function"}

    def loaded(line):
        assert line.endswith("\n")
        return json.loads(line)

    assert loaded(form.output(AT, "id-1", STDOUT, Piece("hello", False))) == about | {
        "stream": "stdout",
        "message": "hello",
    }
    assert loaded(form.output(AT, "id-1", STDERR, Piece("more", True))) == about | {
        "stream": "stderr",
        "message": "more",
        "is_continued": True,
    }
    assert loaded(form.record(AT, "id-1", "INFO", "a\nb")) == about | {
        "level": "INFO",
        "message": "a\nb",
    }
    assert loaded(form.mark(AT, "id-1", Mark("Invoke", START))) == about | {
        "phase": "Invoke",
        "event": "start",
        "message": "FC Invoke Start RequestId: id-1",
    }
    assert loaded(form.mark(AT, "id-1", Mark("Invoke", END, "no", 1.234))) == about | {
        "phase": "Invoke",
        "event": "end",
        "duration_ms": 1.23,
        "error": "no",
        "message": "FC Invoke End RequestId: id-1, Error: no",
    }
    assert loaded(form.missing(AT, 7)) == {"time": STAMP, "missing_lines": 7}


def test_times():
    stamp = Stamps()
    assert stamp(AT) == STAMP
    assert stamp(AT + 0.5) == "2024-01-04T10:50:44.623Z"
    assert stamp(AT + 1) == "2024-01-04T10:50:45.123Z"
    assert stamp(0) == "1970-01-01T00:00:00.000Z"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("tab\tstays", "tab\tstays"),
        ("你好 😀 ü", "你好 😀 ü"),
        ("\x1b[31mred\r\x7f", "\\x1b[31mred\\r\\x7f"),
        ("\u202eturned\u2028", "\\u202eturned\\u2028"),
        ("\udc80", "\\udc80"),
    ],
)
def test_what_is_shown(text, expected):
    assert shown(text) == expected


@pytest.mark.parametrize(
    "length", [MAX_LINE_CHARACTERS - 1, MAX_LINE_CHARACTERS, MAX_LINE_CHARACTERS + 1]
)
def test_long_records_are_cut(length):
    is_long = length > MAX_LINE_CHARACTERS
    lines = record_lines("x" * length)
    assert [len(line) for line in lines] == ([65_536, 5] if is_long else [length])
    objects = JsonForm("f").record(AT, "id", "INFO", "x" * length).splitlines()
    assert [len(json.loads(line)["message"]) for line in objects] == (
        [65_536, 1] if is_long else [length]
    )
    assert [json.loads(line).get("is_continued", False) for line in objects] == (
        [False, True] if is_long else [False]
    )


ANY = st.text(st.characters(), max_size=50)


@given(ANY, ANY)
def test_each_line_is_one_and_has_its_id(level, text):
    form = TextForm()
    for made in (
        form.record(AT, "id-1", level, text),
        form.output(AT, "id-1", STDOUT, Piece(text, False)),
    ):
        lines = made.encode().decode().split("\n")
        assert lines.pop() == ""
        for line in lines:
            assert line.startswith(BEGIN)
            assert line.replace("\t", " ").isprintable()
    assert form.record(AT, "id-1", "INFO", text).count("\n") == text.count("\n") + 1
    assert form.mark(AT, "id-1", Mark("Invoke", END, text)).count("\n") == 1


@given(ANY, ANY)
def test_json_is_ascii_and_says_the_same(level, text):
    form = JsonForm("f")
    for line in (
        form.record(AT, "id-1", level, text),
        form.output(AT, "id-1", STDOUT, Piece(text, False)),
        form.mark(AT, "id-1", Mark("Invoke", END, text)),
    ):
        assert re.fullmatch(r"[ -~]*\n", line)
        loaded = json.loads(line)
        loaded["message"].encode()  # No lone surrogates.
    said = json.loads(form.record(AT, "id-1", "INFO", text))["message"]
    assert said == text.encode("utf-8", "backslashreplace").decode()
