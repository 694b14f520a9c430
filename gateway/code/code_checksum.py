"""The value of `X-Fc-Code-Checksum`: a CRC-64 that changes when a file of the code changes.

Function Compute takes the checksum of the uploaded package, which the gateway does not have.  This
one is the checksum of a list of the files in the code folder, sorted by path, with lines as
`sha256sum` prints them (digest, two blanks, path).  So `hashlib` reads the files, and only the list
is left to Python.  A folder with too many files is a home directory rather than code; then only the
file of the handler's module counts.
"""

import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

MAX_FILES: Final = 10_000
MAX_BYTES: Final = 64 * 1024 * 1024

_POLYNOMIAL: Final = 0xC96C5795D7870F42
"""The polynomial of ECMA-182 with its bits reversed, as in object storage and XZ."""

_ALL_ONES: Final = 0xFFFF_FFFF_FFFF_FFFF


def _table() -> list[int]:
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (_POLYNOMIAL if value & 1 else 0)  # noqa: PLW2901  # A register.
        table.append(value)
    return table


def crc64(data: bytes) -> int:
    """The CRC-64/XZ of `data`."""
    table = _table()
    register = _ALL_ONES
    for byte in data:
        register = table[(register ^ byte) & 0xFF] ^ register >> 8
    return register ^ _ALL_ONES


def code_checksum(folder: Path, module_file: str | None) -> str:
    """The checksum of the code in `folder`, in decimal digits; `module_file` is the handler's file.

    Hidden folders, `__pycache__` and unreadable files are left out.
    """
    paths = _paths(folder)
    if paths is None:
        paths = [Path(module_file)] if module_file else []
    lines = []
    for path in paths:
        digest = _digest(path)
        if digest is not None:
            name = os.fsencode(path.relative_to(folder) if path.is_relative_to(folder) else path)
            lines.append(b"%b  %b\n" % (digest.encode(), name))
    return str(crc64(b"".join(lines)))


def _paths(folder: Path) -> list[Path] | None:
    """The files in `folder`; `None` if there are too many or they are too large."""
    found = []
    total = 0
    for entries, (path, size) in enumerate(_walk(folder), start=1):
        if size >= 0:
            total += size
            found.append(path)
        if entries > MAX_FILES or total > MAX_BYTES:
            return None
    return sorted(found, key=os.fsencode)


def _walk(folder: Path) -> Iterator[tuple[Path, int]]:
    """Every file with its size, and every other visited entry with -1."""
    for parent, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name[0] != "." and name != "__pycache__"]
        yield Path(parent), -1
        for name in files:
            path = Path(parent, name)
            try:
                status = path.stat()
            except OSError:
                yield path, -1
                continue
            # Reading a pipe could block.
            yield path, status.st_size if stat.S_ISREG(status.st_mode) else -1


def _digest(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None
