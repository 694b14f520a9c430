"""Rows of overhead, from samples."""

import json

import pytest

from bench import overhead
from bench.handlers import HELLO, hello
from bench.overhead import DIRECT, IN_MEMORY, WHOLE_SERVER, Way, rows
from bench.process import FailedRun


def constant(*values):
    return list(enumerate(values))


def test_overhead_is_the_difference_of_the_medians():
    found = rows(
        {
            Way(DIRECT, "hello"): constant(1.0, 3.0, 2.0),
            Way(IN_MEMORY, "hello"): constant(7.0, 9.0, 20.0),
            Way(WHOLE_SERVER, "hello", "granian"): constant(17.0, 17.0, 17.0),
            Way(DIRECT, "flask"): constant(100.0),
            Way(WHOLE_SERVER, "flask"): constant(130.0),
        }
    )
    assert [
        (row["path"], row["handler"], row["peer"], row["cpu_us"], row["overhead_us"])
        for row in found
    ] == [
        ("direct", "hello", "gateway", 2.0, 0.0),
        ("in memory", "hello", "gateway", 9.0, 7.0),
        ("whole server", "hello", "granian", 17.0, 15.0),
        ("direct", "flask", "gateway", 100.0, 0.0),
        ("whole server", "flask", "gateway", 130.0, 30.0),
    ]


def test_the_interval_holds_the_overhead():
    direct, whole = Way(DIRECT, "hello"), Way(WHOLE_SERVER, "hello")
    row = rows({direct: constant(1, 1, 1, 1), whole: constant(10, 11, 12, 13)})[1]
    assert 9 <= row["low"] < row["overhead_us"] < row["high"] <= 12
    assert row["samples"] == [[0, 10], [1, 11], [2, 12], [3, 13]]


def test_one_round_has_no_spread():
    row = rows({Way(DIRECT, "hello"): [(0, 1.0)], Way(IN_MEMORY, "hello"): [(0, 8.0)]})[1]
    assert row["low"] == row["high"] == row["overhead_us"] == 7.0


def test_rows_are_json():
    found = rows({Way(DIRECT, "hello"): constant(1.0, 2.0)})
    assert json.loads(json.dumps(found)) == found


def test_without_direct_runs_there_is_no_overhead():
    assert rows({Way(WHOLE_SERVER, "hello"): constant(17.0)}) == []


STAGE = {
    "path": "stages",
    "stage": "read to parsed",
    "load": "hello, 1 connection",
    "us": 3.0,
    "mean_us": 3.5,
    "p99_us": 9.0,
    "sampled": 100,
    "price_us": 0.8,
}


@pytest.fixture
def figures(monkeypatch):
    """µs by way, instead of measuring; the others fail."""
    known = {}

    def cpu_us(way, seconds):
        if way not in known:
            raise FailedRun("it ended with status 3")
        return known[way]

    monkeypatch.setattr(overhead, "_cpu_us", cpu_us)
    monkeypatch.setattr(overhead.stages, "measure", lambda seconds: [STAGE])
    return known


def test_a_failed_run_is_told_and_is_no_zero(figures, monkeypatch, capsys):
    lost = Way(WHOLE_SERVER, "hello")
    figures.update({Way(DIRECT, "hello"): 1.0, Way(IN_MEMORY, "hello"): 8.0})
    monkeypatch.setattr(overhead, "_ways", lambda: [*figures, lost])
    assert overhead.main(["--rounds", "2"]) == 1
    printed = capsys.readouterr()
    assert printed.err.count("FAILED whole server hello gateway: it ended with status 3\n") == 2
    assert "in memory" in printed.out
    assert "whole server" not in printed.out


def test_the_table(figures, monkeypatch, capsys):
    figures.update({Way(DIRECT, "hello"): 1.0, Way(IN_MEMORY, "hello"): 8.25})
    monkeypatch.setattr(overhead, "_ways", lambda: list(figures))
    assert overhead.main(["--rounds", "2"]) == 0
    *lines, last = capsys.readouterr().out.splitlines()[1:]
    assert last == "100 requests sampled (hello, 1 connection), at 0.80 µs each"
    assert [line.split() for line in lines] == [
        ["hello", "direct", "gateway", "1.00"],
        ["hello", "in", "memory", "gateway", "8.25", "7.25", "7.25", "to", "7.25"],
        [],
        ["stage", "p50", "µs", "mean", "µs", "p99", "µs"],
        ["read", "to", "parsed", "3.00", "3.50", "9.00"],
    ]


def test_stages_that_cannot_be_measured(figures, monkeypatch, capsys):
    def failing(seconds):
        raise FailedRun("no request was a sample")

    figures.update({Way(DIRECT, "hello"): 1.0})
    monkeypatch.setattr(overhead, "_ways", lambda: list(figures))
    monkeypatch.setattr(overhead.stages, "measure", failing)
    assert overhead.main(["--rounds", "1"]) == 1
    printed = capsys.readouterr()
    assert printed.err == "FAILED stages: no request was a sample\n"
    assert len(printed.out.splitlines()) == 2


def test_stages_are_rows_beside_the_others(figures, monkeypatch):
    figures.update({Way(DIRECT, "hello"): 1.0})
    monkeypatch.setattr(overhead, "_ways", lambda: list(figures))
    assert [row["path"] for row in overhead.measure(1, 0.1)] == ["direct", "stages"]


def test_all_ways_are_measured():
    own = [(way.path, way.handler) for way in overhead._ways() if way.peer == "gateway"]
    assert own == [
        (path, handler)
        for handler in ("hello", "flask")
        for path in ("direct", "in memory", "whole server")
    ]


@pytest.mark.parametrize("arguments", [["--rounds", "0"], ["--seconds", "nan"], ["--rounds", "x"]])
def test_bad_numbers(arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        overhead.main(arguments)
    assert ended.value.code == 2
    assert arguments[0] in capsys.readouterr().err


def test_a_direct_call_runs_the_handler_with_a_fresh_environ():
    seen = []
    closed = []

    class Result(list):
        def close(self):
            closed.append(True)

    def handler(environ, start_response):
        seen.append(environ)
        environ["mine"] = "mine" not in environ
        return Result(hello(environ, start_response))

    call = overhead.direct_call(handler)
    closed.clear()
    seen.clear()
    assert call() == call() == HELLO
    assert len(closed) == 2
    assert all(environ["mine"] and environ["PATH_INFO"] == "/" for environ in seen)


def test_cpu_time_per_call(monkeypatch):
    clock = iter([10.0, 10.4, 10.8, 11.2])
    monkeypatch.setattr(overhead.time, "process_time", lambda: next(clock))
    calls = []
    # Three batches: 1.2 s for 300 calls.
    found = overhead.cpu_us_per_call(lambda: calls.append(1), 1.0)
    assert found == pytest.approx(4000)
    assert len(calls) == 300 + overhead._WARM_UP_CALLS
