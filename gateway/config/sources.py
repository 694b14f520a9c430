"""Where settings come from: the command line, the environment, a TOML file.

Each reader takes one source as it is and gives the settings found there by option name, or raises
`ConfigError`. Only `read_file` does any input or output.
"""

import re
from collections.abc import Container, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from gateway.config.definition import PREFIX, Option
from gateway.config.options import OPTIONS
from gateway.config.profiles import LISTEN_PORTS, PROFILES
from gateway.config.values import (
    BadHandlerError,
    BadValueError,
    ConfigError,
    SecretValueError,
)
from gateway.fc import names
from gateway.text.input_file import MAX_BYTES, content_of
from gateway.text.spelling import did_you_mean

Settings = dict[str, "Setting"]

# Values stand in messages; a pasted novel should not.
_SHOWN = 60

# Unknown variables in a line.
_MOST_UNKNOWN = 20

# What Kubernetes tells every pod about a Service called "gateway" or "gateway-…":
# https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables
_SERVICE_VARIABLE = re.compile(
    PREFIX + r"(?:[A-Z0-9_]+_)?"
    r"(?:SERVICE_HOST|SERVICE_PORT(?:_[A-Z0-9_]+)?|PORT_[0-9]+_(?:TCP|UDP|SCTP)(?:_(?:ADDR|PORT|PROTO))?)"
)
_SERVICE_PORT = re.compile(PREFIX + r"(?:[A-Z0-9_]+_)?PORT")
_SERVICE_ADDRESS = re.compile(r"(?:tcp|udp|sctp)://")

_TOML_PLACE = re.compile(r" \(at line (\d+), column (\d+)\)$")


class Setting(NamedTuple):
    """A value that somebody chose, and the place it stands, as messages name it."""

    value: Any
    place: str


def read(option: Option, text: str, place: str, shown: str | None = None) -> Setting:
    """The setting that `text` means; messages show `shown` in its place.  Raises ConfigError."""
    try:
        return Setting(option.kind.read(text), place)
    except SecretValueError as refusal:
        raise ConfigError(f"{place}: {refusal}") from None
    except BadValueError as refusal:
        shown = text if shown is None else shown
        shown = shown if len(shown) <= _SHOWN else shown[:_SHOWN] + "…"
        if isinstance(refusal, BadHandlerError):
            name = names.INVALID_HANDLE_NAME
            raise ConfigError(f"{place}: Invalid handler {shown!r}: {refusal} [{name}]") from None
        raise ConfigError(f"{place}: {shown!r} {refusal}") from None


def read_command_line(arguments: Sequence[str]) -> Settings:
    """The settings among the arguments after the command; a later one replaces an earlier one."""
    settings: Settings = {}
    words = iter(arguments)
    for word in words:
        if word.startswith("-"):
            flag, equals, text = word.partition("=")
            option, value = _flagged(flag)
            if value is None:
                given = text if equals else _value_after(option, words)
                settings[option.name] = read(option, given, flag)
            elif equals:
                raise ConfigError(
                    f"{flag}: takes no value; give {option.flag} or {option.negation}"
                )
            else:
                settings[option.name] = Setting(value, flag)
        elif "target" in settings:
            raise ConfigError(
                f"{word!r} is one argument too many: TARGET is {settings['target'].value!r} already"
            )
        else:
            settings["target"] = read(OPTIONS["target"], word, "TARGET")
    return settings


def read_environment(environ: Mapping[str, str]) -> Settings:
    """The settings in ``GATEWAY_…`` variables; an empty one counts as not set.

    Others are passed over: `unknown_variables` tells them.
    """
    settings: Settings = {}
    for variable in sorted(name for name in environ if name.startswith(PREFIX)):
        text = environ[variable]
        if _is_from_kubernetes(variable, text):
            continue
        option = _VARIABLES.get(variable)
        if option is not None and text:
            settings[option.name] = read(option, text, variable)
    return settings


def unknown_variables(environ: Mapping[str, str]) -> str:
    """The ``GATEWAY_…`` variables that are no option's, in a line; "" when there is none.

    They may be the application's own, which has a gateway of its own to talk to.
    """
    unknown = []
    for variable in sorted(environ):
        if variable.startswith(PREFIX) and variable not in _VARIABLES:
            if _is_from_kubernetes(variable, environ[variable]):
                continue
            from gateway.config.foreign import hint_for_name  # noqa: PLC0415 (rarely needed)

            mend = hint_for_name(variable.removeprefix(PREFIX))
            if mend is None:
                mend = did_you_mean(variable, _VARIABLES, "", PREFIX)
            elif not mend.startswith("give"):
                mend = ""  # Who has an option like it here is to hear of it; others have their own.
            unknown.append(f"{variable} ({mend})" if mend else variable)
    if not unknown:
        return ""
    more = f" and {len(unknown) - _MOST_UNKNOWN} more" if len(unknown) > _MOST_UNKNOWN else ""
    return f"unknown in the environment: {', '.join(unknown[:_MOST_UNKNOWN])}{more}"


def read_fallbacks(environ: Mapping[str, str], without: Container[str]) -> Settings:
    """The settings in Function Compute's own variables, but for the options in `without`.

    What another source has set already is not even looked at: the values are not the user's,
    and inside Function Compute they may be of no use here.
    """
    return {
        option.name: read(option, environ[option.fallback], option.fallback)
        for option in OPTIONS.values()
        if option.fallback and environ.get(option.fallback) and option.name not in without
    }


def read_profile(environ: Mapping[str, str], chosen: Settings) -> Settings:
    """The defaults of the profile among the chosen settings."""
    profile = chosen["profile"] if "profile" in chosen else Setting(_DEFAULT_PROFILE, "")
    defaults = {name: (text, profile.place) for name, text in PROFILES[profile.value].items()}
    if profile.value == "custom-container":
        for variable in filter(environ.get, LISTEN_PORTS[::-1]):
            defaults["port"] = environ[variable], variable
    if "unix" in chosen or "fd" in chosen:
        defaults.pop("host", None)
        defaults.pop("port", None)
    return {
        name: read(OPTIONS[name], text, place)
        for name, (text, place) in defaults.items()
        if name not in chosen
    }


_DEFAULT_PROFILE: Final = OPTIONS["profile"].default


def read_file(path: Path, named_by: str) -> Settings:
    """The settings in a TOML file.

    Relative paths in it are relative to its folder. `named_by` is the place that named the file.
    """
    content = content_of(path, named_by, fault=ConfigError)
    if len(content) > MAX_BYTES:
        raise ConfigError(f"{path}: is larger than {MAX_BYTES // 1024} KB; name a file of settings")
    try:
        text = content.decode("utf-8-sig")  # Some editors begin with a mark.
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: is not UTF-8 text; save it as UTF-8") from None
    return parse_file(text, path)


def parse_file(text: str, path: Path) -> Settings:
    """The settings in the text of a TOML file that stands at `path`."""
    settings: Settings = {}
    for key, raw in _parse_toml(text, path).items():
        place = f"{path}{_line_of(key, text)}: {key}"
        option = OPTIONS.get(key.replace("-", "_"))
        if option is None or not option.in_file:
            raise ConfigError(f"{place}: {_unknown_key(key, raw)}")
        if option.name in settings:
            raise ConfigError(f"{place}: is set twice; remove one")
        setting = read(option, _as_text(option, raw, place), place)
        if isinstance(setting.value, Path):
            setting = setting._replace(value=path.parent / setting.value)
        settings[option.name] = setting
    return settings


_VARIABLES = {option.variable: option for option in OPTIONS.values()}

# What may stand on the command line: the option, and the value it has without one being given.
_FLAGS: dict[str, tuple[Option, bool | None]] = {}
for _option in OPTIONS.values():
    if _option.is_switch:
        _FLAGS[_option.flag] = _option, True
        _FLAGS[_option.negation] = _option, False
    elif not _option.positional:
        _FLAGS[_option.flag] = _option, None


def _flagged(flag: str) -> tuple[Option, bool | None]:
    try:
        return _FLAGS[flag]
    except KeyError:
        from gateway.config.foreign import hint  # noqa: PLC0415 (only a mistake needs it)

        mend = hint(flag) or did_you_mean(flag, _FLAGS, "see gateway help all", "--")
        raise ConfigError(f"unknown option {flag}: {mend}") from None


def _value_after(option: Option, words: Iterator[str]) -> str:
    text = next(words, None)
    # After a forgotten value comes the next option; "-1" is a value, if a wrong one.
    if text is None or text.startswith("--"):
        # For a choice all of them: the default is what nobody asks for.
        sample = option.metavar if "|" in option.metavar else option.shown_default or option.metavar
        raise ConfigError(f"{option.flag}: its value is missing; give {option.flag} {sample}")
    return text


def _is_from_kubernetes(variable: str, text: str) -> bool:
    if _SERVICE_VARIABLE.fullmatch(variable):
        return True
    return bool(_SERVICE_PORT.fullmatch(variable) and _SERVICE_ADDRESS.match(text))


def _parse_toml(text: str, path: Path) -> dict[str, Any]:
    import tomllib  # noqa: PLC0415 (start-up time: only needed when there is a file)

    try:
        return tomllib.loads(text)
    except ValueError as error:
        message = str(error)
        place = _TOML_PLACE.search(message)
        where = f":{place[1]}: column {place[2]}" if place else ""
        said = _TOML_PLACE.sub("", message)
        raise ConfigError(
            f'{path}{where}: not TOML: {said}; a setting is written max_body = "32MB"'
        ) from None
    except RecursionError:
        raise ConfigError(f"{path}: is nested too deeply; settings need no nesting") from None


def _line_of(key: str, text: str) -> str:
    """``:<line>`` of a key, or "" when a pattern cannot tell (tomllib keeps no lines)."""
    written = rf"""^[ \t]*\[*[ \t]*["']?{re.escape(key)}["']?[ \t]*[=.\]]"""
    found = list(re.finditer(written, text, re.MULTILINE))
    return f":{text.count(chr(10), 0, found[0].start()) + 1}" if len(found) == 1 else ""


def _unknown_key(key: str, raw: object) -> str:
    if key.replace("-", "_") in OPTIONS:
        return "cannot be set in a file; use the command line or the environment"
    if isinstance(raw, dict):
        return "unknown table; settings stand at the top, without tables"
    from gateway.config.foreign import hint_for_name  # noqa: PLC0415 (only a mistake needs it)

    known = [option.name for option in OPTIONS.values() if option.in_file]
    mend = hint_for_name(key) or did_you_mean(key, known, "see gateway help all")
    return f"unknown key; {mend}"


def _as_text(option: Option, raw: object, place: str) -> str:
    if isinstance(raw, str):
        return raw
    # By exact type: a boolean is an int to Python, and no number to whoever wrote it.
    if type(raw) is list and list in option.kind.native and all(type(x) is str for x in raw):
        return ",".join(raw)
    if type(raw) not in option.kind.native or type(raw) is list:
        given = {bool: "a boolean", int: "an integer", float: "a float"}.get(type(raw), "this")
        raise ConfigError(f"{place}: {given} does not fit here; give {_written(option)}")
    return str(raw).lower() if isinstance(raw, bool) else str(raw)


def _written(option: Option) -> str:
    """How a file sets the option, with its default for an example."""
    sample = option.shown_default or option.metavar
    has_plain_form = option.default is None and option.kind.native
    is_number = sample.isdecimal() and int in option.kind.native
    is_bare = is_number or option.is_switch or has_plain_form
    return f"{option.name} = {sample}" if is_bare else f'{option.name} = "{sample}"'
