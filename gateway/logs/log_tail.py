"""Keeps the end of an invocation's log for its client."""

from base64 import b64encode
from collections import deque
from typing import Final

TAIL_BYTES: Final = 4096
"""The size before encoding for the header field (Function Compute, "InvokeFunction")."""

_CONTINUES: Final = 0b1000_0000
_KIND: Final = 0b1100_0000
"""A byte of this kind continues a character (RFC 3629 §3)."""


class Tail:
    """Keeps the last `size` bytes of lines, and little more."""

    __slots__ = ("_lines", "_size", "_total")

    def __init__(self, size: int = TAIL_BYTES) -> None:
        self._size = size
        self._lines: deque[bytes] = deque()
        self._total = 0

    def add(self, line: str) -> None:
        """Add a line with its end, without lone surrogates."""
        # A character has at least one byte, so earlier characters cannot be in the tail.
        data = line[-self._size :].encode()
        self._lines.append(data)
        self._total += len(data)
        while self._total - len(self._lines[0]) >= self._size:
            self._total -= len(self._lines.popleft())

    def last(self) -> bytes:
        """The last bytes, beginning with a whole character."""
        data = b"".join(self._lines)
        start = max(0, len(data) - self._size)
        while start < len(data) and data[start] & _KIND == _CONTINUES:
            start += 1
        return data[start:]

    def encode(self) -> str:
        """The last bytes in base64, for `X-Fc-Log-Result`."""
        return b64encode(self.last()).decode("ascii")
