"""The command `python -m bench` with real servers."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryFile

import pytest
from functional.serving import ROOT, clean_environ, wait_until

from bench import stages
from bench.compare import gateway_of
from bench.loads.load import Measured
from bench.loads.wrk import Wrk
from bench.peers import Peer
from bench.process import CLIENT_CORE, SERVER_CORE, FailedRun, Server, free_port, serving
from bench.results import Results
from bench.scenarios import Scenario
from bench.series import Turn, measure
from gateway.logs.invocation_profile import STAGES

COMMAND = Path(__file__).with_name("command.py")
SERVER = Path(__file__).with_name("server.py")

needs_wrk = pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk is not installed")
needs_git = pytest.mark.skipif(not (ROOT / ".git").exists(), reason="this is no git repository")
pytestmark = pytest.mark.skipif(
    not {int(SERVER_CORE), int(CLIENT_CORE)} <= os.sched_getaffinity(0),
    reason="server and client need a core each",
)


@contextmanager
def started(folder: Path, *arguments: str, **environ: str) -> Iterator[subprocess.Popen[bytes]]:
    with (folder / "stderr.txt").open("wb") as stderr, (folder / "stdout.txt").open("wb") as stdout:
        process = subprocess.Popen(
            [sys.executable, str(COMMAND), *arguments],
            cwd=folder,
            stdout=stdout,
            stderr=stderr,
            env=clean_environ(**environ),
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def run(folder: Path, *arguments: str) -> tuple[int, str]:
    """Exit status and standard error."""
    with started(folder, *arguments) as process:
        status = process.wait(50)
    return status, (folder / "stderr.txt").read_text()


def test_results_and_progress(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    arguments = ("--scenarios", "counting", "--rounds", "2", "--seed", "5")
    status, said = run(tmp_path, "run", *arguments, "--output", str(path))
    assert status == 0, said
    results = Results.load(path)
    assert results.is_complete
    assert results.settings == {"seed": 5.0, "rounds": 2.0}
    found = [(one.peer, one.round, one.figures) for one in results.runs]
    assert found == [
        ("good", 0, {"requests_per_second": 1.0}),
        ("good", 1, {"requests_per_second": 2.0}),
    ]
    assert re.search(r"^\[1/2, about \d+ s left\] counting good: 1\.00\d* requests/s$", said, re.M)
    assert f"results: {path}" in said


def test_a_failing_peer_is_told_and_the_others_go_on(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    peers = ("--peers", "ending,good,broken", "--rounds", "2")
    status, said = run(tmp_path, "run", "--scenarios", "counting", *peers, "--output", str(path))
    assert status == 1
    results = Results.load(path)
    assert results.is_complete
    failures = {one.peer: one.failure for one in results.runs}
    assert len(results.runs) == 6
    assert failures == {
        "good": None,
        "ending": "it ended with status 3 before it answered\nthe log of ending",
        "broken": failures["broken"],
    }
    assert failures["broken"] is not None
    assert failures["broken"].startswith("GET / was answered 500\nthe log of broken")
    assert said.count("counting ending: FAILED it ended with status 3") == 2
    assert said.splitlines()[-1] in (
        "bench: failed: counting broken",
        "bench: failed: counting ending",
    )


class _Refusing:
    def measure(self, server: Server, seconds: float) -> Measured:
        raise ConnectionResetError("the peer hung up")


def failure_of(mode: str, load: object = None, ready_seconds: float = 10) -> str:
    peer = Peer(mode, ("{python}", str(SERVER), mode, "{port}"))
    scenario = Scenario("one", "One", "a:b", load or _Refusing())  # type: ignore[arg-type]
    made = measure(Turn(scenario, peer, 0), ready_seconds=ready_seconds)
    assert (made.figures, made.series) == ({}, {})
    assert made.failure is not None
    return made.failure


def test_a_peer_that_never_answers() -> None:
    assert failure_of("silent", ready_seconds=1.5) == "no answer within 1.5 s\nthe log of silent"


def test_a_server_that_does_not_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.process._STOP_SECONDS", 0.1)
    port = free_port()
    argv = [sys.executable, str(SERVER), "stubborn", str(port)]
    with TemporaryFile() as log, pytest.raises(FailedRun) as failed, serving(argv, port, log=log):
        pass
    first, *more = str(failed.value).splitlines()
    assert first == "it did not end within 0.1 s of SIGTERM"
    assert more[0] == "the log of stubborn"


@needs_wrk
def test_stages_of_an_invocation(capfd: pytest.CaptureFixture[str]) -> None:
    found = stages.measure(1)
    assert [row["stage"] for row in found] == [*STAGES]
    for row in found:
        assert row["sampled"] > 0, row
        assert row["p99_us"] >= row["us"] >= 0, row
        assert row["price_us"] > 0, row
    assert sum(row["us"] for row in found) > 0
    assert capfd.readouterr() == ("", "")


def test_a_connection_that_breaks_while_measuring() -> None:
    assert failure_of("good").startswith("the peer hung up\nthe log of good")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_leaves_what_there_is(tmp_path: Path, number: signal.Signals) -> None:
    path = tmp_path / "results.json"
    log = tmp_path / "stderr.txt"
    arguments = ("run", "--scenarios", "counting", "--rounds", "3", "--output", str(path))
    with started(tmp_path, *arguments, STOP_AT="2") as process:
        wait_until(lambda: "measuring process" in log.read_text(), "the second run goes on")
        server = int(log.read_text().rpartition("measuring process ")[2])
        assert len(Results.load(path).runs) == 1
        os.kill(server, 0)
        process.send_signal(number)
        assert process.wait(15) == 130
    results = Results.load(path)
    assert not results.is_complete
    assert [one.figures for one in results.runs] == [{"requests_per_second": 1.0}]
    with pytest.raises(ProcessLookupError):
        os.kill(server, 0)
    said = log.read_text()
    assert f"interrupted; results so far: {path}" in said
    assert "Traceback" not in said


def test_a_missing_tool_is_told_before_anything_starts(tmp_path: Path) -> None:
    with started(tmp_path, "run", "--scenarios", "hello-1", "--peers", "good", PATH="") as process:
        assert process.wait(30) == 2
    said = (tmp_path / "stderr.txt").read_text()
    assert said == "bench: error: wrk missing: apt-get install wrk\n"


@needs_wrk
def test_the_gateway_is_measured(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    arguments = ("--peers", "gateway", "--scenarios", "hello-32", "--rounds", "1", "--seconds", "1")
    status, said = run(tmp_path, "run", *arguments, "--output", str(path))
    assert status == 0, said
    (made,) = Results.load(path).runs
    assert {"p50_ms", "p90_ms", "p99_ms", "p999_ms", "mean_ms"} <= made.figures.keys()
    assert made.figures["error_share"] == 0
    for name in ("requests_per_second", "cpu_us", "megabytes_per_second", "peak_rss_mb"):
        assert made.figures[name] > 0, name
    quantiles = [quantile for quantile, _ in made.series["latency_ms"]]
    assert quantiles == sorted(quantiles)
    assert quantiles[-1] == 1


@needs_wrk
def test_wrong_answers_are_no_figures() -> None:
    class Refused:
        def measure(self, server: Server, seconds: float) -> Measured:
            # The handler of http.server knows GET only.
            return Wrk(1, script="post.lua", path="/10").measure(server, seconds)

    assert "a POST of 10 bytes: 501" in failure_of("good", Refused())


@pytest.fixture
def temporary(tmp_path: Path) -> Path:
    """Where a command that is given it as TMPDIR puts its temporary files."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    return folder


@needs_git
def test_two_revisions_are_compared(tmp_path: Path, temporary: Path) -> None:
    arguments = ("compare", "HEAD", "--scenarios", "counting", "--rounds", "2")
    with started(tmp_path, *arguments, TMPDIR=str(temporary)) as process:
        assert process.wait(50) == 0, (tmp_path / "stderr.txt").read_text()
    said = (tmp_path / "stderr.txt").read_text()
    assert said.count("counting HEAD: ") == said.count("counting working tree: ") == 2
    table = (tmp_path / "stdout.txt").read_text()
    assert re.search(r"^counting +requests_per_second +\d\.\d+ +\d\.\d+  ", table, re.M)
    assert not [*temporary.iterdir()]


@needs_git
def test_an_interrupted_comparison_leaves_nothing(tmp_path: Path, temporary: Path) -> None:
    log = tmp_path / "stderr.txt"
    arguments = ("compare", "HEAD", "--scenarios", "counting", "--rounds", "2")
    with started(tmp_path, *arguments, STOP_AT="1", TMPDIR=str(temporary)) as process:
        wait_until(lambda: "measuring process" in log.read_text(), "the first run goes on")
        assert [*temporary.glob("*/gateway/serve.py")]
        process.send_signal(signal.SIGINT)
        assert process.wait(15) == 130
    assert not [*temporary.iterdir()]
    assert "Traceback" not in log.read_text()


@needs_git
def test_each_revision_runs_its_own_code() -> None:
    with ExitStack() as stack:
        for revision in (None, "HEAD"):
            peer = gateway_of(revision, stack)
            *python, _, _ = peer.argv(1, "a:b")[: peer.command.index("gateway") + 1]
            found = subprocess.run(
                [*python, "-c", "import gateway, bench; print(gateway.__file__, bench.__file__)"],
                cwd=ROOT,
                env=clean_environ() | peer.variables("a:b"),
                capture_output=True,
                text=True,
                check=True,
            )
            gateway, bench = (Path(path).parents[1] for path in found.stdout.split())
            assert (gateway == ROOT) == (revision is None)
            assert bench == ROOT
