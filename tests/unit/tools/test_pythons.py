"""Which Pythons are found for the unit tests."""

import re
import sys
from pathlib import Path

import pytest

from tools import pythons
from tools.pythons import ROOT, VERSIONS, find


def fake(path: Path, version: tuple[int, int]) -> Path:
    """A program that says it is of this version."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho '{version!r}'\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder on the path; nobody has a home."""
    monkeypatch.setenv("PATH", str(tmp_path / "shims"))
    monkeypatch.delenv("PYENV_ROOT", raising=False)
    monkeypatch.setattr(pythons.pwd, "getpwuid", lambda uid: type("", (), {"pw_dir": "/nowhere"}))
    return tmp_path


def test_one_on_the_path(path: Path) -> None:
    python = fake(path / "shims" / "python3.12", (3, 12))
    assert find((3, 12)) == str(python)
    assert find((3, 13)) is None


def test_a_shim_without_a_python_is_passed_over(path: Path) -> None:
    """`pyenv` has shims for all versions, also for those that are not chosen."""
    fake(path / "shims" / "python3.12", (0, 0))
    assert find((3, 12)) is None
    fake(path / "versions" / "3.12.9" / "bin" / "python3.12", (3, 12))
    newest = fake(path / "versions" / "3.12.10" / "bin" / "python3.12", (3, 12))
    assert find((3, 12)) == str(newest)


def test_the_python_that_runs_this_is_found_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Path(sys.base_prefix, "bin")
    if not (folder / f"python{sys.version_info[0]}.{sys.version_info[1]}").exists():
        pytest.skip("its installation has no name with a version")
    monkeypatch.setenv("PATH", str(folder))
    assert find(sys.version_info[:2]) is not None


def test_the_versions_are_those_of_the_package() -> None:
    classifiers = re.findall(r"Python :: (3)\.(\d+)", (ROOT / "pyproject.toml").read_text())
    assert {(int(major), int(minor)) for major, minor in classifiers} == {*VERSIONS}
