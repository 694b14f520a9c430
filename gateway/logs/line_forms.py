"""The formats of the function log: text like Function Compute's, or JSON objects.

Output of a function cannot forge a line: text is split at line ends before, and characters that are
not printable appear as escapes.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from json import JSONEncoder
from typing import Any, Final, NamedTuple, Protocol

from gateway.logs.line_assembly import MAX_LINE_CHARACTERS, Piece
from gateway.text.printable import CONTINUED, printable

STDOUT: Final = "stdout"
STDERR: Final = "stderr"

OUTSIDE: Final = "-"
"""Replaces the request id for output outside of invocations."""

START: Final = "Start"
END: Final = "End"


class Mark(NamedTuple):
    """The start or the end of an invocation or a hook."""

    phase: str
    """`Invoke`, `Initialize`, `PreFreeze` or `PreStop`."""
    event: str
    error: str | None = None
    milliseconds: float | None = None

    def text(self, request_id: str) -> str:
        """The mark in Function Compute's form."""
        fault = f", Error: {shown(self.error)}" if self.error else ""
        return f"FC {self.phase} {self.event} RequestId: {request_id}{fault}\n"


class Form(Protocol):
    """Formats lines with their line ends; `at` is in seconds since 1970."""

    def output(self, at: float, request_id: str, stream: str, piece: Piece) -> str:
        """The line for text that was printed to `stream`."""

    def record(self, at: float, request_id: str, level: str, text: str) -> str:
        """The line or lines of a log record."""

    def mark(self, at: float, request_id: str, mark: Mark) -> str:
        """The line for a start or an end."""

    def missing(self, at: float, count: int) -> str:
        """The line that replaces `count` dropped lines."""


class TextForm:
    """`<time> <request id> [<level or stream>] <text>`, with marks in Function Compute's form."""

    def __init__(self) -> None:
        self._stamp = Stamps()

    def output(self, at: float, request_id: str, stream: str, piece: Piece) -> str:
        begin = CONTINUED if piece.is_continued else ""
        text = shown(piece.text)
        return f"{self._stamp(at)} {request_id} [{stream.upper()}] {begin}{text}\n"

    def record(self, at: float, request_id: str, level: str, text: str) -> str:
        begin = f"{self._stamp(at)} {request_id} [{shown(level)}] "
        return "".join([f"{begin}{line}\n" for line in record_lines(text)])

    def mark(self, at: float, request_id: str, mark: Mark) -> str:  # noqa: ARG002  # FC has none
        return mark.text(request_id)

    def missing(self, at: float, count: int) -> str:
        told = f"{count} lines are missing: the log was not read as fast as it came"
        return f"{self._stamp(at)} {OUTSIDE} [WARNING] {told}\n"


class JsonForm:
    """One JSON object per line; docs/logs.md lists the keys."""

    def __init__(self, function: str) -> None:
        """`function` is the function's name."""
        self._stamp = Stamps()
        self._function = function
        # ASCII only, so that no character can move the cursor or colour the terminal.
        self._encode: Callable[[dict[str, Any]], str] = JSONEncoder(ensure_ascii=True).encode

    def output(self, at: float, request_id: str, stream: str, piece: Piece) -> str:
        return self._line(at, request_id, {"stream": stream}, piece)

    def record(self, at: float, request_id: str, level: str, text: str) -> str:
        pieces = _cut(text)
        return "".join([self._line(at, request_id, {"level": level}, piece) for piece in pieces])

    def mark(self, at: float, request_id: str, mark: Mark) -> str:
        about: dict[str, Any] = {"phase": mark.phase, "event": mark.event.lower()}
        if mark.milliseconds is not None:
            about["duration_ms"] = round(mark.milliseconds, 2)
        if mark.error:
            about["error"] = _valid(mark.error)
        return self._line(at, request_id, about, Piece(mark.text(request_id)[:-1], False))

    def missing(self, at: float, count: int) -> str:
        return self._encode({"time": self._stamp(at), "missing_lines": count}) + "\n"

    def _line(self, at: float, request_id: str, about: dict[str, Any], piece: Piece) -> str:
        line = {
            "time": self._stamp(at),
            "request_id": request_id,
            "function": self._function,
            **about,
            "message": _valid(piece.text),
        }
        if piece.is_continued:
            line["is_continued"] = True
        # JSON does not escape DEL.
        return self._encode(line).replace("\x7f", "\\u007f") + "\n"


class Stamps:
    """Times as `2024-01-04T10:50:44.123Z`."""

    def __init__(self) -> None:
        self._known = (-1, "")
        """A second and its text, in one tuple so that threads replace both atomically."""

    def __call__(self, at: float) -> str:
        second, thousandths = divmod(int(at * 1000), 1000)
        known, text = self._known
        if known != second:
            text = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")
            self._known = (second, text)
        return f"{text}.{thousandths:03}Z"


def record_lines(text: str) -> Sequence[str]:
    """The escaped lines of a record; all except the first begin with `CONTINUED`."""
    if len(text) <= MAX_LINE_CHARACTERS and text.isprintable():
        return (text,)
    lines = [shown(piece.text) for line in text.split("\n") for piece in _cut(line)]
    return [lines[0], *[CONTINUED + line for line in lines[1:]]]


def _cut(text: str) -> list[Piece]:
    """`text` with its line ends, in pieces of at most `MAX_LINE_CHARACTERS` characters."""
    starts = range(0, len(text), MAX_LINE_CHARACTERS) or (0,)
    return [Piece(text[start : start + MAX_LINE_CHARACTERS], start > 0) for start in starts]


def shown(text: str) -> str:
    """`text` with escapes for characters that are not printable, except tabs, which are
    harmless."""
    return text if text.isprintable() else "\t".join(map(printable, text.split("\t")))


def _valid(text: str) -> str:
    """`text` with escapes for lone surrogates, which JSON cannot represent."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()
