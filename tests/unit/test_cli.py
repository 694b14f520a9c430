"""The command: what is run, what is printed where, and the exit status."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from gateway import __version__, cli
from gateway.config import Config
from gateway.errors import UsageError

Install = Callable[..., None]


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Install:
    """Puts functions in the place of those that serve and check."""

    def put(**functions: Callable[[Config], Any]) -> None:
        for name in ("gateway.worker.app", "gateway.serve"):
            module = ModuleType(name)
            vars(module).update(functions)
            monkeypatch.setitem(sys.modules, name, module)

    return put


@pytest.mark.parametrize("status", [0, 1, 3])
def test_serve_gets_the_settings_and_gives_the_exit_status(install: Install, status: int) -> None:
    served = []

    def serve(config: Config, _: object = None) -> int:
        served.append(config)
        return status

    install(serve=serve)
    arguments = ["serve", "app:h", "--port", "0"]
    assert cli.run(arguments, {"GATEWAY_THREADS": "2"}) == status
    assert served == [Config(target="app:h", port=0, threads=2)]


def test_dev_serves_with_defaults_of_its_own(
    install: Install, capsys: pytest.CaptureFixture[str]
) -> None:
    served = []

    def serve(config: Config, _: object = None) -> int:
        served.append(config)
        return 3

    install(serve=serve)
    environ = {"GATEWAY_DRAIN_TIMEOUT": "9"}
    assert cli.run(["dev", "app:h", "--access-log", "json"], environ) == 3
    assert cli.run(["dev"], {}) == 3
    shown: dict[str, Any] = {"reload": True, "tracebacks": True, "log_tail": True}
    assert served == [
        Config(target="app:h", access_log="json", drain_timeout=9.0, **shown),
        Config(access_log="short", drain_timeout=5.0, **shown),
    ]
    line = "For development only; elsewhere use gateway serve.\n"
    assert capsys.readouterr() == ("", line * 2)


def test_help_of_dev_tells_its_defaults(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["dev", "--help"], {"COLUMNS": "80"}) == 0
    text = capsys.readouterr().out
    assert "changes; for development.\n                          [true]" in text
    assert "[short]" in text
    assert cli.run(["dev", "--help", "all"], {}) == 0
    text = capsys.readouterr().out
    assert "[true; GATEWAY_RELOAD]" in text
    assert "[short; GATEWAY_ACCESS_LOG]" in text
    assert cli.run(["serve", "--help", "all"], {}) == 0
    assert "[false; GATEWAY_RELOAD]" in capsys.readouterr().out


def test_check_prints_its_line(install: Install, capsys: pytest.CaptureFixture[str]) -> None:
    install(check=lambda config: f"{config.target} is fine")
    assert cli.run(["check", "app:h"], {}) == 0
    assert capsys.readouterr() == ("app:h is fine\n", "")


@pytest.mark.parametrize("command", ["serve", "check"])
def test_what_the_user_can_mend_is_one_line(
    command: str, install: Install, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(config: Config, _: object = None) -> None:
        raise UsageError("cannot listen:\nthe port is taken")

    install(serve=refuse, check=refuse)
    assert cli.run([command], {}) == 2
    assert capsys.readouterr() == ("", "gateway: error: cannot listen: the port is taken\n")


def test_a_wrong_setting_is_told_before_the_application_is_loaded(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "gateway.serve", None)
    assert cli.run(["serve", "--threads", "0"], {}) == 2
    assert capsys.readouterr().err == (
        "gateway: error: --threads: '0' is too small; give at least 1\n"
    )


def test_an_interrupt_ends_without_a_traceback(
    install: Install, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(config: Config, _: object = None) -> None:
        raise KeyboardInterrupt

    install(serve=interrupt)
    assert cli.run(["serve"], {}) == 130
    assert capsys.readouterr() == ("", "")


def test_any_other_exception_is_a_bug_and_passes(install: Install) -> None:
    def fail(config: Config, _: object = None) -> None:
        raise ZeroDivisionError

    install(serve=fail)
    with pytest.raises(ZeroDivisionError):
        cli.run(["serve"], {})


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ([], "a command is missing; give gateway serve TARGET, or see gateway --help"),
        ([""], "a command is missing; give gateway serve TARGET, or see gateway --help"),
        (["sevre"], "unknown command 'sevre': did you mean serve?"),
        (["run"], "unknown command 'run': see gateway --help"),
        (["app:h"], "'app:h' is not a command; give gateway serve app:h"),
        (["index.handler"], "'index.handler' is not a command; give gateway serve index.handler"),
        (
            ["--port", "80", "serve"],
            "the command must stand before --port; give gateway serve --port …",
        ),
    ],
)
def test_without_a_command_the_line_says_how_to_give_one(
    arguments: list[str], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(arguments, {}) == 2
    assert capsys.readouterr() == ("", f"gateway: error: {line}\n")


COMMANDS = ["serve", "dev", "check", "init", "help", "version"]
OF_ALL = "GATEWAY_MAX_HEADER_BYTES"
"""Stands in the long help only."""


def told(capsys: pytest.CaptureFixture[str], *arguments: str, **environ: str) -> str:
    """What a command writes to standard output; it writes nothing else, and ends well."""
    assert cli.run(arguments, environ) == 0
    text, errors = capsys.readouterr()
    assert errors == ""
    return text


@pytest.mark.parametrize("typed", ["-h", "--help", "help"])
def test_help_of_the_gateway_names_the_commands(
    typed: str, capsys: pytest.CaptureFixture[str]
) -> None:
    text = told(capsys, typed)
    assert text.startswith("Usage: gateway COMMAND [TARGET] [options]\n")
    assert all(f"\n  gateway {command} " in text for command in COMMANDS)
    assert "--port PORT" in text
    assert OF_ALL not in text


@pytest.mark.parametrize("typed", ["-h all", "--help all", "--help=all", "help all"])
def test_help_of_all_has_every_option(typed: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = told(capsys, *typed.split())
    assert "\n  gateway check " in text
    assert OF_ALL in text


@pytest.mark.parametrize("command", ["serve", "dev", "check"])
@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help_of_a_command_is_shown_whatever_else_is_wrong(
    command: str, flag: str, capsys: pytest.CaptureFixture[str]
) -> None:
    text = told(capsys, command, "--wrong", flag, GATEWAY_WRONG="1")
    assert text.startswith(f"Usage: gateway {command} [TARGET] [options]\n")
    assert "--max-body SIZE" in text
    assert "--max-header-bytes" not in text
    assert text == told(capsys, "help", command)
    text = told(capsys, command, "--wrong", flag, "all", GATEWAY_WRONG="1")
    assert "--max-header-bytes SIZE" in text
    assert text == told(capsys, "help", command, "all")
    assert text == told(capsys, command, "--help=all")


@pytest.mark.parametrize(
    ("command", "usage", "line"),
    [
        ("init", "init [FOLDER]", "  s.yaml                  the function for Serverless Devs, as"),
        ("help", "help [COMMAND] [all]", "with all, every option is told."),
        ("version", "version", "Tells the version; -V does, too."),
    ],
)
def test_help_of_commands_without_settings_has_no_options(
    command: str, usage: str, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    text = told(capsys, "help", command)
    assert text.startswith(f"Usage: gateway {usage}\n\n")
    assert line in text
    assert "--port" not in text
    for typed in (["help", command, "all"], [command, "--help"], [command, "-h", "all"]):
        assert told(capsys, *typed) == text


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ("help sevre", "unknown command 'sevre': did you mean serve?"),
        ("help --port", "unknown command '--port': see gateway --help"),
        ("help serve dev", "'dev' is one argument too many: give gateway help COMMAND"),
        ("version 2", "'2' is one argument too many: give gateway version"),
    ],
)
def test_help_and_version_refuse_what_they_do_not_know(
    arguments: str, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(arguments.split(), {}) == 2
    assert capsys.readouterr() == ("", f"gateway: error: {line}\n")


@pytest.mark.parametrize("columns", [50, 80])
def test_help_is_as_wide_as_the_terminal(columns: int, capsys: pytest.CaptureFixture[str]) -> None:
    lines = told(capsys, "help", "init", COLUMNS=str(columns)).splitlines()
    assert columns - 15 < max(map(len, lines)) <= columns


@pytest.mark.parametrize("environ", [{}, {"FORCE_COLOR": "1"}, {"CLICOLOR_FORCE": "1"}])
def test_help_has_no_colours_where_there_is_no_terminal(
    environ: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert "\x1b" not in told(capsys, "--help", **environ)


@pytest.mark.parametrize("typed", ["--version", "-V", "version"])
def test_version(typed: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert told(capsys, typed) == f"gateway {__version__}\n"


def test_main_leaves_the_process_with_the_status(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        cli.main(["--version"])
    assert left.value.code == 0
    with pytest.raises(SystemExit) as left:
        cli.main(["sevre"])
    assert left.value.code == 2


def test_main_takes_what_was_typed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["gateway", "--version"])
    with pytest.raises(SystemExit):
        cli.main()
    assert capsys.readouterr().out == f"gateway {__version__}\n"


def test_what_a_line_quotes_cannot_steer_a_terminal_or_break_the_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert cli.run(["serve", "--\x1b[31mred\nnew"], {}) == 2
    output = capsys.readouterr().err
    assert output.count("\n") == 1
    assert "\x1b" not in output
    assert "\\x1b[31mred" in output


def test_a_line_is_written_in_any_encoding(tmp_path: Path) -> None:
    (tmp_path / "index.py").write_text("def hä(environ, start_response): ...\n", "utf-8")
    command = [sys.executable, "-m", "gateway", "check", "index.hä", "--chdir", str(tmp_path)]
    done = subprocess.run(
        command, env={"PYTHONIOENCODING": "ascii"}, capture_output=True, check=False, timeout=20
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(rb"index.h\xe4: WSGI handler")
