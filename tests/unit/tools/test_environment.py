"""The environment of `make`: what makes it anew, what is completed, and what is left alone."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tools import environment
from tools.environment import STAMP, CannotMakeError, digest, fault_of, prepare

Prepare = Callable[..., list[str]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the environment is to be."""
    return tmp_path / "with space" / "env"


def make(folder: Path) -> None:
    """An environment without pip, but for a folder of its name: quickly made."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    # Its note of where it was made has the option, which `make` does not give.
    note = folder / "pyvenv.cfg"
    note.write_text(note.read_text().replace("--without-pip ", ""))
    pip = next((folder / "lib").glob("python*/site-packages")) / "pip"
    pip.mkdir()
    (pip / "__init__.py").touch()


@pytest.fixture
def prepared(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Prepare:
    """`prepare` without a network: what it has made and installed."""
    done: list[str] = []

    def create(path: str, fault: str) -> None:
        done.append(fault)
        if os.path.lexists(path):
            subprocess.run(["rm", "-r", path], check=True)
        make(Path(path))

    def install(path: str, groups: list[str]) -> None:
        done.append(f"installed {' '.join(groups)}".strip())

    monkeypatch.setattr(environment, "create", create)
    monkeypatch.setattr(environment, "install", install)

    def run(*groups: str, exactly: bool = False) -> list[str]:
        done.clear()
        prepare(str(folder), groups, exactly)
        return [*done]

    return run


def test_it_is_made_once(prepared: Prepare) -> None:
    assert prepared() == ["is not there", "installed"]
    assert prepared() == []
    assert prepared("dev") == ["installed dev"]
    assert prepared() == []
    assert prepared("dev") == []
    assert prepared("fuzz") == ["installed dev fuzz"]
    assert prepared("dev", "fuzz", exactly=True) == []


def test_other_requirements_are_installed(prepared: Prepare, folder: Path) -> None:
    prepared("dev")
    (folder / STAMP).write_text("an-older-digest dev")
    assert prepared() == ["installed dev"]


def test_an_interrupted_installation_is_done_again(
    prepared: Prepare, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(path: str, groups: list[str]) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(environment, "install", interrupted)
        with pytest.raises(KeyboardInterrupt):
            prepared("dev")
    assert prepared("dev") == ["installed dev"]


def test_no_pip(prepared: Prepare, folder: Path) -> None:
    """As after `python3 -m venv` on Debian without its package."""
    prepared()
    for path in (folder / "lib").glob("python*/site-packages/pip"):
        path.rename(path.with_name("gone"))
    assert prepared() == ["has no pip", "installed"]
    assert prepared() == []


def test_an_interpreter_that_is_gone(prepared: Prepare, folder: Path) -> None:
    prepared()
    python = folder / "bin" / "python"
    python.unlink()
    assert prepared() == ["has no Python that runs", "installed"]
    python.unlink()
    python.symlink_to("/nowhere/python3")
    assert prepared() == ["has no Python that runs", "installed"]
    python.unlink()
    python.write_text("#!/bin/sh\nexit 1\n")
    python.chmod(0o755)
    assert prepared() == ["has no Python that runs", "installed"]


def test_a_moved_folder(prepared: Prepare, folder: Path) -> None:
    """The commands in it name the folder that it was made in."""
    prepared()
    moved = folder.rename(folder.with_name("moved"))
    assert fault_of(str(moved), False) == "was made in another folder"
    folder.symlink_to(moved)  # The old name leads there still: nothing is broken.
    assert fault_of(str(folder), False) == ""
    folder.unlink()
    moved.rename(folder)
    assert prepared() == []


@pytest.mark.parametrize("version", ["3.9", "3.99"])
def test_another_python(prepared: Prepare, folder: Path, version: str) -> None:
    """An older one than is needed is replaced; another one where this one is asked for."""
    prepared()
    python = folder / "bin" / "python"
    python.unlink()
    python.write_text(f"#!/bin/sh\necho {version.replace('.', ' ')} True\n")
    python.chmod(0o755)
    expected = [f"is of Python {version}", "installed"]
    if version == "3.99":
        assert prepared() == []
        assert prepared(exactly=True) == expected
    else:
        assert prepared() == expected


def stand_in(folder: Path, script: str) -> str:
    """A Python that cannot do what it should."""
    path = folder / "python3"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


def test_debians_python_without_its_package(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It leaves half an environment and says so; nothing stays, and the line is one."""
    half = (
        f'mkdir -p "{folder}/bin"; touch "{folder}/pyvenv.cfg"\n'
        "echo 'not created successfully because ensurepip is not'; echo available.; exit 1"
    )
    monkeypatch.setattr(sys, "_base_executable", stand_in(tmp_path, half))
    for _ in range(2):
        with pytest.raises(CannotMakeError, match=r"no ensurepip; on Debian .* python3-venv, then"):
            prepare(str(folder), [], False)
        assert not folder.exists()


def test_a_python_that_fails_otherwise(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "_base_executable", stand_in(tmp_path, "echo no space >&2; exit 1"))
    with pytest.raises(CannotMakeError, match=r"failed: no space$"):
        prepare(str(folder), [], False)


@pytest.mark.parametrize("content", ["a file", "a folder"])
def test_what_is_no_environment_is_left_alone(tmp_path: Path, content: str) -> None:
    """`make VENV=$HOME run` must not remove a home."""
    path = tmp_path / "precious"
    if content == "a file":
        path.write_text("mine")
    else:
        path.mkdir()
        (path / "thesis.tex").touch()
    with pytest.raises(CannotMakeError, match="is no virtual environment; remove it, or name"):
        prepare(str(path), [], False)
    assert path.is_file() or (path / "thesis.tex").exists()


def test_a_python_that_is_too_old(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 10, 2))
    with pytest.raises(CannotMakeError, match=r"3\.11 or newer is needed, and .* is 3\.10; name"):
        prepare(str(tmp_path / "env"), [], False)


def test_the_digest_is_of_the_requirements(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    before = digest()
    monkeypatch.setattr(environment, "ROOT", str(tmp_path))
    (tmp_path / "pyproject.toml").write_text("[project]")
    assert digest() != before
