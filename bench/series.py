"""A set of runs in turns: every round measures every scenario, its peers in another order.

Machines drift by more than what is to be told apart, so that only runs of the same minutes can be
compared.
"""

import random
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bench import environment
from bench.loads.cold_start import ColdStart
from bench.loads.open_loop import OpenLoop
from bench.loads.posts import Posts
from bench.loads.refusals import Refusals
from bench.loads.wrk import Wrk
from bench.peers import ROOT, Peer
from bench.process import READY_SECONDS, FailedRun, Server, free_port, serving
from bench.report.figures import number as in_digits
from bench.results import Results, Run
from bench.scenarios import Scenario

DEFAULT_ROUNDS = 5

FOLDER = ROOT / "bench" / "results"

_SETUP_SECONDS = 1.2
"""What starting and warming up take beside the measurement, about."""

_TOOLS: dict[type, str] = {Wrk: "wrk", Posts: "wrk", Refusals: "wrk", OpenLoop: "h2load"}
"""What a load runs."""


@dataclass(frozen=True)
class Turn:
    """A run to be made."""

    scenario: Scenario
    peer: Peer
    round: int

    def seconds(self, seconds: float | None) -> float:
        """How long to measure, when `seconds` were asked for."""
        return self.scenario.seconds if seconds is None else seconds


def fits(scenario: Scenario, peer: Peer) -> bool:
    """Whether it is known how the peer takes part: all need arguments, or none does."""
    return not scenario.peer_arguments or peer.arguments_key in scenario.peer_arguments


def plan(peers_of: Mapping[Scenario, Sequence[Peer]], rounds: int | None, seed: int) -> list[Turn]:
    """All runs, in their order; `rounds` in place of each scenario's own, or each peer's there."""
    counts = {
        (scenario, peer.name): rounds
        or scenario.rounds_by_peer.get(peer.name)
        or scenario.rounds
        or DEFAULT_ROUNDS
        for scenario, peers in peers_of.items()
        for peer in peers
    }
    turns = []
    for number in range(max(counts.values(), default=0)):
        shuffled = random.Random(seed + number)
        for scenario, peers in peers_of.items():
            left = [peer for peer in peers if number < counts[scenario, peer.name]]
            turns += [Turn(scenario, peer, number) for peer in shuffled.sample(left, len(left))]
    return turns


def tools(scenarios: Iterable[Scenario]) -> set[str]:
    """The programs that their loads run."""
    kinds = {type(scenario.load) for scenario in scenarios}
    return {tool for kind, tool in _TOOLS.items() if kind in kinds}


def begun(
    turns: Sequence[Turn], *, seed: int, rounds: int | None, seconds: float | None
) -> Results:
    """Results without runs, which say how and where `turns` are measured."""
    now = datetime.now(UTC).replace(microsecond=0)
    asked = {"rounds": rounds, "seconds": seconds}
    return Results(
        started_at=now.isoformat(),
        machine=environment.machine(),
        versions=environment.versions({turn.peer.name: turn.peer for turn in turns}.values()),
        revision=environment.revision(),
        settings={"seed": float(seed)}
        | {name: float(value) for name, value in asked.items() if value is not None},
    )


def unused_path(results: Results, folder: Path = FOLDER) -> Path:
    """Where a set of this day and revision goes: no measurement is written over."""
    stem = f"{results.started_at[:10]}-{results.revision}"
    path, number = folder / f"{stem}.json", 1
    while path.exists():
        number += 1
        path = folder / f"{stem}-{number}.json"
    return path


def measure(turn: Turn, seconds: float | None = None, ready_seconds: float = READY_SECONDS) -> Run:
    """Start the peer, load it, stop it; a failure is a run without figures."""
    scenario, peer = turn.scenario, turn.peer
    extra = scenario.peer_arguments.get(peer.arguments_key, ())

    def start() -> AbstractContextManager[Server]:
        port = free_port()
        return serving(
            peer.argv(port, scenario.handler, extra),
            port,
            cores=scenario.cores,
            cwd=ROOT,
            environ=peer.variables(scenario.handler),
            ready_seconds=ready_seconds,
        )

    try:
        if isinstance(scenario.load, ColdStart):
            measured = scenario.load.measure_cold(
                start, scenario.module, scenario.cores, peer.help_command or None
            )
        else:
            with start() as server:
                measured = scenario.load.measure(server, turn.seconds(seconds))
    except FailedRun as failure:
        return Run(scenario.name, peer.name, turn.round, failure=str(failure))
    return Run(scenario.name, peer.name, turn.round, measured.figures, measured.series)


def measure_all(turns: Sequence[Turn], results: Results, seconds: float | None) -> Iterator[str]:
    """Make all runs and add each to `results`; a line about each that was made."""
    started = time.monotonic()
    for number, turn in enumerate(turns, start=1):
        run = measure(turn, seconds)
        results.runs.append(run)
        speed = (time.monotonic() - started) / expected_seconds(turns[:number], seconds)
        left = in_words(expected_seconds(turns[number:], seconds) * speed)
        yield f"[{number}/{len(turns)}, about {left} left] {described(run, turn.scenario.primary)}"


def expected_seconds(turns: Sequence[Turn], seconds: float | None = None) -> float:
    """How long `turns` will take, about."""
    return sum(turn.seconds(seconds) + _SETUP_SECONDS for turn in turns)


def in_words(seconds: float) -> str:
    """`6 min` or `40 s`."""
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"


def described(run: Run, primary: str) -> str:
    """What came of a run; several lines when it failed."""
    name = f"{run.scenario} {run.peer}"
    if run.failure is not None:
        return f"{name}: FAILED {run.failure}"
    parts = []
    for figure in dict.fromkeys((primary, "cpu_us")):
        if figure in run.figures:
            parts.append(f"{in_digits(run.figures[figure])} {unit(figure)}")
    return f"{name}: {', '.join(parts)}"


def unit(figure: str) -> str:
    """Of a figure, from its name."""
    units = {"us": "µs", "ms": "ms", "mb": "MB"}
    if figure.endswith("requests_per_second"):
        return "requests/s"
    if figure == "megabytes_per_second":
        return "MB/s"
    if figure == "kb_per_connection":
        return "kB/connection"
    return units.get(figure.rpartition("_")[2], figure)
