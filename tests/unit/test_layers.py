"""The architecture's import rules, checked over the syntax trees of the whole package."""

import ast
import sys
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "gateway"

PURE = {
    "gateway.container.platform_context",
    "gateway.container.verdict",
    "gateway.errors",
    "gateway.exactness",
    "gateway.events.errors",
    "gateway.events.http_event",
    "gateway.events.result",
    "gateway.fc.api_path",
    "gateway.fc.context",
    "gateway.fc.errors",
    "gateway.fc.invocation_url",
    "gateway.fc.metadata",
    "gateway.fc.names",
    "gateway.fc.proxy_path",
    "gateway.fc.request_ids",
    "gateway.http.blocks",
    "gateway.http.body",
    "gateway.http.body_file",
    "gateway.http.error_style",
    "gateway.http.fields",
    "gateway.http.framing",
    "gateway.http.grammar",
    "gateway.http.head",
    "gateway.http.parser",
    "gateway.http.parser_words",
    "gateway.http.problem_details",
    "gateway.http.request_line",
    "gateway.http.progress",
    "gateway.http.response",
    "gateway.http.response_head",
    "gateway.limits",
    "gateway.printable",
    "gateway.project.keys",
    "gateway.remembered",
    "gateway.spelling",
    "gateway.supervision.back_off",
    "gateway.supervision.pulse",
    "gateway.trust.forwarded",
    "gateway.triggers.access_keys",
    "gateway.triggers.cors",
    "gateway.trust.networks",
    "gateway.wsgi.environ",
    "gateway.wsgi.expected_wait",
    "gateway.wsgi.result",
}
"""Clocks, bytes and settings are arguments here."""

IMPURE = {"asyncio", "os", "random", "secrets", "select", "selectors", "socket", "subprocess",
          "threading", "time", "queue", "concurrent"}  # fmt: skip

FEATURES = {"wsgi", "asgi", "container", "events", "observe", "triggers", "development", "project"}
"""Folders that meet in `app.py` only."""

WIRING = {
    "gateway.__main__",
    "gateway.wiring.announcement",
    "gateway.wiring.answering",
    "gateway.app",
    "gateway.cli",
    "gateway.wiring.entrance",
    "gateway.wiring.instance",
    "gateway.wiring.interfaces",
    "gateway.wiring.load",
    "gateway.wiring.logs",
    "gateway.wiring.request_log",
    "gateway.wiring.worker_count",
    "gateway.service",
}
"""What may see the settings, besides their own folder."""

DOORS = {
    "httptools": {"gateway.http.parser"},
    "uvloop": {"gateway.lasting_loop"},
    "jwt": {"gateway.triggers.key_set"},
    "cryptography": {"gateway.triggers.key_set"},
    "watchfiles": {"gateway.development.watcher"},
    "yaml": {"gateway.project.document", "gateway.project.yaml_reading"},
    "asgiref": {
        "gateway.asgi.adapter",
        "gateway.asgi.lifespan",
        "gateway.asgi.version",
        "gateway.wsgi.bridge",
        "gateway.wsgi.hosted",
        "gateway.loading",
    },
}
"""Which modules may import a library; `asgiref` for its types."""

LONGEST = 350
LONG = {
    "gateway.app": "what a worker is made of, in one place",
    "gateway.asgi.adapter": "the events of ASGI, each with its rule, in one place",
    "gateway.config.options": "a table, with an entry for each option",
    "gateway.http.connection": "one state machine; what has no state of it is outside",
    "gateway.http.exchange": "the right to answer, whose two sides are read against each other",
    "gateway.supervision.supervisor": "all that may happen to workers, and what follows, in turn",
    "gateway.wsgi.bridge": "the ways into the pool from two kinds of servers, side by side",
    "gateway.wsgi.invocation": "one run, with all that can come in its way, from beginning to end",
    "gateway.wsgi.pool": "who runs, who waits, who is given up: lists that must agree",
    "gateway.wsgi.hosted": "request, exchange and body of one foreign protocol",
}
"""Modules that may be longer, and why."""


class Import(NamedTuple):
    """One imported module."""

    name: str
    line: int
    at_run_time: bool
    """Whether it happens when the program runs, not only for a type checker."""
    at_import: bool
    """Whether it happens as soon as the module is imported."""


def name_of(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


STARTER = PACKAGE / "project" / "starter"
"""Files of a new project: no modules."""

MODULES = {
    name_of(path): path
    for path in sorted(PACKAGE.rglob("*.py"))
    if not path.is_relative_to(STARTER)
}


@cache
def imports_of(module):
    """What `module` imports; of `from package import name` the module `name` where it is one."""
    tree = ast.parse(MODULES[module].read_text("utf-8"))
    found = []

    def visit(node, at_run_time, at_import):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: a relative import"
            inner = [f"{node.module}.{alias.name}" for alias in node.names]
            names = [name if name in MODULES else node.module for name in inner]
        else:
            names = []
        found.extend(Import(name, node.lineno, at_run_time, at_import) for name in names)
        is_type_checking = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        is_function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for child in ast.iter_child_nodes(node):
            visit(
                child,
                at_run_time and not is_type_checking,
                at_import and not (is_function or is_type_checking),
            )

    visit(tree, True, True)
    return found


def owned_by(name, owner):
    return name == owner or name.startswith(f"{owner}.")


def folder_of(module):
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else ""


@pytest.fixture(params=MODULES)
def module(request):
    return request.param


def test_the_rules_name_modules_that_are_there():
    named = PURE | set(LONG) | WIRING | set.union(*DOORS.values())
    assert named - MODULES.keys() == set()
    assert FEATURES - {folder_of(name) for name in MODULES} == set()


def test_pure_modules_do_nothing_by_themselves():
    for module in PURE:
        for found in imports_of(module):
            top = found.name.partition(".")[0]
            assert top not in IMPURE, f"{module}:{found.line} imports {found.name}"
            if top == "gateway" and found.at_run_time:
                is_pure = found.name in PURE or found.name in {
                    "gateway",
                    "gateway.http",
                    "gateway.fc",
                    "gateway.input_file",  # Reads the file that it is given, and no other.
                    "gateway.wsgi.file_wrapper",
                }
                assert is_pure, f"{module}:{found.line} imports {found.name}, which is not pure"


def test_features_do_not_know_one_another(module):
    folder = folder_of(module)
    if folder in FEATURES:
        for found in imports_of(module):
            other = folder_of(found.name) if owned_by(found.name, "gateway") else ""
            assert other == folder or other not in FEATURES, f"line {found.line}: {found.name}"


def test_the_core_does_not_know_the_features(module):
    if folder_of(module) in ("http", "fc", "errors", "limits"):
        for found in imports_of(module):
            assert folder_of(found.name) not in FEATURES or not owned_by(found.name, "gateway")


def test_only_the_wiring_sees_the_settings(module):
    if module not in WIRING and folder_of(module) != "config":
        for found in imports_of(module):
            assert not owned_by(found.name, "gateway.config"), f"line {found.line}"


def test_only_the_wiring_knows_the_composition_root(module):
    if module not in WIRING:
        for found in imports_of(module):
            assert found.name not in WIRING, f"line {found.line}"


@pytest.mark.parametrize("library", DOORS)
def test_a_library_has_its_doors(library, module):
    if module not in DOORS[library]:
        for found in imports_of(module):
            assert not owned_by(found.name, library), f"line {found.line}"


def test_nothing_else_is_needed(module):
    """What the package imports is its own, the standard library's, or declared."""
    for found in imports_of(module):
        top = found.name.partition(".")[0]
        assert top in {"gateway", *DOORS} or top in sys.stdlib_module_names, found


def test_the_package_stands_alone(module):
    for found in imports_of(module):
        assert found.name.partition(".")[0] not in ("bench", "tests", "docs", "examples")


def test_no_cycles():
    """Imports in functions (the public names, made when first asked for) are none."""
    graph = {
        module: {
            found.name
            for found in imports_of(module)
            if found.at_import and found.name in MODULES and found.name != module
        }
        for module in MODULES
    }
    done, path = set(), []

    def visit(module):
        assert module not in path, " -> ".join([*path[path.index(module) :], module])
        if module in done:
            return
        path.append(module)
        for other in sorted(graph[module]):
            visit(other)
        path.pop()
        done.add(module)

    for module in graph:
        visit(module)


def test_no_module_is_too_long(module):
    lines = len(MODULES[module].read_text("utf-8").splitlines())
    assert lines <= LONGEST or module in LONG, f"{lines} lines"


def test_no_reason_is_out_of_date():
    for module in LONG:
        assert len(MODULES[module].read_text("utf-8").splitlines()) > LONGEST, module


def test_every_module_says_what_it_is(module):
    text = MODULES[module].read_text("utf-8")
    assert not text.strip() or ast.get_docstring(ast.parse(text))


def test_no_module_is_a_drawer(module):
    drawers = {"util", "utils", "helper", "helpers", "common", "base", "manager", "misc"}
    assert module.rpartition(".")[2] not in drawers
