"""What a short run leaves of a long one's result."""

import json
from pathlib import Path

import pytest

from bench.published import publish


def extent(result: dict[str, int]) -> float:
    return result["inputs"]


@pytest.mark.parametrize(("made", "is_written"), [(9, False), (10, True), (11, True)])
def test_a_shorter_run(
    tmp_path: Path, made: int, is_written: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "result.json"
    path.write_text('{"inputs": 10}')
    text = json.dumps({"inputs": made, "run": "new"})
    assert publish(path, text, extent, "inputs") is is_written
    assert ("new" in path.read_text()) is is_written
    said = "" if is_written else f"{path} stays as it is: it is of 10 inputs and this run of 9; "
    assert capsys.readouterr().err.startswith(said)


def test_a_shorter_run_that_is_wanted(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    path.write_text('{"inputs": 10}')
    assert publish(path, '{"inputs": 1}', extent, "inputs", replace=True)
    assert path.read_text() == '{"inputs": 1}'


def test_the_first_result(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "result.json"
    assert publish(path, '{"inputs": 1}', extent, "inputs")
    assert path.read_text() == '{"inputs": 1}'
