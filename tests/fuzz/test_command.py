"""`python -m fuzz`: what it writes down, and how one input is run again."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from fuzz.__main__ import Outcome, with_others
from fuzz.targets import FOLDER, ROOT, TARGETS

from bench.environment import revision


def fuzz(*arguments: str) -> "subprocess.CompletedProcess[str]":
    paths = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    return subprocess.run(
        [sys.executable, "-m", "fuzz", *arguments],
        env=os.environ | {"PYTHONPATH": paths},
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=50,
    )


def test_a_short_run(tmp_path: Path) -> None:
    pytest.importorskip("atheris", reason="the group fuzz is not installed")
    result = tmp_path / "result.json"
    done = fuzz("--inputs", "3000", "--minutes", "0.5", "--result", str(result))
    assert done.returncode == 0, done.stderr
    targets = {target["name"]: target for target in json.loads(result.read_text())["targets"]}
    assert targets.keys() == TARGETS.keys()
    for name, target in targets.items():
        assert target["inputs"] == pytest.approx(3000 * TARGETS[name].share, abs=100), target
        assert target["edges"] > 100, "the gateway's modules are instrumented"
        assert target["findings"] == 0


def test_an_input_again() -> None:
    seed = FOLDER / "seeds" / "responses" / "plain"
    done = fuzz("--target", "responses", "--replay", str(seed))
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(("of_same", "expected"), [(True, [7, 5]), (False, [5])])
def test_a_result_of_other_targets_is_completed(
    tmp_path: Path, of_same: bool, expected: list[int]
) -> None:
    path = tmp_path / "result.json"
    heads = {"name": "heads", "inputs": 7}
    commit = revision() if of_same else "another"
    path.write_text(json.dumps({"revision": commit, "targets": [heads]}))
    outcome = Outcome("responses", "", 5, 1, 1, 1, 1, 0)
    assert [target["inputs"] for target in with_others(path, [outcome])] == expected
