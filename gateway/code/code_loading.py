"""Code of the user is loaded from its source, whatever bytecode lies beside it.

A file of bytecode counts as up to date when it tells its source's size and time of change, in
seconds (PEP 552 has the fields).  So of two saves within a second the first one may be what runs,
until the file is saved again: too often where code is loaded at each save.
"""

import os
import sysconfig
from contextlib import suppress
from importlib.machinery import SourceFileLoader
from types import CodeType
from typing import Final

_INSTALLED: Final = frozenset({"site-packages", "dist-packages"})


def load_from_source(folder: str, files_told: int) -> None:
    """From now on compile code anew in this process; what is installed keeps its bytecode.

    The path of each file that is loaded from outside of `folder` is written to the descriptor
    `files_told`, which does not block, as a line.
    """
    inside = os.path.join(os.path.realpath(folder), "")  # As the current folder is named.
    cached = SourceFileLoader.get_code
    told: set[str] = set()

    def get_code(self: SourceFileLoader, fullname: str) -> CodeType | None:
        path = os.path.abspath(self.get_filename(fullname))
        is_inside = path.startswith(inside)
        if is_installed(path.removeprefix(inside)):
            return cached(self, fullname)
        if not is_inside and path not in told:
            told.add(path)
            with suppress(OSError):  # The handler has closed it, or nobody reads.
                os.write(files_told, os.fsencode(path) + b"\n")
        return self.source_to_code(self.get_data(path), path)

    # Importers make loaders of this class in several places; each of them asks it for the code.
    setattr(SourceFileLoader, "get_code", get_code)  # noqa: B010  # What mypy takes for a mistake.


def is_installed(path: str) -> bool:
    """Whether a file is of Python, of an installed library or of the gateway.

    A relative path is one in the folder of the code.
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
