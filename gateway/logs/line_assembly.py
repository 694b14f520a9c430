"""Assembles lines from pieces: `print` writes each argument and each end separately."""

import codecs
from typing import Final, NamedTuple

MAX_LINE_CHARACTERS: Final = 64 * 1024
"""The most characters of one entry of the log; longer lines go on in further entries."""


class Piece(NamedTuple):
    """A line without its end, or a part of a line that is too long."""

    text: str
    is_continued: bool
    """Whether it continues the line of the previous piece."""


class LineAssembly:
    """Assembles the lines of one stream."""

    __slots__ = ("_decoder", "_is_continued", "_longest", "_parts", "_size")

    def __init__(self, longest: int = MAX_LINE_CHARACTERS) -> None:
        """A piece has at most `longest` characters; up to one such line is kept here."""
        self._longest = longest
        self._parts: list[str] = []
        self._size = 0
        self._is_continued = False
        self._decoder: codecs.IncrementalDecoder | None = None

    def feed(self, text: str) -> list[Piece]:
        """The pieces that `text` completes."""
        if self._decoder is not None:
            text = self._decoder.decode(b"", final=True) + text
        return self._feed(text)

    def feed_bytes(self, data: bytes) -> list[Piece]:
        """The pieces that `data` completes: decoded as UTF-8, with escapes for invalid bytes."""
        if self._decoder is None:
            self._decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")
        return self._feed(self._decoder.decode(data))

    def finish(self) -> list[Piece]:
        """The pieces of the partial line that is left."""
        pieces = self.feed("")
        rest = self._take("")
        if rest:
            pieces.append(Piece(rest, self._is_continued))
            self._is_continued = False
        return pieces

    def _feed(self, text: str) -> list[Piece]:
        if "\n" not in text and self._size + len(text) <= self._longest:
            if text:
                self._parts.append(text)
                self._size += len(text)
            return []
        *lines, rest = self._take(text).split("\n")
        pieces: list[Piece] = []
        for line in lines:
            left = self._cut(line.removesuffix("\r"), pieces)
            if left or not self._is_continued:
                pieces.append(Piece(left, self._is_continued))
            self._is_continued = False
        rest = self._cut(rest, pieces)
        self._parts, self._size = [rest] if rest else [], len(rest)
        return pieces

    def _take(self, text: str) -> str:
        """The kept text followed by `text`."""
        parts, self._parts, self._size = self._parts, [], 0
        return "".join([*parts, text])

    def _cut(self, line: str, pieces: list[Piece]) -> str:
        """Add all but the last piece of a line to `pieces`; return the last."""
        longest = self._longest
        if len(line) <= longest:
            return line
        end = (len(line) - 1) // longest * longest
        for start in range(0, end, longest):
            pieces.append(Piece(line[start : start + longest], self._is_continued))
            self._is_continued = True
        return line[end:]
