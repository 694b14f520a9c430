"""The end of an invocation's log, for its client."""

from base64 import b64encode
from collections import deque
from typing import Final

SIZE: Final = 4096
"""Bytes, before they are encoded for the header field (Function Compute, "InvokeFunction")."""

_CONTINUES: Final = 0b1000_0000
_KIND: Final = 0b1100_0000
"""A byte of this kind goes on with a character (RFC 3629 §3)."""


class Tail:
    """Keeps the last `size` bytes of lines, and not much more."""

    __slots__ = ("_lines", "_size", "_total")

    def __init__(self, size: int = SIZE) -> None:
        self._size = size
        self._lines: deque[bytes] = deque()
        self._total = 0

    def add(self, line: str) -> None:
        """Take a line, with its end; lone surrogates have been made something else."""
        # A character has a byte at least: what is before the last so many cannot be shown.
        data = line[-self._size :].encode()
        self._lines.append(data)
        self._total += len(data)
        while self._total - len(self._lines[0]) >= self._size:
            self._total -= len(self._lines.popleft())

    def last(self) -> bytes:
        """The last bytes, from a whole character on."""
        data = b"".join(self._lines)
        start = max(0, len(data) - self._size)
        while start < len(data) and data[start] & _KIND == _CONTINUES:
            start += 1
        return data[start:]

    def encode(self) -> str:
        """The same in base64, as it stands in `X-Fc-Log-Result`."""
        return b64encode(self.last()).decode("ascii")
