"""The access log: its two formats, and that nobody can forge a line of it."""

import json
import re
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.http.fields import FieldNames
from gateway.http.head import RequestHead
from gateway.http.parser import HeadParser
from gateway.limits import Limits
from gateway.observe import access_log as module
from gateway.observe.access_log import AccessLog, format_json, format_text, record_of
from gateway.observe.record import ExchangeRecord

AT = 784111777.25

RECORD = ExchangeRecord(
    request_id="1-2-3",
    client="203.0.113.9",
    method="GET",
    target="/a?b=c",
    version="HTTP/1.1",
    status=200,
    bytes_sent=12,
    duration=0.0123,
    user_agent="curl/8",
    referer="http://r/",
)

TEXT_LINE = re.compile(
    r'(?P<client>\S+) - - \[(?P<at>[^]]+)\] "(?P<request>(?:[^"\\]|\\x[0-9a-f]{2})*)" '
    r'(?P<status>[0-9]{3}) (?P<bytes>[0-9]+) "(?P<referer>(?:[^"\\]|\\x[0-9a-f]{2})*)" '
    r'"(?P<agent>(?:[^"\\]|\\x[0-9a-f]{2})*)" (?P<id>\S+) [0-9]+\.[0-9]ms\n'
)


class Output:
    """A stream that counts its calls."""

    def __init__(self):
        self.text = ""
        self.writes = self.flushes = 0

    def write(self, text):
        self.text += text
        self.writes += 1

    def flush(self):
        self.flushes += 1


def ended(data=b"GET /a?b=c HTTP/1.1\r\nHost: h\r\nUser-Agent: curl/8\r\n\r\n", **facts):
    """An exchange that is over, as far as the log looks at it."""
    head = HeadParser(FieldNames(lambda _: False), Limits()).feed(data) if data else None
    values = {
        "request_id": "1-2-3",
        "connection": SimpleNamespace(peer=("203.0.113.9", 50123)),
        "head": head,
        "status": 200,
        "bytes_sent": 12,
        "received_at": 100.0,
        "finished_at": 100.0123,
    }
    return SimpleNamespace(**(values | facts))


# --- formats -----------------------------------------------------------------------------------


def test_text():
    assert format_text(RECORD, AT) == (
        '203.0.113.9 - - [06/Nov/1994:08:49:37 +0000] "GET /a?b=c HTTP/1.1" 200 12 '
        '"http://r/" "curl/8" 1-2-3 12.3ms\n'
    )


def test_text_of_what_was_not_understood():
    record = RECORD._replace(
        client="", method="", target="", version="", status=400, user_agent="", referer=""
    )
    assert format_text(record, AT) == (
        '- - - [06/Nov/1994:08:49:37 +0000] "-" 400 12 "-" "-" 1-2-3 12.3ms\n'
    )


def test_json():
    line = format_json(RECORD, AT)
    assert line.endswith("}\n")
    assert json.loads(line) == {
        "time": "1994-11-06T08:49:37.250+00:00",
        "request_id": "1-2-3",
        "client": "203.0.113.9",
        "method": "GET",
        "target": "/a?b=c",
        "version": "HTTP/1.1",
        "status": 200,
        "bytes_sent": 12,
        "user_agent": "curl/8",
        "referer": "http://r/",
        "duration_ms": 12.3,
    }


# --- what clients send -------------------------------------------------------------------------

HOSTILE = [
    'x" 200 5 "-" "-',
    "x\r\n203.0.113.1 - - [forged]",
    "x\n",
    "x\x00\x1b[2J\x07",
    "x\x7f\x85\x9b31m",
    "back\\slash\\x22",
    "t\tab",
    "\xe4\xff",
    "",
]


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("field", ["target", "user_agent", "referer", "method"])
def test_nobody_forges_a_line(field, text):
    record = RECORD._replace(**{field: text})
    line = format_text(record, AT)
    assert line.count("\n") == 1
    assert line[:-1].isprintable()
    assert TEXT_LINE.fullmatch(line)
    parsed = format_json(record, AT)
    assert parsed.count("\n") == 1
    assert parsed.isascii()
    assert json.loads(parsed)[field] == text


@given(st.text(st.characters(max_codepoint=0xFF)), st.text(st.characters(max_codepoint=0xFF)))
def test_any_text_is_one_field_of_one_line(target, agent):
    record = RECORD._replace(target=target, user_agent=agent)
    match = TEXT_LINE.fullmatch(format_text(record, AT))
    assert match
    assert match["status"] == "200"
    assert match["id"] == "1-2-3"
    fields = json.loads(format_json(record, AT))
    assert (fields["target"], fields["user_agent"]) == (target, agent)


@given(st.text(st.characters(max_codepoint=0xFF)))
def test_what_is_escaped_can_be_told_from_what_was_sent(text):
    escaped = module._escape(text)
    back = re.sub(r"\\x([0-9a-f]{2})", lambda match: chr(int(match[1], 16)), escaped)
    assert back == text


# --- records -----------------------------------------------------------------------------------


def test_the_record_of_an_exchange():
    data = (
        b"POST /x HTTP/1.0\r\nUSER-AGENT: a\xe4\r\nReferer: r\r\nContent-Length: 0\r\n\r\n"
    )  # fmt: skip
    assert record_of(ended(data)) == ExchangeRecord(
        "1-2-3",
        "203.0.113.9",
        "POST",
        "/x",
        "HTTP/1.0",
        200,
        12,
        pytest.approx(0.0123),
        "a\xe4",
        "r",
    )


def test_the_record_of_what_was_not_understood():
    record = record_of(ended(b"", connection=SimpleNamespace(peer=None), status=400))
    assert (record.client, record.method, record.target, record.version) == ("", "", "", "")


def test_a_duration_is_never_negative():
    """The loop's clock is coarser than the threads'."""
    assert record_of(ended(finished_at=99.9)).duration == 0.0


def test_the_whole_target_is_told():
    head = RequestHead("OPTIONS", is_http_1_0=False, keep_alive=True)
    head.set_target(b"*")
    head.fields = []
    assert record_of(ended(head=head)).target == "*"


# --- the log -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("form", "start"), [("text", "203.0.113.9 - -"), ("json", '{"time"')])
def test_lines_are_written_together(form, start):
    output = Output()
    log = AccessLog(form, output)
    for _ in range(3):
        log.add(ended())
    assert output.writes == 0
    log.flush()
    assert (output.writes, output.flushes) == (1, 1)
    assert output.text.count("\n") == 3
    assert all(line.startswith(start) for line in output.text.splitlines())
    log.flush()
    assert output.writes == 1


def test_the_time_is_when_the_answer_ended(monkeypatch):
    output = Output()
    log = AccessLog("json", output)
    log.add(ended(finished_at=50.0, received_at=49.0))
    monkeypatch.setattr(module, "monotonic", lambda: 60.0)
    monkeypatch.setattr(module, "time", lambda: AT + 10)
    log.flush()
    line = json.loads(output.text)
    assert line["time"] == "1994-11-06T08:49:37.250+00:00"
    assert line["duration_ms"] == 1000.0
