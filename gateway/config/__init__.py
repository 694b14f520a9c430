"""The settings of the gateway, from the command line, the environment and a TOML file.

Theory of operation: `options` defines each option once; `values` says how a text becomes a value;
`sources` reads each source into settings that know their place; `agreement` refuses contradictions
and makes the `Config`; `usage` and `page` show the definition to people.
"""

from collections.abc import Mapping, Sequence

from gateway.config.agreement import agree
from gateway.config.options import Config
from gateway.config.sources import (
    Settings,
    read_command_line,
    read_environment,
    read_fallbacks,
    read_file,
    read_profile,
)
from gateway.config.values import ConfigError

__all__ = ["Config", "ConfigError", "load"]


def load(
    arguments: Sequence[str], environ: Mapping[str, str], defaults: Settings | None = None
) -> Config:
    """The settings in force.

    The command line goes before the environment, that before the TOML file (``--config``), that
    before Function Compute's own variables, and those before the defaults: first the profile's.

    arguments: the command line after the command.
    environ: the environment variables.
    defaults: of the command, in the place of the options' own.

    Raises ConfigError. Reads nothing but the TOML file.
    """
    chosen = read_environment(environ) | read_command_line(arguments)
    if "config" in chosen:
        path, place = chosen["config"]
        chosen = read_file(path, place) | chosen
    chosen = read_fallbacks(environ, without=chosen) | chosen
    return agree((defaults or {}) | read_profile(environ, chosen) | chosen)
