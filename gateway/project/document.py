"""Converts YAML to nodes.

Scalars follow YAML 1.2's core schema (https://yaml.org/spec/1.2.2/#103-core-schema), as in
Serverless Devs: `on` is a text and `010` is ten.  Faults that loaders commonly accept are refused:
duplicate keys, private tags, anchors that contain themselves.  No objects are constructed, aliases
share their nodes, and the results of merging are bounded.
"""

import re
from pathlib import Path

from yaml.error import MarkedYAMLError
from yaml.nodes import MappingNode, ScalarNode, SequenceNode
from yaml.nodes import Node as YamlNode
from yaml.reader import ReaderError

from gateway.project.nodes import (
    Array,
    Entry,
    Node,
    Place,
    ProjectError,
    Table,
    Text,
    canonical_number,
)
from gateway.project.yaml_reading import (
    BOOL,
    FLOAT,
    INT,
    MAP,
    MERGE,
    NULL,
    SEQ,
    STR,
    TAG,
    ExpansionError,
    YamlReading,
)
from gateway.text.input_file import content_of

MAX_BYTES = 256 * 1024
"""The limit of a file; project files have a few thousand bytes."""
_MAX_MERGED = 20_000
"""The most entries that all merge keys of a file may copy."""
_MAX_DIGITS = 400
"""The most digits of a number; longer numbers stay texts."""


def read(path: Path, named_by: str) -> Table:
    """The mapping in the file; `named_by` is the setting that names the file. Raises
    ProjectError."""
    content = content_of(path, named_by, most=MAX_BYTES, fault=ProjectError)
    if len(content) > MAX_BYTES:
        raise ProjectError(
            f"{path}: is larger than {MAX_BYTES // 1024} KB; name the description of a project"
        )
    try:
        text = content.decode("utf-8-sig")  # Some editors write a byte order mark.
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ProjectError(f"{path}:{line}: is not UTF-8 text; save it as UTF-8") from None
    return parse(text, str(path))


def parse(text: str, file: str) -> Table:
    """The mapping in a YAML text; `file` is its name in messages.  Raises ProjectError."""
    try:
        node = YamlReading(text).get_single_node()
        if node is None:
            raise ProjectError(f"{file}: is empty; name the description of a project")
        _refuse_fun(node, file)
        document = _Conversion(file).node(node)
    except ReaderError as error:
        place = Place(file, text.count("\n", 0, error.position) + 1)
        raise ProjectError(
            f"{place}: not YAML: it holds the character {ord(text[error.position]):#06x}; remove it"
        ) from None
    except MarkedYAMLError as error:
        raise _not_yaml(error, file) from None
    except ExpansionError as error:
        raise ProjectError(f"{Place(file, error.line + 1)}: {error}; shorten it") from None
    except RecursionError:
        raise ProjectError(f"{file}: is nested too deeply; no project is") from None
    if not isinstance(document, Table):
        raise ProjectError(
            f"{document.place}: is not a mapping; a project begins with keys such as resources:"
        )
    return document


def _refuse_fun(node: YamlNode, file: str) -> None:
    """Raise ProjectError for a template of Fun, which Serverless Devs has replaced."""
    if not isinstance(node, MappingNode):
        return
    resources = {key.value: (key, value) for key, value in node.value if key.id == "scalar"}
    key, value = resources.get("Resources", (None, None))
    if key is None or not isinstance(value, MappingNode):
        return
    types = [
        each.value
        for _, resource in value.value
        if isinstance(resource, MappingNode)
        for name, each in resource.value
        if name.value == "Type" and isinstance(each, ScalarNode)
    ]
    if "ROSTemplateFormatVersion" in resources or any(
        each.startswith("Aliyun::") for each in types
    ):
        raise ProjectError(
            f"{Place(file, key.start_mark.line + 1)}: Resources: this is a template of Fun; "
            "convert it with s cli fc fun2s, and name the s.yaml that this writes"
        )


def _not_yaml(error: MarkedYAMLError, file: str) -> ProjectError:
    mark = error.problem_mark or error.context_mark
    place = Place(file, mark.line + 1 if mark else 1)
    problem = error.problem or error.context or "it cannot be read"
    if "'\\t'" in problem:
        mend = "indent with spaces, not with tabs"
    elif "single document" in (error.context or ""):
        problem, mend = "it has a second document", "keep one, and remove the line ---"
    elif "undefined alias" in problem:
        mend = "define it with & above, or quote the text"
    else:
        mend = "check the indentation, and quote texts that hold : or #"
    return ProjectError(f"{place}: not YAML: {problem}; {mend}")


class _Conversion:
    """Converts PyYAML's nodes to ours, each once, however many aliases it has."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._done: dict[int, Node] = {}
        self._active: set[int] = set()
        self._merged = 0

    def node(self, node: YamlNode) -> Node:
        known = self._done.get(id(node))
        if known is not None:
            return known
        place = self._place(node)
        if id(node) in self._active:
            raise ProjectError(f"{place}: holds itself by an alias; remove the alias")
        self._active.add(id(node))
        if isinstance(node, ScalarNode):
            made: Node = self._scalar(node, place)
        elif isinstance(node, SequenceNode) and node.tag == SEQ:
            made = Array(tuple([self.node(item) for item in node.value]), place)
        elif isinstance(node, MappingNode) and node.tag == MAP:
            made = self._table(node, place)
        else:
            raise self._foreign_tag(node)
        self._active.discard(id(node))
        self._done[id(node)] = made
        return made

    def _place(self, node: YamlNode) -> Place:
        return Place(self._file, node.start_mark.line + 1)

    def _foreign_tag(self, node: YamlNode) -> ProjectError:
        tag = node.tag.replace(TAG, "!!")
        return ProjectError(f"{self._place(node)}: the tag {tag} means nothing here; remove it")

    def _scalar(self, node: ScalarNode, place: Place) -> Text:
        value, tag = node.value, node.tag
        if tag == NULL:
            return Text("null", place, "nothing")
        if tag == BOOL and value.lower() in ("true", "false"):
            return Text(value.lower(), place, "boolean")
        if tag in (INT, FLOAT) and len(value) <= _MAX_DIGITS:
            try:
                return Text(_number(value), place, "number")
            except (ValueError, OverflowError):
                raise ProjectError(
                    f"{place}: {value!r} is not a number; write it plainly"
                ) from None
        if tag in (STR, INT, FLOAT, MERGE):
            return Text(value, place)
        raise self._foreign_tag(node)

    def _table(self, node: MappingNode, place: Place) -> Table:
        entries: dict[str, Entry] = {}
        inherited: dict[str, Entry] = {}
        for key_node, value_node in node.value:
            key = self._key(key_node)
            if key_node.tag == MERGE:
                self._merge(value_node, inherited)
                continue
            if key in entries:
                first = entries[key].place.line
                raise ProjectError(
                    f"{self._place(key_node)}: {key}: stands in line {first} already; remove one"
                )
            entries[key] = Entry(self.node(value_node), self._place(key_node))
        return Table(inherited | entries, place)

    def _key(self, node: YamlNode) -> str:
        if not isinstance(node, ScalarNode):
            raise ProjectError(
                f"{self._place(node)}: a key is a {_sort(node)}; give a text, or quote what has "
                "braces or brackets"
            )
        self._scalar(node, self._place(node))  # Refuses foreign tags.
        return str(node.value)

    def _merge(self, node: YamlNode, into: dict[str, Entry]) -> None:
        """Merge the mappings of `<<`; the first has precedence (https://yaml.org/type/merge)."""
        made = self.node(node)
        for table in made.items if isinstance(made, Array) else (made,):
            if not isinstance(table, Table):
                raise ProjectError(
                    f"{self._place(node)}: <<: takes a mapping or several; give an alias of one"
                )
            self._merged += len(table.entries)
            if self._merged > _MAX_MERGED:
                raise ProjectError(
                    f"{self._place(node)}: <<: merges more than {_MAX_MERGED} entries in all; "
                    "write less by aliases"
                )
            for name, entry in table.entries.items():
                into.setdefault(name, entry)


def _sort(node: YamlNode) -> str:
    return "mapping" if isinstance(node, MappingNode) else "list"


def _number(text: str) -> str:
    if text.startswith(("0x", "0o", "0b")):
        return canonical_number(int(text, 0))
    if re.fullmatch(r"[-+]?[0-9]+", text):
        return canonical_number(int(text))
    return canonical_number(float(text))
