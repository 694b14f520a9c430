"""The page of what was tried: made from the committed results, complete, and up to date."""

import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from docs.generate import render_plot
from docs.reliability_page import FAMILIES, FOLDER, load, render_reliability
from docs.reliability_plot import PLOT, plot_soak

ROOT = Path(__file__).parents[2]

_FAMILY = re.compile(r'mark\.family\("([^"]+)"\)')


def rows() -> list[str]:
    return [line for line in render_reliability().splitlines() if line.startswith("|")]


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A folder with the committed results, to be changed."""
    for name in ("tally.json", "fuzz.json", "soak.json"):
        (tmp_path / name).write_bytes((FOLDER / name).read_bytes())
    return tmp_path


def change(path: Path, **values: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def test_the_page_in_docs_is_up_to_date() -> None:
    page = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
    assert page == render_reliability(), "run: make docs"
    assert (FOLDER / PLOT).read_text(encoding="utf-8") == render_plot(), "run: make docs"


def test_every_family_of_the_tests_is_on_the_page() -> None:
    files = (ROOT / "tests").rglob("test_*.py")
    named = {name for file in files for name in _FAMILY.findall(file.read_text("utf-8"))}
    tallied = load(FOLDER / "tally.json")["families"]
    assert named == tallied.keys(), "run: make reliability"
    for family in tallied:
        (row,) = [row for row in rows() if row.startswith(f"| {family} |")]
        assert FAMILIES[family] in row
        assert f"pytest --family={family}`" in row


def test_nothing_was_lost() -> None:
    for family, counts in load(FOLDER / "tally.json")["families"].items():
        assert counts.get("lost", 0) == 0, family
    assert load(FOLDER / "soak.json")["violations"] == []
    assert [target["findings"] for target in load(FOLDER / "fuzz.json")["targets"]] == [0, 0, 0]


def test_every_row_of_a_table_has_as_many_cells() -> None:
    tables = re.findall(r"(?:^\|.*\n)+", render_reliability(), re.MULTILINE)
    assert len(tables) == 4
    for table in tables:
        assert len({row.count("|") for row in table.splitlines()}) == 1, table


def test_the_figures_are_those_of_the_files(results: Path) -> None:
    change(results / "tally.json", families={"limits": {"tests": 12345, "refused": 7}})
    page = render_reliability(results)
    assert f"| limits | {FAMILIES['limits']} | 12,345 | 7 | 0 | 0 | 0 |" in page
    assert "| **all** |  | 12,345 | 7 | 0 | 0 | 0 |" in page
    change(results / "soak.json", rules={"an answer is lost": 3})
    assert "| an answer is lost | 3 |" in render_reliability(results)


def test_a_family_without_a_description_is_refused(results: Path) -> None:
    change(results / "tally.json", families={"new": {"tests": 1}})
    with pytest.raises(ValueError, match="no description of new"):
        render_reliability(results)


@pytest.mark.parametrize("name", ["tally.json", "fuzz.json", "soak.json"])
def test_a_file_of_another_layout_is_refused(results: Path, name: str) -> None:
    change(results / name, format=2)
    with pytest.raises(ValueError, match=f"{name} has layout 2, not 1"):
        render_reliability(results)


def test_the_plot_shows_all_samples_in_their_panels() -> None:
    drawn = plot_soak([(0, 10, 5, 3), (30, 20, 5, 3), (60, 20, 10, 3)])
    curves = re.findall(r'points="([^"]+)"', drawn)
    assert [curve.count(",") for curve in curves] == [3, 3, 3]
    ElementTree.fromstring(drawn)  # It is well-formed.
    heights = [float(point.split(",")[1]) for point in curves[0].split()]
    assert heights[0] > heights[1] == heights[2]
    assert "1.0 minutes" in drawn
