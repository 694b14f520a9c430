"""The watcher in a thread, on a real tree, told of changes by the system or looking by itself."""

import logging
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue
from threading import Thread

import pytest

from gateway.code import code_tree, watcher
from gateway.code.code_tree import CodeTree
from gateway.code.watcher import Watcher, WatcherMessages, poll_delay

SECONDS = 10


class Watched:
    """A tree that is watched."""

    def __init__(self, root: Path, delay: float | None) -> None:
        self.root = root
        self._told: SimpleQueue[list[str]] = SimpleQueue()
        self._end, theirs = socket.socketpair()
        self._link = theirs
        self._read, self._files = os.pipe()
        os.set_blocking(self._read, False)
        self._watcher = Watcher(
            CodeTree(str(root)), WatcherMessages(theirs, self._read), self._told.put, delay
        )
        self._thread = Thread(target=self._watcher.run)

    def start(self) -> None:
        self._thread.start()
        assert self._told.get(timeout=SECONDS) == []

    def stop(self) -> None:
        self._end.close()
        self._thread.join(SECONDS)
        assert not self._thread.is_alive()
        self._link.close()
        os.close(self._read)
        os.close(self._files)

    def tell_of(self, path: Path) -> None:
        os.write(self._files, os.fsencode(path) + b"\n")

    def next(self) -> list[str]:
        return [os.path.relpath(path, self.root) for path in self._told.get(timeout=SECONDS)]


@contextmanager
def watching(root: Path, delay: float | None = None) -> Iterator[Watched]:
    made = Watched(root, delay)
    made.start()
    try:
        yield made
    finally:
        made.stop()


@pytest.mark.parametrize("delay", [None, 0.01])
def test_changes_are_told(tmp_path: Path, delay: float | None) -> None:
    (tmp_path / "old.py").touch()
    with watching(tmp_path, delay) as watched:
        (tmp_path / "notes.txt").touch()
        (tmp_path / "new.py").touch()
        assert watched.next() == ["new.py"]
        (tmp_path / "old.py").unlink()
        assert watched.next() == ["old.py"]
        (tmp_path / "a" / "b").mkdir(parents=True)
        (tmp_path / "a" / "b" / "deep.py").touch()
        assert watched.next() == ["a/b/deep.py"]
        (tmp_path / "a" / "b" / "deep.py").write_text("x")
        assert watched.next() == ["a/b/deep.py"]


def test_a_folder_may_go_and_come_again(tmp_path: Path) -> None:
    root = tmp_path / "code"
    root.mkdir()
    (root / "app.py").touch()
    with watching(root) as watched:
        os.rename(root, tmp_path / "aside")
        assert watched.next() == ["app.py"]
        os.rename(tmp_path / "aside", root)
        assert watched.next() == ["app.py"]
        (root / "app.py").write_text("x")
        assert watched.next() == ["app.py"]


def test_what_the_system_does_not_tell_is_found_anyhow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Silent:
        """What the system is when it tells nothing, as on some file systems."""

        def watch(self, debounce: int, step: int, timeout: int, stop: object) -> str:
            return "timeout"

        def close(self) -> None: ...

    monkeypatch.setattr(watcher, "_notifier", lambda _: Silent())
    monkeypatch.setattr(watcher, "_LOOK_SECONDS", 0.05)
    with watching(tmp_path) as watched:
        (tmp_path / "app.py").touch()
        assert watched.next() == ["app.py"]


def test_files_from_elsewhere_are_watched_once_told(tmp_path: Path) -> None:
    root, lib = tmp_path / "code", tmp_path / "lib" / "words.py"
    root.mkdir()
    lib.parent.mkdir()
    lib.touch()
    with watching(root) as watched:
        watched.tell_of(lib)
        watched.tell_of(tmp_path / "nothing.py")
        while str(lib.parent) not in watched._watcher._followed:
            time.sleep(0.001)
        saved = tmp_path / "saved"
        saved.write_text("x")
        saved.replace(lib)  # One change, where writing is two.
        assert watched.next() == ["../lib/words.py"]
        (tmp_path / "nothing.py").touch()
        assert watched.next() == ["../nothing.py"], "it is there now"


def test_a_path_may_come_in_pieces(tmp_path: Path) -> None:
    ours, theirs = socket.socketpair()
    read, write = os.pipe()
    os.set_blocking(read, False)
    news = WatcherMessages(theirs, read)
    assert not news.is_set()
    os.write(write, b"/one\n/tw")
    assert news.is_set()
    assert news.read() == ["/one"]
    assert not news.is_set()
    assert news.read() == []
    os.write(write, b"o\n\xff\n")
    assert news.read() == ["/two", "\udcff"]
    assert not news.is_over
    ours.close()
    assert news.is_set()
    news.read()
    assert news.is_over
    theirs.close()
    os.close(read)
    os.close(write)


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (OSError("OS file watch limit reached. about […]"), "fs.inotify.max_user_watches"),
        (RuntimeError("Too many open files (os error 24)"), "fs.inotify.max_user_instances"),
        (ImportError("no such library"), "watchfiles cannot be imported (no such library)"),
    ],
)
def test_who_cannot_be_told_looks(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
    says: str,
) -> None:
    def refuse(folders: object) -> None:
        raise error

    monkeypatch.setattr(watcher, "_notifier", refuse)
    with watching(tmp_path) as watched:
        for name in ("a.py", "b.py"):
            (tmp_path / name).touch()
            assert watched.next() == [name]
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert says in record.message
    assert record.message.endswith(": looking every 0.3 s instead")


def test_who_has_too_many_folders_is_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(code_tree, "MAX_FOLDERS", 1)
    (tmp_path / "sub").mkdir()
    with watching(tmp_path) as watched:
        (tmp_path / "a.py").touch()
        assert watched.next() == ["a.py"]
    (record,) = caplog.records
    assert "has more than" in record.message
    assert "--chdir" in record.message


@pytest.mark.parametrize(
    ("environ", "release", "delay"),
    [
        ({}, "6.1.0-generic", None),
        ({}, "5.15.90.1-microsoft-standard-WSL2", 0.3),
        ({"WATCHFILES_FORCE_POLLING": ""}, "6.1.0", None),
        ({"WATCHFILES_FORCE_POLLING": "1"}, "6.1.0", 0.3),
        ({"WATCHFILES_FORCE_POLLING": "Disabled"}, "6.1-microsoft-standard", None),
        ({"WATCHFILES_FORCE_POLLING": "false"}, "6.1.0", None),
        ({"WATCHFILES_FORCE_POLLING": "1", "WATCHFILES_POLL_DELAY_MS": "1500"}, "6.1.0", 1.5),
        ({"WATCHFILES_FORCE_POLLING": "1", "WATCHFILES_POLL_DELAY_MS": "x"}, "6.1.0", 0.3),
        ({"WATCHFILES_FORCE_POLLING": "1", "WATCHFILES_POLL_DELAY_MS": "0"}, "6.1.0", 0.01),
        ({"WATCHFILES_POLL_DELAY_MS": "1500"}, "6.1.0", None),
    ],
)
def test_who_polls(environ: dict[str, str], release: str, delay: float | None) -> None:
    assert poll_delay(environ, release) == delay
