"""The options of the tests that the reliability page relies on, in a test run of their own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

TESTS = """\
import pytest

@pytest.mark.family({one!r})
@pytest.mark.parametrize("n", [1, 2])
def test_one(n, tally):
    tally(refused=n, served=1)

@pytest.mark.family({other!r})
def test_other(tally):
    tally(faults=1)
    assert {passes}

def test_none():
    pass
"""


def run(folder: Path, *options: str, passes: bool = True) -> tuple[int, str, dict[str, object]]:
    """Status, output and tally of a run of `TESTS`."""
    (folder / "conftest.py").write_text((ROOT / "tests" / "conftest.py").read_text("utf-8"))
    (folder / "test_it.py").write_text(TESTS.format(one="limits", other="splits", passes=passes))
    tally = folder / "tally.json"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--rootdir", str(folder),
         "-c", str(ROOT / "pyproject.toml"), "--tally", str(tally), *options, str(folder)],
        capture_output=True, encoding="utf-8", cwd=ROOT, check=False, timeout=60,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},  # To load them takes longest.
    )  # fmt: skip
    found = json.loads(tally.read_text())["families"] if tally.exists() else {}
    return done.returncode, done.stdout + done.stderr, found


def test_each_family_is_counted(tmp_path: Path) -> None:
    status, output, found = run(tmp_path)
    assert (status, "4 passed" in output) == (0, True), output
    assert found == {
        "limits": {"tests": 2, "refused": 3, "served": 2},
        "splits": {"tests": 1, "faults": 1},
    }


def test_a_family_alone(tmp_path: Path) -> None:
    status, output, found = run(tmp_path, "--family", "limits")
    assert status == 0, output
    assert "2 passed, 2 deselected" in output
    assert found.keys() == {"limits"}


def test_a_family_that_is_not(tmp_path: Path) -> None:
    status, output, _ = run(tmp_path, "--family", "limit")
    assert status == pytest.ExitCode.USAGE_ERROR
    assert "no test belongs to limit" in output


def test_a_failure_leaves_no_tally(tmp_path: Path) -> None:
    status, output, found = run(tmp_path, passes=False)
    assert (status, found) == (1, {}), output


def test_a_selection_replaces_no_tally_of_more(tmp_path: Path) -> None:
    run(tmp_path)
    status, output, found = run(tmp_path, "--family", "limits")
    assert status == 0, output
    assert "stays as it is: it is of 2 families and this run of 1" in output
    assert found.keys() == {"limits", "splits"}
    assert run(tmp_path, "--family", "limits", "--replace-tally")[2].keys() == {"limits"}
