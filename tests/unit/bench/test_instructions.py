"""Instructions per request: what callgrind writes, and what is said when it cannot."""

import subprocess
import sys
from pathlib import Path

import pytest

import gateway
from bench import instructions
from bench.environment import UsageError
from bench.instructions import FailedCount, main, table, totals
from bench.instructions_script import KINDS

PART = """\
part: {part}


desc: Timerange: Basic block 0 - 4340082
desc: Trigger: {trigger}

positions: line
events: Ir
summary: {total}


ob=(1) /usr/lib/x86_64-linux-gnu/libc.so.6
fl=(1) ./csu/../csu/libc-start.c
fn=(1) (below main)
0 {total}

totals: {total}

"""
"""As callgrind 3.19 writes it, with the costs of one function."""


def recorded(*numbers):
    parts = [
        PART.format(part=part, trigger="--dump-before=getpgid", total=total)
        for part, total in enumerate(numbers, 1)
    ]
    return "# callgrind format\nversion: 1\ncreator: callgrind-3.19.0\n" + "".join(parts)


def test_parts_between_the_marks():
    assert totals(recorded(549044566, 86158, 160185, 160386, 145116, 444709, 164344, 7558827)) == {
        "small": 86158,
        "browser": 160185,
        "varied": 160386,
        "json": 145116,
        "chunked": 444709,
        "streamed": 164344,
    }


@pytest.mark.parametrize("text", ["", recorded(1), recorded(*range(9))])
def test_other_parts(text):
    with pytest.raises(FailedCount, match=r"callgrind saw \d parts instead of 8"):
        totals(text)


def test_one_column():
    assert table({"working tree": {"small": 86158.4}}).splitlines() == [
        "request        working tree",
        "small                86,158",
    ]


def test_the_ratio_is_of_the_working_tree_over_the_revision():
    text = table({"working tree": {"small": 90.0}, "HEAD": {"small": 100.0}})
    assert text.splitlines()[1].split() == ["small", "90", "100", "0.900"]


@pytest.fixture
def callgrind(tmp_path, monkeypatch):
    """A stand-in for valgrind that runs nothing; the test says what it writes."""
    content = tmp_path / "content"

    def command(output):
        copy = "import shutil, sys; shutil.copy(*sys.argv[1:3]); print(sys.argv[3])"
        return [sys.executable, "-c", copy, str(content), str(output), gateway.__file__]

    monkeypatch.setattr(instructions, "_callgrind", command)
    return content


def test_counts_per_request(callgrind):
    callgrind.write_text(recorded(99, 1000, 2000, 3000, 4000, 5000, 6000, 99))
    assert instructions.count(instructions.ROOT, requests=10) == dict(
        zip(KINDS, [100, 200, 300, 400, 500, 600], strict=True)
    )


def test_another_gateway_than_the_one_to_be_counted(tmp_path):
    """Where `folder` has none, the installed one would be counted under its name."""
    with pytest.raises(FailedCount, match=r"the gateway was imported from .+ instead of"):
        instructions.count(tmp_path)


def test_a_script_that_fails(tmp_path):
    (tmp_path / "gateway").mkdir()
    (tmp_path / "gateway" / "__init__.py").write_text("raise RuntimeError('broken')")
    with pytest.raises(FailedCount, match=r"^RuntimeError: broken$"):
        instructions.count(tmp_path)


def test_no_valgrind(monkeypatch, capsys):
    missing = ["valgrind-that-is-not-installed"]
    monkeypatch.setattr(instructions, "_callgrind", lambda _: missing)
    assert main([]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err == (
        "bench: error: valgrind-that-is-not-installed is not installed; "
        "try apt-get install valgrind\n"
    )


@pytest.mark.parametrize("revision", ["no-such-revision", "HEAD^{nonsense}"])
def test_an_unknown_revision(revision, capsys):
    assert main([revision]) == 2
    printed = capsys.readouterr()
    assert printed.err.startswith(f"bench: error: {revision}: ")
    assert printed.err.count("\n") == 1


def test_a_revision_is_unpacked(tmp_path, monkeypatch):
    root = tmp_path / "repository"
    (root / "gateway").mkdir(parents=True)
    (root / "gateway" / "__init__.py").write_text("old = True\n")
    (root / "bench").mkdir()
    (root / "bench" / "script.py").write_text("")
    (root / "other").write_text("")
    git = ["git", "-C", str(root), "-c", "user.name=a", "-c", "user.email=a@example.com"]
    for command in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "first"]):
        subprocess.run([*git, *command], check=True)
    monkeypatch.setattr(instructions, "ROOT", root)
    target = tmp_path / "target"
    instructions.unpack("HEAD", target, "gateway", "bench")
    files = [path.relative_to(target) for path in target.rglob("*") if path.is_file()]
    assert set(files) == {Path("bench/script.py"), Path("gateway/__init__.py")}
    assert (target / "gateway" / "__init__.py").read_text() == "old = True\n"


def test_time_is_bounded(monkeypatch):
    monkeypatch.setattr(instructions, "_TIMEOUT_SECONDS", 0.01)
    with pytest.raises(FailedCount, match="did not end within"):
        instructions.count(instructions.ROOT)


def test_git_is_not_there(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match="git is not installed"):
        instructions.unpack("HEAD", tmp_path, "gateway")
