"""Verdicts on the targets."""

from typing import Any

import pytest
from unit.bench import synthetic

from bench.criteria import (
    AT_THE_BOUND,
    MET,
    NOT_MEASURED,
    NOT_MET,
    TOLD,
    Alone,
    Bound,
    Figure,
    Overhead,
    Pair,
)
from bench.report.figures import HEADINGS
from bench.results import Results, Run
from bench.scenarios import SCENARIOS
from bench.statistics import Estimate
from bench.targets import TARGETS


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (1.0, 1.5, MET),
        (0.99, 1.5, AT_THE_BOUND),
        (0.5, 0.99, NOT_MET),
        (1.9, 2.0, MET),
        (1.9, 2.1, AT_THE_BOUND),
        (2.1, 2.2, NOT_MET),
    ],
)
def test_the_interval_decides(low: float, high: float, verdict: str) -> None:
    found = Estimate((low + high) / 2, (low, high), 5)
    assert Bound("ms", at_least=1, at_most=2).verdict(found) == verdict


def test_without_a_bound_nothing_is_judged() -> None:
    assert Bound("ms").verdict(Estimate(2.0, (1.0, 3.0), 5)) == TOLD


@pytest.mark.parametrize(("value", "verdict"), [(1.0, MET), (0.9, NOT_MET)])
def test_one_run_is_judged_by_its_figure(value: float, verdict: str) -> None:
    assert Bound("ms", at_least=1).verdict(Estimate(value, None, 1)) == verdict


def results_of(*runs: tuple[str, str, float]) -> Results:
    """One run of each (peer, figure, value) under "a"."""
    results = synthetic.empty()
    results.runs = [Run("a", peer, 0, {figure: value}) for peer, figure, value in runs]
    return results


def test_a_pair_has_both_figures_and_their_ratio() -> None:
    pair = Pair("", Figure("a", "x"), Figure("a", "x", "granian"), Bound("", at_least=2))
    found = pair.judge(results_of(("gateway", "x", 6), ("granian", "x", 2)))
    assert (found.verdict, found.reason) == (MET, "")
    assert [side and side.value for side in (found.measured, found.ours, found.reference)] == [
        3,
        6,
        2,
    ]


def test_what_is_missing_is_named() -> None:
    pair = Pair("", Figure("a", "x"), Figure("a", "x", "granian"), Bound("", at_least=2))
    results = results_of(("gateway", "x", 6))
    assert pair.judge(results).reason == "no run of granian under a"
    results.runs.append(Run("a", "granian", 0, failure="no answer"))
    assert pair.judge(results).reason == "every run of granian under a failed"
    results.runs.append(Run("a", "granian", 1, {"y": 1.0}))
    found = pair.judge(results)
    assert (found.verdict, found.reason) == (NOT_MEASURED, "no x of granian under a")


def test_a_ratio_to_nothing_is_not_measured() -> None:
    pair = Pair("", Figure("a", "x"), Figure("a", "x", "granian"), Bound("", at_least=2))
    found = pair.judge(results_of(("gateway", "x", 6), ("granian", "x", 0)))
    assert found.verdict == NOT_MEASURED
    assert "positive" in found.reason


def test_a_figure_alone() -> None:
    found = Alone("", Figure("a", "x"), Bound("", at_most=5)).judge(
        results_of(("gateway", "x", 6), ("granian", "x", 1))
    )
    assert (found.verdict, found.reference) == (NOT_MET, None)


def way(path: str, *cpu_us: float, **others: str) -> dict[str, Any]:
    row = {"path": path, "handler": "hello", "peer": "gateway"}
    return {**row, "samples": [list(sample) for sample in enumerate(cpu_us)], **others}


def test_overhead_is_of_our_hello() -> None:
    results = synthetic.empty()
    criterion = Overhead("", Bound("µs", at_most=18))
    results.overhead = [
        way("direct", 1, 2, 3),
        way("in memory", 99),
        way("whole server", 80, peer="granian"),
        way("whole server", 90, handler="flask"),
        {"path": "stages", "stage": "read", "us": 70.0},
    ]
    assert criterion.judge(results).reason == "no CPU time of the path “whole server”"
    results.overhead.append(way("whole server", 11, 12, 13))
    found = criterion.judge(results)
    assert found.verdict == MET
    assert found.measured is not None
    assert found.measured.value == 10


def test_the_targets_are_numbered() -> None:
    assert [target.number for target in TARGETS] == [*("1", "1b", *map(str, range(2, 14)))]


def test_targets_ask_for_scenarios_and_figures_that_there_are() -> None:
    figures = [
        side
        for target in TARGETS
        for criterion in target.criteria
        for side in (getattr(criterion, "ours", None), getattr(criterion, "reference", None))
        if side
    ]
    assert len(figures) > 30
    assert ("hello-256", "uvicorn-asgiref") not in {(one.scenario, one.peer) for one in figures}
    # A second worker is for when the gateway has workers.
    assert {side.scenario for side in figures} <= SCENARIOS.keys()
    assert {side.name for side in figures} <= HEADINGS.keys()


def keeping() -> Results:
    """Results that keep every target, and by how much: none is at its bound."""
    ours = {
        "hello-32": {"requests_per_second": 60_000.0, "cpu_us": 16},
        "hello-256": {"requests_per_second": 60_000.0},
        "varied-32": {"requests_per_second": 50_000.0},
        "hello-1": {"p50_ms": 0.1},
        "hello-2-workers": {"cpu_us": 16},
        "access-log": {"requests_per_second": 50_000.0},
        "flask-32": {"requests_per_second": 6_000.0},
        "post-64k": {"megabytes_per_second": 900.0},
        "post-1m": {"megabytes_per_second": 900.0},
        "post-30m": {"megabytes_per_second": 900.0},
        "uploads-100": {"peak_rss_mb": 300},
        "slow-beside-quick": {"quick_p99_ms": 3, "quick_unloaded_p99_ms": 2},
        "deaf-beside-quick": {"quick_p99_ms": 3, "quick_unloaded_p99_ms": 2},
        "burn-beside-quick": {"quick_p99_ms": 9, "refusal_p99_ms": 8},
        "refusals": {"requests_per_second": 40_000},
        "idle-10k": {"kb_per_connection": 4.5},
        "sleep-50ms": {"requests_per_second": 159},
        "overload-sleep": {"goodput_share": 1.0},
        "overload-compute": {"goodput_share": 0.95},
        "cold-start": {"start_ms": 250, "import_ms": 210, "help_ms": 80},
        "stream-1g": {"megabytes_per_second": 900.0, "rss_growth_mb": 2},
    }
    results = synthetic.empty()
    for scenario, figures in ours.items():
        results.runs += [Run(scenario, "gateway", turn, figures) for turn in range(3)]
        for peer, by in (("granian", 1.1), ("gunicorn-gthread", 12), ("uvicorn-asgiref", 30)):
            slower = {
                name: value * by if name == "p50_ms" else value / by
                for name, value in figures.items()
            }
            results.runs += [Run(scenario, peer, turn, slower) for turn in range(3)]
    results.overhead = [way("direct", 1, 1, 1), way("whole server", 17, 17, 17)]
    return results


def test_every_target_can_be_met() -> None:
    results = keeping()
    verdicts = {
        criterion.text: criterion.judge(results).verdict
        for target in TARGETS
        for criterion in target.criteria
    }
    assert verdicts.pop("varied-32: requests/s beside granian") == TOLD
    assert set(verdicts.values()) == {MET}, verdicts


def test_nothing_is_met_by_no_results() -> None:
    for target in TARGETS:
        for criterion in target.criteria:
            found = criterion.judge(synthetic.empty())
            assert (found.verdict, bool(found.reason)) == (NOT_MEASURED, True)
