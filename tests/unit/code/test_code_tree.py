"""What counts as code, and which of it has changed between two looks."""

import os
from pathlib import Path

import pytest

from gateway.code import code_tree
from gateway.code.code_tree import CodeTree, differences, summary


@pytest.fixture
def tree(tmp_path: Path) -> CodeTree:
    for name in ("app.py", "pack/__init__.py", "pack/deep/module.py"):
        put(tmp_path / name)
    return CodeTree(str(tmp_path))


def put(path: Path, text: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def seen(tree: CodeTree) -> set[str]:
    return {os.path.relpath(path, tree.root) for path in tree.look().files}


def test_python_files_at_any_depth_are_seen(tree: CodeTree, tmp_path: Path) -> None:
    look = tree.look()
    assert seen(tree) == {"app.py", "pack/__init__.py", "pack/deep/module.py"}
    assert look.folders.keys() == {
        *(str(tmp_path / name) for name in ("", "pack", "pack/deep")),
        str(tmp_path.parent),
    }
    assert look.is_whole


@pytest.mark.parametrize(
    "name",
    [
        "notes.txt",
        "app.pyc",
        "app.py~",
        ".app.py",
        ".#app.py",
        "flycheck_app.py",
        "__pycache__/app.py",
        ".git/hook.py",
        ".venv/lib/a.py",
        "node_modules/gyp/a.py",
        "lib/site-packages/a.py",
        "lib/dist-packages/a.py",
    ],
)
def test_what_is_no_code_of_the_user_is_not_seen(tree: CodeTree, tmp_path: Path, name: str) -> None:
    before = tree.look()
    put(tmp_path / name, "x")
    assert differences(before, tree.look()) == []


def test_a_virtual_environment_is_known_by_its_mark(tree: CodeTree, tmp_path: Path) -> None:
    put(tmp_path / "env" / "pyvenv.cfg")
    put(tmp_path / "env" / "bin" / "tool.py")
    put(tmp_path / "environment" / "tool.py")
    assert "environment/tool.py" in seen(tree)
    assert "env/bin/tool.py" not in seen(tree)
    assert CodeTree(str(tmp_path / "env")).look().files, "but for who works in it"


def test_other_files_count_where_that_is_asked_for(tmp_path: Path) -> None:
    for name in ("a.html", "b.HTML", ".c.html", "d.json", "e.py"):
        put(tmp_path / name)
    assert seen(CodeTree(str(tmp_path), ["*.html", "d.*"])) == {"a.html", "d.json", "e.py"}


def test_what_happens_to_a_file_is_seen(tree: CodeTree, tmp_path: Path) -> None:
    def change_after(action: object) -> list[str]:
        before = tree.look()
        assert callable(action)
        action()
        return [os.path.relpath(path, tmp_path) for path in differences(before, tree.look())]

    app, other = tmp_path / "app.py", tmp_path / "other.py"
    moment = app.stat().st_mtime_ns
    assert change_after(lambda: None) == []
    assert change_after(app.read_bytes) == []

    def save(text: str) -> None:
        put(app, text)
        os.utime(app, ns=(moment, moment))

    assert change_after(lambda: save("one")) == ["app.py"]
    assert change_after(lambda: save("two")) == ["app.py"], "of the same time and size"

    def replace() -> None:
        put(other, "new")
        os.utime(other, ns=(moment, moment))
        os.replace(other, app)

    assert change_after(replace) == ["app.py"]
    assert change_after(lambda: put(other)) == ["other.py"]
    assert change_after(other.unlink) == ["other.py"]
    moved = ["deep/module.py", "pack/deep/module.py"]
    assert change_after(lambda: os.rename(tmp_path / "pack/deep", tmp_path / "deep")) == moved


def test_links_are_followed_once(tree: CodeTree, tmp_path: Path) -> None:
    elsewhere = tmp_path.with_name("elsewhere-of-links")
    put(elsewhere / "sub" / "far.py")
    (tmp_path / "round").symlink_to(tmp_path)
    (tmp_path / "far").symlink_to(elsewhere)
    (tmp_path / "single.py").symlink_to(elsewhere / "sub" / "far.py")
    (tmp_path / "broken.py").symlink_to(tmp_path / "nothing")
    (tmp_path / "itself.py").symlink_to(tmp_path / "itself.py")
    assert seen(tree) == {
        "app.py",
        "pack/__init__.py",
        "pack/deep/module.py",
        "far/sub/far.py",
        "single.py",
    }
    assert str(elsewhere / "sub") in tree.look().folders, "where a change of single.py happens"
    before = tree.look()
    put(elsewhere / "sub" / "far.py", "x")
    assert len(differences(before, tree.look())) == 2


def test_a_folder_that_another_has_replaced_is_another(tree: CodeTree, tmp_path: Path) -> None:
    before = tree.look()
    os.rename(tmp_path / "pack/deep", tmp_path.with_name("kept-deep"))
    (tmp_path / "pack/deep").mkdir()
    after = tree.look()
    assert before.folders.keys() == after.folders.keys()
    assert before.folders != after.folders


def test_a_tree_may_come_later(tmp_path: Path) -> None:
    tree = CodeTree(str(tmp_path / "later"))
    look = tree.look()
    assert (look.files, look.is_whole) == ({}, True)
    assert look.folders.keys() == {str(tmp_path)}, "where it would appear"
    put(tmp_path / "later" / "app.py")
    assert seen(tree) == {"app.py"}


def test_files_from_elsewhere_count(tree: CodeTree, tmp_path: Path) -> None:
    other = put(tmp_path.with_name("elsewhere-of-files") / "lib.py")
    before = tree.look()
    stamps = tree.add([str(other), "/nowhere/x.py"])
    assert list(stamps) == [str(other)]
    assert tree.counts(str(other))
    assert differences(before, tree.look()) == [str(other)]
    assert str(other.parent) in tree.look().folders
    assert str(other.parent) not in before.folders
    assert tree.look().files[str(other)] == stamps[str(other)]


@pytest.mark.parametrize(("most", "is_whole"), [(2, False), (3, True), (4, True)])
def test_a_tree_has_a_bound(
    tree: CodeTree, monkeypatch: pytest.MonkeyPatch, most: int, is_whole: bool
) -> None:
    monkeypatch.setattr(code_tree, "MAX_FOLDERS", most)
    look = tree.look()
    assert look.is_whole is is_whole
    assert len(look.folders.keys() - {str(Path(tree.root).parent)}) == min(most, 3)
    assert os.path.join(tree.root, "app.py") in look.files, "what is near is kept"


@pytest.mark.parametrize(
    ("paths", "text"),
    [
        (["/c/a.py"], "a.py"),
        (["/c/a.py", "/c/p/b.py", "/d/c.py"], "a.py, p/b.py, ../d/c.py"),
        ([f"/c/{name}.py" for name in "abcd"], "a.py, b.py, c.py and 1 more"),
    ],
)
def test_a_summary_is_short(paths: list[str], text: str) -> None:
    assert summary(paths, "/c") == text


@pytest.mark.parametrize("target", ["/", "/proc", "/proc/self", "/sys", "/dev", "..", "../.."])
def test_links_to_the_system_or_around_the_tree_are_not_followed(
    tree: CodeTree, tmp_path: Path, target: str
) -> None:
    """A look into them costs much, and never finds the same twice."""
    before = tree.look()
    (tmp_path / "out").symlink_to(tmp_path / target if target[0] == "." else target)
    after = tree.look()
    assert after.is_whole
    assert after.folders.keys() == before.folders.keys()
    assert differences(before, after) == []
