"""The loads against real servers, in small: what they find, and that wrong answers fail them."""

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bench.loads.beside import Beside
from bench.loads.closed_loop import ClosedLoop
from bench.loads.cold_start import ColdStart
from bench.loads.crowds import Burning, Crowd, Deaf, Hostile, Trickling
from bench.loads.idle import Idle
from bench.loads.load import Load
from bench.loads.open_loop import OpenLoop
from bench.loads.posts import Posts
from bench.loads.refusals import Refusals
from bench.loads.streams import Streams
from bench.loads.uploads import Uploads
from bench.loads.wrk import Wrk
from bench.peers import PEERS, ROOT
from bench.process import CLIENT_CORE, SERVER_CORE, FailedRun, Server, free_port, serving

HERE = Path(__file__).parent
NOT_KEPT = ("--keep-alive-timeout", "0")
"""Options of a gateway that closes the connection after each answer."""

pytestmark = pytest.mark.skipif(
    not {int(SERVER_CORE), int(CLIENT_CORE)} <= os.sched_getaffinity(0),
    reason="server and client need a core each",
)
needs_wrk = pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk is not installed")
needs_h2load = pytest.mark.skipif(shutil.which("h2load") is None, reason="h2load is not installed")


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """What steadies figures is not needed to see what they are of."""
    for name in ("beside", "closed_loop", "open_loop"):
        monkeypatch.setattr(f"bench.loads.{name}._WARM_UP_SECONDS", 0.1)
    monkeypatch.setattr("bench.loads.crowds._SETTLE_SECONDS", 0.2)
    monkeypatch.setattr("bench.loads.quick._LAST_ANSWERS_SECONDS", 0.5)


@contextmanager
def gateway(handler: str, *more: str) -> Iterator[Server]:
    """A gateway with a handler of the benchmarks, or of `faulty.py`."""
    port = free_port()
    argv = PEERS["gateway"].argv(port, handler, more)
    path = os.pathsep.join((str(ROOT), str(HERE)))
    with serving(argv, port, cwd=ROOT, environ={"PYTHONPATH": path}) as server:
        yield server


def figures(load: Load, handler: str, *more: str, seconds: float = 0.2) -> dict[str, float]:
    """Of the load, with a small gateway."""
    affinity = os.sched_getaffinity(0)
    with gateway(handler, *more) as server:
        measured = load.measure(server, seconds)
    assert os.sched_getaffinity(0) == affinity
    for points in measured.series.values():
        assert points
        assert [x for x, _ in points] == sorted(x for x, _ in points)
    return measured.figures


@needs_wrk
def test_heads_that_never_repeat() -> None:
    assert figures(Wrk(2, script="varied.lua"), "bench.handlers:hello")["error_share"] == 0


@needs_wrk
def test_posts() -> None:
    found = figures(Posts(1000, 2), "bench.handlers:length")
    assert found["megabytes_per_second"] == pytest.approx(found["requests_per_second"] / 1000)
    with pytest.raises(FailedRun, match="a POST of 1000 bytes: 200 1001"):
        figures(Posts(1000, 2), "faulty:longer")


@needs_wrk
def test_refusals() -> None:
    found = figures(Refusals(2), "bench.handlers:hello")
    assert (found["requests_per_second"] > 0, found["error_share"]) == (True, 0)
    limits = ("--max-path-bytes", "6KB")
    with pytest.raises(FailedRun, match="a path of 5 KB was answered 200"):
        figures(Refusals(2), "bench.handlers:hello", *limits)


@needs_h2load
def test_a_fixed_rate() -> None:
    found = figures(OpenLoop(200, clients=4), "bench.handlers:hello", seconds=1)
    assert 100 <= found["requests_per_second"] <= 210
    with pytest.raises(FailedRun, match=r"h2load: requests: .* 0 succeeded"):
        figures(OpenLoop(200, clients=4), "faulty:failing")


def test_h2load_without_a_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = tmp_path / "h2load"
    fake.write_text("#!/bin/sh\necho 'requests: 9 total, 9 done, 9 succeeded, 0 failed'\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    with pytest.raises(FailedRun, match=r"0 answers in 1 s at 200 requests/s"):
        figures(OpenLoop(200), "bench.handlers:hello", seconds=1)


@pytest.mark.parametrize("size", [1_000_000, 10])
def test_streams(size: int) -> None:
    found = figures(Streams(size, 2), "bench.handlers:blocks")
    assert found["megabytes_per_second"] > 0
    assert found["peak_rss_mb"] > found["rss_growth_mb"] >= 0


def test_streams_that_are_wrong() -> None:
    with pytest.raises(FailedRun, match="status 200, 1048577 bytes of 1048576"):
        figures(Streams(1000, 1), "faulty:longer")
    with pytest.raises(FailedRun, match=r"status 200, 1000 bytes of 1048576|after 1000 bytes"):
        figures(Streams(1000, 1), "faulty:stopping")


def test_uploads() -> None:
    found = figures(Uploads(5, 300_000), "bench.handlers:length")
    assert found["error_share"] == 0
    with pytest.raises(FailedRun, match="an upload was answered 200 b'65537'"):
        figures(Uploads(5, 300_000), "faulty:longer")


def test_uploads_that_are_refused() -> None:
    with pytest.raises(FailedRun, match="every upload was refused"):
        figures(Uploads(5, 300_000), "bench.handlers:length", "--max-body", "200000")


def test_a_closed_loop_of_8_threads_that_sleep() -> None:
    found = figures(ClosedLoop(16), "bench.handlers:sleep", seconds=1)
    # 16 connections share 8 threads, so that each waits for two sleeps; less is impossible.
    assert found["p50_ms"] >= 95
    assert found["requests_per_second"] <= 176
    with pytest.raises(FailedRun, match="a request was answered 500"):
        figures(ClosedLoop(2), "faulty:failing")


def test_a_closed_loop_opens_connections_anew() -> None:
    found = figures(ClosedLoop(2), "bench.handlers:hello", *NOT_KEPT)
    assert found["requests_per_second"] > 0


def test_idle_connections() -> None:
    found = figures(Idle(300), "bench.handlers:hello")
    assert found["connections"] == 300
    assert found["rss_growth_mb"] == pytest.approx(found["kb_per_connection"] * 0.3)


def test_idle_connections_that_are_not_kept() -> None:
    with pytest.raises(FailedRun, match="connection 1: status 200, not kept"):
        figures(Idle(300), "bench.handlers:hello", *NOT_KEPT)
    with pytest.raises(FailedRun, match="idle connections were closed"):
        figures(Idle(30), "bench.handlers:hello", "--keep-alive-timeout", "500ms", seconds=1)


@pytest.mark.parametrize("crowd", [Trickling(20), Hostile(21)], ids=["trickling", "hostile"])
def test_quick_requests_beside_slow_clients(crowd: Crowd) -> None:
    found = figures(Beside(crowd, rate=100), "bench.handlers:beside", seconds=0.5)
    assert found["error_share"] == 0
    assert found["quick_requests_per_second"] == 100


def test_quick_requests_beside_handlers_that_burn() -> None:
    found = figures(Beside(Burning(1), rate=20), "bench.handlers:beside", seconds=0.5)
    assert found["error_share"] == 0
    assert found["refusal_p99_ms"] > 0


def test_quick_requests_that_are_never_answered_count_as_errors_with_their_wait() -> None:
    found = figures(Beside(Deaf(20), rate=50), "faulty:stuck", "--threads", "2", seconds=0.5)
    assert found["error_share"] == 1
    assert found["quick_requests_per_second"] == 0
    assert found["quick_p99_ms"] >= 500 > found["quick_unloaded_p99_ms"]


def test_quick_requests_that_fail_without_slow_clients() -> None:
    with pytest.raises(FailedRun, match=r"100\.0% errors even without slow clients"):
        figures(Beside(Deaf(2), rate=50), "faulty:failing", seconds=0.5)


def test_slow_clients_that_are_turned_away() -> None:
    with pytest.raises(FailedRun, match="of the 20 slow clients were connected"):
        figures(Beside(Trickling(20), rate=50), "bench.handlers:beside", "--head-timeout", "10ms")


def test_a_cold_start() -> None:
    load = ColdStart()
    port = free_port()
    argv = PEERS["gateway"].argv(port, "bench.handlers:hello")
    found = load.measure_cold(
        lambda: serving(argv, port, cwd=ROOT), "bench.handlers", help_command=(sys.executable, "-h")
    ).figures
    assert found.keys() == {"import_ms", "help_ms", "start_ms", "peak_rss_mb"}
    assert all(value > 0 for value in found.values())
    with pytest.raises(FailedRun, match=r"No module named 'bench\.nothing'"):
        load.measure_cold(lambda: serving(argv, port, cwd=ROOT), "bench.nothing")
