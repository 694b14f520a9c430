"""Settings that must agree with one another.

Two settings that contradict each other are refused when both were chosen. When only one was, the
default of the other gives way without a word.
"""

from typing import Any

from gateway.config.options import OPTIONS, Config
from gateway.config.sources import Setting, Settings
from gateway.config.values import ConfigError, show_size

# (smaller, larger): the first is part of the second.
_NESTED = (("max_async_body", "max_body"), ("body_buffer", "body_memory"))

# (one, other): only one of them can say where to listen.
_EXCLUSIVE = (
    ("unix", "fd"),
    ("unix", "host"),
    ("unix", "port"),
    ("fd", "host"),
    ("fd", "port"),
)

# (one, other): the first is about the second, and does nothing without it.
_NEEDY = (
    ("unix_mode", "unix"),
    ("forwarded_headers", "trusted_proxies"),
    ("proxy_protocol", "trusted_proxies"),
    ("function", "project"),
)


# (option, value, of): the option is about that value of the other, and does nothing otherwise.
_OF_A_CHOICE = (
    ("auth_keys", "function", "auth"),
    ("signature_max_age", "function", "auth"),
    ("jwks", "jwt", "auth"),
    ("jwt_audience", "jwt", "auth"),
    ("jwt_issuer", "jwt", "auth"),
    ("jwt_leeway", "jwt", "auth"),
)


def agree(settings: Settings) -> Config:
    """The settings and, for the rest, the defaults; raises ConfigError for a contradiction."""
    for one, other in _EXCLUSIVE:
        if one in settings and other in settings:
            raise ConfigError(
                f"{settings[one].place} and {settings[other].place} exclude each other: "
                "remove one of them"
            )
    _require_path_for_mode(settings)
    for one, other in _NEEDY:
        if one in settings and settings[one].value and not _is_set(settings, other):
            raise ConfigError(
                f"{settings[one].place} needs {OPTIONS[other].flag}: set it, or remove the first"
            )
    for one, value, other in _OF_A_CHOICE:
        if one in settings and settings[one].value and _value(settings, other) != value:
            raise ConfigError(
                f"{settings[one].place} needs {OPTIONS[other].flag} {value}: set it, or remove the "
                "first"
            )
    if _value(settings, "auth") == "jwt" and not _is_set(settings, "jwks"):
        raise ConfigError(
            f"{settings['auth'].place}: jwt needs --jwks with the keys of those who issue tokens"
        )
    if _is_set(settings, "reload") and "workers" in settings and not settings["workers"].value:
        raise ConfigError(
            f"{settings['reload'].place} replaces worker processes, and with "
            f"{settings['workers'].place} 0 there are none: remove that, or give --no-reload"
        )
    headers = settings.get("forwarded_headers")
    if headers and "forwarded" in headers.value and len(headers.value) > 1:
        raise ConfigError(f"{headers.place}: forwarded excludes the others; remove it or the rest")
    values: dict[str, Any] = {name: setting.value for name, setting in settings.items()}
    if values.get("error_style") == "plain":
        # Its answers tell nothing of an exception, and the tail of the log would.
        values.setdefault("log_tail", False)
    for smaller, larger in _NESTED:
        if smaller in settings and larger in settings:
            _require_order(settings[smaller], settings[larger])
        elif smaller in settings:
            values[larger] = max(values[smaller], OPTIONS[larger].default)
        elif larger in settings:
            values[smaller] = min(values[larger], OPTIONS[smaller].default)
    _spare_the_only_thread(values)
    places = {
        name: setting.place
        for name, setting in settings.items()
        if setting.place and not setting.place.startswith(("--", "TARGET"))
    }
    return Config(**values, chosen=frozenset(values), places=places)


def _require_path_for_mode(settings: Settings) -> None:
    if "unix_mode" in settings and isinstance(_value(settings, "unix"), str):
        raise ConfigError(
            f"{settings['unix_mode'].place}: an abstract socket has no mode, and everybody in the "
            "network namespace may connect: remove it, or give --unix PATH"
        )


def _spare_the_only_thread(values: dict[str, Any]) -> None:
    """It is not to wait for one client's body: that is there before, if there is memory for it."""
    if values.get("threads") == 1 and "body_buffer" not in values:
        most = {
            name: values.get(name, OPTIONS[name].default) for name in ("max_body", "body_memory")
        }
        values["body_buffer"] = max(
            min(most.values()), min(OPTIONS["body_buffer"].default, most["body_memory"])
        )


def _value(settings: Settings, name: str) -> Any:
    return settings[name].value if name in settings else OPTIONS[name].default


def _is_set(settings: Settings, name: str) -> bool:
    return name in settings and bool(settings[name].value)


def _require_order(smaller: Setting, larger: Setting) -> None:
    if smaller.value > larger.value:
        raise ConfigError(
            f"{smaller.place} ({show_size(smaller.value)}) is larger than "
            f"{larger.place} ({show_size(larger.value)}): lower the first or raise the second"
        )
