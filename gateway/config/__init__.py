"""The settings of the gateway: from the command line, the environment, a TOML file, a project.

Theory of operation: `options` defines each option once; `values` says how a text becomes a value;
`sources` reads each source into settings that know their place, and `project_file` what
`gateway.project` has found; `agreement` refuses contradictions and makes the `Config`; `usage` and
`page` show the definition to people.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from gateway.config.agreement import agree
from gateway.config.options import Config
from gateway.config.sources import (
    Settings,
    read_command_line,
    read_environment,
    read_fallbacks,
    read_file,
    read_profile,
    unknown_variables,
)
from gateway.config.values import ConfigError

__all__ = ["Config", "ConfigError", "load"]


def load(
    arguments: Sequence[str], environ: Mapping[str, str], defaults: Settings | None = None
) -> Config:
    """The settings in force.

    The command line goes before the environment, that before the TOML file (``--config``), that
    before the project (``--project``), that before Function Compute's own variables, and those
    before the defaults: first the profile's.

    arguments: the command line after the command.
    environ: the environment variables.
    defaults: of the command, in the place of the options' own.

    Raises UsageError. Reads nothing but the TOML file, the project and files that this one names.
    """
    chosen = read_environment(environ) | read_command_line(arguments)
    if "config" in chosen:
        path, place = chosen["config"]
        chosen = read_file(path, place) | chosen
    project = None
    if "project" in chosen:
        # With it comes the library for YAML, which takes longer to import than all of this.
        from gateway.config.project_file import read_project_settings  # noqa: PLC0415

        project = read_project_settings(chosen, environ)
        chosen = project.settings | chosen
    chosen = read_fallbacks(environ, without=chosen) | chosen
    config = agree((defaults or {}) | read_profile(environ, chosen) | chosen)
    unknown = unknown_variables(environ)
    if unknown and config.strict_environment:
        raise ConfigError(f"{unknown}; remove it, or give --no-strict-environment")
    if unknown:
        unknown += "; ignored, as --strict-environment would not"
    if project is None:
        return replace(config, notices=(unknown,)) if unknown else config
    notices = tuple(notice for notice in (unknown, project.notice) if notice)
    return replace(config, environment=tuple(project.environment.items()), notices=notices)
