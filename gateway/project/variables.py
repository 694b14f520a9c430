"""Evaluates expressions `${…}`.

A value is looked up only when it is needed: an unused expression may be wrong, or may refer to
things that exist in the cloud only. Supported are ``env(NAME)`` and ``env(NAME, default)``,
``env.NAME``, ``vars.…``, ``this.…``, ``resources.NAME.…`` (also ``services.NAME.…``, and the name
alone), ``file(path)``, ``json(text)`` and ``path(path)``; names and texts may have quotes. Results
are bounded, so that a few lines cannot double each other without end.

Source: the page "Yaml variables" of Serverless Devs; its older edition writes names without quotes.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from gateway.project.nodes import (
    Array,
    Entry,
    Node,
    Place,
    ProjectError,
    Table,
    Text,
    from_json,
)
from gateway.text.input_file import read_bounded
from gateway.text.spelling import did_you_mean

_MAX_TEXT_CHARACTERS = 64 * 1024
"""The most characters of a text with expressions, or bytes of a file that an expression names."""
_MAX_LOOKUPS = 10_000
"""The limit for the whole file."""
_MAX_CHARACTERS = 2 * 1024 * 1024
"""The limit for all texts that are scanned or made, for the whole file."""
_MAX_DEPTH = 50
"""The longest chain of values that refer to values."""

_CALL = re.compile(r"([A-Za-z_]\w*)\s*\((.*)\)", re.DOTALL)
_PATH = re.compile(r"[^\s.()'\"\[\]{},|&?:+]+(?:\.[^\s.()'\"\[\]{},|&?:+]+|\[\d+\])*")
_INDEX = re.compile(r"\[(\d+)\]")
_FUNCTIONS = ("env", "file", "json", "path", "config")
_ROOTS = ("env", "vars", "this", "resources")
_QUOTES = "'\""


class UnresolvedError(Exception):
    """An expression has no value; the message says why and how to mend it."""


class UnavailableError(UnresolvedError):
    """Only Serverless Devs or the cloud knows the value of an expression."""


class _Expression(NamedTuple):
    text: str


class Variables:
    """Evaluates the expressions of one document.

    root: the document.
    environ: the environment variables.
    folder: the folder of the file, to which paths in expressions are relative.
    """

    def __init__(self, root: Table, environ: Mapping[str, str], folder: Path) -> None:
        self._root = root
        self._environ = environ
        self._folder = folder
        self._active: list[Node] = []
        self._lookups = 0
        self._characters = 0

    def value(self, entry: Entry, name: str, module: str) -> Node:
        """The resolved value of the entry `name` in the resource `module`.

        Raises ProjectError.
        """
        try:
            return self.resolve(entry.value, module)
        except UnresolvedError as error:
            raise ProjectError(f"{entry.place}: {name}: {error}") from None

    def resolve(self, node: Node, module: str) -> Node:
        """Like `value`, but raises UnresolvedError."""
        if not isinstance(node, Text) or "${" not in node.value:
            return node
        if any(node is other for other in self._active):
            raise UnresolvedError(f"{_shown(node.value)} refers to itself; break the circle")
        self._lookups += 1
        if self._lookups > _MAX_LOOKUPS or len(self._active) >= _MAX_DEPTH:
            raise UnresolvedError(f"{_shown(node.value)} refers to too much; write it shorter")
        self._count(node.value)
        self._active.append(node)
        try:
            return self._filled_in(node, module)
        finally:
            self._active.pop()

    def _count(self, text: str) -> None:
        """Count a text towards the limit; raises UnresolvedError."""
        self._characters += len(text)
        if self._characters > _MAX_CHARACTERS:
            raise UnresolvedError("the expressions of the file make too much text; write less")

    def _filled_in(self, node: Text, module: str) -> Node:
        parts = _split(node.value)
        if len(parts) == 1 and isinstance(parts[0], _Expression):
            found = self._evaluate(parts[0].text, node.place, module)
            if isinstance(found, Text):
                return Text(found.value, node.place, found.kind, node.value)
            return found
        text = ""
        for part in parts:
            text += self._as_text(part, node.place, module) if part else ""
            if len(text) > _MAX_TEXT_CHARACTERS:
                raise UnresolvedError(f"{_shown(node.value)} makes a text without end; shorten it")
        self._count(text)
        return Text(text, node.place, "text", node.value)

    def _as_text(self, part: "str | _Expression", place: Place, module: str) -> str:
        if isinstance(part, str):
            return part
        found = self._evaluate(part.text, place, module)
        if not isinstance(found, Text):
            raise UnresolvedError(f"${{{_shown(part.text)}}} is no text and stands within one")
        return found.value

    def _evaluate(self, expression: str, place: Place, module: str) -> Node:
        expression = expression.strip()
        call = _CALL.fullmatch(expression)
        if call and call[1] in _FUNCTIONS:
            return self._call(call[1], _arguments(call[2]), place, module)
        if not _PATH.fullmatch(expression):
            raise _not_understood(expression)
        first, *rest = _INDEX.sub(r".\1", expression).split(".")
        if first == "env" and len(rest) == 1:
            return Text(self._variable(rest[0], expression), place)
        if first == "vars" and rest:
            return self._walk(self._vars(), rest, expression, module)
        if first == "this" and rest:
            return self._in_module(module, rest, expression)
        if first in ("resources", "services") and len(rest) > 1:
            return self._in_module(rest[0], rest[1:], expression)
        if first == "environment":
            raise _unavailable(expression)
        if rest and first in self._modules():
            return self._in_module(first, rest, expression)
        raise _not_understood(expression)

    def _call(self, name: str, arguments: list[str], place: Place, module: str) -> Node:
        written = f"{name}({', '.join(arguments)})"
        if name == "config":
            raise _unavailable(written)
        if not arguments or not arguments[0] or len(arguments) > (2 if name == "env" else 1):
            raise _not_understood(written)
        # A variable's name needs no quotes, even if it could mean something else.
        if name == "env" and not _CALL.fullmatch(arguments[0]):
            variable = _unquoted(arguments[0])
            if variable not in self._environ and len(arguments) == 2:
                return self._argument(arguments[1], place, module)
            return Text(self._variable(variable, written), place)
        # Names of files can look like paths of values: vars.yaml.
        roots = () if name in ("file", "path") else _ROOTS
        argument = self._argument(arguments[0], place, module, roots)
        if not isinstance(argument, Text):
            raise _not_understood(written)
        if name == "env":
            return Text(self._variable(argument.value, written), place)
        if name == "path":
            return Text(str((self._folder / argument.value).resolve()), place)
        if name == "file":
            content = self._content(argument.value, written)
            self._count(content)
            return Text(content, place)
        self._count(argument.value)
        try:
            return from_json(argument.value, place)
        except ValueError:
            raise UnresolvedError(f"${{{_shown(written)}}} is not JSON; mend the text") from None

    def _argument(
        self, text: str, place: Place, module: str, roots: tuple[str, ...] = _ROOTS
    ) -> Node:
        if text[:1] in _QUOTES and text[-1:] == text[:1] and len(text) > 1:
            return self.resolve(Text(text[1:-1], place), module)
        call = _CALL.fullmatch(text)
        root = text.partition(".")[0]
        if (call and call[1] in _FUNCTIONS) or root in roots:
            return self._evaluate(text, place, module)
        return Text(text, place)

    def _variable(self, name: str, expression: str) -> str:
        value = self._environ.get(name)
        if value is None:
            raise UnresolvedError(
                f"${{{_shown(expression)}}}: there is no environment variable {_shown(name)}; "
                f"set it, or give a default as ${{env('{_shown(name)}', 'text')}}"
            )
        return value

    def _content(self, name: str, expression: str) -> str:
        path = self._folder / name
        try:
            if not path.is_file():
                raise UnresolvedError(f"${{{_shown(expression)}}}: there is no such file")
            content = read_bounded(path, _MAX_TEXT_CHARACTERS + 1)
        except (OSError, ValueError) as error:
            raise UnresolvedError(f"${{{_shown(expression)}}}: cannot be read: {error}") from None
        if len(content) > _MAX_TEXT_CHARACTERS:
            raise UnresolvedError(
                f"${{{_shown(expression)}}}: is larger than {_MAX_TEXT_CHARACTERS} bytes"
            )
        try:
            return content.decode("utf-8-sig")
        except UnicodeDecodeError:
            raise UnresolvedError(f"${{{_shown(expression)}}}: is not UTF-8 text") from None

    def _modules(self) -> dict[str, Entry]:
        return self._table("services").entries | self._table("resources").entries

    def _vars(self) -> Node:
        """The value of `vars:`, which may be an expression."""
        entry = self._root.entries.get("vars")
        return Table({}, self._root.place) if entry is None else entry.value

    def _table(self, name: str) -> Table:
        entry = self._root.entries.get(name)
        if entry is None or not isinstance(entry.value, Table):
            return Table({}, self._root.place)
        return entry.value

    def _in_module(self, name: str, path: list[str], expression: str) -> Node:
        entry = self._modules().get(name)
        if entry is None or not isinstance(entry.value, Table):
            raise UnresolvedError(f"${{{_shown(expression)}}}: there is no {_shown(name)}")
        if path[0] in ("output", "outputs"):
            raise _unavailable(expression)
        if path == ["name"]:
            return Text(name, entry.place)
        if path == ["access"] and "access" not in entry.value.entries:
            return self._walk(self._root, path, expression, name)
        return self._walk(entry.value, path, expression, name)

    def _walk(self, node: Node, path: list[str], expression: str, module: str) -> Node:
        for step in path:
            node = self.resolve(node, module)
            if isinstance(node, Table) and step in node.entries:
                node = node.entries[step].value
            elif isinstance(node, Array) and step.isdecimal() and int(step) < len(node.items):
                node = node.items[int(step)]
            else:
                known = node.entries if isinstance(node, Table) else ()
                question = did_you_mean(step, known, "define it, or remove the expression")
                raise UnresolvedError(
                    f"${{{_shown(expression)}}}: there is no {_shown(step)}; {question}"
                )
        return self.resolve(node, module)


def _split(text: str) -> "list[str | _Expression]":
    """Split `text` into texts and expressions; raises UnresolvedError."""
    parts: list[str | _Expression] = []
    at = 0
    while (start := text.find("${", at)) >= 0:
        end = _end(text, start + 2)
        if start > at:
            parts.append(text[at:start])
        parts.append(_Expression(text[start + 2 : end]))
        at = end + 1
    if at < len(text):
        parts.append(text[at:])
    return parts


def _end(text: str, start: int) -> int:
    """The index of the brace that closes the expression at `start`, ignoring quoted braces."""
    quote, depth = "", 0
    for index in range(start, len(text)):
        character = text[index]
        if quote:
            quote = "" if character == quote else quote
        # An apostrophe within a word is not a quote.
        elif character in _QUOTES and text[index - 1] in "(, {[":
            quote = character
        elif character == "{":
            depth += 1
        elif character == "}":
            if depth == 0:
                return index
            depth -= 1
    raise UnresolvedError(f"{_shown(text[start - 2 :])} has no end; close it with a brace")


def _arguments(text: str) -> list[str]:
    """The arguments of a call; commas in quotes and in inner calls do not separate."""
    arguments, current, quote, depth = [], "", "", 0
    for character in text:
        if quote:
            quote = "" if character == quote else quote
        elif character in _QUOTES and not current.strip():
            quote = character
        elif character in "({":
            depth += 1
        elif character in ")}":
            depth -= 1
        elif character == "," and depth == 0:
            arguments.append(current.strip())
            current = ""
            continue
        current += character
    return [*arguments, current.strip()]


def _unquoted(text: str) -> str:
    return text[1:-1] if text[:1] in _QUOTES and text[-1:] == text[:1] and len(text) > 1 else text


def _unavailable(expression: str) -> UnavailableError:
    return UnavailableError(
        f"${{{_shown(expression)}}} is known to Serverless Devs only, or once it is deployed; "
        "use ${env('NAME')} and set the variable"
    )


def _not_understood(expression: str) -> UnresolvedError:
    return UnresolvedError(
        f"${{{_shown(expression)}}} is not understood here; use env, vars, this, resources, file, "
        "json or path"
    )


def _shown(text: str) -> str:
    return text if len(text) <= 60 else text[:60] + "…"
