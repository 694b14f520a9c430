"""Rows of overhead, from samples and from the gateway's report of stages."""

import json

import pytest

from bench import overhead
from bench.handlers import HELLO, hello
from bench.overhead import DIRECT, IN_MEMORY, WHOLE_SERVER, Way, rows, stage_rows
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


@pytest.fixture
def figures(monkeypatch):
    """µs by way, instead of measuring; the others fail."""
    known = {}

    def cpu_us(way, seconds):
        if way not in known:
            raise FailedRun("it ended with status 3")
        return known[way]

    monkeypatch.setattr(overhead, "_cpu_us", cpu_us)
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
    assert [line.split() for line in capsys.readouterr().out.splitlines()[1:]] == [
        ["hello", "direct", "gateway", "1.00"],
        ["hello", "in", "memory", "gateway", "8.25", "7.25", "7.25", "to", "7.25"],
    ]


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


REPORT = {
    "stages": [
        {"name": "read to parsed", "microseconds": {"p50": 3, "mean": 3.5, "p99": 9.0}},
        {"name": "parsed to queued", "microseconds": {"p50": 1.5, "mean": 2.0, "p99": 4.0}},
    ],
    "sampled": 100,
    "price_us": 0.8,
}


def test_stage_rows():
    common = {"path": "stages", "sampled": 100, "price_us": 0.8}
    assert stage_rows(json.dumps(REPORT)) == [
        {**common, "stage": "read to parsed", "us": 3.0, "mean_us": 3.5, "p99_us": 9.0},
        {**common, "stage": "parsed to queued", "us": 1.5, "mean_us": 2.0, "p99_us": 4.0},
    ]


BROKEN = {
    "nothing": "",
    "no JSON": "stage  p50\nread 3",
    "no object": "[]",
    "no stages": '{"sampled": 1, "price_us": 1}',
    "no price": '{"stages": [], "sampled": 1}',
    "stages are no list": json.dumps(REPORT | {"stages": 3}),
    "a stage is no object": json.dumps(REPORT | {"stages": ["read"]}),
    "a stage without times": json.dumps(REPORT | {"stages": [{"name": "read"}]}),
    "a time is no number": json.dumps(
        REPORT | {"stages": [{"name": "read", "microseconds": {"p50": "x", "mean": 1, "p99": 1}}]}
    ),
    "a time is null": json.dumps(
        REPORT | {"stages": [{"name": "read", "microseconds": {"p50": None, "mean": 1, "p99": 1}}]}
    ),
}


@pytest.mark.parametrize("report", BROKEN.values(), ids=BROKEN)
def test_broken_reports(report, tmp_path, capsys):
    with pytest.raises(ValueError, match=r"^no report of stages: .+"):
        stage_rows(report)
    file = tmp_path / "report.json"
    file.write_text(report)
    assert overhead.main(["--stages", str(file)]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("\n") == 1


def test_a_report_is_printed(tmp_path, capsys):
    file = tmp_path / "report.json"
    file.write_text(json.dumps(REPORT))
    assert overhead.main(["--stages", str(file)]) == 0
    assert "read to parsed" in capsys.readouterr().out


def test_a_report_that_is_not_there(tmp_path, capsys):
    assert overhead.main(["--stages", str(tmp_path / "none")]) == 2
    assert capsys.readouterr().err.count("\n") == 1
