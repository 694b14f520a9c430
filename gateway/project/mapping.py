"""Maps the description of a function to settings of the gateway, as plain values with places."""

import re
from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from gateway.project import keys
from gateway.project.commands import Command, find_command
from gateway.project.functions import Function, choose, functions_of, open_project
from gateway.project.nodes import Entry, Place, ProjectError, Table, Text
from gateway.project.notice import Notice
from gateway.project.properties import Properties, Value, sort_of
from gateway.project.triggers import http_trigger, trigger_values
from gateway.project.variables import UnavailableError, UnresolvedError, Variables

_WHOLE: Final = frozenset(
    ("handler_timeout", "function_memory", "threads", "port", "initializer_timeout",
     "pre_freeze_timeout", "pre_stop_timeout")
)  # fmt: skip
"""Options whose value in a file is a whole number of at least 1."""
_HOOKS: Final = frozenset(("initializer", "pre_freeze", "pre_stop"))
_SPECIAL: Final = frozenset(
    ("target", "interface", "chdir", "methods", "jwks", "auth", "threads", "")
)
"""Options whose keys need special treatment."""
_TRIGGER: Final = "triggers[]."

_NUMBER = re.compile(r"-?[0-9]{1,15}")


@dataclass(frozen=True, slots=True)
class Project:
    """The settings of one function of a project.

    folder: the folder of the code.
    environment: the variables for the process that runs the handler.
    command: the function's own `gateway serve`, if it has one.
    notice: the line about keys without effect; "" if there are none.
    """

    values: list[Value] = field(repr=False)
    folder: Path
    environment: dict[str, str] = field(repr=False)
    command: Command | None
    notice: str


def read_project(
    path: Path,
    named_by: str,
    function: str,
    function_named_by: str,
    environ: Mapping[str, str],
    *,
    chosen: Container[str],
    code_folder: Path | None,
) -> Project:
    """The settings of the function `function` in the project file `path`.

    named_by, function_named_by: the settings that name the two.
    environ: the environment variables, for expressions.
    chosen: options that are set elsewhere; keys that only they need are not evaluated.
    code_folder: the folder that is set elsewhere.

    Raises ProjectError.
    """
    root = open_project(path, named_by)
    variables = Variables(root, environ, path.parent)
    functions = functions_of(root, variables)
    selected = choose(functions, root, function, function_named_by, path)
    reading = _Reading(path, root, variables, selected, environ, chosen)
    return reading.project(code_folder)


class _Reading:
    """Goes through the keys of one function."""

    def __init__(
        self,
        path: Path,
        root: Table,
        variables: Variables,
        function: Function,
        environ: Mapping[str, str],
        chosen: Container[str],
    ) -> None:
        self._path = path
        self._root = root
        self._variables = variables
        self._function = function
        self._properties = Properties(function, variables)
        self._environ = environ
        self._chosen = chosen
        self._values: list[Value] = []
        self._notice = Notice(str(path))
        runtime = self._properties.find_text(self._properties.prefixed("runtime"))
        self._runtime = runtime.value if runtime is not None else ""

    @property
    def _is_python(self) -> bool:
        return self._runtime.startswith("python")

    def project(self, code_folder: Path | None) -> Project:
        trigger = http_trigger(self._properties, self._notice)
        environment = self._environment()
        folder = code_folder or self._set_code()
        command = None if self._is_python else self._command(folder, environment)
        self._set_target(command is not None, has_trigger=trigger is not None)
        for key in keys.KEYS[self._function.component]:
            if key.option not in _SPECIAL and not key.path.startswith(_TRIGGER):
                self._set_plain(key)
        if self._is_python:
            for name in ("customRuntimeConfig", "customContainerConfig", "caPort"):
                self._name_idle(self._properties.prefixed(name))
        if trigger is not None:
            self._values += trigger_values(self._properties, trigger, self._chosen)
        self._set_concurrency()
        if self._function.component == "fc3":
            self._set_error_style()
        self._notice.examine(self._root, self._function, trigger, self._variables)
        notice = self._notice.text()
        return Project(self._values, folder, environment, command, notice)

    def _command(self, folder: Path, environment: dict[str, str]) -> Command | None:
        in_container = self._runtime == "custom-container"
        command = find_command(self._properties, in_container=in_container, code=folder)
        if command is None and environment.get("GATEWAY_TARGET"):
            # The runtime's program runs the gateway, which reads this variable.
            return Command((), str(self._place))
        return command

    def _add(self, option: str, name: str, text: Text) -> None:
        if option not in self._chosen:
            shown = text.written or text.value
            self._values.append(Value(option, text.value, f"{text.place}: {name}", shown))

    # -- Setting ---------------------------------------------------------------------------------

    def _set_plain(self, key: keys.Key) -> None:
        name = key.path.rpartition(".")[2]
        if key.option in self._chosen:
            return
        if key.option.removesuffix("_timeout") in _HOOKS and not self._is_python:
            self._name_idle(key.path)
            return
        if key.option == "port" and (self._is_python or not self._is_own_port(key.path)):
            return
        found = self._properties.find_text(key.path)
        if found is None or not found.value:
            return
        if key.option in _WHOLE:
            self._require_whole(name, found)
        self._add(key.option, name, found)

    def _set_concurrency(self) -> None:
        """Set how many requests an instance runs at a time: one, unless the file says otherwise."""
        path = self._properties.prefixed("instanceConcurrency")
        found = None if "threads" in self._chosen else self._properties.find_text(path)
        if found is None or not found.value:
            found = Text("1", self._place)
        self._require_whole("instanceConcurrency", found)
        self._add("threads", "instanceConcurrency", found)

    def _is_own_port(self, path: str) -> bool:
        """Whether a port belongs to the function's kind of custom runtime."""
        if self._function.component == "fc":
            return True
        return path.startswith("customContainerConfig") == (self._runtime == "custom-container")

    def _require_whole(self, name: str, text: Text) -> None:
        fault = ""
        if not _NUMBER.fullmatch(text.value):
            fault = "is not a whole number; give one such as 60"
        elif int(text.value) < 1:
            fault = "is too small; give at least 1"
        if fault:
            shown = (text.written or text.value)[:60]
            raise ProjectError(f"{text.place}: {name}: {shown!r} {fault}")

    def _name_idle(self, path: str) -> None:
        try:
            found = self._properties.find(path)
        except ProjectError:
            return
        if found is not None:
            self._notice.name_idle(path, found[0].place)

    def _set_target(self, runs_gateway: bool, *, has_trigger: bool) -> None:
        """Set handler and interface, unless the user has chosen another handler."""
        if "target" in self._chosen:
            return
        serve = f"gateway serve TARGET --project {self._path}"
        handler = self._properties.find_text(self._properties.prefixed("handler"))
        if not self._is_python and not runs_gateway:
            self._refuse_runtime(serve)
        if handler is not None:
            self._add("target", "handler", handler)
        elif self._is_python:
            raise ProjectError(
                f"{self._place}: handler: is missing; give module.function, or {serve}"
            )
        if self._is_python:
            runtime = self._properties.find_text(self._properties.prefixed("runtime"))
            assert runtime is not None  # It is Python.
            speaks_wsgi = self._function.component == "fc" and has_trigger
            interface = Text("wsgi" if speaks_wsgi else "fc-event", runtime.place)
            self._add("interface", "runtime", interface)

    def _refuse_runtime(self, serve: str) -> None:
        runtime = self._properties.find_text(self._properties.prefixed("runtime"))
        if runtime is None:
            raise ProjectError(f"{self._place}: runtime: is missing; give one, such as python3.10")
        what = "starts a server of its own" if self._is_custom else "is not Python"
        raise ProjectError(
            f"{runtime.place}: runtime: {runtime.written or runtime.value} {what}; "
            f"name the Python handler: {serve}"
        )

    @property
    def _place(self) -> Place:
        """Where the function's own keys begin."""
        found = self._properties.find("function")
        return self._function.props.place if found is None else found[1].place

    @property
    def _is_custom(self) -> bool:
        return self._runtime.startswith("custom")

    def _set_error_style(self) -> None:
        component = self._function.settings.entries.get("component")
        place = self._function.props.place if component is None else component.place
        self._add("error_style", "component", Text("fc3", place))

    def _set_code(self) -> Path:
        """The folder of the code, which must exist."""
        name = "codeUri" if self._function.component == "fc" else "code"
        found = self._properties.find(self._properties.prefixed(name))
        if found is None:
            if self._runtime == "custom-container":  # The code is in the image.
                return self._path.parent
            raise ProjectError(
                f"{self._place}: {name}: is missing; give the folder of the code, or --chdir"
            )
        entry, value = found
        if isinstance(value, Table):
            source = value.entries.get("src")
            if source is None:
                raise ProjectError(
                    f"{entry.place}: {name}: the code is not here; give its folder, or --chdir"
                )
            for key in keys.CODE_IN_STORAGE:
                if key in value.entries:
                    self._notice.name_idle(f"{name}.{key}", value.entries[key].place)
            entry, value = source, self._properties.resolved(source, "src")
        if not isinstance(value, Text):
            raise ProjectError(f"{entry.place}: {name}: is a {sort_of(value)}; give a folder")
        folder = self._path.parent / value.value
        shown = value.written or value.value
        if "\0" in value.value or not folder.exists():
            raise ProjectError(
                f"{entry.place}: {name}: there is no {shown!r}; name the folder of the code, "
                "from this file on, or give --chdir"
            )
        if not folder.is_dir():
            raise ProjectError(
                f"{entry.place}: {name}: {shown!r} is a file; name the folder that it is made "
                "from, or give --chdir"
            )
        self._values.append(Value("chdir", str(folder), f"{entry.place}: {name}", shown))
        return folder

    def _environment(self) -> dict[str, str]:
        found = self._properties.find(self._properties.prefixed("environmentVariables"))
        if found is None:
            return {}
        entry, table = found
        if not isinstance(table, Table):
            raise ProjectError(
                f"{entry.place}: environmentVariables: is a {sort_of(table)}; give names and values"
            )
        return {name: self._variable(name, each) for name, each in table.entries.items()}

    def _variable(self, name: str, entry: Entry) -> str:
        if not name or "=" in name or "\0" in name:
            raise ProjectError(f"{entry.place}: {name!r} cannot be the name of a variable")
        try:
            value = self._variables.resolve(entry.value, self._function.module)
        except UnavailableError as error:
            if name in self._environ:
                return self._environ[name]
            raise ProjectError(f"{entry.place}: {name}: {error}, or set {name} itself") from None
        except UnresolvedError as error:
            raise ProjectError(f"{entry.place}: {name}: {error}") from None
        if not isinstance(value, Text):
            raise ProjectError(
                f"{entry.place}: {name}: is a {sort_of(value)}; give a text, or quote"
            )
        if value.kind == "nothing":
            raise ProjectError(f"{entry.place}: {name}: has no value; give '' for an empty one")
        try:
            value.value.encode()
        except UnicodeEncodeError:
            raise ProjectError(
                f"{entry.place}: {name}: is no text; remove half characters"
            ) from None
        if "\0" in value.value:
            raise ProjectError(f"{entry.place}: {name}: holds a NUL character; remove it")
        return value.value
