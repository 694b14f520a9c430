"""Which runs are made, in which order, and what is said of each."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from unit.bench import synthetic

from bench import series
from bench.loads.open_loop import OpenLoop
from bench.loads.posts import Posts
from bench.loads.wrk import Wrk
from bench.peers import PEERS, Peer
from bench.results import Results, Run
from bench.scenarios import Scenario
from bench.series import Turn

FEW = Scenario("few", "", "a:b", Wrk(1), rounds=2, seconds=2)
USUAL = Scenario("usual", "", "a:b", Wrk(1), rounds=None, seconds=3)
PEERS_OF = {FEW: [Peer(name, ()) for name in "ab"], USUAL: [Peer(name, ()) for name in "abcdef"]}


def names(turns: list[Turn]) -> list[tuple[int, str, str]]:
    return [(turn.round, turn.scenario.name, turn.peer.name) for turn in turns]


def test_every_peer_runs_once_a_round() -> None:
    counts = Counter(names(series.plan(PEERS_OF, None, 7)))
    assert set(counts.values()) == {1}
    assert len(counts) == 2 * 2 + series.DEFAULT_ROUNDS * 6


def test_a_round_ends_before_the_next_begins() -> None:
    rounds = [turn.round for turn in series.plan(PEERS_OF, None, 7)]
    assert rounds == sorted(rounds)


def test_the_number_of_rounds_can_be_given() -> None:
    assert len(series.plan(PEERS_OF, 3, 7)) == 3 * (2 + 6)


def test_peers_can_have_rounds_of_their_own() -> None:
    scenario = replace(FEW, rounds_by_peer={"a": 3, "b": 1})
    peers_of = {scenario: [Peer(name, ()) for name in "abc"]}
    counts = Counter(peer for _, _, peer in names(series.plan(peers_of, None, 7)))
    assert counts == {"a": 3, "b": 1, "c": 2}
    assert len(series.plan(peers_of, 5, 7)) == 5 * 3


def test_the_order_comes_from_the_seed_and_the_round() -> None:
    turns = names(series.plan(PEERS_OF, None, 7))
    assert turns == names(series.plan(PEERS_OF, None, 7))
    assert turns != names(series.plan(PEERS_OF, None, 8))
    orders = {
        tuple(peer for number, scenario, peer in turns if (number, scenario) == (one, "usual"))
        for one in range(5)
    }
    assert len(orders) > 1


def test_the_expected_time_grows_with_what_is_asked_for() -> None:
    turns = series.plan({FEW: PEERS_OF[FEW]}, 1, 7)
    more = series.expected_seconds(turns, 12) - series.expected_seconds(turns)
    assert more == pytest.approx(2 * 10)


def test_tools_are_those_of_the_loads() -> None:
    posts = Scenario("posts", "", "a:b", Posts(1, 1))
    open_loop = Scenario("open", "", "a:b", OpenLoop(1))
    assert series.tools([FEW, posts]) == {"wrk"}
    assert series.tools([posts, open_loop]) == {"wrk", "h2load"}


def test_a_peer_without_the_arguments_that_others_get_does_not_fit() -> None:
    logged = Scenario("log", "", "a:b", Wrk(1), peer_arguments={"granian": ("--access-log",)})
    assert series.fits(logged, PEERS["granian"])
    assert series.fits(logged, PEERS["granian-recommended"])
    assert not series.fits(logged, PEERS["waitress"])
    assert series.fits(FEW, PEERS["waitress"])


def test_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    figures = {"requests_per_second": 95869.2, "cpu_us": 10.42}
    runs = {"a": Run("few", "a", 0, figures), "b": Run("few", "b", 0, failure="it ended\nits log")}
    monkeypatch.setattr(series, "measure", lambda turn, seconds: runs[turn.peer.name])
    results: Results = synthetic.empty()
    turns = [Turn(FEW, peer, 0) for peer in PEERS_OF[FEW]]
    lines = list(series.measure_all(turns, results, None))
    assert lines == [
        "[1/2, about 0 s left] few a: 95,869 requests/s, 10.4 µs",
        "[2/2, about 0 s left] few b: FAILED it ended\nits log",
    ]
    assert results.runs == [*runs.values()]


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.4, "0 s"), (89.4, "89 s"), (90, "2 min"), (360, "6 min")]
)
def test_time_in_words(seconds: float, words: str) -> None:
    assert series.in_words(seconds) == words


@pytest.mark.parametrize(
    ("figure", "unit"),
    [
        ("requests_per_second", "requests/s"),
        ("quick_requests_per_second", "requests/s"),
        ("megabytes_per_second", "MB/s"),
        ("peak_rss_mb", "MB"),
        ("quick_p99_ms", "ms"),
        ("cpu_us", "µs"),
        ("kb_per_connection", "kB/connection"),
    ],
)
def test_units(figure: str, unit: str) -> None:
    assert series.unit(figure) == unit


def test_no_set_of_results_is_written_over(tmp_path: Path) -> None:
    results = synthetic.empty()
    found = []
    for _ in range(3):
        found.append(series.unused_path(results, tmp_path))
        results.save(found[-1])
    assert [path.name for path in found] == [
        "2026-01-02-abc1234.json",
        "2026-01-02-abc1234-2.json",
        "2026-01-02-abc1234-3.json",
    ]


def test_the_beginning_says_what_was_asked_for() -> None:
    turns = [Turn(FEW, PEERS["gateway"], 0)]
    results = series.begun(turns, seed=7, rounds=None, seconds=0.5)
    assert results.settings == {"seed": 7.0, "seconds": 0.5}
    assert not results.is_complete
    assert {"cpu", "cores", "memory", "kernel", "python"} <= results.machine.keys()
    assert {"gateway", "python"} <= results.versions.keys()
