"""Which source counts, and what is checked although it does not."""

from pathlib import Path

import pytest

from gateway.config import ConfigError, load
from gateway.config.sources import Setting
from gateway.errors import UsageError


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "gateway.toml"
    path.write_text('region = "file"\nthreads = 2\nchdir = "code"\n')
    return path


@pytest.mark.parametrize(
    ("typed", "environ", "with_file", "region"),
    [
        ("", {}, False, ""),
        ("", {"FC_REGION": "fc"}, False, "fc"),
        ("", {"FC_REGION": "fc"}, True, "file"),
        ("", {"FC_REGION": "fc", "GATEWAY_REGION": "variable"}, True, "variable"),
        ("--region typed", {"FC_REGION": "fc", "GATEWAY_REGION": "variable"}, True, "typed"),
        ("--region=", {"FC_REGION": "fc", "GATEWAY_REGION": "variable"}, True, ""),
        ("", {"GATEWAY_REGION": ""}, True, "file"),
    ],
)
def test_the_first_source_counts(
    typed: str, environ: dict[str, str], with_file: bool, region: str, file: Path
) -> None:
    arguments = [*typed.split(), *(["--config", str(file)] if with_file else [])]
    assert load(arguments, environ).region == region


def test_the_file_may_be_named_by_the_environment(file: Path) -> None:
    config = load([], {"GATEWAY_CONFIG": str(file)})
    assert config.threads == 2
    assert config.config == file


def test_the_file_named_on_the_command_line_is_read_alone(file: Path) -> None:
    other = file.with_name("other.toml")
    other.write_text("queue = 7")
    config = load(["--config", str(other)], {"GATEWAY_CONFIG": str(file)})
    assert (config.queue, config.threads) == (7, 8)


def test_paths_in_the_file_are_relative_to_it_and_others_are_as_given(file: Path) -> None:
    assert load(["--config", str(file)], {}).chdir == file.parent / "code"
    assert load(["--config", str(file), "--chdir", "x"], {}).chdir == Path("x")
    assert load([], {"FC_FUNC_CODE_PATH": "/code"}).chdir == Path("/code")


@pytest.mark.parametrize(
    "environ",
    [{"GATEWAY_REGION": "a\nb"}, {"GATEWAY_THREADS": "many"}, {"GATEWAY_CONFIG": "/no/f"}],
)
def test_a_mistake_in_the_environment_is_told_although_the_option_is_typed(
    environ: dict[str, str], file: Path
) -> None:
    typed = ["--threads", "2", "--region", "x"]
    with pytest.raises(ConfigError, match="GATEWAY_"):
        load(typed, environ)


def test_a_mistake_in_the_file_is_told_although_the_option_is_typed(file: Path) -> None:
    file.write_text("threads = 0")
    with pytest.raises(ConfigError) as refused:
        load(["--config", str(file), "--threads", "2"], {})
    assert str(refused.value) == f"{file}:1: threads: '0' is too small; give at least 1"


def test_a_contradiction_between_sources_names_both_places(file: Path) -> None:
    file.write_text("port = 80")
    with pytest.raises(ConfigError) as refused:
        load(["--unix", "g.sock", "--config", str(file)], {})
    assert str(refused.value) == (
        f"--unix and {file}:1: port exclude each other: remove one of them"
    )


def test_what_function_compute_says_is_ignored_where_it_is_not_needed() -> None:
    environ = {"FC_FUNCTION_HANDLER": "not-used", "FC_FUNCTION_MEMORY_SIZE": "?"}
    config = load(["app:h", "--function-memory", "1GB"], environ)
    assert (config.target, config.function_memory) == ("app:h", 1024)


def test_without_a_target_there_is_none() -> None:
    assert load([], {}).target is None


def test_a_wrong_setting_is_a_mistake_that_the_user_can_mend() -> None:
    assert issubclass(ConfigError, UsageError)


@pytest.mark.parametrize(
    ("typed", "environ", "with_file", "region"),
    [
        ("", {}, False, "command"),
        ("", {"FC_REGION": "fc"}, False, "fc"),
        ("", {}, True, "file"),
        ("--region=", {}, False, ""),
    ],
)
def test_defaults_of_a_command_go_before_those_of_the_options_alone(
    typed: str, environ: dict[str, str], with_file: bool, region: str, file: Path
) -> None:
    arguments = [*typed.split(), *(["--config", str(file)] if with_file else [])]
    defaults = {"region": Setting("command", "gateway x")}
    assert load(arguments, environ, defaults).region == region


def test_an_unknown_variable_is_a_warning_unless_that_is_asked_for() -> None:
    environ = {"GATEWAY_URL": "https://pay.example"}
    assert load([], environ).notices == (
        "unknown in the environment: GATEWAY_URL; ignored, as --strict-environment would not",
    )
    for strict in ({"GATEWAY_STRICT_ENVIRONMENT": "true"}, {}):
        with pytest.raises(ConfigError, match="unknown in the environment: GATEWAY_URL; remove it"):
            load([] if strict else ["--strict-environment"], environ | strict)


@pytest.mark.parametrize(
    ("settings", "body_buffer"),
    [
        ([], 32 << 20),
        (["--threads", "1"], 32 << 20),
        (["--threads", "1", "--max-body", "40MB"], 40 << 20),
        (["--threads", "2", "--max-body", "40MB"], 32 << 20),
        (["--threads", "1", "--max-body", "40MB", "--body-buffer", "1MB"], 1 << 20),
        (["--threads", "1", "--max-body", "1GB"], 256 << 20),
        (["--threads", "1", "--max-body", "40MB", "--body-memory", "10MB"], 10 << 20),
    ],
)
def test_the_only_thread_does_not_wait_for_one_body(settings, body_buffer):
    assert load(settings, {}).body_buffer == body_buffer
