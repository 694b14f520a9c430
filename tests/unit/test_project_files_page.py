"""The page on project files says what the code does: each key of its tables is tried."""

import json
from pathlib import Path
from typing import Any

import pytest

from docs.project_files_page import render_project_files
from gateway.config import Config, load
from gateway.config.options import OPTIONS
from gateway.project.keys import DESCRIPTIVE, KEYS, WITHOUT_EFFECT, Key

PAGE = Path(__file__).parents[2] / "docs" / "project-files.md"

# A value for each option, which is not its default.
SAMPLES: dict[str, Any] = {
    "target": "index.other",
    "interface": "python3.9",
    "chdir": ".",
    "handler_timeout": 7,
    "initializer_timeout": 7,
    "pre_freeze_timeout": 7,
    "pre_stop_timeout": 7,
    "initializer": "index.hook",
    "pre_freeze": "index.hook",
    "pre_stop": "index.hook",
    "function_memory": 1024,
    "threads": 3,
    "port": 8080,
    "methods": ["PUT"],
    "auth": "jwt",
    "jwks": {"keys": []},
}


def test_the_page_in_docs_is_up_to_date() -> None:
    assert PAGE.read_text("utf-8") == render_project_files(), "run: make docs"


def described(component: str, path: str, value: Any) -> dict[str, Any]:
    """A project that has little more than the key `path`."""
    runtime = "python3.10"
    if "customContainerConfig" in path:
        runtime = "custom-container"
    elif "customRuntimeConfig" in path or path.endswith("caPort"):
        runtime = "custom"
    handler = {} if path.endswith(("command", "args", "entrypoint")) else {"handler": "index.h"}
    own: dict[str, Any] = {"runtime": runtime} | handler
    if component == "fc":
        jwt = {"authType": "jwt", "authConfig": {"jwks": {"keys": []}}}
        props = {"function": {"name": "f", "codeUri": "."} | own, "service": {}}
        trigger: dict[str, Any] = {"type": "http", "config": jwt}
    else:
        jwt = {"authType": "jwt", "authConfig": {"jwks": {"keys": []}}}
        props = {"functionName": "f", "code": "."} | own
        trigger = {"triggerType": "http", "triggerConfig": jwt}
    root: dict[str, Any] = props | {"triggers": [trigger]}
    *folders, last = path.replace("[]", "").split(".")
    at: Any = root
    for folder in folders:
        at = at.setdefault(folder, {})
        at = at[0] if isinstance(at, list) else at
    at[last] = value
    section = "services" if component == "fc" else "resources"
    return {section: {"f": {"component": component, "props": root}}}


def read(tmp_path: Path, project: dict[str, Any], *arguments: str) -> Config:
    path = tmp_path / "s.yaml"
    path.write_text(json.dumps(project))
    return load(["--project", str(path), *arguments], {})


@pytest.mark.parametrize(
    ("component", "key"),
    [(component, key) for component, rows in KEYS.items() for key in rows],
    ids=lambda value: value.path if isinstance(value, Key) else value,
)
def test_each_key_of_the_tables_sets_its_option(component: str, key: Key, tmp_path: Path) -> None:
    value = SAMPLES.get(key.option, "sample")
    if not key.option:
        value = {"NAME": "value"}
    if key.path.endswith(("command", "args", "entrypoint")):
        value = ["/bin/gateway", "serve", "index:command"]
    is_port = key.option == "port"
    config = read(tmp_path, described(component, key.path, value), *(["a:b"] if is_port else []))
    if not key.option:
        assert config.environment == (("NAME", "value"),)
    else:
        default = OPTIONS[key.option].default
        assert getattr(config, key.option) != (None if key.option == "chdir" else default)
    assert key.path.rpartition(".")[2] not in "".join(config.notices)


@pytest.mark.parametrize(
    ("component", "path"),
    [(component, path) for component, paths in WITHOUT_EFFECT.items() for path in paths],
)
def test_each_key_of_the_cloud_is_named(component: str, path: str, tmp_path: Path) -> None:
    (notice,) = read(tmp_path, described(component, path, "x"), "a:b").notices
    assert notice.endswith(f"s.yaml: without effect here: {path.replace('[]', '')} (line 1)")


@pytest.mark.parametrize(
    ("component", "path"),
    [(component, path) for component, paths in DESCRIPTIVE.items() for path in paths],
)
def test_a_description_is_nothing_to_name(component: str, path: str, tmp_path: Path) -> None:
    kind = "http" if path.endswith(("type", "Type")) else "x"
    assert read(tmp_path, described(component, path, kind), "a:b").notices == ()
