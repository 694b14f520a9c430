"""PEP 3333's optional `wsgi.file_wrapper`."""

from collections.abc import Iterator
from typing import Protocol


class Readable(Protocol):
    """What PEP 3333 asks of the wrapped object; a `close` method is called when it has one."""

    def read(self, size: int, /) -> bytes: ...


class FileWrapper:
    """Iterates over a file in blocks of `block_size` bytes."""

    def __init__(self, file: Readable, block_size: int = 64 * 1024) -> None:
        self._file = file
        self._block_size = block_size

    def __iter__(self) -> Iterator[bytes]:
        return iter(lambda: self._file.read(self._block_size), b"")

    def close(self) -> None:
        """Close the file, if it can be closed."""
        close = getattr(self._file, "close", None)
        if close is not None:
            close()
