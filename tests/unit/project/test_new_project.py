"""`gateway init`: which files it writes, and what keeps it from writing any."""

import os
import tomllib
from pathlib import Path

import pytest

from gateway.config import load
from gateway.errors import UsageError
from gateway.project import new_project
from gateway.project.new_project import start_project
from gateway.project.starter_files import STARTER_FILES

NAMES = ["index.py", "gateway.toml", "s.yaml", "Dockerfile", "requirements.txt", ".gitignore"]


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_the_folder_is_made_and_named(tmp_path: Path) -> None:
    said = start_project(["some/new/orders"])
    folder = tmp_path / "some/new/orders"
    assert names_in(folder) == {*NAMES}
    assert said.startswith(
        f"Made {', '.join(NAMES)} in some/new/orders. Next:\n  cd some/new/orders\n"
    )
    assert "functionName: orders" in (folder / "s.yaml").read_text()
    assert tomllib.loads((folder / "gateway.toml").read_text())["function_name"] == "orders"
    assert not [name for name in NAMES if "starter-function" in (folder / name).read_text()]


def test_without_a_folder_it_is_the_current_one(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("mine")
    said = start_project([])
    assert names_in(tmp_path) == {*NAMES, "README.md"}
    assert "cd " not in said
    assert "in this folder." in said


@pytest.mark.parametrize(
    ("folder", "name"),
    [("orders_2", "orders_2"), ("2nd", "hello"), ("köln", "hello"), ("a b", "hello"),
     ("x" * 64, "x" * 64), ("x" * 65, "hello")],
)  # fmt: skip
def test_the_function_is_called_as_its_folder_where_it_can_be(folder: str, name: str) -> None:
    start_project([folder])
    assert load(["--project", f"{folder}/s.yaml"], {}).function_name == name


def test_a_folder_name_is_quoted_for_the_shell() -> None:
    assert "\n  cd 'a b'\n" in start_project(["a b"])


def test_both_files_say_the_same_and_nothing_in_them_is_without_effect(tmp_path: Path) -> None:
    start_project(["orders"])
    project = load(["--project", "orders/s.yaml"], {})
    toml = load(["--config", "orders/gateway.toml"], {})
    assert project.notices == ()
    for name in ("target", "function_name", "access_log", "threads", "host", "port", "profile"):
        assert getattr(project, name) == getattr(toml, name), name


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_written_over_and_nothing_beside_it(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "orders"
    folder.mkdir()
    (folder / name).write_text("mine")
    with pytest.raises(UsageError) as refused:
        start_project(["orders"])
    assert str(refused.value) == (
        f"orders has {name} already, and nothing is written over; choose another folder"
    )
    assert names_in(folder) == {name}
    assert (folder / name).read_text() == "mine"


def test_a_link_that_leads_nowhere_is_there_too(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").symlink_to(tmp_path / "absent")
    with pytest.raises(UsageError, match=r"this folder has s\.yaml already"):
        start_project([])
    assert not (tmp_path / "absent").exists()


def test_what_comes_between_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As if another process had made one of the files meanwhile.
    (tmp_path / "Dockerfile").write_text("mine")
    monkeypatch.setattr(os.path, "lexists", lambda path: False)
    with pytest.raises(UsageError, match="cannot write to this folder: File exists"):
        start_project([])
    assert names_in(tmp_path) == {"Dockerfile"}


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "orders").write_text("")
    with pytest.raises(UsageError) as refused:
        start_project(["orders"])
    assert str(refused.value) == "cannot write to orders: File exists; choose another folder"


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--force"], "unknown option --force: give gateway init FOLDER"),
        (["a", "-x"], "unknown option -x: give gateway init FOLDER"),
        (["a", "b"], "'b' is one argument too many: give gateway init FOLDER"),
        ([""], "'' is no folder; give the name of one, such as hello"),
        (["a\0"], "'a\\x00' is no folder; give the name of one, such as hello"),
    ],
)
def test_a_mistake_is_one_line(arguments: list[str], line: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as refused:
        start_project(arguments)
    assert str(refused.value) == line
    assert names_in(tmp_path) == set()


def test_help_tells_of_every_file() -> None:
    assert list(STARTER_FILES) == NAMES
    assert all(file.about for file in STARTER_FILES.values())


def test_the_package_has_every_file_of_a_new_project() -> None:
    root = Path(new_project.__file__).parents[2]
    settings = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["setuptools"]
    patterns = settings["package-data"]["gateway.project"]
    folder = root / "gateway" / "project"
    packaged = {path for pattern in patterns for path in folder.glob(pattern)}
    stored = {folder / "starter" / file.stored for file in STARTER_FILES.values()}
    assert stored <= packaged
    assert {path for path in (folder / "starter").iterdir() if path.is_file()} == stored
