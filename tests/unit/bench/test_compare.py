"""What is said of two revisions."""

from contextlib import ExitStack

import pytest
from unit.bench import synthetic

from bench.compare import WORKING_TREE, gateway_of, table, verdict
from bench.environment import UsageError
from bench.loads.wrk import Wrk
from bench.peers import ROOT
from bench.results import Run
from bench.scenarios import Scenario
from bench.statistics import Estimate


def change(value: float, low: float, high: float, runs: int = 10) -> Estimate:
    return Estimate(value, (low, high), runs)


@pytest.mark.parametrize(
    ("figure", "is_rate", "found", "said"),
    [
        ("requests_per_second", True, change(1.041, 1.029, 1.053), "faster by 4.1 % (2.9 to 5.3)"),
        ("requests_per_second", True, change(0.96, 0.94, 0.99), "slower by 4.0 % (1.0 to 6.0)"),
        ("p99_ms", False, change(1.2, 1.1, 1.3), "slower by 20.0 % (10.0 to 30.0)"),
        ("p99_ms", False, change(0.8, 0.7, 0.9), "faster by 20.0 % (10.0 to 30.0)"),
        ("cpu_us", False, change(0.9, 0.85, 0.95), "cheaper by 10.0 % (5.0 to 15.0)"),
        ("cpu_us", False, change(1.1, 1.05, 1.15), "dearer by 10.0 % (5.0 to 15.0)"),
        ("peak_rss_mb", False, change(0.5, 0.4, 0.6), "smaller by 50.0 % (40.0 to 60.0)"),
        ("kb_per_connection", False, change(2, 1.5, 2.5), "larger by 100.0 % (50.0 to 150.0)"),
        ("cpu_us", False, change(1.01, 0.99, 1.03), "no difference shown (-1.0 to +3.0 %)"),
        ("cpu_us", False, change(1, 1, 1), "no difference shown (+0.0 to +0.0 %)"),
    ],
)
def test_verdict(figure: str, is_rate: bool, found: Estimate, said: str) -> None:
    assert verdict(found, figure, higher_is_better=is_rate) == said


def test_a_single_round_says_nothing() -> None:
    said = verdict(Estimate(1.5, None, 1), "cpu_us", higher_is_better=False)
    assert said == "+50.0 % in a single round, which shows nothing"


def test_few_rounds_are_told() -> None:
    said = verdict(change(2, 1.5, 2.5, runs=3), "cpu_us", higher_is_better=False)
    assert said.endswith(", sure to 75% only: more rounds are needed")


def test_table() -> None:
    results = synthetic.empty()
    for number in range(8):
        for peer, rate in (("v1", 50_000.0), ("v2", 55_000.0)):
            figures = {"requests_per_second": rate + number, "cpu_us": 1e6 / rate}
            results.runs.append(Run("hello", peer, number, figures))
    hello = Scenario("hello", "", "a:b", Wrk(1))
    missing = Scenario("missing", "", "a:b", Wrk(1))
    _, rate, cpu = table(results, [hello, missing], "v1", "v2").splitlines()
    assert rate.split()[:4] == ["hello", "requests_per_second", "50,004", "55,004"]
    assert "faster by 10.0 % (10.0 to 10.0)" in rate
    assert cpu.split()[:4] == ["hello", "cpu_us", "20.0", "18.2"]
    assert "cheaper by 9.1 % (9.1 to 9.1)" in cpu


def test_the_working_tree_is_served_from_where_it_is() -> None:
    with ExitStack() as stack:
        tree = gateway_of(None, stack)
    assert tree.name == WORKING_TREE
    assert tree.arguments_key == "gateway"
    assert tree.variables("a:b")["PYTHONPATH"].split(":")[0] == str(ROOT)


def test_an_unknown_revision_is_refused() -> None:
    with ExitStack() as stack, pytest.raises(UsageError, match="no-such-revision"):
        gateway_of("no-such-revision", stack)
