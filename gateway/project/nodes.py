"""The values of a project file, each with its place."""

import json
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from gateway.errors import UsageError

_MAX_MERGED = 50_000
"""The most entries that all merging of a project may visit."""
_MAX_DEPTH = 100


class Place(NamedTuple):
    """A line of a file, as messages name it."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


class ProjectError(UsageError):
    """A project cannot be served; the message is one line that says where and how to mend it."""


@dataclass(frozen=True, slots=True, eq=False)
class Text:
    """A scalar.

    value: its text; numbers, booleans and null in JSON's form.
    written: the text in the file if `value` is the result of an expression.
    """

    value: str = field(repr=False)  # It may be a secret.
    place: Place
    kind: Literal["text", "number", "boolean", "nothing"] = "text"
    written: str = ""


class Entry(NamedTuple):
    """A value in a table, and the place of its key."""

    value: "Node"
    place: Place


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """A mapping."""

    entries: dict[str, Entry] = field(repr=False)
    place: Place


@dataclass(frozen=True, slots=True, eq=False)
class Array:
    """A sequence."""

    items: tuple["Node", ...] = field(repr=False)
    place: Place


Node = Text | Table | Array


class Merging:
    """Merges tables, with a bound on the results; a shared pair of tables is merged once.

    With aliases a few lines can describe a tree of any size, in which each table occurs many times.
    """

    def __init__(self) -> None:
        self._entries = 0
        self._made: dict[tuple[int, int], tuple[Table, Table, Table]] = {}

    def merged(self, base: Table, over: Table, depth: int = 0) -> Table:
        """Merge both tables recursively; `over` has precedence, arrays are not merged.

        Raises ProjectError.
        """
        known = self._made.get((id(base), id(over)))
        if known is not None:
            return known[2]
        self._entries += len(base.entries) + len(over.entries)
        if self._entries > _MAX_MERGED or depth > _MAX_DEPTH:
            raise ProjectError(
                f"{over.place}: extend: makes more than {_MAX_MERGED} entries in all, or a deeper "
                "nesting than any project has; write less by aliases"
            )
        entries = dict(base.entries)
        for name, entry in over.entries.items():
            below = entries.get(name)
            if below and isinstance(below.value, Table) and isinstance(entry.value, Table):
                joined = self.merged(below.value, entry.value, depth + 1)
                entries[name] = Entry(joined, entry.place)
            else:
                entries[name] = entry
        made = Table(entries, over.place)
        self._made[id(base), id(over)] = base, over, made  # Kept, so that their ids stay valid.
        return made


def from_json(text: str, place: Place) -> Node:
    """The value of a JSON text; raises ValueError."""
    try:
        return _from_plain(json.loads(text), place)
    except RecursionError:
        raise ValueError("is nested too deeply") from None


def canonical_number(value: float) -> str:
    """A number in JavaScript's form, since Serverless Devs is written in it: 1.0 is 1."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e21:
        value = int(value)
    return repr(value)


def _from_plain(value: object, place: Place) -> Node:
    if isinstance(value, dict):
        items = value.items()
        return Table({key: Entry(_from_plain(each, place), place) for key, each in items}, place)
    if isinstance(value, list):
        return Array(tuple([_from_plain(each, place) for each in value]), place)
    if value is None:
        return Text("null", place, "nothing")
    if isinstance(value, bool):
        return Text(str(value).lower(), place, "boolean")
    if isinstance(value, int | float):
        return Text(canonical_number(value), place, "number")
    return Text(str(value), place)
