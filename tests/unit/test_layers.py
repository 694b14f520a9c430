"""The architecture's import rules, checked over the syntax trees of the whole package.

A *room* is a folder of the package, or a module at its top.  Rooms lie in layers, and every import
leads to a lower one, those for the type checker included.
"""

import ast
import sys
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "gateway"

LAYERS = (
    {"bounded_cache", "fc", "limits", "signatures", "version"},
    {"errors"},
    {"http.body", "text"},
    {"error_log", "http.message"},
    {"http.answers", "signals", "sockets"},
    {"threads"},
    {"http.connection"},
    {
        "asgi",
        "code",
        "demo",
        "events",
        "hooks",
        "logs",
        "processes",
        "project",
        "proxies",
        "triggers",
        "wsgi",
    },
    {"config", "container"},
    {"worker"},
    {"serve"},
    {"cli"},
    {"__main__", ""},
)
"""From the bottom to the top.  Rooms of the same layer do not know one another."""

PURE_ROOMS = {
    "bounded_cache",
    "errors",
    "fc",
    "http.answers",
    "http.body",
    "http.message",
    "limits",
    "version",
}
"""Clocks, bytes and settings are arguments here."""

PURE = {
    "gateway.container.platform_context",
    "gateway.container.verdict",
    "gateway.events.errors",
    "gateway.events.http_event",
    "gateway.events.result",
    "gateway.http.connection.upload_pace",
    "gateway.processes.back_off",
    "gateway.processes.heartbeat",
    "gateway.project.keys",
    "gateway.proxies.forwarded",
    "gateway.proxies.networks",
    "gateway.text.exact_types",
    "gateway.text.printable",
    "gateway.text.spelling",
    "gateway.triggers.access_keys",
    "gateway.triggers.cors",
    "gateway.wsgi.environ",
    "gateway.wsgi.expected_wait",
    "gateway.wsgi.file_wrapper",
    "gateway.wsgi.result",
}
"""Pure modules in rooms that are not."""

IMPURE = {
    "gateway.http.body.body_stream": "a handler's thread waits in it",
}
"""Modules in pure rooms that are not, and why."""

READS = {"gateway.text.input_file"}
"""Reads the file that it is given, and no other."""

EFFECTS = {
    "asyncio",
    "concurrent",
    "os",
    "queue",
    "random",
    "secrets",
    "select",
    "selectors",
    "socket",
    "subprocess",
    "threading",
    "time",
}
"""Modules of the standard library that do something by themselves."""

SEES_SETTINGS = {"config", "worker", "serve", "cli", "__main__"}
"""Rooms that may see the settings object."""

DOORS = {
    "httptools": {"gateway.http.message.parser"},
    "uvloop": {"gateway.worker.lasting_loop", "gateway.worker.server"},
    "jwt": {"gateway.triggers.key_set"},
    "cryptography": {"gateway.triggers.key_set"},
    "watchfiles": {"gateway.code.watcher"},
    "yaml": {"gateway.project.document", "gateway.project.yaml_reading"},
    "asgiref": {
        "gateway.asgi.adapter",
        "gateway.asgi.lifespan",
        "gateway.asgi.scope",
        "gateway.asgi.version",
        "gateway.code.loading",
        "gateway.wsgi.asgi_exchange",
        "gateway.wsgi.asgi_request",
        "gateway.wsgi.bridge",
    },
}
"""Which modules may import a library; `asgiref` for its types."""

LONGEST = 350
LONG = {
    "gateway.asgi.adapter": "the events of ASGI, each with its rule, in one place",
    "gateway.config.options": "a table, with an entry for each option",
    "gateway.http.connection.connection": "one state machine; what has no state of it is outside",
    "gateway.http.connection.exchange": "the right to respond, whose two sides belong together",
    "gateway.processes.supervisor": "all that may happen to workers, and what follows, in turn",
    "gateway.wsgi.invocation": "one run, with all that can come in its way, from beginning to end",
    "gateway.wsgi.pool": "who runs, who waits, who is given up: lists that must agree",
}
"""Modules that may be longer, and why."""

DRAWERS = {"util", "utils", "helper", "helpers", "common", "base", "manager", "misc"}


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

ROOMS = {room: level for level, layer in enumerate(LAYERS) for room in layer}


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


def room_of(module):
    """The room in which `module` is: `http.message` for `gateway.http.message.parser`."""
    parts = module.split(".")[1:]
    while parts and ".".join(parts) not in ROOMS:
        parts.pop()
    return ".".join(parts)


def is_ours(name):
    return name == "gateway" or name.startswith("gateway.")


def every_import():
    for module in MODULES:
        for found in imports_of(module):
            yield module, found


def is_pure(module):
    return module in PURE or (room_of(module) in PURE_ROOMS and module not in IMPURE)


def test_the_rules_name_what_is_there():
    named = PURE | IMPURE.keys() | READS | LONG.keys() | set.union(*DOORS.values())
    assert named - MODULES.keys() == set()
    assert ROOMS.keys() - {room_of(module) for module in MODULES} == set()


def test_every_module_is_in_a_room():
    packages = {"gateway", "gateway.http"}
    assert [name for name in MODULES if not room_of(name) and name not in packages] == []


def test_every_import_leads_downwards():
    wrong = [
        f"{module}:{found.line} imports {found.name}"
        for module, found in every_import()
        if is_ours(found.name)
        and room_of(found.name) != room_of(module)
        and ROOMS[room_of(found.name)] >= ROOMS[room_of(module)]
    ]
    assert wrong == []


def test_pure_modules_do_nothing_by_themselves():
    wrong = [
        f"{module}:{found.line} imports {found.name}"
        for module, found in every_import()
        if is_pure(module)
        and (
            found.name.partition(".")[0] in EFFECTS
            or (
                is_ours(found.name)
                and found.at_run_time
                and MODULES[found.name].name != "__init__.py"
                and not is_pure(found.name)
                and found.name not in READS
            )
        )
    ]
    assert wrong == []


def test_settings_are_seen_above_the_worker_only():
    wrong = [
        f"{module}:{found.line}"
        for module, found in every_import()
        if room_of(found.name) == "config" and room_of(module) not in SEES_SETTINGS
    ]
    assert wrong == []


@pytest.mark.parametrize("library", DOORS)
def test_a_library_has_its_doors(library):
    wrong = [
        f"{module}:{found.line}"
        for module, found in every_import()
        if found.name.partition(".")[0] == library and module not in DOORS[library]
    ]
    assert wrong == []


def test_nothing_else_is_needed():
    """What the package imports is its own, the standard library's, or declared."""
    known = {"gateway", *DOORS} | sys.stdlib_module_names
    wrong = [
        f"{module}:{found.line} imports {found.name}"
        for module, found in every_import()
        if found.name.partition(".")[0] not in known
    ]
    assert wrong == []


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


def test_no_module_is_too_long():
    lengths = {name: len(path.read_text("utf-8").splitlines()) for name, path in MODULES.items()}
    assert {name for name, lines in lengths.items() if lines > LONGEST} == LONG.keys()


def test_every_module_says_what_it_is():
    texts = {name: path.read_text("utf-8") for name, path in MODULES.items()}
    said = {name for name, text in texts.items() if ast.get_docstring(ast.parse(text))}
    assert [name for name, text in texts.items() if text.strip() and name not in said] == []


def test_no_module_is_a_drawer():
    assert [name for name in MODULES if name.rpartition(".")[2] in DRAWERS] == []
