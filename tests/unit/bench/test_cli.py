"""Mistakes on the command line: one line, and status 2."""

from pathlib import Path

import pytest

from bench import cli
from bench.peers import PEERS


@pytest.fixture(autouse=True)
def _no_effects(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing here may get as far as measuring, or leave the tests' signal handlers changed."""
    monkeypatch.setattr(cli.signal, "signal", lambda *_: None)
    monkeypatch.setattr(cli, "pin_to_client_core", lambda: pytest.fail("it measures"))
    monkeypatch.setattr(cli, "refuse_missing", lambda tools: None)


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert cli.main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    (line,) = err.splitlines()
    assert line.startswith("bench: error: ")
    return line.removeprefix("bench: error: ")


def test_no_command_prints_the_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([]) == 0
    assert capsys.readouterr().out.startswith("usage: python -m bench")


def test_an_unknown_peer(capsys: pytest.CaptureFixture[str]) -> None:
    said = refusal(capsys, "run", "--peers", "gateway,apache,nginx")
    assert said.startswith("no peer 'apache', 'nginx'; there are gateway, granian")


def test_an_unknown_scenario(capsys: pytest.CaptureFixture[str]) -> None:
    said = refusal(capsys, "run", "--scenarios", "hello-33")
    assert said.startswith("no scenario 'hello-33'; there are hello-1, hello-32")


@pytest.mark.parametrize(
    "arguments",
    [
        ["serve"],
        ["run", "--suite", "longest"],
        ["run", "--rounds", "0"],
        ["run", "--rounds", "1.5"],
        ["run", "--seconds", "-1"],
        ["run", "--seconds", "nan"],
        ["run", "--faster"],
        ["compare"],
        ["report"],
    ],
)
def test_bad_arguments(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    refusal(capsys, *arguments)


def test_a_peer_that_is_asked_for_must_be_installed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli, "is_installed", lambda peer: peer.name != "bjoern")
    said = refusal(capsys, "run", "--peers", "gateway,bjoern")
    assert said == "bjoern not installed: python -m bench install"


def test_a_peer_that_a_scenario_is_not_set_up_for_is_left_out(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli, "is_installed", lambda peer: True)
    assert cli.main(["run", "--peers", "waitress", "--scenarios", "access-log"]) == 2
    assert capsys.readouterr().err.splitlines() == [
        "access-log: without waitress",
        "bench: error: nothing is left to measure",
    ]


def test_an_output_that_cannot_be_written(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    path = str(tmp_path / "file" / "results.json")
    said = refusal(capsys, "run", "--peers", "gateway", "--scenarios", "hello-1", "--output", path)
    assert said.startswith(f"cannot write {path}: ")


def test_an_unknown_revision(capsys: pytest.CaptureFixture[str]) -> None:
    assert "no-such-revision" in refusal(capsys, "compare", "no-such-revision")


def test_a_revision_with_itself(capsys: pytest.CaptureFixture[str]) -> None:
    said = refusal(capsys, "compare", "HEAD", "HEAD")
    assert said == "HEAD is compared with itself"


@pytest.mark.parametrize("content", [None, "{}"])
def test_a_report_of_nothing(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, content: str | None
) -> None:
    path = tmp_path / "results.json"
    if content:
        path.write_text(content)
    assert "results.json" in refusal(capsys, "report", str(path))


def test_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["list"]) == 0
    out = capsys.readouterr().out
    assert all(f"  {name} " in out for name in PEERS)
    assert "the short suite has " in out
