"""Settings that contradict one another, and defaults that give way."""

from pathlib import Path

import pytest

from gateway.config import Config, ConfigError, load
from gateway.config.agreement import agree
from gateway.config.sources import Setting

KB = 1024
MB = 1024 * KB


@pytest.mark.parametrize(
    ("typed", "environ", "line"),
    [
        (
            "--max-body 1KB --max-async-body 2KB",
            {},
            "--max-async-body (2KB) is larger than --max-body (1KB): "
            "lower the first or raise the second",
        ),
        (
            "--max-async-body 2KB",
            {"GATEWAY_MAX_BODY": "1KB"},
            "--max-async-body (2KB) is larger than GATEWAY_MAX_BODY (1KB): "
            "lower the first or raise the second",
        ),
        (
            "--body-memory 1MB --body-buffer 2MB",
            {},
            "--body-buffer (2MB) is larger than --body-memory (1MB): "
            "lower the first or raise the second",
        ),
        (
            "--unix g.sock --fd 3",
            {},
            "--unix and --fd exclude each other: remove one of them",
        ),
        (
            "--unix g.sock --host ::1",
            {},
            "--unix and --host exclude each other: remove one of them",
        ),
        (
            "--unix g.sock",
            {"GATEWAY_PORT": "80"},
            "--unix and GATEWAY_PORT exclude each other: remove one of them",
        ),
        (
            "--fd 3",
            {"GATEWAY_HOST": "::1"},
            "--fd and GATEWAY_HOST exclude each other: remove one of them",
        ),
        ("--unix-mode 660", {}, "--unix-mode needs --unix: set it, or remove the first"),
        (
            "--proxy-protocol",
            {},
            "--proxy-protocol needs --trusted-proxies: set it, or remove the first",
        ),
        (
            "--proxy-protocol --trusted-proxies ,",
            {},
            "--proxy-protocol needs --trusted-proxies: set it, or remove the first",
        ),
        (
            "",
            {"GATEWAY_FORWARDED_HEADERS": "forwarded"},
            "GATEWAY_FORWARDED_HEADERS needs --trusted-proxies: set it, or remove the first",
        ),
        (
            "--trusted-proxies ::1 --forwarded-headers forwarded,x-forwarded-for",
            {},
            "--forwarded-headers: forwarded excludes the others; remove it or the rest",
        ),
        (
            "--auth anonymous --auth-keys keys.toml",
            {},
            "--auth-keys needs --auth function: set it, or remove the first",
        ),
        (
            "--auth jwt --jwks keys.json",
            {"GATEWAY_AUTH_KEYS": "keys.toml"},
            "GATEWAY_AUTH_KEYS needs --auth function: set it, or remove the first",
        ),
        (
            "--signature-max-age 60 --auth jwt --jwks keys.json",
            {},
            "--signature-max-age needs --auth function: set it, or remove the first",
        ),
        (
            "--auth function --jwks keys.json",
            {},
            "--jwks needs --auth jwt: set it, or remove the first",
        ),
        (
            "--auth jwt",
            {},
            "--auth: jwt needs --jwks with the keys of those who issue tokens",
        ),
        (
            "--reload",
            {"GATEWAY_WORKERS": "0"},
            "--reload replaces worker processes, and with GATEWAY_WORKERS 0 there are none: "
            "remove that, or give --no-reload",
        ),
        # Even where it says the default: it was chosen, and it is not done.
        ("--fd 3 --port 9000", {}, "--fd and --port exclude each other: remove one of them"),
    ],
)
def test_a_contradiction_is_one_line(typed: str, environ: dict[str, str], line: str) -> None:
    with pytest.raises(ConfigError) as refused:
        load(typed.split(), environ)
    assert str(refused.value) == line


@pytest.mark.parametrize(
    ("typed", "max_async_body", "max_body", "body_buffer", "body_memory"),
    [
        ("", 128 * KB, 32 * MB, 32 * MB, 256 * MB),
        ("--max-body 1KB", KB, KB, 32 * MB, 256 * MB),
        ("--max-body 64MB", 128 * KB, 64 * MB, 32 * MB, 256 * MB),
        ("--max-body 0", 0, 0, 32 * MB, 256 * MB),
        ("--max-async-body 64MB", 64 * MB, 64 * MB, 32 * MB, 256 * MB),
        ("--max-async-body 1KB", KB, 32 * MB, 32 * MB, 256 * MB),
        ("--max-async-body 1KB --max-body 1KB", KB, KB, 32 * MB, 256 * MB),
        ("--body-memory 1MB", 128 * KB, 32 * MB, MB, MB),
        ("--body-buffer 512MB", 128 * KB, 32 * MB, 512 * MB, 512 * MB),
        ("--body-buffer 1MB --body-memory 1MB", 128 * KB, 32 * MB, MB, MB),
    ],
)
def test_a_default_gives_way_to_what_was_chosen(
    typed: str, max_async_body: int, max_body: int, body_buffer: int, body_memory: int
) -> None:
    assert load(typed.split(), {}) == Config(
        max_async_body=max_async_body,
        max_body=max_body,
        body_buffer=body_buffer,
        body_memory=body_memory,
    )


@pytest.mark.parametrize(
    ("typed", "environ"),
    [
        ("--reload --workers 1", {}),
        ("--no-reload --workers 0", {}),
        ("--unix g.sock", {"GATEWAY_PORT": "tcp://10.0.0.1:80", "GATEWAY_HOST": ""}),
        ("--fd 3 --backlog 5", {}),
        ("--host :: --port 0", {}),
    ],
)
def test_what_goes_together_is_no_contradiction(typed: str, environ: dict[str, str]) -> None:
    assert load(typed.split(), environ)


def test_the_settings_and_for_the_rest_the_defaults() -> None:
    settings = {"unix": Setting(Path("g.sock"), "--unix")}
    assert agree(settings) == Config(unix=Path("g.sock"))


def test_what_is_switched_off_needs_nothing() -> None:
    assert load(["--no-proxy-protocol"], {}) == Config()
    assert load(["--jwt-audience", "", "--jwt-leeway", "0"], {}) == Config()


def test_a_config_tells_where_an_option_was_set(tmp_path: Path) -> None:
    (tmp_path / "gateway.toml").write_text('threads = 2\ninitializer = "index.begin"\n')
    arguments = ["index.handler", f"--config={tmp_path}/gateway.toml", "--threads=3", "--no-cors"]
    config = load(arguments, {"GATEWAY_PORT": "80"})
    assert config.places == {
        "port": "GATEWAY_PORT",
        "initializer": f"{tmp_path}/gateway.toml:2: initializer",
    }
    assert config.place("initializer") == config.places["initializer"]
    assert (config.place("threads"), config.place("cors")) == ("--threads", "--cors")


@pytest.mark.parametrize(
    ("arguments", "has_tail"),
    [
        ([], None),
        (["--error-style", "fc3"], None),
        (["--error-style", "plain"], False),
        (["--error-style", "plain", "--log-tail"], True),
        (["--no-log-tail"], False),
    ],
)
def test_plain_errors_go_with_no_tail(arguments: list[str], has_tail: bool | None) -> None:
    """Without a word on it, it depends on who calls."""
    assert load(arguments, {}).log_tail is has_tail
