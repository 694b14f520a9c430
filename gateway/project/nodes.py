"""The values of a description file, each with its place."""

import json
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from gateway.errors import UsageError


class Place(NamedTuple):
    """A line of a file, as messages name it."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


class ProjectError(UsageError):
    """A project cannot be served as it is; the message says where and how to mend it, in a line."""


@dataclass(frozen=True, slots=True, eq=False)
class Text:
    """A scalar.

    value: numbers, booleans and nothing are written as JSON has them, whatever the file had.
    written: what the file has in its place, when `value` came out of an expression.
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


def merged(base: Table, over: Table) -> Table:
    """Both tables, and the tables in them; `over` goes first, arrays are not joined."""
    entries = dict(base.entries)
    for name, entry in over.entries.items():
        below = entries.get(name)
        if below and isinstance(below.value, Table) and isinstance(entry.value, Table):
            entries[name] = Entry(merged(below.value, entry.value), entry.place)
        else:
            entries[name] = entry
    return Table(entries, over.place)


def from_json(text: str, place: Place) -> Node:
    """The value that a JSON text has; raises ValueError."""
    try:
        return _from_plain(json.loads(text), place)
    except RecursionError:
        raise ValueError("is nested too deeply") from None


def canonical_number(value: float) -> str:
    """A number as JavaScript writes it, in which Serverless Devs reads the file: 1.0 is 1."""
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
