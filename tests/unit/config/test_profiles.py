"""The defaults of a profile, and what goes before them."""

import re
from pathlib import Path

import pytest

from gateway.config import Config, ConfigError, load
from gateway.config.options import AUTO, OPTIONS
from gateway.config.profiles import PROFILES

CONTAINER = ["--profile", "custom-container"]


def test_every_profile_has_defaults_of_options() -> None:
    assert set(PROFILES) == {"plain", "function-compute", "custom-container"}
    for name, defaults in PROFILES.items():
        OPTIONS["profile"].kind.read(name)
        for option, text in defaults.items():
            value = OPTIONS[option].kind.read(text)
            assert value != OPTIONS[option].default
            assert getattr(load(["--profile", name], {}), option) == value


def test_plain_changes_nothing() -> None:
    assert load(["--profile", "plain"], {"FC_CUSTOM_LISTEN_PORT": "81"}) == Config()


def test_behind_function_compute() -> None:
    config = load(CONTAINER, {})
    assert (config.host, config.port) == ("0.0.0.0", 9000)
    assert config.keep_alive_timeout >= 15 * 60
    assert config.initialize == "lazy"
    assert config.max_header_bytes > Config().max_header_bytes


@pytest.mark.parametrize(
    ("environ", "port"),
    [
        ({"FC_CUSTOM_LISTEN_PORT": "81"}, 81),
        ({"FC_SERVER_PORT": "82"}, 82),
        ({"FC_CUSTOM_LISTEN_PORT": "81", "FC_SERVER_PORT": "82"}, 81),
        ({"FC_CUSTOM_LISTEN_PORT": "", "FC_SERVER_PORT": "82"}, 82),
        ({"FC_CUSTOM_LISTEN_PORT": "81", "GATEWAY_PORT": "83"}, 83),
    ],
)
def test_the_port_is_function_compute_s(environ: dict[str, str], port: int) -> None:
    assert load(CONTAINER, environ).port == port


def test_a_port_that_is_none() -> None:
    with pytest.raises(ConfigError, match=r"^FC_CUSTOM_LISTEN_PORT: 'http' is not a whole number"):
        load(CONTAINER, {"FC_CUSTOM_LISTEN_PORT": "http"})
    assert load([*CONTAINER, "--port", "1"], {"FC_CUSTOM_LISTEN_PORT": "http"}).port == 1


def test_what_is_set_goes_before_the_profile(tmp_path: Path) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text('profile = "custom-container"\ninitialize = "eager"\n')
    config = load(["--config", str(file), "--keep-alive-timeout", "5"], {"GATEWAY_HOST": "::1"})
    assert (config.initialize, config.keep_alive_timeout, config.host) == ("eager", 5, "::1")
    assert config.max_header_bytes == load(CONTAINER, {}).max_header_bytes


@pytest.mark.parametrize("elsewhere", [["--unix", "/run/gateway.sock"], ["--fd", "3"]])
def test_another_place_to_listen_is_no_contradiction(elsewhere: list[str]) -> None:
    config = load([*CONTAINER, *elsewhere], {"FC_CUSTOM_LISTEN_PORT": "81"})
    assert (config.host, config.port) == (Config().host, Config().port)


def test_the_table_of_the_profile_is_complete() -> None:
    """In docs/fc-compatibility.md: its options and values, in their order."""
    page = Path(__file__).parents[3].joinpath("docs", "fc-compatibility.md").read_text("utf-8")
    section = page.partition("## In one word")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `([^`]+)` \|", section, re.MULTILINE)
    profile = PROFILES["function-compute"]
    assert rows == [
        flag if (flag := OPTIONS[name].flag) and text == "true" else f"{flag} {text}"
        for name, text in profile.items()
    ]


def test_as_on_function_compute(tmp_path: Path) -> None:
    profile = ["--profile", "function-compute"]
    config = load(profile, {"FC_CUSTOM_LISTEN_PORT": "81"})
    assert (config.threads, config.workers, config.port) == (1, AUTO, 9000)
    assert config.error_style == "fc2"
    others = ["--threads", "4", "--workers", "2", "--no-exact-environ", "--fc-headers", "none"]
    config = load(
        [*profile, *others, "--no-lenient-start-response"], {"GATEWAY_FUNCTION_LOG": "json"}
    )
    assert (config.threads, config.workers, config.fc_headers) == (4, 2, "none")
    assert (config.exact_environ, config.lenient_start_response) == (False, False)
    assert config.function_log == "json"
