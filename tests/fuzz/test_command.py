"""`python -m fuzz`: what it writes down, and how one input is run again."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from fuzz.targets import FOLDER, ROOT, TARGETS


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
