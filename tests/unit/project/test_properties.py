"""Whatever a file holds, there are settings or one line that says what is wrong."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st
from unit.project.plain_values import plain

from gateway.config import load
from gateway.errors import UsageError
from gateway.project import document
from gateway.project.nodes import ProjectError, Text
from gateway.project.variables import Variables

WORDS = st.sampled_from(
    ["${", "}", "env(", "vars.", "this.", "json(", "file(", "path(", ")", "(", "'", '"', ",", " ",
     ".", "a", "b", "[0]", "resources.", "x", "{", "config("]
)  # fmt: skip

PIECES = st.sampled_from(
    ["a", "b: ", "\n", "  ", "- ", "&x ", "*x", "<<: ", "{", "}", "[", "]", ",", "'", '"', "${",
     "!!str ", "? ", "|\n", ">\n", "#", "%", "---\n", "\t", "1", "null", "services:\n",
     "resources:\n", "component: fc3\n", "props:\n", "functionName: f\n", "runtime: python3\n"]
)  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(st.text() | st.lists(PIECES).map("".join))
def test_any_text_is_a_document_or_refused(text: str) -> None:
    try:
        said = str(document.parse(text, "s.yaml").place)
    except ProjectError as refusal:
        said = str(refusal)
    assert said.startswith("s.yaml")


@settings(max_examples=100, deadline=None)
@given(st.lists(WORDS, max_size=12).map("".join))
def test_any_expression_stands_for_something_or_is_refused(text: str) -> None:
    root = document.parse("vars: {a: '${vars.b}', b: [x, '${vars.a}']}", "s.yaml")
    module = document.parse("key: {}", "s.yaml")
    written = module.entries["key"].value
    variables = Variables(root, {"a": "value"}, Path("/nowhere"))
    entry = module.entries["key"]._replace(
        value=Text(f"${{{text}", written.place)  # Always the beginning of one.
    )
    said = "s.yaml:1: key: "
    try:
        plain(variables.value(entry, "key", "a"))
    except ProjectError as refusal:
        said = str(refusal)
    assert said.startswith("s.yaml:1: key: ")


TREES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from(["x", "http", "python3", "."]),
    lambda below: st.lists(below, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            ["component", "props", "function", "functionName", "handler", "runtime", "code",
             "codeUri", "triggers", "type", "triggerType", "config", "triggerConfig", "methods",
             "authType", "authConfig", "jwks", "keys", "environmentVariables", "logConfig",
             "service", "name", "customRuntimeConfig", "command", "args", "extend", "template",
             "timeout", "instanceLifecycleConfig", "preStop", "vars"]
        ),
        below,
        max_size=5,
    ),
    max_leaves=25,
)  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(TREES, st.sampled_from(["fc", "fc3", None]), st.booleans())
def test_any_project_has_settings_or_is_refused(
    tree: object, component: str | None, has_target: bool
) -> None:
    module = {"component": component, "props": tree} if component else tree
    said = ""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "s.yaml"
        path.write_text(json.dumps({"resources": {"f": module}, "template": {"x": tree}}))
        try:
            load(["a:b"] * has_target + ["--project", str(path)], {})
        except UsageError as refusal:
            said = str(refusal)
    assert "\n" not in said
