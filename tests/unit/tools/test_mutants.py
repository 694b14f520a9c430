"""Which modules mutation tests are for, and which tests they run."""

import subprocess
from importlib.util import find_spec

import pytest

from tools import mutants


@pytest.fixture
def repository(tmp_path):
    """One with two revisions: the second changes `wsgi/pool` and adds `fc/names`."""

    def git(*words):
        identity = ("-c", "user.name=x", "-c", "user.email=x@x")
        subprocess.run(["git", *identity, *words], cwd=tmp_path, check=True, capture_output=True)

    def write(path, text):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)

    git("init")
    for module in ("wsgi/pool", "wsgi/result", "gone"):
        write(f"gateway/{module}.py", "1\n")
    write("tests/unit/wsgi/test_pool.py", "1\n")
    git("add", ".")
    git("commit", "-m", "first")
    write("gateway/wsgi/pool.py", "2\n")
    write("gateway/fc/names.py", "2\n")
    write("gateway/fc/__init__.py", "")
    write("tests/unit/wsgi/test_pool.py", "2\n")
    (tmp_path / "gateway/gone.py").unlink()
    git("add", ".")
    git("commit", "-m", "second")
    return tmp_path


@pytest.mark.parametrize("since", ["", "HEAD~1"])
def test_what_has_changed(repository, since):
    assert mutants.changed(since, repository) == ["gateway/fc/names.py", "gateway/wsgi/pool.py"]


def test_nothing_has_changed(repository):
    assert mutants.changed("HEAD", repository) == []


def test_a_revision_that_is_not_there(repository):
    with pytest.raises(LookupError, match=r"^v0: no such revision"):
        mutants.changed("v0", repository)


@pytest.mark.parametrize("name", ["wsgi/pool", "wsgi/pool.py", "gateway/wsgi/pool.py"])
def test_a_module_by_its_names(repository, name):
    assert mutants.module_at(name, repository) == "gateway/wsgi/pool.py"


def test_a_module_that_is_not_there(capsys):
    assert mutants.main(["wsgi/puddle"]) == 2
    told = "error: wsgi/puddle: no such module; name one as in MODULES=wsgi/job_queue\n"
    assert capsys.readouterr().err == told


def test_the_tests_of_a_module(repository):
    mirrored = mutants.mirrored_tests("gateway/wsgi/pool.py", repository)
    assert mirrored == ["tests/unit/wsgi/test_pool.py"]
    assert mutants.mirrored_tests("gateway/wsgi/result.py", repository) == ["tests/unit/wsgi"]


@pytest.mark.skipif(find_spec("mypy") is None, reason="needs mypy, of the group check")
def test_mypy_s_findings_in_mutants_alone_are_reported(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "one.py").write_text(
        "def around() -> int:\n    return 'x'\n\n\n"
        "def f__mutmut_1() -> int:\n    return 'x'\n\n\n"
        "def f__mutmut_2() -> int:\n    return 1\n"
    )
    mutants.report_types("one.py")
    (line,) = capsys.readouterr().out.splitlines()
    assert '"line": 6' in line
