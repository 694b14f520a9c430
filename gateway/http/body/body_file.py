"""A large body as a file: `wsgi.input` for bodies in blocks."""

import io
from typing import Final

from gateway.http.body.blocks import Blocks

_SEEK_BASES: Final = {io.SEEK_SET, io.SEEK_CUR, io.SEEK_END}


class BodyFile(io.BufferedReader):
    """A complete body; the handler may seek and read it as often as it likes.

    `io.BufferedReader` splits lines; reads larger than its buffer bypass it, with a single copy.
    """

    def __init__(self, blocks: Blocks) -> None:
        super().__init__(_BlocksReader(blocks))
        self._blocks = blocks

    def getvalue(self) -> bytes:
        """The whole body; `BytesIO`, the file of smaller bodies, has this method too."""
        return self._blocks.read_from(0)


class _BlocksReader(io.RawIOBase):
    """Unbuffered reading, for `io.BufferedReader`."""

    def __init__(self, blocks: Blocks) -> None:
        self._blocks = blocks
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # typeshed says Any
        size = self._blocks.read_into(self._position, buffer)
        self._position += size
        return size

    def readall(self) -> bytes:
        rest = self._blocks.read_from(self._position)
        self._position += len(rest)
        return rest

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if whence not in _SEEK_BASES:
            raise ValueError(f"invalid whence: {whence}")
        if whence == io.SEEK_SET and offset < 0:
            raise ValueError(f"negative seek value {offset}")
        base = (0, self._position, self._blocks.size)[whence]
        self._position = max(0, base + offset)  # `BytesIO` clamps to 0 too.
        return self._position

    def tell(self) -> int:
        return self._position
