"""The command line, the environment and the file: what they say, and the line for each mistake."""

from pathlib import Path
from typing import Any

import pytest

from gateway.config import ConfigError
from gateway.config.sources import (
    Settings,
    parse_file,
    read_command_line,
    read_environment,
    read_fallbacks,
    read_file,
    unknown_variables,
)

FILE = Path("etc/gateway.toml")


def values(settings: Settings) -> dict[str, Any]:
    return {name: setting.value for name, setting in settings.items()}


# -- Command line ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "typed",
    [
        "app:h --port 80 --no-tracebacks",
        "--port 80 app:h --no-tracebacks",
        "--no-tracebacks --port 80 app:h",
        "--port=80 --no-tracebacks app:h",
        "--port 81 --tracebacks app:h --port 80 --no-tracebacks",
    ],
)
def test_options_stand_before_or_after_the_target(typed: str) -> None:
    settings = read_command_line(typed.split())
    assert values(settings) == {"target": "app:h", "port": 80, "tracebacks": False}


def test_a_value_may_begin_with_dashes_after_an_equals_sign() -> None:
    assert values(read_command_line(["--server-header=--x=y"])) == {"server_header": "--x=y"}
    assert values(read_command_line(["--server-header="])) == {"server_header": ""}


@pytest.mark.parametrize(
    ("typed", "line"),
    [
        ("--prot 80", "unknown option --prot: did you mean --port?"),
        ("--max_body 1KB", "unknown option --max_body: did you mean --max-body?"),
        ("--max-bod=1KB", "unknown option --max-bod: did you mean --max-body?"),
        ("--no-traceback", "unknown option --no-traceback: did you mean --no-tracebacks?"),
        ("--frobs 4", "unknown option --frobs: see gateway help all"),
        ("--zzz", "unknown option --zzz: see gateway help all"),
        ("-x 80", "unknown option -x: see gateway help all"),
        (
            "--access-log",
            "--access-log: its value is missing; give --access-log off|text|json|short",
        ),
        ("--", "unknown option --: see gateway help all"),
        ("--queue-timeout", "--queue-timeout: its value is missing; give --queue-timeout 30s"),
        (
            "--queue-timeout --threads 4",
            "--queue-timeout: its value is missing; give --queue-timeout 30s",
        ),
        ("--unix", "--unix: its value is missing; give --unix PATH|@NAME"),
        ("--port=", "--port: '' is not a whole number; give one from 0 to 65535"),
        ("--port -1", "--port: '-1' is too small; give at least 0"),
        (
            "--tracebacks=no",
            "--tracebacks: takes no value; give --tracebacks or --no-tracebacks",
        ),
        (
            "--no-tracebacks=",
            "--no-tracebacks: takes no value; give --tracebacks or --no-tracebacks",
        ),
        ("a:h b:h", "'b:h' is one argument too many: TARGET is 'a:h' already"),
        (
            "app",
            "TARGET: Invalid handler 'app': give package.module:handler or module.handler "
            "[InvalidHandleName]",
        ),
        (
            "--access-log xml",
            "--access-log: 'xml' is not a choice here; give off, text, json or short",
        ),
    ],
)
def test_a_mistake_on_the_command_line_is_one_line(typed: str, line: str) -> None:
    with pytest.raises(ConfigError) as refused:
        read_command_line(typed.split())
    assert str(refused.value) == line


def test_a_long_value_is_cut_in_the_message() -> None:
    with pytest.raises(ConfigError) as refused:
        read_command_line(["--port", "x" * 1000])
    assert str(refused.value) == (
        f"--port: '{'x' * 60}…' is not a whole number; give one from 0 to 65535"
    )


# -- Environment -----------------------------------------------------------------------------------


def test_only_variables_of_the_gateway_are_read() -> None:
    environ = {"GATEWAY_PORT": "80", "PORT": "81", "gateway_threads": "2", "XGATEWAY_QUEUE": "1"}
    assert values(read_environment(environ)) == {"port": 80}


def test_an_empty_variable_counts_as_not_set() -> None:
    assert read_environment({"GATEWAY_PORT": "", "GATEWAY_SERVER_HEADER": ""}) == {}


@pytest.mark.parametrize(
    ("variable", "text", "line"),
    [
        (
            "GATEWAY_TRACEBACKS",
            "maybe",
            "GATEWAY_TRACEBACKS: 'maybe' is neither yes nor no; "
            "give true or false (also 1/0, yes/no, on/off)",
        ),
        (
            "GATEWAY_PORT",
            "http://10.0.0.1:80",
            "GATEWAY_PORT: 'http://10.0.0.1:80' is not a whole number; give one from 0 to 65535",
        ),
    ],
)
def test_a_mistake_in_the_environment_is_one_line(variable: str, text: str, line: str) -> None:
    with pytest.raises(ConfigError) as refused:
        read_environment({variable: text})
    assert str(refused.value) == line


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("GATEWAY_PORT", "tcp://10.0.0.1:80"),
        ("GATEWAY_PORT", "udp://10.0.0.1:53"),
        ("GATEWAY_SERVICE_HOST", "10.0.0.1"),
        ("GATEWAY_SERVICE_PORT", "80"),
        ("GATEWAY_SERVICE_PORT_HTTP", "80"),
        ("GATEWAY_SERVICE_PORT_HTTP_ADMIN", "81"),
        ("GATEWAY_PORT_80_TCP", "tcp://10.0.0.1:80"),
        ("GATEWAY_PORT_80_TCP_ADDR", "10.0.0.1"),
        ("GATEWAY_PORT_80_TCP_PORT", "80"),
        ("GATEWAY_PORT_80_TCP_PROTO", "tcp"),
        ("GATEWAY_PORT_53_UDP_PROTO", "udp"),
        ("GATEWAY_ADMIN_PORT", "tcp://10.0.0.2:80"),
        ("GATEWAY_ADMIN_SERVICE_HOST", "10.0.0.2"),
        ("GATEWAY_ADMIN_PORT_80_TCP_ADDR", "10.0.0.2"),
    ],
)
def test_what_kubernetes_says_about_its_services_is_ignored(variable: str, text: str) -> None:
    assert read_environment({variable: text}) == {}


@pytest.mark.parametrize("variable", ["GATEWAY_ADMIN_PORT", "GATEWAY_PORT_80", "GATEWAY_SERVICE"])
def test_what_only_resembles_a_service_is_unknown(variable: str) -> None:
    assert read_environment({variable: "80"}) == {}
    assert variable in unknown_variables({variable: "80"})


def test_unknown_variables_are_told_in_a_line() -> None:
    """They may be the application's own, and their values secrets."""
    environ = {
        "GATEWAY_INTERFACE": "wsgi",
        "GATEWAY_URL": "https://user:secret@pay.example",
        "GATEWAY_TIMEOUT": "30",
        "GATEWAY_USER": "me",
        "GATEWAY_MAX_BODYS": "1KB",
        "GATEWAY_": "",
        "GATEWAY_PORT": "tcp://10.0.0.1:80",
        "GATEWAY_SERVICE_HOST": "10.0.0.1",
        "OTHER": "x",
    }
    assert values(read_environment(environ)) == {"interface": "wsgi"}
    assert unknown_variables(environ) == (
        "unknown in the environment: GATEWAY_, "
        "GATEWAY_MAX_BODYS (did you mean GATEWAY_MAX_BODY?), "
        "GATEWAY_TIMEOUT (give --handler-timeout TIME for a request, "
        "--worker-timeout TIME for a worker that hangs), GATEWAY_URL, GATEWAY_USER"
    )
    assert unknown_variables({"GATEWAY_PORT": "80"}) == ""
    many = {f"GATEWAY_QQ{number:02}": "" for number in range(21)}
    assert unknown_variables(many).endswith("GATEWAY_QQ19 and 1 more")


def test_a_fallback_is_not_looked_at_when_the_option_is_set() -> None:
    environ = {"FC_FUNCTION_HANDLER": "not-used", "FC_REGION": "cn-beijing", "FC_QUALIFIER": ""}
    assert values(read_fallbacks(environ, without={"target"})) == {"region": "cn-beijing"}


def test_a_mistake_in_a_fallback_names_the_variable() -> None:
    with pytest.raises(ConfigError) as refused:
        read_fallbacks({"FC_FUNCTION_MEMORY_SIZE": "much"}, without=())
    assert str(refused.value).startswith("FC_FUNCTION_MEMORY_SIZE: 'much' is not a size")


# -- File ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("port = 80", 80),
        ('port = "80"', 80),
        ("queue_timeout = 2", 2.0),
        ("queue_timeout = 1.5", 1.5),
        ("queue_timeout = 1e-2", 0.01),
        ('queue_timeout = "500ms"', 0.5),
        ("max_body = 1024", 1024),
        ('"max-body" = "1KB"', 1024),
        ("tracebacks = false", False),
        ('tracebacks = "no"', False),
        ("account_id = 1234567890", "1234567890"),
        ("function_memory = 256", 256),
        ('server-header = ""', ""),
    ],
)
def test_a_file_may_use_the_types_of_toml(line: str, value: object) -> None:
    ((_, setting),) = parse_file(line, FILE).items()
    assert setting.value == value
    assert type(setting.value) is type(value)


def test_relative_paths_are_relative_to_the_folder_of_the_file() -> None:
    settings = parse_file('chdir = "code"\nunix = "/run/g.sock"', FILE)
    assert values(settings) == {"chdir": Path("etc/code"), "unix": Path("/run/g.sock")}


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("prot = 80", "etc/gateway.toml:1: prot: unknown key; did you mean port?"),
        (
            "preload_app = true",
            "etc/gateway.toml:1: preload_app: unknown key; there is none: each worker imports the "
            "code, so that SIGHUP can load it again",
        ),
        (
            "connection_limit = 80",
            "etc/gateway.toml:1: connection_limit: unknown key; give --max-connections N",
        ),
        ("# x\n\nzzz = 1", "etc/gateway.toml:3: zzz: unknown key; see gateway help all"),
        (
            "[pool]\nthreads = 2",
            "etc/gateway.toml:1: pool: unknown table; settings stand at the top, without tables",
        ),
        (
            "pool.threads = 2",
            "etc/gateway.toml:1: pool: unknown table; settings stand at the top, without tables",
        ),
        (
            'config = "x"',
            "etc/gateway.toml:1: config: cannot be set in a file; "
            "use the command line or the environment",
        ),
        (
            "max_body = 1024\nmax-body = 1024",
            "etc/gateway.toml:2: max-body: is set twice; remove one",
        ),
        (
            '\nmax_body = "32XB"',
            "etc/gateway.toml:2: max_body: '32XB' is not a size; "
            "give bytes or a number with KB, MB or GB, such as 32MB",
        ),
        (
            "queue_timeout = nan",
            "etc/gateway.toml:1: queue_timeout: 'nan' is not a duration; "
            "give seconds or a number with ms, s, m or h, such as 30s",
        ),
        (
            "queue_timeout = inf",
            "etc/gateway.toml:1: queue_timeout: 'inf' is not a duration; "
            "give seconds or a number with ms, s, m or h, such as 30s",
        ),
        (
            "port = true",
            "etc/gateway.toml:1: port: a boolean does not fit here; give port = 9000",
        ),
        (
            "port = 80.0",
            "etc/gateway.toml:1: port: a float does not fit here; give port = 9000",
        ),
        (
            "max_body = 0.5",
            'etc/gateway.toml:1: max_body: a float does not fit here; give max_body = "32MB"',
        ),
        ("fd = true", "etc/gateway.toml:1: fd: a boolean does not fit here; give fd = N"),
        (
            "tracebacks = 1",
            "etc/gateway.toml:1: tracebacks: an integer does not fit here; give tracebacks = false",
        ),
        (
            "target = ['app:h']",
            'etc/gateway.toml:1: target: this does not fit here; give target = "TARGET"',
        ),
        (
            "trusted_proxies = ['::1', 1]",
            "etc/gateway.toml:1: trusted_proxies: this does not fit here; "
            'give trusted_proxies = "CIDR,…"',
        ),
        (
            "trusted_proxies = ['::1', '::1/64']",
            "etc/gateway.toml:1: trusted_proxies: '::1,::1/64' holds '::1/64', "
            "which has bits behind its network; give ::/64, or the address alone",
        ),
        # TOML's own number for it would be another one in decimal.
        (
            "unix_mode = 0o660",
            'etc/gateway.toml:1: unix_mode: an integer does not fit here; give unix_mode = "600"',
        ),
        (
            "access_log = 2024-01-01",
            'etc/gateway.toml:1: access_log: this does not fit here; give access_log = "off"',
        ),
        (
            "max_body = 32MB",
            "etc/gateway.toml:1: column 14: not TOML: Expected newline or end of document after "
            'a statement; a setting is written max_body = "32MB"',
        ),
        # The pattern that finds lines sees two: better no line than a wrong one.
        (
            'prot = """\nprot = 1"""',
            "etc/gateway.toml: prot: unknown key; did you mean port?",
        ),
    ],
)
def test_a_mistake_in_a_file_is_one_line_that_names_the_place(text: str, line: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse_file(text, FILE)
    assert str(refused.value) == line


@pytest.mark.parametrize("text", ["x = " + "[" * 100_000, "port = " + "9" * 5000])
def test_a_hostile_file_is_one_line_too(text: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse_file(text, FILE)
    assert str(refused.value).startswith("etc/gateway.toml")
    assert len(str(refused.value)) < 300


def test_a_missing_file_is_told_with_the_place_that_named_it(tmp_path: Path) -> None:
    path = tmp_path / "gateway.toml"
    with pytest.raises(ConfigError) as refused:
        read_file(path, "GATEWAY_CONFIG")
    assert str(refused.value) == (
        f"GATEWAY_CONFIG: cannot read {str(path)!r}: No such file or directory; check the path"
    )


def test_a_folder_is_not_a_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Is a directory"):
        read_file(tmp_path, "--config")


def test_a_file_is_utf_8(tmp_path: Path) -> None:
    path = tmp_path / "gateway.toml"
    path.write_bytes(b'region = "\xff"')
    with pytest.raises(ConfigError, match="is not UTF-8 text"):
        read_file(path, "--config")
    path.write_bytes('region = "Köln"'.encode())
    assert values(read_file(path, "--config")) == {"region": "Köln"}
    path.write_text('region = "Köln"', encoding="utf-8-sig")
    assert values(read_file(path, "--config")) == {"region": "Köln"}


def test_a_list_may_be_one_in_a_file() -> None:
    (setting,) = parse_file("trusted-proxies = ['10.0.0.0/8', 'unix']", FILE).values()
    assert setting.value == ("10.0.0.0/8", "unix")


def test_what_may_be_a_secret_is_not_shown() -> None:
    with pytest.raises(ConfigError) as refused:
        read_command_line(["--jwks", "https://me:S3CRET@issuer.test/keys"])
    assert str(refused.value) == (
        "--jwks: the URL names a user, which others could see; leave it out"
    )
