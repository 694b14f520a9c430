"""``python -m gateway`` with a mistake: one line says what, where, and how to mend it."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from contextlib import suppress
from pathlib import Path

import pytest

from gateway import __version__

# What a pod of a Service called "gateway" finds in its environment.
KUBERNETES = {
    "GATEWAY_PORT": "tcp://10.0.0.1:80",
    "GATEWAY_PORT_80_TCP": "tcp://10.0.0.1:80",
    "GATEWAY_PORT_80_TCP_ADDR": "10.0.0.1",
    "GATEWAY_PORT_80_TCP_PORT": "80",
    "GATEWAY_PORT_80_TCP_PROTO": "tcp",
    "GATEWAY_SERVICE_HOST": "10.0.0.1",
    "GATEWAY_SERVICE_PORT": "80",
    "GATEWAY_SERVICE_PORT_HTTP": "80",
}

# Nothing of these is needed to print help or to refuse an option, and each costs start-up time.
HEAVY = {
    "asyncio",
    "uvloop",
    "httptools",
    "tomllib",
    "difflib",
    "ssl",
    "gateway.worker.app",
    "gateway.serve",
    "logging",
}


def run(
    *arguments: str, folder: Path, environ: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    inherited = {
        name: text for name, text in os.environ.items() if not name.startswith(("GATEWAY_", "FC_"))
    }
    return subprocess.run(
        [sys.executable, "-m", "gateway", *arguments],
        cwd=folder,
        env=inherited
        | {"PYTHONPATH": str(Path(__file__).parents[2]), "PYTHONIOENCODING": "utf-8"}
        | (environ or {}),
        capture_output=True,
        encoding="utf-8",
        timeout=30,
        check=False,
    )


@pytest.mark.parametrize(
    ("typed", "environ", "line"),
    [
        ("", {}, "a command is missing; give gateway serve TARGET, or see gateway --help"),
        ("chekc", {}, "unknown command 'chekc': did you mean check?"),
        ("check --prot 80", {}, "unknown option --prot: did you mean --port?"),
        (
            "check --chdir absent",
            {},
            "--chdir absent: No such file or directory; name the folder of the handler",
        ),
        (
            "check gateway.demo:handler --interface asgi",
            {},
            "Invalid handler 'handler': it takes (environ, start_response), "
            "and --interface asgi gives (scope, receive, send) [InvalidHandleName]",
        ),
        (
            "serve --port 0 --interface fc-event",
            {},
            "--interface fc-event needs a handler; name it, as in index.handler",
        ),
        ("serve --max-bod 1KB", {}, "unknown option --max-bod: did you mean --max-body?"),
        (
            "serve --max-body",
            {},
            "--max-body: its value is missing; give --max-body 32MB",
        ),
        (
            "serve app",
            {},
            "TARGET: Invalid handler 'app': give package.module:handler or module.handler "
            "[InvalidHandleName]",
        ),
        (
            "serve --max-body 32XB",
            {},
            "--max-body: '32XB' is not a size; "
            "give bytes or a number with KB, MB or GB, such as 32MB",
        ),
        (
            "serve --strict-environment",
            {"GATEWAY_PROT": "80"},
            "unknown in the environment: GATEWAY_PROT (did you mean GATEWAY_PORT?); remove it, or "
            "give --no-strict-environment",
        ),
        (
            "serve",
            {"GATEWAY_LOG_LEVEL": "loud"},
            "GATEWAY_LOG_LEVEL: 'loud' is not a choice here; give debug, info, warning or error",
        ),
        (
            "check --unix g.sock --fd 3",
            KUBERNETES,
            "--unix and --fd exclude each other: remove one of them",
        ),
        (
            "serve --config no.toml",
            {},
            "--config: cannot read 'no.toml': No such file or directory; check the path",
        ),
    ],
)
def test_a_mistake_is_one_line_on_standard_error(
    typed: str, environ: dict[str, str], line: str, tmp_path: Path
) -> None:
    ended = run(*typed.split(), folder=tmp_path, environ=environ)
    assert (ended.stderr, ended.stdout) == (f"gateway: error: {line}\n", "")
    assert ended.returncode == 2


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            "port = 80\nmax_body = 32MB\n",
            "gateway.toml:2: column 14: not TOML: Expected newline or end of document after "
            'a statement; a setting is written max_body = "32MB"',
        ),
        ("\nprot = 80", "gateway.toml:2: prot: unknown key; did you mean port?"),
        ("port = -1", "gateway.toml:1: port: '-1' is too small; give at least 0"),
    ],
)
def test_a_mistake_in_a_file_names_file_and_line(text: str, line: str, tmp_path: Path) -> None:
    (tmp_path / "gateway.toml").write_text(text)
    ended = run("serve", folder=tmp_path, environ={"GATEWAY_CONFIG": "gateway.toml"})
    assert (ended.stderr, ended.stdout) == (f"gateway: error: {line}\n", "")
    assert ended.returncode == 2


def test_bytes_that_are_no_text_are_one_line_too(tmp_path: Path) -> None:
    ended = run("serve", "--region", os.fsdecode(b"\xff\xfe\n"), folder=tmp_path)
    assert ended.returncode == 2
    assert ended.stderr.startswith("gateway: error: --region: ")
    assert ended.stderr.count("\n") == 1


def test_version_and_help_go_to_standard_output(tmp_path: Path) -> None:
    version = run("--version", folder=tmp_path)
    assert (version.returncode, version.stdout) == (0, f"gateway {__version__}\n")
    assert version.stderr == ""
    text = run("serve", "--help", "all", folder=tmp_path)
    assert (text.returncode, text.stderr) == (0, "")
    assert "GATEWAY_MAX_HEADER_BYTES" in text.stdout


def on_terminal(*arguments: str, columns: int, folder: Path, **environ: str) -> str:
    """What the real command writes to a terminal that is so wide."""
    ours, theirs = pty.openpty()
    with open(ours, "rb", buffering=0) as reader:
        try:
            # Rows, columns and two fields without use: TIOCSWINSZ of ioctl_tty(2).
            fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("4H", 24, columns, 0, 0))
            kept = {name: text for name, text in os.environ.items() if name not in PAINTING}
            process = subprocess.Popen(
                [sys.executable, "-m", "gateway", *arguments],
                cwd=folder,
                env=kept
                | {"PYTHONPATH": str(Path(__file__).parents[2]), "TERM": "xterm"}
                | environ,
                stdin=subprocess.DEVNULL,
                stdout=theirs,
                stderr=theirs,
            )
        finally:
            os.close(theirs)
        parts = []
        with suppress(OSError):  # EIO: the other side is closed.
            while part := reader.read(65536):
                parts.append(part)
        process.wait(30)
    return b"".join(parts).decode().replace("\r\n", "\n")


PAINTING = {"COLUMNS", "NO_COLOR", "FORCE_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "TERM"}


@pytest.mark.parametrize("columns", [60, 97])
def test_help_on_a_terminal_has_its_width_and_colours(columns: int, tmp_path: Path) -> None:
    coloured = on_terminal("serve", "--help", columns=columns, folder=tmp_path)
    assert "\x1b[1mListening\x1b[0m\n" in coloured
    plain = on_terminal("serve", "--help", columns=columns, folder=tmp_path, NO_COLOR="1")
    assert re.sub(r"\x1b\[[0-9]*m", "", coloured) == plain
    assert "\x1b" not in plain
    assert columns - 5 < max(map(len, plain.splitlines())) <= columns
    assert "\x1b" not in on_terminal(
        "serve", "--help", columns=columns, folder=tmp_path, TERM="dumb"
    )


def test_a_mistake_on_a_terminal_is_in_colour(tmp_path: Path) -> None:
    line = " unknown command 'chekc': did you mean check?\n"
    shown = on_terminal("chekc", columns=80, folder=tmp_path)
    assert shown == f"\x1b[31mgateway: error:\x1b[0m{line}"
    shown = on_terminal("chekc", columns=80, folder=tmp_path, NO_COLOR="1")
    assert shown == f"gateway: error:{line}"


@pytest.mark.parametrize(
    ("typed", "mend"),
    [
        ("--bind 0.0.0.0:80", "--bind: give --host HOST and --port PORT, or --unix PATH"),
        ("-b0.0.0.0:80", "-b0.0.0.0:80: give --host HOST and --port PORT, or --unix PATH"),
        ("-w 4", "-w: give --workers N"),
        (
            "--timeout 30",
            "--timeout: give --handler-timeout TIME for a request, --worker-timeout TIME for a "
            "worker that hangs",
        ),
        (
            "--certfile=cert.pem",
            "--certfile: there is no TLS here: terminate it in a proxy in front, and list that in "
            "--trusted-proxies",
        ),
    ],
)
def test_options_of_other_servers_are_answered_with_what_there_is(
    typed: str, mend: str, tmp_path: Path
) -> None:
    ended = run("serve", "app:app", *typed.split(), folder=tmp_path)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == f"gateway: error: unknown option {mend}\n"


@pytest.mark.parametrize("typed", ["--help", "serve --help", "--version", "serve --port 99999"])
def test_help_and_mistakes_do_not_wait_for_the_server(typed: str, tmp_path: Path) -> None:
    ended = run(*typed.split(), folder=tmp_path, environ={"PYTHONPROFILEIMPORTTIME": "1"})
    imported = {line.rpartition("|")[2].strip() for line in ended.stderr.splitlines()}
    assert "gateway.config" in imported
    assert not imported & HEAVY


@pytest.mark.parametrize(
    ("redirection", "status", "said"),
    [
        ("| true", 128 + 13, ""),
        (
            "> /dev/full",
            2,
            "gateway: error: cannot write to standard output: No space left on device\n",
        ),
        (">&-", 0, ""),
        ("2>&-", 0, ""),
    ],
)
def test_nobody_has_to_take_what_is_printed(
    redirection: str, status: int, said: str, tmp_path: Path
) -> None:
    script = f"set -o pipefail; {sys.executable} -m gateway serve --help {redirection}"
    ended = subprocess.run(
        ["bash", "-c", script],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        encoding="utf-8",
        timeout=30,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (status, said)


@pytest.mark.parametrize("redirection", ["2>&-", "2> /dev/full"])
def test_a_mistake_is_one_by_its_status_also_where_nobody_hears_of_it(
    redirection: str, tmp_path: Path
) -> None:
    ended = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m gateway chekc {redirection}"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        timeout=30,
        check=False,
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (2, b"", b"")
