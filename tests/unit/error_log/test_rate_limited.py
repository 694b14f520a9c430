"""Rate-limited warnings: one line at once, few afterwards, a last one, and nothing is lost."""

import logging

import pytest

from gateway.error_log.rate_limited import RateLimitedWarning

WHY = "requests were refused"


@pytest.fixture
def trouble(caplog):
    caplog.set_level(logging.INFO)
    return RateLimitedWarning(logging.getLogger("gateway.test"), WHY, "they are many", "have fewer")


def lines(caplog):
    found = [(record.levelname, record.getMessage()) for record in caplog.records]
    caplog.clear()
    return found


def test_nothing_has_happened(trouble, caplog):
    for now in (0.0, 100.0):
        trouble.check(now)
    trouble.close(200.0)
    assert lines(caplog) == []


def test_the_first_line_comes_at_once(trouble, caplog):
    trouble.note()
    trouble.check(0.0)
    assert lines(caplog) == [("WARNING", "1 requests were refused: they are many; have fewer")]


@pytest.mark.parametrize(("later", "is_told"), [(9.9, False), (10.0, True), (10.1, True)])
def test_further_lines_come_at_intervals_with_counts(trouble, caplog, later, is_told):
    trouble.note()
    trouble.check(100.0)
    lines(caplog)
    trouble.note(1234)
    trouble.check(100.0 + later)
    told = ("WARNING", "1,234 requests were refused in the last 10 s: they are many; have fewer")
    assert lines(caplog) == ([told] if is_told else [])


def test_the_end_is_told(trouble, caplog):
    for second in range(25):
        trouble.note(10)
        trouble.check(float(second))
    for second in range(25, 60):
        trouble.check(float(second))
    levels, texts = zip(*lines(caplog), strict=True)
    assert levels == ("WARNING", "WARNING", "WARNING", "WARNING", "INFO"), "and nothing behind it"
    assert [int(text.split()[0]) for text in texts[:-1]] == [10, 100, 100, 40]
    assert texts[-1] == ("it is over: 250 requests were refused within 30 s, and none for 10 s")
    trouble.note()
    trouble.check(61.0)
    assert lines(caplog)[0][1].startswith("1 requests were refused: "), "it begins anew"


def test_what_is_not_told_yet_is_at_the_end(trouble, caplog):
    trouble.note(3)
    trouble.check(0.0)
    trouble.note(4)
    trouble.close(1.0)
    assert [text.partition(":")[0] for _, text in lines(caplog)] == [
        "3 requests were refused",
        "4 requests were refused since the last line",
    ]
    trouble.close(2.0)
    assert lines(caplog) == []


def test_the_present_is_told(trouble, caplog):
    trouble.state = lambda: "17 wait"
    trouble.note()
    trouble.check(0.0)
    assert "they are many (17 wait); have fewer" in lines(caplog)[0][1]


def test_the_last_one_is_quoted_in_the_next_line_only(trouble, caplog):
    trouble.note(last="a")
    trouble.note(last="b")
    trouble.check(0.0)
    assert lines(caplog)[0][1].endswith(
        "2 requests were refused: they are many (the last: b); have fewer"
    )
    trouble.note()
    trouble.check(10.0)
    assert lines(caplog)[0][1].endswith("in the last 10 s: they are many; have fewer")


def test_a_broken_log_breaks_nothing(trouble, monkeypatch):
    def fail(*arguments):
        raise ValueError("the log is broken")

    monkeypatch.setattr(trouble._log, "warning", fail)
    monkeypatch.setattr(trouble._log, "info", fail)
    for now in (0.0, 20.0, 40.0):
        trouble.note()
        trouble.check(now)
    trouble.check(80.0)
    trouble.note()
    trouble.check(81.0)


def test_repr(trouble):
    trouble.note(2)
    assert repr(trouble) == "<RateLimitedWarning 0+2 requests were refused>"
