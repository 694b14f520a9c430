"""Bytes that belong to one request."""

import hashlib
from collections.abc import Iterator

LINE = 65
"""Bytes after which a pattern repeats."""


def pattern(token: str, size: int) -> bytes:
    """`size` bytes that no other token has."""
    block = hashlib.sha256(token.encode()).hexdigest().encode() + b"\n"
    return (block * (size // LINE + 1))[:size]


def blocks(token: str, size: int) -> Iterator[bytes]:
    """The same in parts, of which only one is in memory."""
    block = pattern(token, 1000 * LINE)
    while size > 0:
        yield block[:size]
        size -= len(block)
