"""Finds the files of the user's code, and which have changed between two looks.

A look walks the folders and asks the system for the state of each file, which takes a few
microseconds per file.  It compares states, not events, so it finds every change: a rename instead
of a write, a folder moved away and back, a link with a new target.
"""

import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from fnmatch import fnmatchcase
from typing import Final, NamedTuple

MAX_FOLDERS: Final = 10_000
"""The most folders to visit: a tree with more is a home directory or a whole disk."""

_CODE: Final = ("*.py",)

_TEMPORARY_FILES: Final = ("flycheck_*",)
"""Temporary files of editors beside the edited file, in addition to hidden files."""

_SKIPPED_FOLDERS: Final = frozenset(
    {"__pycache__", "node_modules", "site-packages", "dist-packages"}
)
"""Folders without code of the user, in addition to hidden ones and virtual environments."""

_SYSTEM_FOLDERS: Final = ("/proc", "/sys", "/dev")
"""File systems of devices and processes, which change constantly."""

Stamp = tuple[int, int, int]
"""The state of a file: the time of its last change (`st_ctime`, because a copy with times sets
`st_mtime` back), its size, its inode."""

Identity = tuple[int, int]
"""Device and inode of a folder, which another folder may replace."""


class Look(NamedTuple):
    """The result of one look."""

    files: dict[str, Stamp]
    folders: dict[str, Identity]
    """The folders to watch."""
    is_whole: bool
    """Whether there were at most `MAX_FOLDERS`."""


class CodeTree:
    """A folder of code, and files from elsewhere that belong to it."""

    def __init__(self, root: str, patterns: Sequence[str] = ()) -> None:
        """`root` is absolute; `patterns` match further file names in addition to `*.py`."""
        self.root = root
        self._patterns = (*_CODE, *patterns)
        self._others: set[str] = set()
        self._system: set[int] = set()
        for path in _SYSTEM_FOLDERS:
            with suppress(OSError):
                self._system.add(os.stat(path).st_dev)
        with suppress(OSError):
            # Unless such a path is an ordinary folder on the main disk.
            self._system -= {os.stat(root).st_dev, os.stat(os.sep).st_dev}

    def add(self, files: Iterable[str]) -> dict[str, Stamp]:
        """Add these files, wherever they are; return the stamps of those that exist."""
        added = set(files)
        self._others |= added
        stamps = {}
        for path in added:
            with suppress(OSError):
                stamps[path] = _stamp(path)
        return stamps

    def counts(self, path: str) -> bool:
        """Whether a file with this path in a folder of the tree is code."""
        return path in self._others or self._is_code(os.path.basename(path))

    def _is_code(self, name: str) -> bool:
        if name.startswith(".") or any(fnmatchcase(name, pattern) for pattern in _TEMPORARY_FILES):
            return False
        return any(fnmatchcase(name, pattern) for pattern in self._patterns)

    def look(self) -> Look:
        """The present state of the tree, without what cannot be read."""
        look = Look({}, {}, is_whole=True)
        seen: set[Identity] = set()
        # Near folders first: they are kept if there are too many.
        level = [self.root]
        while level:
            below: list[str] = []
            for folder in level:
                if len(seen) >= MAX_FOLDERS:
                    look = look._replace(is_whole=False)
                    break
                with suppress(OSError):
                    below += self._look_into(folder, look, seen)
            level = below if look.is_whole else []
        # The parent of the root too, since another folder may replace the root.
        for path in (*self._others, self.root):
            _note_folder(path, look)
        for path in self._others:
            _note(path, look)
        return look

    def _look_into(self, folder: str, look: Look, seen: set[Identity]) -> list[str]:
        """Note the files of a folder; return its subfolders.

        Raises:
            OSError: it no longer exists, or may not be read.
        """
        identity = _identity(folder)
        if identity in seen or identity[0] in self._system:  # Links may form a circle.
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
                if entry.name not in _SKIPPED_FOLDERS and not entry.name.startswith("."):
                    below.append(entry.path)
            elif self._is_code(entry.name):
                if entry.is_symlink():  # The system reports changes in the folder of the target.
                    _note_folder(os.path.realpath(entry.path), look)
                _note(entry.path, look)
        return below

    def _is_above(self, link: str) -> bool:
        """Whether a link leads to a folder that contains the tree, such as the whole disk."""
        target = os.path.join(os.path.realpath(link), "")
        return os.path.realpath(self.root).startswith(target)


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir()
    except OSError:  # A link to an unreadable place.
        return False


def _note(path: str, look: Look) -> None:
    with suppress(OSError):  # It no longer exists, or is a broken link.
        look.files[path] = _stamp(path)


def _note_folder(path: str, look: Look) -> None:
    """Note the parent folder of a path."""
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
    """The sorted paths of files that were added, changed or removed."""
    return sorted(
        path
        for path in before.files.keys() | after.files.keys()
        if before.files.get(path) != after.files.get(path)
    )


_MAX_SHOWN: Final = 3


def summary(paths: Sequence[str], root: str) -> str:
    """The first paths, relative to `root`, and the number of further ones."""
    shown = [os.path.relpath(path, root) for path in paths[:_MAX_SHOWN]]
    more = len(paths) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")
