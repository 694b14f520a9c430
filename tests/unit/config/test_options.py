"""The definition: every option, through every source that it has."""

import dataclasses
from pathlib import Path

import pytest

import gateway.project
from gateway.config import Config, ConfigError, load
from gateway.config.options import OPTIONS, grouped
from gateway.config.sources import parse_file
from gateway.limits import Limits

NAMES = list(OPTIONS)

STARTER = Path(gateway.project.__file__).with_name("starter") / "s.yaml"

# For every option a text that is not its default, and the value it means.
EXAMPLES: dict[str, tuple[str, object]] = {
    "target": ("app.main:handler", "app.main:handler"),
    "config": ("/dev/null", Path("/dev/null")),
    "chdir": ("/srv/code", Path("/srv/code")),
    "project": (str(STARTER), STARTER),
    "function": ("function", "function"),  # The name of the starter's resource.
    "profile": ("custom-container", "custom-container"),
    "strict_environment": ("true", True),
    "interface": ("asgi", "asgi"),
    "exact_environ": ("true", True),
    "lenient_start_response": ("true", True),
    "reload": ("true", True),
    "reload_include": ("*.html, *.json", ("*.html", "*.json")),
    "host": ("::1", "::1"),
    "port": ("0", 0),
    "unix": ("/run/gateway.sock", Path("/run/gateway.sock")),
    "unix_mode": ("0660", 0o660),
    "fd": ("3", 3),
    "backlog": ("64", 64),
    "max_connections": ("20000", 20000),
    "workers": ("0", 0),
    "start_timeout": ("0", 0.0),
    "worker_timeout": ("0", 0.0),
    "trusted_proxies": ("10.0.0.0/8, ::1,unix", ("10.0.0.0/8", "::1/128", "unix")),
    "forwarded_headers": ("Forwarded", ("forwarded",)),
    "proxy_protocol": ("true", True),
    "methods": ("get, POST", ("GET", "POST")),
    "auth": ("function", "function"),
    "auth_keys": ("/etc/keys.toml", Path("/etc/keys.toml")),
    "signature_max_age": ("5m", 300.0),
    "jwks": ("https://issuer.example/jwks.json", "https://issuer.example/jwks.json"),
    "jwt_audience": ("orders", "orders"),
    "jwt_issuer": ("https://issuer.example/", "https://issuer.example/"),
    "jwt_leeway": ("30s", 30.0),
    "cors": ("true", True),
    "initializer": ("app.initialize", "app.initialize"),
    "initializer_timeout": ("300", 300.0),
    "initialize": ("lazy", "lazy"),
    "pre_freeze": ("app.pre_freeze", "app.pre_freeze"),
    "pre_freeze_timeout": ("90", 90.0),
    "pre_stop": ("app.pre_stop", "app.pre_stop"),
    "pre_stop_timeout": ("90", 90.0),
    "threads": ("2", 2),
    "queue": ("0", 0),
    "queue_timeout": ("500ms", 0.5),
    "queue_delay": ("0", 0.0),
    "handler_timeout": ("0", 0.0),
    "switch_interval": ("1ms", 0.001),
    "max_header_bytes": ("16KB", 16384),
    "max_header_fields": ("100", 100),
    "max_path_bytes": ("100", 100),
    "max_body": ("1GB", 1073741824),
    "max_async_body": ("1KB", 1024),
    "max_response_header_bytes": ("64", 64),
    "body_buffer": ("1KB", 1024),
    "body_memory": ("1GB", 1073741824),
    "answer_memory": ("64MB", 67108864),
    "keep_alive_timeout": ("15m", 900.0),
    "head_timeout": ("1", 1.0),
    "body_timeout": ("1.5", 1.5),
    "body_min_rate": ("0", 0),
    "body_total_timeout": ("10m", 600.0),
    "write_timeout": ("2h", 7200.0),
    "drain_timeout": ("0s", 0.0),
    "server_header": ("gateway", "gateway"),
    "fc_headers": ("full", "full"),
    "error_style": ("plain", "plain"),
    "tracebacks": ("true", True),
    "function_log": ("text", "text"),
    "log_tail": ("false", False),
    "access_log": ("json", "json"),
    "log_query": ("off", "off"),
    "profile_invocations": ("TABLE", "table"),
    "log_level": ("debug", "debug"),
    "function_name": ("orders", "orders"),
    "function_memory": ("1024", 1024),
    "service_name": ("shop", "shop"),
    "qualifier": ("blue", "blue"),
    "region": ("cn-hangzhou", "cn-hangzhou"),
    "account_id": ("1234567890", "1234567890"),
    "log_project": ("logs", "logs"),
    "log_store": ("store", "store"),
}

# For every option a text that it refuses.
REFUSED: dict[str, str] = {
    "target": "app.py",
    "config": "/nowhere/gateway.toml",
    "chdir": "",
    "project": "",
    "function": "a\nb",
    "profile": "production",
    "strict_environment": "maybe",
    "interface": "cgi",
    "exact_environ": "maybe",
    "lenient_start_response": "maybe",
    "reload": "maybe",
    "reload_include": "templates/*.html",
    "host": "a b",
    "port": "65536",
    "unix": "",
    "unix_mode": "888",
    "fd": "-1",
    "backlog": "0",
    "max_connections": "0",
    "workers": "-1",
    "start_timeout": "999ms",
    "worker_timeout": "999ms",
    "trusted_proxies": "10.0.0.1/8",
    "forwarded_headers": "x-real-ip",
    "proxy_protocol": "maybe",
    "methods": "GET POST",
    "auth": "basic",
    "auth_keys": "",
    "signature_max_age": "999ms",
    "jwks": "a\nb",
    "jwt_audience": "a\nb",
    "jwt_issuer": "a\nb",
    "jwt_leeway": "-1",
    "cors": "maybe",
    "initializer": "initialize",
    "initializer_timeout": "301",
    "initialize": "never",
    "pre_freeze": "app.py",
    "pre_freeze_timeout": "91",
    "pre_stop": "app.py",
    "pre_stop_timeout": "91",
    "threads": "0",
    "queue": "-1",
    "queue_timeout": "0",
    "queue_delay": "-1",
    "handler_timeout": "-1",
    "switch_interval": "0.00009",
    "max_header_bytes": "63",
    "max_header_fields": "15",
    "max_path_bytes": "0",
    "max_body": "32XB",
    "max_async_body": "-1",
    "max_response_header_bytes": "63",
    "body_buffer": "1023",
    "body_memory": "1023",
    "answer_memory": "1023",
    "keep_alive_timeout": "-1",
    "head_timeout": "0",
    "body_timeout": "0",
    "body_min_rate": "-1",
    "body_total_timeout": "0",
    "write_timeout": "0",
    "drain_timeout": "-1",
    "server_header": "a\nb",
    "fc_headers": "all",
    "error_style": "fc4",
    "tracebacks": "maybe",
    "function_log": "xml",
    "log_tail": "maybe",
    "access_log": "xml",
    "log_query": "on",
    "profile_invocations": "yes",
    "log_level": "loud",
    "function_name": "a\nb",
    "function_memory": "0",
    "service_name": "a\nb",
    "qualifier": "a\nb",
    "region": "a\nb",
    "account_id": "a\nb",
    "log_project": "a\nb",
    "log_store": "a\nb",
}

# What an option does nothing without.
NEEDED: dict[str, dict[str, str]] = {
    "unix_mode": {"GATEWAY_UNIX": "/run/gateway.sock"},
    "forwarded_headers": {"GATEWAY_TRUSTED_PROXIES": "::1"},
    "proxy_protocol": {"GATEWAY_TRUSTED_PROXIES": "::1"},
    "auth_keys": {"GATEWAY_AUTH": "function"},
    "signature_max_age": {"GATEWAY_AUTH": "function"},
    "jwks": {"GATEWAY_AUTH": "jwt"},
    "jwt_audience": {"GATEWAY_AUTH": "jwt", "GATEWAY_JWKS": "keys.json"},
    "jwt_issuer": {"GATEWAY_AUTH": "jwt", "GATEWAY_JWKS": "keys.json"},
    "jwt_leeway": {"GATEWAY_AUTH": "jwt", "GATEWAY_JWKS": "keys.json"},
    "function": {"GATEWAY_PROJECT": str(STARTER)},
}


def test_the_tables_of_this_file_have_every_option() -> None:
    assert list(EXAMPLES) == NAMES
    assert list(REFUSED) == NAMES


def test_without_any_setting_the_defaults_are_in_force() -> None:
    assert load([], {}) == Config()


def test_the_limits_are_by_default_those_of_function_compute() -> None:
    limits = dataclasses.asdict(Limits())
    del limits["small_head"]  # Follows from the others.
    config = dataclasses.asdict(Config())
    assert {name: config[name] for name in limits} == limits


@pytest.mark.parametrize("name", NAMES)
def test_a_default_is_a_value_that_its_option_takes(name: str) -> None:
    option = OPTIONS[name]
    if option.default is not None:
        assert option.kind.read(option.shown_default) == option.default


@pytest.mark.parametrize("name", NAMES)
def test_the_command_line_sets_the_option(name: str) -> None:
    text, value = EXAMPLES[name]
    option = OPTIONS[name]
    assert getattr(load(_typed(name, text), NEEDED.get(name, {})), name) == value
    assert value != option.default


@pytest.mark.parametrize("name", NAMES)
def test_the_environment_sets_the_option(name: str) -> None:
    text, value = EXAMPLES[name]
    environ = {OPTIONS[name].variable: text} | NEEDED.get(name, {})
    assert getattr(load([], environ), name) == value


@pytest.mark.parametrize("name", [name for name in NAMES if OPTIONS[name].in_file])
@pytest.mark.parametrize("spelling", ["_", "-"])
def test_the_file_sets_the_option(name: str, spelling: str) -> None:
    text, value = EXAMPLES[name]
    settings = parse_file(f'{name.replace("_", spelling)} = "{text}"', Path("gateway.toml"))
    assert settings[name].value == value


@pytest.mark.parametrize("name", [name for name in NAMES if OPTIONS[name].fallback])
def test_the_variable_of_function_compute_sets_the_option(name: str) -> None:
    text, value = EXAMPLES[name]
    assert getattr(load([], {str(OPTIONS[name].fallback): text}), name) == value


@pytest.mark.parametrize("name", [name for name in NAMES if not OPTIONS[name].is_switch])
def test_the_command_line_is_refused_by_the_name_of_the_option(name: str) -> None:
    option = OPTIONS[name]
    with pytest.raises(ConfigError) as refused:
        load([REFUSED[name]] if option.positional else [option.flag, REFUSED[name]], {})
    assert str(refused.value).startswith(f"{option.flag}: ")


@pytest.mark.parametrize("name", [name for name in NAMES if REFUSED[name]])
def test_the_environment_is_refused_by_the_name_of_the_variable(name: str) -> None:
    option = OPTIONS[name]
    with pytest.raises(ConfigError) as refused:
        load([], {option.variable: REFUSED[name]})
    assert str(refused.value).startswith(f"{option.variable}: ")


def test_flags_and_variables_follow_from_the_name() -> None:
    option = OPTIONS["max_header_bytes"]
    assert option.flag == "--max-header-bytes"
    assert option.variable == "GATEWAY_MAX_HEADER_BYTES"
    assert option.usage == "--max-header-bytes SIZE"
    assert OPTIONS["tracebacks"].usage == "--tracebacks, --no-tracebacks"
    assert OPTIONS["target"].usage == "TARGET"


def test_every_option_is_in_one_group_and_says_what_it_does() -> None:
    assert [option.name for options in grouped().values() for option in options] == NAMES
    assert all(option.help.endswith(".") for option in OPTIONS.values())


def test_a_config_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Config().port = 80  # type: ignore[misc]


def _typed(name: str, text: str) -> list[str]:
    option = OPTIONS[name]
    if option.positional:
        return [text]
    if option.is_switch:
        return [option.flag if text == "true" else option.negation]
    return [option.flag, text]


@pytest.mark.parametrize(
    ("hook", "most"), [("initializer", 300), ("pre-freeze", 90), ("pre-stop", 90)]
)
def test_hooks_may_take_as_long_as_on_function_compute(hook: str, most: int) -> None:
    name = f"--{hook}-timeout"
    for seconds in (most - 1, most):
        assert getattr(load([name, str(seconds)], {}), name[2:].replace("-", "_")) == seconds
    with pytest.raises(ConfigError, match=f"{name}: '{most + 1}' is too large"):
        load([name, str(most + 1)], {})
