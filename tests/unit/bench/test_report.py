"""The page and its plots, made from results that nobody measured."""

import shutil
from dataclasses import replace
from pathlib import Path

import matplotlib.image
import pytest
from unit.bench import synthetic

from bench.report import render
from bench.report.figures import exactly, number, with_interval
from bench.report.look import apart
from bench.report.page import GROUPS, page_text
from bench.report.scenes import scene
from bench.results import Results, Run
from bench.scenarios import SCENARIOS
from bench.statistics import Estimate

DASH = "\N{EN DASH}"
PLOTS = {"throughput.png", "cpu.png", "latency.png", "overhead.png", "memory.png"}


def rendered(results: Results, folder: Path) -> str:
    render(results, folder / "docs" / "page.md", folder / "docs" / "plots")
    return (folder / "docs" / "page.md").read_text(encoding="utf-8")


def text_of(results: Results) -> str:
    """The page alone: to draw its plots takes a hundred times as long."""
    return page_text(results, {}, "plots")


def section(page: str, title: str) -> str:
    """What stands below a heading, up to the next of any level."""
    return page.partition(f"# {title}\n")[2].partition("\n#")[0]


@pytest.fixture(scope="module")
def page() -> str:
    return text_of(synthetic.whole())


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a page and all of its plots."""
    folder = tmp_path_factory.mktemp("report")
    rendered(synthetic.whole(), folder)
    return folder


def written(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (folder / "docs").rglob("*.*")}


def test_the_same_json_gives_the_same_bytes(drawn: Path, tmp_path: Path) -> None:
    synthetic.whole().save(tmp_path / "results.json")
    rendered(Results.load(tmp_path / "results.json"), tmp_path)
    assert written(drawn).keys() == {"page.md", *PLOTS}
    assert written(drawn) == written(tmp_path)


def test_plots_are_drawn_and_shown(drawn: Path) -> None:
    page = (drawn / "docs" / "page.md").read_text("utf-8")
    for name in PLOTS:
        assert f"](plots/{name})" in page
        assert matplotlib.image.imread(drawn / "docs" / "plots" / name).shape[0] > 100


def test_a_plot_without_data_goes_with_its_file(drawn: Path, tmp_path: Path) -> None:
    shutil.copytree(drawn, tmp_path, dirs_exist_ok=True)
    assert written(tmp_path).keys() >= PLOTS
    page = rendered(synthetic.empty(), tmp_path)
    assert ".png" not in page
    assert list((tmp_path / "docs" / "plots").iterdir()) == []


def test_a_scenario_has_a_row_for_each_peer_the_best_first(page: str) -> None:
    table = section(page, SCENARIOS["hello-32"].title)
    peers = [line.split(" | ")[0].strip("| *") for line in table.splitlines() if "|" in line][2:]
    assert peers[:4] == ["floor", "fastwsgi", "gateway", "granian"]
    assert peers[-2:] == ["uvicorn-asgiref", "bjoern"]
    assert "| bjoern | — | — | — | — | 0, 5 failed |" in table


def test_ratios_are_the_peers_over_ours(page: str) -> None:
    row = next(line for line in page.splitlines() if line.startswith("| fastwsgi |"))
    rate, beside = row.split(" | ")[1:3]
    assert rate.startswith("89,5")
    assert beside.startswith("1.47 (1.4")


def test_where_peers_are_better_is_told_without_the_floor(page: str) -> None:
    wins = section(page, "Where peers are better")
    assert "| fastwsgi | **requests/s** 1.47 (1.4" in wins
    assert "; p99 ms 0." in wins
    assert "floor" not in wins
    assert "waitress" not in wins


def test_a_lower_figure_wins_where_lower_is_better() -> None:
    results = synthetic.empty()
    results.runs = synthetic.runs("idle-10k", "gateway", {"kb_per_connection": 5})
    results.runs += synthetic.runs("idle-10k", "granian", {"kb_per_connection": 4})
    results.runs += synthetic.runs("idle-10k", "cheroot", {"kb_per_connection": 6})
    wins = section(text_of(results), "Where peers are better")
    assert "granian" in wins
    assert "cheroot" not in wins


def test_bytes_count_only_where_they_are_what_is_asked_for() -> None:
    results = synthetic.empty()
    rates = {"requests_per_second": 9.0, "megabytes_per_second": 8.0}
    for name in ("hello-32", "post-1m"):
        results.runs += synthetic.runs(name, "gateway", rates)
    page = text_of(results)
    assert "MB/s" not in section(page, SCENARIOS["hello-32"].title)
    assert "MB/s" in section(page, SCENARIOS["post-1m"].title)


def test_heads_that_repeat_are_told_with_the_targets(page: str) -> None:
    targets = section(page, "Targets")
    assert "does not parse a head again" in targets
    (row,) = [line for line in targets.splitlines() if line.startswith("| 1b |")]
    assert "varied-32: requests/s beside granian" in row


def test_a_figure_without_a_target_is_told() -> None:
    results = synthetic.empty()
    for peer, rate in (("gateway", 3.0), ("granian", 2.0)):
        results.runs += [Run("varied-32", peer, 0, {"requests_per_second": rate})]
    targets = section(text_of(results), "Targets")
    assert "| 3.00 | 2.00 | 1.50 (one run) | — | **told** |" in targets


def test_failures_are_listed_once_with_their_log(page: str) -> None:
    failures = section(page, "Failed runs")
    assert "- hello-32, bjoern, rounds 0, 1, 2, 3, 4: no answer within 15 s\n" in failures
    assert "\n      Traceback:\n        a | b\n" in failures


def test_overhead_and_stages(page: str) -> None:
    overhead = section(page, "Overhead of an invocation").replace(DASH, "..")
    assert "| hello | whole server | granian | 17.2 (17.1..17.3) | 16.5 (16.5..16.5) |" in overhead
    assert "| stage | µs, median | mean | p99 |" in overhead
    assert "| head parsed → queued | 3.40 | 4.40 | 34.0 |" in overhead
    assert "| read → head parsed | 1.20 | — | — |" in overhead
    assert "1,234 requests were sampled, at 0.710 µs each." in overhead


def test_a_scenario_that_is_gone_is_shown_by_its_name(page: str) -> None:
    assert page.index("## Other scenarios\n") < page.index("### gone-since\n")


def test_every_scenario_has_its_group() -> None:
    assert SCENARIOS.keys() <= {name for names in GROUPS.values() for name in names}


def test_a_good_set_has_no_warning(page: str) -> None:
    assert "\n>" not in page


@pytest.mark.parametrize(
    ("results", "warning"),
    [
        (replace(synthetic.whole(), is_complete=False), "was interrupted"),
        (replace(synthetic.whole(), revision="abc1234+"), "not in its revision"),
        (synthetic.only(synthetic.whole(), rounds=1), "one round only"),
        (synthetic.empty(), "No run gave a figure"),
    ],
    ids=["interrupted", "changed", "one round", "empty"],
)
def test_what_weakens_a_set_is_told_first(results: Results, warning: str) -> None:
    head = text_of(results).partition("\n## ")[0]
    assert warning in head


def without(figure: str) -> Results:
    """A whole set in which nothing has that figure."""
    results = synthetic.whole()
    results.runs = [
        replace(run, figures={name: y for name, y in run.figures.items() if name != figure})
        for run in results.runs
    ]
    return results


def of_peers(*peers: str) -> Results:
    results = synthetic.whole()
    results.runs = [run for run in results.runs if run.peer in peers]
    return results


def odd() -> Results:
    """Figures and series that a broken load might leave."""
    results = synthetic.empty(machine={}, versions={}, settings={})
    results.runs = [
        Run("hello-32", "gateway", 0, {"requests_per_second": 0.0}),
        Run("hello-32", "granian", 0, {"requests_per_second": float("nan"), "new_ms": -1.0}),
        Run("flask-32", "gateway", 0, failure=""),
        Run("open-loop", "gateway", 0, {}, {"latency_ms": [[1.0, 5.0]], "rss_mb": []}),
        Run("open-loop", "granian", 0, {}, {"latency_ms": [[0.5, 0.0], [0.9, 1.0]]}),
        Run("stream-1g", "granian", 0, {"rss_growth_mb": -3.0}, {"rss_mb": [[0, 0], [1, 0]]}),
    ]
    results.overhead = [{"path": "direct"}, {"path": "stages", "stage": "read"}, {}]
    return results


@pytest.mark.parametrize(
    "results",
    [
        without("requests_per_second"),
        of_peers("granian", "bjoern"),
        of_peers("gateway"),
        of_peers("bjoern"),
        odd(),
    ],
    ids=["no primary", "not ours", "only ours", "only failures", "odd"],
)
def test_a_report_is_made_of_whatever_there_is(results: Results, tmp_path: Path) -> None:
    page = rendered(results, tmp_path)
    for title in ("Targets", *GROUPS, "Where peers are better", "Failed runs"):
        body = page.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
        assert body.strip(), title
    assert "nan" not in page


def test_without_ours_no_peer_is_said_to_be_better_or_worse() -> None:
    wins = section(text_of(of_peers("granian")), "Where peers are better")
    assert "no good run of the gateway" in wins


def test_scene_of_a_scenario_that_was_not_run() -> None:
    assert scene(synthetic.whole(), "json-32") is None


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (61_234.5, "61,234"),
        (12.34, "12.3"),
        (1.234, "1.23"),
        (0.1234, "0.123"),
        (0.00012, "0.00012"),
        (-3.21, "-3.21"),
    ],
)
def test_numbers(value: float, text: str) -> None:
    assert number(value) == text


def test_bounds_and_intervals_in_words() -> None:
    assert [exactly(value) for value in (20_000, 1, 6.14, 0.75)] == ["20,000", "1", "6.14", "0.75"]
    assert with_interval(Estimate(2.0, (1.0, 3.0), 3)) == f"2.00 (1.00{DASH}3.00)"
    assert with_interval(Estimate(2.0, None, 1)) == "2.00 (one run)"
    assert with_interval(None) == "—"


def test_labels_stay_apart_and_near_to_where_they_belong() -> None:
    assert apart([0.5, 0.1], 0.2) == [0.5, 0.1]
    assert apart([0.5, 0.5, 0.9], 0.2) == pytest.approx([0.4, 0.6, 0.9])
    assert apart([], 0.2) == []
