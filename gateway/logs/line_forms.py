"""How lines of the function log look: as text like Function Compute's, or as JSON objects.

Nothing that a function prints or logs makes another line than it is: line ends have been taken
apart before, and what is not printable stands there as an escape.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from json import JSONEncoder
from typing import Any, Final, NamedTuple, Protocol

from gateway.logs.line_assembly import LONGEST_LINE, Piece
from gateway.text.printable import CONTINUED, printable

STDOUT: Final = "stdout"
STDERR: Final = "stderr"

OUTSIDE: Final = "-"
"""In the place of the request id, for what belongs to no invocation."""

START: Final = "Start"
END: Final = "End"


class Mark(NamedTuple):
    """The start or the end of an invocation, or of a hook."""

    phase: str
    """`Invoke`, `Initialize`, `PreFreeze` or `PreStop`."""
    event: str
    error: str | None = None
    milliseconds: float | None = None

    def text(self, request_id: str) -> str:
        """As Function Compute writes it."""
        fault = f", Error: {shown(self.error)}" if self.error else ""
        return f"FC {self.phase} {self.event} RequestId: {request_id}{fault}\n"


class Form(Protocol):
    """Makes lines, each with its end; `at` is in seconds since 1970."""

    def output(self, at: float, request_id: str, stream: str, piece: Piece) -> str:
        """What was printed to `stream`."""

    def record(self, at: float, request_id: str, level: str, text: str) -> str:
        """What was logged; one line or several."""

    def mark(self, at: float, request_id: str, mark: Mark) -> str:
        """A start or an end."""

    def missing(self, at: float, count: int) -> str:
        """What stands for so many lines that were not taken."""


class TextForm:
    """`<time> <request id> [<level or stream>] <text>`; marks as Function Compute has them."""

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
    """An object in a line; see docs/logs.md for its keys."""

    def __init__(self, function: str) -> None:
        """`function` is the function's name."""
        self._stamp = Stamps()
        self._function = function
        # Only ASCII, so that nothing of it can move or colour a terminal.
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
        # JSON would let DEL pass.
        return self._encode(line).replace("\x7f", "\\u007f") + "\n"


class Stamps:
    """Times as `2024-01-04T10:50:44.123Z`."""

    def __init__(self) -> None:
        self._known = (-1, "")
        """A second and its text: one value, for threads to change it at once."""

    def __call__(self, at: float) -> str:
        second, thousandths = divmod(int(at * 1000), 1000)
        known, text = self._known
        if known != second:
            text = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")
            self._known = (second, text)
        return f"{text}.{thousandths:03}Z"


def record_lines(text: str) -> Sequence[str]:
    """The lines of a record, escaped: all but the first begin with `CONTINUED`."""
    if len(text) <= LONGEST_LINE and text.isprintable():
        return (text,)
    lines = [shown(piece.text) for line in text.split("\n") for piece in _cut(line)]
    return [lines[0], *[CONTINUED + line for line in lines[1:]]]


def _cut(text: str) -> list[Piece]:
    """`text`, line ends and all, in pieces of a bearable length."""
    starts = range(0, len(text), LONGEST_LINE) or (0,)
    return [Piece(text[start : start + LONGEST_LINE], start > 0) for start in starts]


def shown(text: str) -> str:
    """`text` with escapes for what is not printable, but for tabs, which can pass for nothing."""
    return text if text.isprintable() else "\t".join(map(printable, text.split("\t")))


def _valid(text: str) -> str:
    """`text` with escapes for lone surrogates, which JSON has no character for."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()
