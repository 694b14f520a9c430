"""PEP 3333's optional `wsgi.file_wrapper`."""

from typing import Protocol


class Readable(Protocol):
    """What PEP 3333 requires of the wrapped object; a `close` method is optional."""

    def read(self, size: int, /) -> bytes: ...


class FileWrapper:
    """Iterates over a file, once, in blocks of `block_size` bytes.

    It is its own iterator, so that a wrapper around `iter(…)` of it still finds `close`.
    """

    def __init__(self, file: Readable, block_size: int = 64 * 1024) -> None:
        self._file = file
        self._block_size = block_size

    def __iter__(self) -> "FileWrapper":
        return self

    def __next__(self) -> bytes:
        block = self._file.read(self._block_size)
        if not block:  # Not `== b""`: a file in text mode ends with "".
            raise StopIteration
        return block

    def close(self) -> None:
        """Close the file, if it can be closed."""
        close = getattr(self._file, "close", None)
        if close is not None:
            close()
