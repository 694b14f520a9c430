"""YAML to nodes: what scalars mean, what is refused, and what a hostile file can do."""

from pathlib import Path

import pytest
from unit.project.plain_values import plain

from gateway.project import document
from gateway.project.nodes import Array, ProjectError, Table, Text


def parse(text: str) -> Table:
    return document.parse(text, "s.yaml")


@pytest.mark.parametrize(
    ("written", "value", "kind"),
    [
        ("word", "word", "text"),
        ("'60'", "60", "text"),
        ('"true"', "true", "text"),
        ("yes", "yes", "text"),
        ("on", "on", "text"),
        ("2024-01-01", "2024-01-01", "text"),
        ("12:30:45", "12:30:45", "text"),
        ("1_000", "1_000", "text"),
        ("${env(A, b)}", "${env(A, b)}", "text"),
        ("!!str 60", "60", "text"),
        ("60", "60", "number"),
        ("-7", "-7", "number"),
        ("010", "10", "number"),
        ("0o17", "15", "number"),
        ("0x1F", "31", "number"),
        ("1.0", "1", "number"),
        ("3.10", "3.1", "number"),
        ("1e2", "100", "number"),
        (".5", "0.5", "number"),
        ("1234567890123456", "1234567890123456", "number"),
        ("true", "true", "boolean"),
        ("FALSE", "false", "boolean"),
        ("", "null", "nothing"),
        ("~", "null", "nothing"),
        ("Null", "null", "nothing"),
    ],
)
def test_a_scalar_means_what_yaml_1_2_says(written: str, value: str, kind: str) -> None:
    node = parse(f"key: {written}").entries["key"].value
    assert isinstance(node, Text)
    assert (node.value, node.kind) == (value, kind)


def test_keys_are_texts_as_they_are_written() -> None:
    assert plain(parse("on: 1\n010: 2\nTRUE: 3\n'': 4")) == {
        "on": "1",
        "010": "2",
        "TRUE": "3",
        "": "4",
    }


def test_every_value_knows_its_line() -> None:
    root = parse("a: 1\nb:\n  c:\n    - x\n    - y\n")
    below = root.entries["b"].value
    assert isinstance(below, Table)
    items = below.entries["c"].value
    assert isinstance(items, Array)
    lines = [root.entries["b"].place, below.entries["c"].place, items.items[1].place]
    assert list(map(str, lines)) == ["s.yaml:2", "s.yaml:3", "s.yaml:5"]


def test_merge_keys_take_in_what_they_name() -> None:
    root = parse(
        "one: &one {a: 1, b: 1}\n"
        "two: &two {b: 2, c: 2}\n"
        "alone: {<<: *one, b: own}\n"
        "several:\n  c: own\n  <<: [*one, *two]\n"
        "twice: {<<: *one, d: 4, <<: *two}\n"
    )
    assert plain(root.entries["alone"].value) == {"a": "1", "b": "own"}
    assert plain(root.entries["several"].value) == {"a": "1", "b": "1", "c": "own"}
    assert plain(root.entries["twice"].value) == {"a": "1", "b": "1", "c": "2", "d": "4"}


def test_a_merged_entry_keeps_the_line_that_it_is_written_in() -> None:
    table = parse("base: &base\n  timeout: 5\nown:\n  <<: *base\n").entries["own"].value
    assert isinstance(table, Table)
    assert table.entries["timeout"].place.line == 2


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: 1\na: 2", "s.yaml:2: a: stands in line 1 already; remove one"),
        ("x:\n  a: 1\n  'a': 2", "s.yaml:3: a: stands in line 2 already; remove one"),
        (
            "a:\n\tb: 1",
            "s.yaml:2: not YAML: found character '\\t' that cannot start any token; "
            "indent with spaces, not with tabs",
        ),
        (
            "a: b: c",
            "s.yaml:1: not YAML: mapping values are not allowed here; "
            "check the indentation, and quote texts that hold : or #",
        ),
        (
            "a: *b",
            "s.yaml:1: not YAML: found undefined alias 'b'; "
            "define it with & above, or quote the text",
        ),
        (
            "a: 1\n---\nb: 2",
            "s.yaml:2: not YAML: it has a second document; keep one, and remove the line ---",
        ),
        ("a: 1\nb: \x07", "s.yaml:2: not YAML: it holds the character 0x0007; remove it"),
        ("a: &a [*a]", "s.yaml:1: holds itself by an alias; remove the alias"),
        ("a: &a\n  b: *a", "s.yaml:1: holds itself by an alias; remove the alias"),
        (
            "a: !!python/object/apply:os.system [id]",
            "s.yaml:1: the tag !!python/object/apply:os.system means nothing here; remove it",
        ),
        ("a: !own x", "s.yaml:1: the tag !own means nothing here; remove it"),
        ("a: !!set {x}", "s.yaml:1: the tag !!set means nothing here; remove it"),
        ("a: !!binary aGk=", "s.yaml:1: the tag !!binary means nothing here; remove it"),
        ("a: !!int x", "s.yaml:1: 'x' is not a number; write it plainly"),
        (
            "? [a]\n: b",
            "s.yaml:1: a key is a list; give a text, or quote what has braces or brackets",
        ),
        (
            "{{name}}: 1",
            "s.yaml:1: a key is a mapping; give a text, or quote what has braces or brackets",
        ),
        ("a:\n  <<: 3", "s.yaml:2: <<: takes a mapping or several; give an alias of one"),
        ("", "s.yaml: is empty; name the description of a project"),
        ("# nothing\n", "s.yaml: is empty; name the description of a project"),
        (
            "- a",
            "s.yaml:1: is not a mapping; a project begins with keys such as resources:",
        ),
        (
            "text",
            "s.yaml:1: is not a mapping; a project begins with keys such as resources:",
        ),
    ],
)
def test_a_mistake_is_one_line_with_its_place(text: str, line: str) -> None:
    with pytest.raises(ProjectError) as refused:
        parse(text)
    assert str(refused.value) == line


@pytest.mark.parametrize("text", ["a: " + "[" * 20_000, "a: {" * 3000, "a:\n" + "- " * 3000])
def test_deep_nesting_is_refused(text: str) -> None:
    with pytest.raises(ProjectError, match=r"^s\.yaml:[12]: is nested too deeply"):
        parse(text)


def test_aliases_share_what_they_name_instead_of_copying_it() -> None:
    levels = [f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]" for n in range(1, 40)]
    root = parse("l0: &l0 x\n" + "\n".join(levels))
    last = root.entries["l39"].value
    assert isinstance(last, Array)
    assert len({id(item) for item in last.items}) == 1


def test_what_merging_copies_is_bounded() -> None:
    base = "base: &base {" + ", ".join(f"k{n}: 1" for n in range(100)) + "}\n"

    def uses(count: int) -> str:
        return base + "".join(f"u{n}: {{<<: *base}}\n" for n in range(count))

    assert len(parse(uses(200)).entries) == 201
    with pytest.raises(ProjectError, match="merges more than 20000 entries in all"):
        parse(uses(201))


def test_a_long_number_is_left_as_it_is_written() -> None:
    assert plain(parse(f"a: {'9' * 401}")) == {"a": "9" * 401}
    assert plain(parse(f"a: 1e999\nb: {'9' * 400}"))["a"] == "inf"


def test_a_file_may_have_its_largest_size_and_no_byte_more(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_bytes(b"a: 1\n#".ljust(document.MAX_BYTES, b"x"))
    assert plain(document.read(path, "--project")) == {"a": "1"}
    path.write_bytes(b"a: 1\n#".ljust(document.MAX_BYTES + 1, b"x"))
    with pytest.raises(ProjectError) as refused:
        document.read(path, "--project")
    assert str(refused.value) == (
        f"{path}: is larger than 256 KB; name the description of a project"
    )


def test_a_file_is_utf_8(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text("a: Köln 🚀", "utf-8-sig")
    assert plain(document.read(path, "--project")) == {"a": "Köln 🚀"}
    path.write_bytes("a: 1\nb: Köln".encode("latin-1"))
    with pytest.raises(ProjectError) as refused:
        document.read(path, "--project")
    assert str(refused.value) == f"{path}:2: is not UTF-8 text; save it as UTF-8"


def test_a_file_that_cannot_be_read_is_told_with_what_named_it(tmp_path: Path) -> None:
    with pytest.raises(ProjectError) as refused:
        document.read(tmp_path / "s.yaml", "GATEWAY_PROJECT")
    assert str(refused.value) == (
        f"GATEWAY_PROJECT: cannot read {str(tmp_path / 's.yaml')!r}: No such file or directory; "
        "check the path"
    )
    with pytest.raises(ProjectError, match="Is a directory"):
        document.read(tmp_path, "--project")


def test_values_are_in_no_repr() -> None:
    root = parse("a: secret\nb: [secret]\nc: {d: secret}")
    assert "secret" not in repr([root, *[entry.value for entry in root.entries.values()]])


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a:\n  - layer/versions/2\t\n  - b\n", {"a": ["layer/versions/2", "b"]}),
        ("a: b\t\nc: 'd'\t\ne: \"f\"\t # g\n", {"a": "b", "c": "d", "e": "f"}),
        ("a:\tb\nc\t: d\n", {"a": "b", "c": "d"}),
        ("a:\t\n  -\tb\n", {"a": ["b"]}),
        ("a: b\tc\n", {"a": "b\tc"}),
        ("a: b\t# c\nd: e\n", {"a": "b", "d": "e"}),
        ("a: b\n\t\nc: d\n \t \n\t# e\n", {"a": "b", "c": "d"}),
        ("a:\n  b: c\n  \t\n  d: e\n", {"a": {"b": "c", "d": "e"}}),
        ("a: b\n  \t\n  c\n", {"a": "b\nc"}),
        ("a: [b,\tc\t]\t\n", {"a": ["b", "c"]}),
        ("a: [\n\tb,\n\tc\n]\n", {"a": ["b", "c"]}),
        ("a: {\n\tb:\tc\t,\td: e\n}\n", {"a": {"b": "c", "d": "e"}}),
        ("---\t\na: &x\tb\nc: *x\t\n", {"a": "b", "c": "b"}),
        ("a: |\t\n  \tx\nb: >-1\t# c\n  y\n", {"a": "\tx\n", "b": " y"}),
        ("a: |+2 \t \n   x\n\n", {"a": " x\n\n"}),
        ("a: b\t", {"a": "b"}),
        ("\t", None),
    ],
)
def test_tabs_separate(text: str, value: object) -> None:
    """As js-yaml reads them, with which the tool that files are written for reads them."""
    if value is None:
        with pytest.raises(ProjectError, match="is empty"):
            parse(text)
    else:
        assert plain(parse(text)) == value
        assert plain(parse(text.replace("\n", "\r\n"))) == value


@pytest.mark.parametrize(
    "text",
    ["a:\n\tb: c\n", "a:\n\t- c\n", "a:\n  \tb: c\n", "a: b\n\tc\n", "\ta: b", "a:\n \t|\n  x"],
)
def test_tabs_do_not_indent(text: str) -> None:
    with pytest.raises(ProjectError, match="indent with spaces, not with tabs"):
        parse(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: &x 1\nb: *x\nc: &x 2\nd: *x\n", {"a": "1", "b": "1", "c": "2", "d": "2"}),
        ("a: &x.y/z 1\nb: *x.y/z\n", {"a": "1", "b": "1"}),
        ("a: &\u4e2d 1\nb: [*\u4e2d]\n", {"a": "1", "b": ["1"]}),
        ("a: 0b11\nb: 0x1F\nc: 0o17\nd: 017\n", {"a": "3", "b": "31", "c": "15", "d": "17"}),
        ("\ufeffa: yes\n", {"a": "yes"}),
    ],
)
def test_what_else_the_tool_reads(text: str, value: object) -> None:
    assert plain(parse(text)) == value


@pytest.mark.parametrize(
    "text",
    [
        "ROSTemplateFormatVersion: '2015-09-01'\nTransform: x\nResources:\n  a: {}\n",
        "# a\n\nResources:\n  s:\n    Type: 'Aliyun::Serverless::Service'\n    a: !Ref b\n",
    ],
)
def test_a_template_of_fun_is_told(text: str) -> None:
    with pytest.raises(ProjectError) as refused:
        parse(text)
    assert str(refused.value) == (
        "s.yaml:3: Resources: this is a template of Fun; convert it with s cli fc fun2s, "
        "and name the s.yaml that this writes"
    )


def test_a_misspelt_key_is_no_template_of_fun() -> None:
    assert plain(parse("Resources:\n  a: {component: fc3}\n"))
