"""Adapts PyYAML's reading of nodes to Serverless Devs' dialect.

PyYAML follows YAML 1.1 and is stricter with tabs than that.  Serverless Devs uses js-yaml, which
follows 1.2: a tab separates like a space wherever it does not indent (section 6.2 of
https://yaml.org/spec/1.2.2/), an anchor may be defined again (section 7.1) and has any name
(section 6.9.2), scalars are those of the core schema (section 10.3.2).
"""

import re
from collections.abc import Callable
from typing import Any

from yaml.composer import Composer
from yaml.events import AliasEvent
from yaml.nodes import Node
from yaml.parser import Parser
from yaml.reader import Reader
from yaml.resolver import BaseResolver
from yaml.scanner import Scanner, ScannerError
from yaml.tokens import Token

TAG = "tag:yaml.org,2002:"
NULL, BOOL, INT, FLOAT, MERGE = (TAG + name for name in ("null", "bool", "int", "float", "merge"))
STR, MAP, SEQ = (TAG + name for name in ("str", "map", "seq"))

MAX_NODES = 20_000
"""The most values of a file; projects have some hundred."""
MAX_DEPTH = 100
"""The deepest nesting; projects have some ten levels."""

_BREAKS = "\r\n\x85\u2028\u2029"
"""The line breaks of PyYAML."""
_END = "\0" + _BREAKS


class ExpansionError(Exception):
    """A text exceeds a limit; `line` counts from 0."""

    def __init__(self, line: int, fault: str) -> None:
        super().__init__(fault)
        self.line = line


class YamlReading(Reader, Scanner, Parser, Composer, BaseResolver):
    """Reads the nodes of a text.

    It overrides those methods of `Scanner` that skip spaces but not tabs.
    """

    def __init__(self, text: str) -> None:
        Reader.__init__(self, text)
        Scanner.__init__(self)
        Parser.__init__(self)
        Composer.__init__(self)
        BaseResolver.__init__(self)
        self._nodes = self._depth = 0

    def scan_to_next_token(self) -> None:
        """Skip white space, comments and empty lines."""
        if self.index == 0 and self.peek() == "\ufeff":
            self.forward()
        while True:
            self._skip_blanks()
            if self.peek() == "#":
                while self.peek() not in _END:
                    self.forward()
            if not self.scan_line_break():  # type: ignore[no-untyped-call]
                return
            if not self.flow_level:
                self.allow_simple_key = True

    def _skip_blanks(self) -> None:
        """Skip spaces and tabs, except tabs that indent a block, which are a fault."""
        length = self._blanks()
        if "\t" in self.prefix(length) and not self.flow_level and self._is_at_line_start():
            is_blank_line = self.peek(length) in _END + "#"
            length = length if is_blank_line else self.prefix(length).index("\t")
        self.forward(length)

    def _blanks(self) -> int:
        """The number of blanks from here on."""
        length = 0
        while self.peek(length) in (" ", "\t"):
            length += 1
        return length

    def _is_at_line_start(self) -> bool:
        """Whether only spaces precede in this line."""
        # The buffer holds the whole text, because the reader got a text.
        at = self.pointer
        while at and self.buffer[at - 1] == " ":
            at -= 1
        return not at or self.buffer[at - 1] in _BREAKS + "\ufeff"

    def scan_plain_spaces(self, indent: object, start_mark: object) -> list[str] | None:  # noqa: ARG002
        """The white space within a plain scalar, with its lines folded."""
        length = self._blanks()
        blanks = self.prefix(length)
        self.forward(length)
        if self.peek() not in _BREAKS:
            return [blanks] if blanks else []
        line_break: str = self.scan_line_break()  # type: ignore[no-untyped-call]
        self.allow_simple_key = True
        breaks: list[str] = []
        while True:
            if self.prefix(3) in ("---", "...") and self.peek(3) in "\0 \t" + _BREAKS:
                return None
            self._skip_blanks()
            if self.peek() not in _BREAKS:
                break
            breaks.append(self.scan_line_break())  # type: ignore[no-untyped-call]
        if line_break != "\n":
            return [line_break, *breaks]
        return breaks or [" "]

    def scan_block_scalar_indicators(self, start_mark: object) -> tuple[bool | None, int | None]:  # noqa: ARG002
        """Read the indicators after `|` or `>`, in either order, and skip the blanks after them."""
        keeps: bool | None = None
        indent: int | None = None
        while ((sign := self.peek()) in ("+", "-") and keeps is None) or (
            sign in tuple("123456789") and indent is None
        ):
            if sign in "+-":
                keeps = sign == "+"
            else:
                indent = int(sign)
            self.forward()
        self.forward(self._blanks())
        return keeps, indent

    def scan_anchor(self, kind: Callable[..., Token]) -> Token:
        """Scan an anchor or an alias: any name without white space and brackets."""
        start = self.get_mark()
        self.forward()
        length = 0
        while self.peek(length) not in "\0 \t,[]{}" + _BREAKS:
            length += 1
        if not length:
            raise ScannerError(
                "while scanning an anchor", start, "a name is missing behind & or *", start
            )
        name = self.prefix(length)
        self.forward(length)
        return kind(name, start, self.get_mark())

    def compose_node(self, parent: Node | None, index: Any) -> Node | None:
        """Compose a node; its anchor may have been defined before."""
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if not isinstance(event, AliasEvent):
            self.anchors.pop(event.anchor, None)
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise ExpansionError(
                event.start_mark.line, f"has more than {MAX_NODES} values, which no project has"
            )
        if self._depth == MAX_DEPTH:
            raise ExpansionError(event.start_mark.line, "is nested too deeply, as no project is")
        self._depth += 1
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node


for _tag, _pattern, _first in (
    (NULL, r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    (BOOL, r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    (INT, r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+|0b[01]+", list("-+0123456789")),
    (
        FLOAT,
        r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?",
        list("-+.0123456789"),
    ),
    (MERGE, r"<<", ["<"]),
):
    YamlReading.add_implicit_resolver(_tag, re.compile(rf"(?:{_pattern})\Z"), _first)
