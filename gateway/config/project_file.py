"""What a project (``--project``) says about a function, as settings."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from gateway.config.options import OPTIONS
from gateway.config.sources import (
    Setting,
    Settings,
    read,
    read_command_line,
    read_environment,
    read_file,
)
from gateway.config.values import ConfigError
from gateway.project.commands import Command
from gateway.project.mapping import Project, read_project

T = TypeVar("T")

# Of the gateway that a function runs by itself: where it runs is another place than here.
_CLOUD_FOLDER = "/code"
_LISTENING = ("host", "port", "unix", "unix_mode", "fd")
_ELSEWHERE = (*_LISTENING, "profile", "chdir", "config", "project", "function")


@dataclass(frozen=True, slots=True)
class ProjectSettings:
    """Settings, what the handler's process finds in its environment, and what to tell the user."""

    settings: Settings = field(repr=False)
    environment: dict[str, str] = field(repr=False)
    notice: str


def read_project_settings(chosen: Settings, environ: Mapping[str, str]) -> ProjectSettings:
    """The settings in the project that `chosen` names, but for those that are chosen already.

    Raises ConfigError or ProjectError.
    """
    path, place = chosen["project"]
    function = chosen.get("function", Setting("", ""))
    chdir = chosen.get("chdir", Setting(None, ""))
    project = read_project(
        path,
        place,
        function.value,
        function.place,
        environ,
        chosen=chosen,
        code_folder=chdir.value,
    )
    settings: Settings = {}
    for value in project.values:
        setting = read(OPTIONS[value.option], value.text, value.place, value.shown)
        settings[value.option] = setting
    if "unix" in chosen or "fd" in chosen:
        settings.pop("port", None)
    if project.command is not None:
        settings |= _own_settings(project.command, project, path)
        if "target" not in settings and "target" not in chosen:
            raise ConfigError(
                f"{project.command.place}: it serves no handler; give handler:, "
                f"or gateway serve TARGET --project {path}"
            )
    return ProjectSettings(settings, project.environment, project.notice)


def _own_settings(command: Command, project: Project, path: Path) -> Settings:
    """What a function that runs the gateway tells it, by its command and its variables."""
    told = _placed(f"{path}: environmentVariables", read_environment, project.environment)
    typed = _placed(command.place, read_command_line, command.arguments)
    settings = told | typed
    if "config" in settings:
        file, named_by = settings["config"]
        settings = read_file(_here(file, project.folder), named_by) | settings
    return {
        name: _in_folder(setting, project.folder)
        for name, setting in settings.items()
        if name not in _ELSEWHERE
    }


def _placed(place: str, read_source: Callable[[T], Settings], source: T) -> Settings:
    """The settings in a source that itself stands in a file, at `place`."""
    try:
        settings = read_source(source)
    except ConfigError as error:
        raise ConfigError(f"{place}: {error}") from None
    return {
        name: setting._replace(place=f"{place}: {setting.place}")
        for name, setting in settings.items()
    }


def _in_folder(setting: Setting, folder: Path) -> Setting:
    if isinstance(setting.value, Path):
        return setting._replace(value=_here(setting.value, folder))
    return setting


def _here(path: Path, folder: Path) -> Path:
    """The path on this machine that one of Function Compute stands for."""
    if path.is_relative_to(_CLOUD_FOLDER) and not path.exists():
        path = path.relative_to(_CLOUD_FOLDER)
    return folder / path
