"""What is read from h2load; the texts are its own."""

import pytest

from bench.loads.open_loop import check, lags, read_log
from bench.process import FailedRun

REPORT = """\
Main benchmark duration is over for thread #0. Stopping all clients.
Stopped all clients for thread #0

finished in 2.00s, 19920.00 req/s, 3.23MB/s
requests: 39840 total, 39840 started, 39840 done, 39840 succeeded, 0 failed, 0 errored, 0 timeout
status codes: 39840 2xx, 0 3xx, 0 4xx, 0 5xx
traffic: 6.46MB (6772800) total, 4.64MB (4860480) headers (space savings 0.00%), 505.78KB data
"""
NOTHING = """\
finished in 2.00s, 0.00 req/s, 0B/s
requests: 0 total, 0 started, 0 done, 0 succeeded, 0 failed, 0 errored, 0 timeout
"""


def test_all_answered() -> None:
    check(REPORT)


def test_requests_under_way_at_the_end_are_no_errors() -> None:
    check(REPORT.replace("39840 total, 39840 started", "39840 total, 39871 started"))


@pytest.mark.parametrize(
    "counts",
    [
        "39840 done, 39839 succeeded, 1 failed, 1 errored, 0 timeout",
        "39840 done, 39840 succeeded, 3 failed, 0 errored, 3 timeout",
        "39840 done, 39000 succeeded, 0 failed, 0 errored, 0 timeout",
    ],
)
def test_errors_and_timeouts(counts: str) -> None:
    done = "39840 done, 39840 succeeded, 0 failed, 0 errored, 0 timeout"
    with pytest.raises(FailedRun, match=f"h2load: requests: .*{counts}"):
        check(REPORT.replace(done, counts))


def test_no_answer_at_all() -> None:
    with pytest.raises(FailedRun, match="h2load got no answer"):
        check(NOTHING)


@pytest.mark.parametrize("printed", ["", "starting benchmark...\n", "requests: many\n"])
def test_no_summary(printed: str) -> None:
    with pytest.raises(FailedRun, match="h2load printed no summary"):
        check(printed)


def test_a_log_is_put_in_the_order_of_starts() -> None:
    log = "1795382586936243\t200\t296\n1795382586935243\t204\t1374\n"
    assert read_log(log) == ([1795382586935.243, 1795382586936.243], [1.374, 0.296])


def test_an_empty_log_has_no_requests() -> None:
    assert read_log("") == ([], [])


@pytest.mark.parametrize(
    "line", ["1795382586936243\t200", "1795382586936243 200 296", "\t\t", "x\t200\t1"]
)
def test_a_broken_log(line: str) -> None:
    with pytest.raises(FailedRun, match="h2load logged"):
        read_log(f"1795382586936243\t200\t296\n{line}\n")


@pytest.mark.parametrize("status", ["-1", "0", "404", "503"])
def test_a_logged_error(status: str) -> None:
    with pytest.raises(FailedRun, match=f"h2load logged status {status}"):
        read_log(f"1795382586936243\t{status}\t296\n")


def test_no_request_is_late_by_the_ticks_of_h2load() -> None:
    bursts = [10.0 * (number // 10) + 9 for number in range(100)]
    assert lags([0.0, *bursts], rate=1000) == [0.0] * 101


def test_a_server_that_falls_behind_shows() -> None:
    half_as_fast = [2.0 * number for number in range(100)]
    late = lags(half_as_fast, rate=1000)
    assert late[:10] == [0.0] * 10
    assert late[-1] == 99 - 10


def test_no_requests_have_no_lags() -> None:
    assert lags([], rate=1000) == []
