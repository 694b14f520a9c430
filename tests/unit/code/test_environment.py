"""A function's variables in a process that has begun without them."""

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.code.environment import put_in_force


@pytest.fixture(autouse=True)
def restored(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("STAGE", "EMPTY", "TZ", "PYTHONPATH"):
        monkeypatch.setenv(name, "")  # So that they are put back.
        monkeypatch.delenv(name)
    monkeypatch.setattr(sys, "path", ["/srv/code", "/usr/lib/python"])
    yield
    monkeypatch.undo()
    time.tzset()


def test_they_go_before_those_of_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STAGE", "outside")
    put_in_force([("STAGE", "own"), ("EMPTY", "")], "/srv/code")
    assert (os.environ["STAGE"], os.environ["EMPTY"]) == ("own", "")


def test_the_time_zone_changes() -> None:
    put_in_force([("TZ", "Asia/Shanghai")], "/srv/code")
    assert time.localtime(0).tm_hour == 8


def test_folders_of_modules_stand_behind_the_code(tmp_path: Path) -> None:
    listed = f"/code/python::lib:{tmp_path}:/srv/code:/code"
    put_in_force([("PYTHONPATH", listed)], "/srv/code")
    folders = ["/srv/code/python", "/srv/code/lib", str(tmp_path)]
    assert sys.path == ["/srv/code", *folders, "/usr/lib/python"]
    assert os.environ["PYTHONPATH"] == listed
