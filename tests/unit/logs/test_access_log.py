"""The access log: its two formats, and that nobody can forge a line of it."""

import json
import os
import re
import time
import weakref
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.http.message.fields import FieldNames
from gateway.http.message.head import RequestHead
from gateway.http.message.parser import HeadParser
from gateway.limits import Limits
from gateway.logs import access_log as module
from gateway.logs.access_log import AccessLog
from gateway.logs.line_buffer import LineBuffer

AT = 784111777.25

TEXT_LINE = re.compile(
    r'(?P<client>\S+) - - \[(?P<at>[^]]+)\] "(?P<request>(?:[^"\\]|\\x[0-9a-f]{2})*)" '
    r'(?P<status>[0-9]{3}) (?P<bytes>[0-9]+) "(?P<referer>(?:[^"\\]|\\x[0-9a-f]{2})*)" '
    r'"(?P<agent>(?:[^"\\]|\\x[0-9a-f]{2})*)" (?P<id>\S+) [0-9]+\.[0-9]ms\n'
)


SHORT_LINE = re.compile(
    r"(?P<at>[0-9:]{8}) (?:(?P<method>[!-~]*) (?P<target>[!-~]*)|-) (?P<status>[0-9]{3}) "
    r"(?P<size>[0-9.]+ [KM]?B) (?P<took>[0-9.]+ m?s(?: \(slow\))?)\n"
)

FORMS = pytest.mark.parametrize("form", ["text", "json"])

REQUEST = b"GET /a?b=c HTTP/1.1\r\nHost: h\r\nUser-Agent: curl/8\r\nReferer: http://r/\r\n\r\n"


def parsed(data=REQUEST):
    return HeadParser(FieldNames(lambda _: False), Limits()).feed(data)


def saying(**said):
    """A head with these words, whether or not a parser would let them pass."""
    agent, referer = said.pop("user_agent", ""), said.pop("referer", "")
    names = FieldNames(lambda _: False)
    fields = [
        (names[b"User-Agent"], agent.encode("latin-1")),
        (names[b"Referer"], referer.encode("latin-1")),
    ]
    values = {"method": "GET", "target": "/", "is_http_1_0": False, "log_parts": None}
    return SimpleNamespace(**(values | {"fields": fields} | said))


def connection(peer):
    """One that believes no proxy."""
    return SimpleNamespace(peer=peer, site=SimpleNamespace(proxies=None))


def ended(head, **facts):
    """An exchange that is over, as far as the log looks at it."""
    values = {
        "request_id": "1-2-3",
        "connection": connection(("203.0.113.9", 50123)),
        "head": head,
        "status": 200,
        "bytes_sent": 12,
        "error": "",
        "received_at": 100.0,
        "finished_at": 100.0123,
    }
    return SimpleNamespace(**(values | facts))


def logged(form, *exchanges, **options):
    """What the log writes of `exchanges`, of which a pipe has to hold the lines."""
    reader, descriptor = os.pipe()
    log = AccessLog(form, descriptor, **options)
    for exchange in exchanges:
        log.add(exchange)
    log.close()
    with open(reader, "rb") as pipe:
        return pipe.read().decode("ascii")


@pytest.fixture
def clock(monkeypatch):
    """The exchanges of `ended` end at `AT`."""
    monkeypatch.setattr(module, "monotonic", lambda: 100.0123 + 10)
    monkeypatch.setattr(module, "time", lambda: AT + 10)


@pytest.fixture
def utc(monkeypatch):
    """The clock on the wall is that of Greenwich."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "UTC")
        time.tzset()
        yield patch
    time.tzset()


# --- formats -----------------------------------------------------------------------------------


@pytest.mark.usefixtures("clock")
def test_text():
    assert logged("text", ended(parsed())) == (
        '203.0.113.9 - - [06/Nov/1994:08:49:37 +0000] "GET /a?b=c HTTP/1.1" 200 12 '
        '"http://r/" "curl/8" 1-2-3 12.3ms\n'
    )


@pytest.mark.usefixtures("clock")
def test_text_of_what_was_not_understood():
    exchange = ended(None, connection=connection(None), status=400)
    assert logged("text", exchange) == (
        '- - - [06/Nov/1994:08:49:37 +0000] "-" 400 12 "-" "-" 1-2-3 12.3ms\n'
    )


@pytest.mark.usefixtures("clock")
def test_json():
    line = logged("json", ended(parsed()))
    assert line.endswith("}\n")
    fields = json.loads(line)
    # The offset of two clocks is known no better than a float of that size is.
    assert fields.pop("time") in ("1994-11-06T08:49:37.250+00:00", "1994-11-06T08:49:37.249+00:00")
    assert fields == {
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


def test_json_of_what_was_not_understood():
    exchange = ended(None, connection=connection(None), status=400)
    fields = json.loads(logged("json", exchange))
    said = ("client", "method", "target", "version", "user_agent", "referer")
    assert [fields[name] for name in said] == [""] * 6


def test_short():
    line = logged("short", ended(parsed()))
    assert re.fullmatch(r"[0-9:]{8} GET /a\?b=c 200 12 B 12\.3 ms\n", line)


@pytest.mark.usefixtures("clock")
def test_short_tells_the_time_of_the_place(utc):
    utc.setenv("TZ", "XYZ-3")
    time.tzset()
    assert logged("short", ended(parsed())).startswith("11:49:37 GET ")


def test_short_of_what_was_not_understood():
    exchange = ended(None, connection=connection(None), status=400)
    assert re.fullmatch(r"[0-9:]{8} - 400 12 B 12\.3 ms\n", logged("short", exchange))


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (9_999, "9999 B"),
        (10_000, "9.8 KB"),
        (10_240_000 - 1, "10000.0 KB"),
        (10_240_000, "9.8 MB"),
    ],
)
def test_sizes_in_short(count, text):
    assert f" 200 {text} " in logged("short", ended(parsed(), bytes_sent=count))


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0.0 ms"),
        (0.9999, "999.9 ms"),
        (1.0, "1.00 s (slow)"),
        (61.257, "61.26 s (slow)"),
    ],
)
def test_durations_in_short(seconds, text):
    exchange = ended(parsed(), received_at=0.0, finished_at=seconds)
    assert logged("short", exchange).endswith(f" B {text}\n")
    slow = f"\x1b[33m{text}\x1b[0m" if "slow" in text else text
    assert logged("short", exchange, in_colour=True).endswith(f" B {slow}\n")


@pytest.mark.parametrize(("status", "colour"), [(204, 32), (304, 36), (404, 33), (502, 31)])
def test_short_in_colour(status, colour):
    line = logged("short", ended(parsed(), status=status), in_colour=True)
    assert re.fullmatch(
        r"\x1b\[2m[0-9:]{8}\x1b\[0m GET /a\?b=c "
        rf"\x1b\[{colour}m{status}\x1b\[0m 12 B 12\.3 ms\n",
        line,
    )
    assert re.sub(r"\x1b\[\d*m", "", line) == logged("short", ended(parsed(), status=status))


@FORMS
def test_other_forms_have_no_colour(form):
    assert "\x1b" not in logged(form, ended(parsed()), in_colour=True)


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
    "\xe2\x80\xa8",
    "%s%n{0}{time}",
    "",
]


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("field", ["target", "user_agent", "referer", "method"])
def test_nobody_forges_a_line(field, text):
    head = saying(**{field: text})
    line = logged("text", ended(head))
    assert line.count("\n") == 1
    assert line.isascii()
    assert line[:-1].isprintable()
    assert TEXT_LINE.fullmatch(line)
    head.log_parts = None  # One process has one log.
    line = logged("json", ended(head))
    assert line.count("\n") == 1
    assert line.isascii()
    assert line[:-1].isprintable()
    assert json.loads(line)[field] == text
    for in_colour in (False, True):
        head.log_parts = None
        line = logged("short", ended(head), in_colour=in_colour)
        line = re.sub(r"\x1b\[(?:2|0|32)m", "", line)
        assert line.count("\n") == 1
        assert line[:-1].isascii()
        assert line[:-1].isprintable()
        if field != "method":
            assert SHORT_LINE.fullmatch(line)["status"] == "200"


@given(st.text(st.characters(max_codepoint=0xFF)), st.text(st.characters(max_codepoint=0xFF)))
def test_any_text_is_one_field_of_one_line(target, agent):
    match = TEXT_LINE.fullmatch(logged("text", ended(saying(target=target, user_agent=agent))))
    assert match
    assert match["status"] == "200"
    assert match["id"] == "1-2-3"
    fields = json.loads(logged("json", ended(saying(target=target, user_agent=agent))))
    assert (fields["target"], fields["user_agent"]) == (target, agent)
    match = SHORT_LINE.fullmatch(logged("short", ended(saying(target=target))))
    back = re.sub(r"\\x([0-9a-f]{2})", lambda match: chr(int(match[1], 16)), match["target"])
    assert back == target


@given(st.text(st.characters(max_codepoint=0xFF), min_size=1))
def test_what_is_escaped_can_be_told_from_what_was_sent(text):
    match = TEXT_LINE.fullmatch(logged("text", ended(saying(user_agent=text))))
    back = re.sub(r"\\x([0-9a-f]{2})", lambda match: chr(int(match[1], 16)), match["agent"])
    assert back == text


# --- what is told ------------------------------------------------------------------------------


def test_names_of_fields_are_not_spelled_in_one_way():
    data = (
        b"POST /x HTTP/1.0\r\nUSER-AGENT: a\xe4\r\nreferer: r\r\nContent-Length: 0\r\n\r\n"
    )  # fmt: skip
    fields = json.loads(logged("json", ended(parsed(data))))
    assert (fields["method"], fields["version"]) == ("POST", "HTTP/1.0")
    assert (fields["user_agent"], fields["referer"]) == ("a\xe4", "r")


@FORMS
def test_a_duration_is_never_negative(form):
    """The loop's clock is coarser than the threads'."""
    line = logged(form, ended(parsed(), finished_at=99.9))
    assert line.endswith({"text": " 0.0ms\n", "json": ' "duration_ms": 0.000}\n'}[form])


def test_the_whole_target_is_told():
    head = RequestHead("OPTIONS", is_http_1_0=False, keep_alive=True)
    head.set_target(b"*")
    head.fields = []
    assert json.loads(logged("json", ended(head)))["target"] == "*"


@pytest.mark.usefixtures("clock")
def test_the_time_is_when_the_answer_ended():
    def times(form):
        exchanges = [ended(parsed(), finished_at=100.0123 + later) for later in (0.1, 0.1, 1.6)]
        return re.findall(r"08:49:[0-9.]+", logged(form, *exchanges))

    assert times("text") == ["08:49:37", "08:49:37", "08:49:38"]
    assert times("json") == ["08:49:37.350", "08:49:37.350", "08:49:38.850"]


# --- what is remembered ------------------------------------------------------------------------


@FORMS
@pytest.mark.usefixtures("clock")
def test_equal_requests_have_lines_of_their_own(form):
    facts = [{"request_id": str(n), "status": 200 + n, "bytes_sent": n * 1000} for n in range(3)]
    head = parsed()
    together = logged(form, *[ended(head, **each) for each in facts])
    assert together == "".join([logged(form, ended(parsed(), **each)) for each in facts])


@FORMS
def test_a_client_is_not_taken_for_another(form):
    """Though heads are not shared between connections today."""
    head = parsed()
    exchanges = [
        ended(head, connection=connection(peer))
        for peer in [("203.0.113.9", 1), ("203.0.113.10", 2), None]
    ]
    lines = logged(form, *exchanges).splitlines()
    assert ["203.0.113.9 " in line or '"203.0.113.9"' in line for line in lines] == [
        True,
        False,
        False,
    ]
    assert ["203.0.113.10" in line for line in lines] == [False, True, False]


def test_what_was_refused_is_told_apart_by_its_code():
    def line(form, error):
        return logged(form, ended(parsed(), status=403, error=error))

    assert json.loads(line("json", "SignatureNotMatch"))["error"] == "SignatureNotMatch"
    assert "error" not in json.loads(line("json", ""))
    assert line("short", "SignatureNotMatch").endswith(" 12.3 ms SignatureNotMatch\n")
    assert line("text", "SignatureNotMatch").endswith(" 12.3ms SignatureNotMatch\n")
    assert line("text", "").endswith(" 12.3ms\n")


def test_an_exchange_is_not_kept():
    class Ended(SimpleNamespace):
        pass

    reader, descriptor = os.pipe()
    log = AccessLog("json", descriptor)
    exchange = Ended(**vars(ended(parsed())))
    gone = weakref.ref(exchange)
    log.add(exchange)
    del exchange
    assert gone() is None
    log.close()
    os.close(reader)


# --- the log -----------------------------------------------------------------------------------


@FORMS
def test_lines_are_written_together_when_the_sweep_comes(form):
    reader, descriptor = os.pipe()
    # Another process would write what this one leaves behind, so nothing is urgent.
    log = AccessLog(form, descriptor, buffer=LineBuffer())
    os.set_blocking(reader, False)
    for _ in range(3):
        log.add(ended(parsed()))
    with pytest.raises(BlockingIOError):
        os.read(reader, 1)
    os.set_blocking(reader, True)
    log.flush()
    assert os.read(reader, 65536).count(b"\n") == 3
    log.flush()
    log.close()
    assert os.read(reader, 65536) == b""
    os.close(reader)


def test_a_short_line_is_written_at_once():
    reader, descriptor = os.pipe()
    log = AccessLog("short", descriptor)
    log.add(ended(parsed()))
    assert os.read(reader, 65536).endswith(b"ms\n")
    log.close()
    os.close(reader)


@FORMS
def test_the_clock_may_be_set(form, monkeypatch):
    reader, descriptor = os.pipe()
    monkeypatch.setattr(module, "monotonic", lambda: 100.0123)
    monkeypatch.setattr(module, "time", lambda: AT)
    log = AccessLog(form, descriptor)
    log.add(ended(parsed()))
    monkeypatch.setattr(module, "time", lambda: AT + 3600)
    log.flush()
    log.add(ended(parsed()))
    log.close()
    with open(reader, "rb") as pipe:
        first, second = pipe.read().decode().splitlines()
    assert "08:49:37" in first
    assert "09:49:37" in second


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize(
    ("form", "line"),
    [
        (
            "text",
            "[06/Nov/1994:08:49:47 +0000] 7 lines are missing: "
            "the log was not read as fast as it came\n",
        ),
        ("json", '{"time": "1994-11-06T08:49:47.250+00:00", "missing_lines": 7}\n'),
        ("short", "08:49:47 7 lines are missing: the log was not read as fast as it came\n"),
    ],
)
def test_how_missing_lines_are_told(form, line, utc):
    reader, descriptor = os.pipe()
    log = AccessLog(form, descriptor)
    assert log._tell_dropped(7) == line
    log.close()
    os.close(reader)
