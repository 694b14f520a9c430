"""The gateway's own log: no record can be forged."""

import logging
import re
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.error_log.lines import LineFormatter
from gateway.text.printable import printable

pytestmark = pytest.mark.family("secrets")

RECORD = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} ERROR gateway\.test\[\d+\]: .*")

FORGED = "2026-01-01 00:00:00,000 INFO gateway.server: all is well"

STEERING = [
    "\r",
    "\x00",
    "\x07",
    "\x08",
    "\x0b",
    "\x0c",
    "\x1b[2J",
    "\x7f",
    "\x85",
    "\x9b31m",
    "\xad",
    "\u200e",
    "\u200f",
    "\u2028",
    "\u2029",
    "\u202e",
    "\u2066",
    "\ufeff",
    "\ud800",
]


def formatted(message, *arguments, error=None, stack=None):
    exc_info = error and (type(error), error, error.__traceback__)
    record = logging.LogRecord(
        "gateway.test", logging.ERROR, __file__, 1, message, arguments, exc_info, sinfo=stack
    )
    return LineFormatter().format(record)


def raised(error):
    try:
        raise error
    except type(error) as caught:
        return caught


def assert_one_record(text):
    first, *others = text.split("\n")
    assert RECORD.fullmatch(first)
    assert all(line.startswith("  | ") for line in others)
    assert all(line.isprintable() for line in [first, *others])


def test_a_record():
    text = formatted("%s: it is %d", "Größe", 1)
    assert_one_record(text)
    assert text.endswith("]: Größe: it is 1")


@pytest.mark.parametrize("text", STEERING)
def test_what_would_steer_a_terminal(text, tally):
    shown = formatted("a%sb", text)
    assert_one_record(shown)
    assert "\\" in shown
    assert "\n" not in shown
    tally(faults=1)


def test_lines_of_a_message_are_its_own(tally):
    shown = formatted("%s", f"a\r\n{FORGED}\n{FORGED}")
    assert_one_record(shown)
    assert shown.split("\n")[1:] == [f"  | {FORGED}"] * 2
    tally(faults=2)


def test_lines_of_an_exception_are_the_record_s(tally):
    error = raised(ValueError(f"a\n{FORGED}\r{FORGED}\x1b[1A"))
    shown = formatted("it failed", error=error)
    assert_one_record(shown)
    assert "  | Traceback (most recent call last):" in shown
    assert f"\n  | {FORGED}\\r{FORGED}\\x1b[1A" in shown
    tally(faults=2)


def test_a_chain_of_exceptions_and_a_stack(tally):
    error = raised(KeyError(FORGED))
    error.__cause__ = ExceptionGroup(f"a\n{FORGED}", [ValueError(f"b\n{FORGED}")])
    error.add_note(f"c\n{FORGED}")
    shown = formatted("it failed", error=error, stack=f"Stack\n{FORGED}")
    assert_one_record(shown)
    assert shown.endswith(f"  | Stack\n  | {FORGED}")
    tally(faults=4)


def test_what_another_formatter_has_left_is_not_taken():
    record = logging.LogRecord("gateway.test", logging.ERROR, __file__, 1, "x", (), None)
    record.exc_info = sys.exc_info()
    record.exc_text = f"old\n{FORGED}"
    assert_one_record(LineFormatter().format(record))
    assert FORGED not in LineFormatter().format(record)


@given(st.text(), st.text())
def test_whatever_is_said_is_one_record(message, detail):
    assert_one_record(formatted("%s", message, error=raised(ValueError(detail))))


@given(st.text())
def test_printable(text):
    shown = printable(text)
    assert shown.isprintable()
    assert shown == text or not text.isprintable()
