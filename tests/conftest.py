"""The tally: what the tests of each family have tried, for docs/reliability.md.

A test module (or test) says `pytest.mark.family("slow-clients")` and its tests count in the
fixture `tally` what they saw: `tally(refused=1)`, `tally(served=3)`, `tally(faults=1)`.  With
`--tally=FILE` the counts are written there as JSON, unless a test failed.  `--family=NAME` runs
the tests of a family and no others.

What the tests take from where they are run is decided in `surroundings`.
"""

import gc
import json
import platform
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from surroundings import settle

from bench.environment import revision
from bench.published import publish

settle()  # Before any test is imported, and before other processes of the runner are started.

OUTCOMES = ("refused", "served", "faults", "lost")
"""Requests answered with a refusal, as the rule says; served, as the rule says; faults injected
and survived; requests that were accepted and got no whole answer."""

_PROPERTY = "tally"
_COUNTS = pytest.StashKey[Counter[str]]()
_TOTALS = pytest.StashKey[dict[str, Counter[str]]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--tally", metavar="FILE", help="write what each family of tests has tried")
    parser.addoption(
        "--replace-tally", action="store_true", help="write it over one of more families, too"
    )
    parser.addoption(
        "--family", metavar="NAME", action="append", help="run the tests of this family only"
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "family(name): a row of docs/reliability.md")
    config.stash[_TOTALS] = {}
    config.pluginmanager.register(_Tally(config.stash[_TOTALS]))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    wanted = config.getoption("--family")
    if not wanted:
        return
    kept = [item for item in items if _family(item) in wanted]
    unknown = {*wanted} - {_family(item) for item in kept}
    if unknown:
        raise pytest.UsageError(f"--family: no test belongs to {', '.join(sorted(unknown))}")
    config.hook.pytest_deselected(items=[item for item in items if item not in set(kept)])
    items[:] = kept


def pytest_collection_finish(session: pytest.Session) -> None:
    """Keep the garbage collector off what stays until the end: modules, and thousands of items.

    A collection would take a quarter of a second, and tests ask for many.
    """
    gc.collect()
    gc.freeze()


def _family(item: pytest.Item) -> str | None:
    marker = item.get_closest_marker("family")
    return None if marker is None else marker.args[0]


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
    family = _family(item)
    if family is not None and call.when == "call" and report.passed:
        # With the report it reaches the process that counts, whichever ran the test.
        counts = dict(item.stash.get(_COUNTS, Counter()))
        report.user_properties.append((_PROPERTY, [family, counts]))
    return report


class _Tally:
    """Adds up what the reports tell."""

    def __init__(self, totals: dict[str, Counter[str]]) -> None:
        self._totals = totals

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        for name, value in report.user_properties:
            if name == _PROPERTY and report.when == "call":
                family, counts = value  # type: ignore[misc]  # As it was put there.
                totals = self._totals.setdefault(family, Counter())
                totals["tests"] += 1
                totals.update(counts)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    path = session.config.getoption("--tally")
    if path and exitstatus == pytest.ExitCode.OK:
        totals = session.config.stash[_TOTALS]
        content = {
            "format": 1,
            "ended_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "revision": revision(),
            "versions": {"python": platform.python_version()},
            "families": {family: dict(totals[family]) for family in sorted(totals)},
        }
        # Tests come and go; a selection of them leaves out families.
        publish(
            Path(path), json.dumps(content, indent=1) + "\n", lambda one: len(one["families"]),
            "families", replace=session.config.getoption("--replace-tally"),
        )  # fmt: skip
