"""Looks up the properties of one function."""

from typing import NamedTuple

from gateway.project.functions import Function
from gateway.project.nodes import Entry, Node, ProjectError, Table, Text
from gateway.project.variables import Variables


class Value(NamedTuple):
    """A setting in the file.

    place: file, line and key.
    shown: replaces `text` in messages, because `text` may come from the environment.
    """

    option: str
    text: str
    place: str
    shown: str


class Properties:
    """The properties of one function, with resolved expressions.  All methods raise
    ProjectError."""

    def __init__(self, function: Function, variables: Variables) -> None:
        self.function = function
        self.variables = variables

    def prefixed(self, name: str) -> str:
        """The path of a key of the function itself."""
        return f"function.{name}" if self.function.component == "fc" else name

    def resolved(self, entry: Entry, name: str) -> Node:
        """The resolved value of the key `name`."""
        return self.variables.value(entry, name, self.function.module)

    def find(self, path: str, table: Table | None = None) -> tuple[Entry, Node] | None:
        """The entry at `path` and its resolved value; `None` if it is missing or null."""
        at = self.function.props if table is None else table
        *folders, last = path.split(".")
        for folder in folders:
            entry = at.entries.get(folder)
            if entry is None:
                return None
            below = self.resolved(entry, folder)
            if isinstance(below, Text) and (
                below.kind == "nothing" or below.value.lower() == "auto"
            ):
                return None
            if not isinstance(below, Table):
                raise ProjectError(f"{entry.place}: {folder}: is no mapping; give keys and values")
            at = below
        entry = at.entries.get(last)
        if entry is None:
            return None
        value = self.resolved(entry, last)
        if isinstance(value, Text) and value.kind == "nothing":
            return None
        return entry, value

    def find_text(self, path: str, table: Table | None = None) -> Text | None:
        """Like `find`, for a text, which gets the place of the key."""
        found = self.find(path, table)
        if found is None:
            return None
        entry, value = found
        if not isinstance(value, Text):
            name = path.rpartition(".")[2]
            raise ProjectError(f"{entry.place}: {name}: is a {sort_of(value)}; give a single value")
        return Text(value.value, entry.place, value.kind, value.written)


def sort_of(node: Node) -> str:
    """The kind of a value in a word."""
    if isinstance(node, Text):
        return "text"
    return "mapping" if isinstance(node, Table) else "list"
