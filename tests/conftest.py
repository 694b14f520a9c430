"""The tally: what the tests of each family have tried, for docs/reliability.md.

A test module (or test) says `pytest.mark.family("slow-clients")` and its tests count in the
fixture `tally` what they saw: `tally(refused=1)`, `tally(served=3)`, `tally(faults=1)`.  With
`--tally FILE` the counts of passed tests are written there as JSON.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

OUTCOMES = ("refused", "served", "faults", "lost")
"""Requests answered with a refusal, as the rule says; served, as the rule says; faults injected
and survived; requests that were accepted and got no whole answer."""

_COUNTS = pytest.StashKey[Counter[str]]()
_TOTALS = pytest.StashKey[dict[str, Counter[str]]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--tally", metavar="FILE", help="write what each family of tests has tried")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "family(name): a row of docs/reliability.md")
    config.stash[_TOTALS] = {}


@pytest.fixture
def tally(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Count outcomes of this test: `tally(refused=2)`; see `OUTCOMES`."""
    assert request.node.get_closest_marker("family"), "a test that counts belongs to a family"
    counts = request.node.stash.setdefault(_COUNTS, Counter())

    def count(**outcomes: int) -> None:
        unknown = outcomes.keys() - set(OUTCOMES)
        assert not unknown, unknown
        counts.update(outcomes)

    return count


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    report = yield
    marker = item.get_closest_marker("family")
    if marker is not None and call.when == "call" and report.passed:
        totals = item.config.stash[_TOTALS].setdefault(marker.args[0], Counter())
        totals["tests"] += 1
        totals.update(item.stash.get(_COUNTS, Counter()))
    return report


def pytest_sessionfinish(session: pytest.Session) -> None:
    path = session.config.getoption("--tally")
    if path:
        totals = session.config.stash[_TOTALS]
        rows = {family: dict(totals[family]) for family in sorted(totals)}
        Path(path).write_text(json.dumps(rows, indent=2) + "\n", "utf-8")
