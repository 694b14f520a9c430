"""Code is what its source says; in processes of their own, because it is for a whole process."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.code.source_loading import is_installed

SCRIPT = """\
import os, sys
from gateway.code.source_loading import load_from_source

folder, elsewhere, told = sys.argv[1:]
sys.path[:0] = [os.path.realpath(folder), elsewhere]
descriptor = os.open(told, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
{switch}
import app, lib
import json.tool
print(app.value, lib.value)
"""


def put(path: Path, text: str) -> None:
    """Write a module; all of its writings are of one moment."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    os.utime(path, (1e9, 1e9))


def loaded(tmp_path: Path, *, folder: str = "code", is_on: bool = True) -> tuple[str, list[str]]:
    """The values that the modules have, and the files that were told."""
    told = tmp_path / "told"
    told.unlink(missing_ok=True)
    switch = "load_from_source(folder, descriptor)" if is_on else ""
    arguments = [str(tmp_path / folder), str(tmp_path / "lib"), str(told)]
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(switch=switch), *arguments],
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": ""},
        check=True,
        capture_output=True,
        text=True,
        timeout=20,
    )
    return done.stdout.strip(), told.read_text().splitlines()


@pytest.fixture
def modules(tmp_path: Path) -> tuple[Path, Path]:
    app, lib = tmp_path / "code" / "app.py", tmp_path / "lib" / "lib.py"
    put(app, "value = 1")
    put(lib, "value = 1")
    return app, lib


def test_bytecode_of_code_is_neither_read_nor_written(
    modules: tuple[Path, Path], tmp_path: Path
) -> None:
    app, lib = modules
    assert loaded(tmp_path) == ("1 1", [str(lib)])
    assert not (app.parent / "__pycache__").exists()
    assert loaded(tmp_path, is_on=False) == ("1 1", [])
    assert (app.parent / "__pycache__").exists()
    put(app, "value = 2")
    put(lib, "value = 3")
    assert loaded(tmp_path, is_on=False)[0] == "1 1", "the bytecode passes for up to date"
    assert loaded(tmp_path) == ("2 3", [str(lib)])


def test_a_folder_may_be_a_link(modules: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "current").symlink_to(tmp_path / "code")
    assert loaded(tmp_path, folder="current") == ("1 1", [str(modules[1])])


def test_who_does_not_listen_is_in_nobodys_way(modules: tuple[Path, Path], tmp_path: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    script = (
        "from gateway.code.source_loading import load_from_source\n"
        f"load_from_source('/nowhere', {write})\n"
        f"import sys; sys.path.insert(0, {str(tmp_path / 'lib')!r}); import lib; print(lib.value)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        pass_fds=[write],
        capture_output=True,
        timeout=20,
        check=True,
    )
    os.close(write)
    assert done.stdout == b"1\n"


@pytest.mark.parametrize(
    ("path", "is_so"),
    [
        (os.__file__, True),
        (pytest.__file__, True),
        (sys.modules["gateway"].__file__, True),
        ("/usr/lib/python3/dist-packages/yaml/__init__.py", True),
        ("lib/site-packages/flask/app.py", True),
        ("app.py", False),
        ("gateway/worker/app.py", False),
        ("/srv/shared/words.py", False),
        (f"{os.path.dirname(os.__file__)}-mine/words.py", False),
    ],
)
def test_what_is_installed(path: str, is_so: bool) -> None:
    assert is_installed(path) is is_so
