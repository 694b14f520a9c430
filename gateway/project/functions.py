"""Lists the functions of a project, with what each inherits."""

from pathlib import Path
from typing import Literal, NamedTuple

from gateway.project import document
from gateway.project.nodes import Array, Entry, Merging, ProjectError, Table, Text
from gateway.project.variables import UnresolvedError, Variables
from gateway.text.spelling import did_you_mean

Component = Literal["fc", "fc3"]

_MAX_DEPTH = 10
"""The most files that extend one another."""
_MAX_SHOWN = 20
_SECTIONS = ("services", "resources")


class Function(NamedTuple):
    """A function as its file describes it.

    module: the key of its resource.
    name: its own name, or `None` if it cannot be determined.
    """

    module: str
    name: str | None
    component: Component
    props: Table
    settings: Table
    """The keys of the resource beside `props`."""


def open_project(path: Path, named_by: str) -> Table:
    """The document merged with the documents that it extends; raises ProjectError."""
    tables = [document.read(path, named_by)]
    folder = path.parent
    seen = [path.resolve()]
    while extended := tables[-1].entries.get("extend"):
        if not isinstance(extended.value, Text):
            raise ProjectError(f"{extended.place}: extend: takes the name of a file; give one")
        base = folder / extended.value.value
        if base.resolve() in seen or len(seen) == _MAX_DEPTH:
            raise ProjectError(f"{extended.place}: extend: goes round in circles; remove it")
        tables.append(document.read(base, f"{extended.place}: extend"))
        folder = base.parent
        seen.append(base.resolve())
    whole = tables.pop()
    merging = Merging()
    while tables:
        whole = merging.merged(whole, tables.pop())
    return whole


def functions_of(root: Table, variables: Variables) -> list[Function]:
    """All functions of the components `fc` and `fc3`, in file order."""
    found = []
    merging = Merging()
    for section in _SECTIONS:
        modules = root.entries.get(section)
        if modules is None or (isinstance(modules.value, Text) and modules.value.kind == "nothing"):
            continue
        if not isinstance(modules.value, Table):
            raise ProjectError(f"{modules.place}: {section}: is no mapping; give names with props:")
        for name, entry in modules.value.entries.items():
            if isinstance(entry.value, Table):
                function = _function(name, entry.value, root, variables, merging)
                if function is not None:
                    found.append(function)
    return found


def choose(
    functions: list[Function], root: Table, wanted: str, named_by: str, file: Path
) -> Function:
    """The function named `wanted`, by its own or its resource's name; the only one if it is empty.

    Raises ProjectError, which lists the functions.
    """
    if not functions:
        raise _no_function(root, file)
    if not wanted:
        if len(functions) > 1:
            raise ProjectError(
                f"{file}: has several functions; choose one with --function: {_names(functions)}"
            )
        return functions[0]
    named = [each for each in functions if wanted == each.name]
    chosen = named if len(named) == 1 else [each for each in functions if wanted == each.module]
    if not chosen and named:
        modules = ", ".join(each.module for each in named)
        raise ProjectError(
            f"{named_by}: {file} has several functions {wanted!r}; give one of their resources: "
            f"{modules}"
        )
    if not chosen:
        question = did_you_mean(wanted, _all_names(functions), "")
        raise ProjectError(
            f"{named_by}: {file} has no function {wanted!r}; {question + ' ' if question else ''}"
            f"it has {_names(functions)}"
        )
    return chosen[0]


def _no_function(root: Table, file: Path) -> ProjectError:
    """The error that names what the file has instead of a function."""
    for section in _SECTIONS:
        modules = root.entries.get(section)
        if modules is None or not isinstance(modules.value, Table):
            continue
        for name, (module, place) in modules.value.entries.items():
            component = module.entries.get("component") if isinstance(module, Table) else None
            if component is None or not isinstance(component.value, Text):
                fault = "has no component:; give fc or fc3, and props:"
            elif _bare(component.value.value) == "fc":  # With fc3 it would be a function.
                fault = "has no function: in its props:; give it one"
            else:
                place = component.place  # noqa: PLW2901  # The line to mend.
                fault = f"is of component {component.value.value[:60]!r}; give fc or fc3"
            return ProjectError(f"{place}: {name}: {fault}, or name another file")
    for key, entry in root.entries.items():
        if key not in _SECTIONS and (question := did_you_mean(key, _SECTIONS, "")):
            return ProjectError(f"{entry.place}: {key}: is unknown; {question}")
    return ProjectError(
        f"{file}: has no function; it needs resources: (or services:) with component: and props:"
    )


def _names(functions: list[Function]) -> str:
    names = [each.name or each.module for each in functions]
    # If their names are not unique, the names of the resources are.
    shown = names if len({*names}) == len(names) else [each.module for each in functions]
    more = f", and {len(shown) - _MAX_SHOWN} more" if len(shown) > _MAX_SHOWN else ""
    return ", ".join(shown[:_MAX_SHOWN]) + more


def _all_names(functions: list[Function]) -> list[str]:
    return [name for each in functions for name in (each.name, each.module) if name]


def _function(
    name: str, module: Table, root: Table, variables: Variables, merging: Merging
) -> Function | None:
    props = _props(name, module, root, variables, merging)
    component = _component(name, module, props, variables)
    if component is None:
        return None
    if component == "fc":
        function = _table_at(props, "function", name, variables)
        if function is None:
            return None  # A service without a function.
        own_name = _text_at(function, "name", name, variables)
    else:
        own_name = _text_at(props, "functionName", name, variables)
    return Function(name, own_name, component, props, module)


def _component(name: str, module: Table, props: Table, variables: Variables) -> Component | None:
    written = (_text_at(module, "component", name, variables) or "").strip()
    known = _bare(written)
    if known in ("fc", "fc3"):
        return "fc3" if known == "fc3" else "fc"
    # A component under development is named by its folder; then the properties decide.
    if not written or "/" in written or "\\" in written or "${" in written:
        if "functionName" in props.entries:
            return "fc3"
        if "function" in props.entries:
            return "fc"
    return None


def _bare(component: str) -> str:
    """The component without vendor and version: `fc` for `devsapp/fc@1.0`."""
    return component.strip().rpartition("/")[2].partition("@")[0].lower()


def _props(name: str, module: Table, root: Table, variables: Variables, merging: Merging) -> Table:
    own = _table_at(module, "props", name, variables)
    extended = module.entries.get("extend")
    if extended is None:
        return own or Table({}, module.place)
    template, ignored = _template(extended, name, root, variables)
    base = template
    if ignored:
        kept = {key: entry for key, entry in template.entries.items() if key not in ignored}
        base = Table(kept, template.place)
    return base if own is None else merging.merged(base, own)


def _template(
    extended: Entry, name: str, root: Table, variables: Variables
) -> tuple[Table, set[str]]:
    """The template that a resource extends, and the keys that it ignores."""
    wanted, ignored = extended.value, set()
    if isinstance(wanted, Table):
        ignore = wanted.entries.get("ignore")
        if ignore is not None and isinstance(ignore.value, Array):
            ignored = {item.value for item in ignore.value.items if isinstance(item, Text)}
        own_name = wanted.entries.get("name")
        wanted = own_name.value if own_name is not None else wanted
    if not isinstance(wanted, Text):
        raise ProjectError(f"{extended.place}: extend: names no template; give its name")
    templates = _table_at(root, "template", name, variables)
    known = {} if templates is None else templates.entries
    found = known.get(wanted.value)
    if found is None or not isinstance(found.value, Table):
        question = did_you_mean(wanted.value, known, "define it under template:")
        raise ProjectError(
            f"{extended.place}: extend: there is no template {wanted.value!r}; {question}"
        )
    return found.value, ignored


def _table_at(table: Table, key: str, module: str, variables: Variables) -> Table | None:
    entry = table.entries.get(key)
    if entry is None:
        return None
    found = variables.value(entry, key, module)
    if isinstance(found, Text) and found.kind == "nothing":
        return None
    if not isinstance(found, Table):
        raise ProjectError(f"{entry.place}: {key}: is no mapping; give keys and values below it")
    return found


def _text_at(table: Table, key: str, module: str, variables: Variables) -> str | None:
    entry = table.entries.get(key)
    if entry is None:
        return None
    try:
        found = variables.resolve(entry.value, module)
    except UnresolvedError:  # It matters only for the chosen function.
        return entry.value.value if isinstance(entry.value, Text) else None
    return found.value if isinstance(found, Text) and found.kind != "nothing" else None
