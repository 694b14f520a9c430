"""The files of the user's code: where they are, and which have changed between two looks.

A look goes through the folders and asks the system for each file's state, a few microseconds each.
So whatever has happened in between, a rename in place of a write, a folder moved away and back, a
link that leads elsewhere, is seen by what is there now, not by how it came.
"""

import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from fnmatch import fnmatchcase
from typing import Final, NamedTuple

MOST_FOLDERS: Final = 10_000
"""Looked at: beyond it, what was named is no folder of code but a home or the whole disk."""

_CODE: Final = ("*.py",)

_PASSING: Final = ("flycheck_*",)
"""Beside hidden files, what editors write next to the file that is being edited."""

_FOREIGN: Final = frozenset({"__pycache__", "node_modules", "site-packages", "dist-packages"})
"""Folders that hold no code of the user, besides hidden ones and virtual environments."""

_OF_THE_SYSTEM: Final = ("/proc", "/sys", "/dev")
"""File systems of devices and processes, which change all the time."""

Stamp = tuple[int, int, int]
"""Of a file: the time of its last change of any kind (`st_ctime`, for copying with times sets
`st_mtime` back), its size, its inode."""

Identity = tuple[int, int]
"""Of a folder, which another may have replaced: its device and inode."""


class Look(NamedTuple):
    """What was there."""

    files: dict[str, Stamp]
    folders: dict[str, Identity]
    """Where a change can be noticed."""
    is_whole: bool
    """Whether there were no more than `MOST_FOLDERS`."""


class CodeTree:
    """A folder of code, and files from elsewhere that belong to it."""

    def __init__(self, root: str, patterns: Sequence[str] = ()) -> None:
        """`root` is absolute; `patterns` are names of files that count besides Python's."""
        self.root = root
        self._patterns = (*_CODE, *patterns)
        self._others: set[str] = set()
        self._system: set[int] = set()
        for path in _OF_THE_SYSTEM:
            with suppress(OSError):
                self._system.add(os.stat(path).st_dev)
        with suppress(OSError):
            # Where such a path is a plain folder, of the disk that everything is on.
            self._system -= {os.stat(root).st_dev, os.stat(os.sep).st_dev}

    def add(self, files: Iterable[str]) -> dict[str, Stamp]:
        """Count these, too, wherever they are; their stamps, as far as they are there."""
        added = set(files)
        self._others |= added
        stamps = {}
        for path in added:
            with suppress(OSError):
                stamps[path] = _stamp(path)
        return stamps

    def counts(self, path: str) -> bool:
        """Whether a file with this path is code, if it is in a folder of the tree."""
        return path in self._others or self._is_code(os.path.basename(path))

    def _is_code(self, name: str) -> bool:
        if name.startswith(".") or any(fnmatchcase(name, pattern) for pattern in _PASSING):
            return False
        return any(fnmatchcase(name, pattern) for pattern in self._patterns)

    def look(self) -> Look:
        """What is there now; what cannot be read is not."""
        look = Look({}, {}, is_whole=True)
        seen: set[Identity] = set()
        # Near folders first: they are what is kept where there are too many.
        level = [self.root]
        while level:
            below: list[str] = []
            for folder in level:
                if len(seen) >= MOST_FOLDERS:
                    look = look._replace(is_whole=False)
                    break
                with suppress(OSError):
                    below += self._look_into(folder, look, seen)
            level = below if look.is_whole else []
        # The folder of the root: where another may take the root's place.
        for path in (*self._others, self.root):
            _note_folder(path, look)
        for path in self._others:
            _note(path, look)
        return look

    def _look_into(self, folder: str, look: Look, seen: set[Identity]) -> list[str]:
        """Note what is in a folder; the folders in it.

        Raises:
            OSError: it has gone meanwhile, or may not be read.
        """
        identity = _identity(folder)
        if identity in seen or identity[0] in self._system:  # Links may go round in a circle.
            return []
        seen.add(identity)
        entries = list(os.scandir(folder))
        if folder != self.root and any(entry.name == "pyvenv.cfg" for entry in entries):
            return []
        look.folders[folder] = identity
        below = []
        for entry in entries:
            if _is_folder(entry):
                if entry.is_symlink() and self._is_above(entry.path):
                    continue
                if entry.name not in _FOREIGN and not entry.name.startswith("."):
                    below.append(entry.path)
            elif self._is_code(entry.name):
                if entry.is_symlink():  # The system tells of changes where they happen.
                    _note_folder(os.path.realpath(entry.path), look)
                _note(entry.path, look)
        return below

    def _is_above(self, link: str) -> bool:
        """Whether a link leads to a folder around the tree, such as the whole disk."""
        target = os.path.join(os.path.realpath(link), "")
        return os.path.realpath(self.root).startswith(target)


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir()
    except OSError:  # A link to where one may not look.
        return False


def _note(path: str, look: Look) -> None:
    with suppress(OSError):  # It has gone meanwhile, or is a link to nothing.
        look.files[path] = _stamp(path)


def _note_folder(path: str, look: Look) -> None:
    """Note the folder that a path is in."""
    folder = os.path.dirname(path)
    with suppress(OSError):
        if folder not in look.folders:
            look.folders[folder] = _identity(folder)


def _identity(folder: str) -> Identity:
    status = os.stat(folder)
    return status.st_dev, status.st_ino


def _stamp(path: str) -> Stamp:
    status = os.stat(path)
    return status.st_ctime_ns, status.st_size, status.st_ino


def differences(before: Look, after: Look) -> list[str]:
    """The paths of files that are new, other or gone, in their order."""
    return sorted(
        path
        for path in before.files.keys() | after.files.keys()
        if before.files.get(path) != after.files.get(path)
    )


_SHOWN: Final = 3


def summary(paths: Sequence[str], root: str) -> str:
    """The first of the paths, as seen from `root`, and how many more there are."""
    shown = [os.path.relpath(path, root) for path in paths[:_SHOWN]]
    more = len(paths) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")
