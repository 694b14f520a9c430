"""Loads the user's code from its source, never from bytecode files.

A bytecode file counts as up to date if it has its source's size and modification time in seconds
(PEP 552 defines the fields).  So after two saves within a second the first version may run until
the next save, which happens too often with a reload at each save.
"""

import os
import sysconfig
from contextlib import suppress
from importlib.machinery import SourceFileLoader
from types import CodeType
from typing import Final

_INSTALLED: Final = frozenset({"site-packages", "dist-packages"})


def load_from_source(folder: str, files_told: int) -> None:
    """From now on compile code from source in this process, except installed libraries.

    The path of each file that is loaded from outside `folder` is written as a line to the
    non-blocking descriptor `files_told`.
    """
    inside = os.path.join(os.path.realpath(folder), "")  # `os.getcwd` resolves links, too.
    cached = SourceFileLoader.get_code
    told: set[str] = set()

    def get_code(self: SourceFileLoader, fullname: str) -> CodeType | None:
        path = os.path.abspath(self.get_filename(fullname))
        is_inside = path.startswith(inside)
        if is_installed(path.removeprefix(inside)):
            return cached(self, fullname)
        if not is_inside and path not in told:
            told.add(path)
            with suppress(OSError):  # The handler has closed it, or the watcher has gone.
                os.write(files_told, os.fsencode(path) + b"\n")
        return self.source_to_code(self.get_data(path), path)

    # Importers create loaders of this class in several places, and all call this method.
    setattr(SourceFileLoader, "get_code", get_code)  # noqa: B010  # What mypy takes for a mistake.


def is_installed(path: str) -> bool:
    """Whether a file belongs to Python, an installed library or the gateway.

    A relative path is in the code folder.
    """
    return path.startswith(_LIBRARIES) or not _INSTALLED.isdisjoint(path.split(os.sep))


_LIBRARIES: Final = tuple(
    {
        os.path.join(folder, "")
        for folder in (
            sysconfig.get_path("stdlib"),
            sysconfig.get_path("platstdlib"),
            os.path.dirname(os.__file__),
            os.path.dirname(os.path.dirname(os.path.abspath(__file__))),
        )
    }
)
