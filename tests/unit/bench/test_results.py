"""What is saved is what is read again, and nothing else is taken for results."""

import json
from pathlib import Path

import pytest
from unit.bench import synthetic

from bench.results import FORMAT, Results, Run


def test_round_trip(tmp_path: Path) -> None:
    results = synthetic.empty(is_complete=False)
    results.runs += [
        Run("hello-32", "granian", 0, {"cpu_us": 10.25}, {"latency_ms": [[0.5, 1.5]]}),
        Run("hello-32", "gateway", 1, failure="it ended\nTraceback …"),
    ]
    results.overhead.append({"path": "direct", "samples": [[0, 1.5]]})
    path = tmp_path / "new" / "results.json"
    results.save(path)
    assert Results.load(path) == results
    assert [entry.name for entry in path.parent.iterdir()] == ["results.json"]


def test_saving_again_replaces(tmp_path: Path) -> None:
    results = synthetic.empty(is_complete=False)
    results.save(tmp_path / "a.json")
    results.is_complete = True
    results.save(tmp_path / "a.json")
    assert Results.load(tmp_path / "a.json").is_complete


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "null",
        "{}",
        '{"format": 1}',
        '{"format": 1, "runs": 5}',
        '{"format": 1, "runs": [{"speed": 1}]}',
        '{"format": 1, "runs": [], "speed": 1}',
    ],
)
def test_other_content_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "other.json"
    path.write_text(content)
    with pytest.raises(ValueError, match=r"other\.json holds no results"):
        Results.load(path)


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.json"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match=r"other\.json holds no results"):
        Results.load(path)


def test_another_layout_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "later.json"
    synthetic.empty().save(path)
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": FORMAT + 1}))
    with pytest.raises(ValueError, match=f"has layout {FORMAT + 1}; this version reads {FORMAT}"):
        Results.load(path)
