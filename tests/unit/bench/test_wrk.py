"""What is read from wrk; the texts are its own, with `lua/figures.lua`."""

import pytest

from bench.loads.wrk import parse
from bench.process import FailedRun

REPORT = """\
Running 1s test @ http://127.0.0.1:18099/
  1 threads and 2 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency   129.82us   64.46us   1.81ms   92.09%
    Req/Sec    14.80k     1.55k   17.23k    50.00%
  14711 requests in 1.00s, 2.39MB read
Requests/sec:  14707.57
Transfer/sec:      2.38MB
"""
LATENCIES = (
    "[[0.0100, 0.068], [0.5000, 0.118], [0.9000, 0.183], [0.9900, 1290.5], [0.9990, 2998.25],"
    " [1.0000, 3008.000]]"
)
NO_ERRORS = '"connect": 0, "read": 0, "write": 0, "status": 0, "timeout": 0'


def output(requests: int = 14711, errors: str = NO_ERRORS, seconds: str = "1.000233") -> str:
    return REPORT + (
        f'{{"requests": {requests}, "seconds": {seconds}, "bytes": 2500870, "mean_ms": 0.1298, '
        f'"latency_ms": {LATENCIES}, "errors": {{{errors}}}}}\n'
    )


def test_figures() -> None:
    figures = parse(output()).figures
    assert figures["requests"] == 14711
    assert figures["requests_per_second"] == pytest.approx(14707.57, abs=0.01)
    assert figures["megabytes_per_second"] == pytest.approx(2.5003, abs=0.0001)
    assert (figures["mean_ms"], figures["p50_ms"], figures["p90_ms"]) == (0.1298, 0.118, 0.183)
    assert figures["error_share"] == 0


def test_latencies_of_seconds_are_in_milliseconds_as_well() -> None:
    figures = parse(output()).figures
    assert (figures["p99_ms"], figures["p999_ms"]) == (1290.5, 2998.25)


def test_the_curve_ends_with_the_slowest_answer() -> None:
    curve = parse(output()).series["latency_ms"]
    assert curve[0] == [0.01, 0.068]
    assert curve[-1] == [1.0, 3008.0]


@pytest.mark.parametrize("kind", ["connect", "read", "write", "status", "timeout"])
def test_one_error_fails_the_run(kind: str) -> None:
    with pytest.raises(FailedRun, match=f"errors: 1 {kind} in 14711 answers"):
        parse(output(errors=NO_ERRORS.replace(f'"{kind}": 0', f'"{kind}": 1')))


def test_a_share_of_errors_can_be_allowed_and_no_more() -> None:
    errors = NO_ERRORS.replace('"status": 0', '"status": 10')
    assert parse(output(100, errors), 0.1).figures["error_share"] == 0.1
    with pytest.raises(FailedRun, match="10 status in 100 answers"):
        parse(output(100, errors), 0.099)


def test_errors_without_an_answer_count_as_requests() -> None:
    errors = NO_ERRORS.replace('"timeout": 0', '"timeout": 25').replace('"read": 0', '"read": 75')
    assert parse(output(100, errors), 1.0).figures["error_share"] == 0.5


def test_nothing_answered_is_a_failure_even_if_errors_are_allowed() -> None:
    with pytest.raises(FailedRun, match="no request was answered; errors: 2 connect"):
        parse(output(0, NO_ERRORS.replace('"connect": 0', '"connect": 2')), 1.0)


@pytest.mark.parametrize(
    "printed",
    [
        "",
        REPORT,
        "\n{}",
        output()[:-20],
        output(seconds="-nan"),
        output(seconds="0.0"),
        output().replace('"requests"', '"answers"'),
        output().replace("[0.5000, 0.118], ", ""),
        output().replace(LATENCIES, "[1]"),
    ],
)
def test_anything_else_is_a_failure(printed: str) -> None:
    with pytest.raises(FailedRun, match="wrk printed no figures"):
        parse(printed)
