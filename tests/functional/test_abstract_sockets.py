"""`--unix @name`: a socket of Linux that has no file."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from functional.serving import Gateway, clean_environ, run_command

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux has abstract sockets")

StartGateway = Callable[..., Gateway]


@pytest.fixture
def name() -> str:
    return f"@gateway test {os.getpid()} €".replace(" ", "-")


def ask(name: str) -> bytes:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(15)
        client.connect("\0" + name[1:])
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        parts = []
        while part := client.recv(65536):
            parts.append(part)
    return b"".join(parts)


@pytest.mark.parametrize("workers", ["0", "2"])
def test_it_serves_there_and_makes_no_file(
    start_gateway: StartGateway, name: str, tmp_path: Path, workers: str
) -> None:
    for _ in range(2):  # The name is free as soon as the gateway has ended.
        gateway = start_gateway("recording:handler", "--unix", name, "--workers", workers)
        assert gateway.address == f"unix:{name}"
        assert ask(name).startswith(b"HTTP/1.1 200 OK\r\n")
        assert not [path for path in tmp_path.rglob("*") if path.is_socket() or "@" in path.name]
        assert gateway.stop() == 0
        with pytest.raises(ConnectionRefusedError):
            ask(name)


def test_a_name_in_use_is_told(start_gateway: StartGateway, name: str, tmp_path: Path) -> None:
    start_gateway("recording:handler", "--unix", name)
    ended = run_command("serve", "--unix", name, folder=tmp_path)
    assert (ended.returncode, ended.stderr) == (
        2,
        f"gateway: error: --unix {name} is in use: stop what listens there, or choose another\n",
    )
    assert ask(name).startswith(b"HTTP/1.1 200 OK\r\n")


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (
            ("--unix", "@gw", "--unix-mode", "600"),
            "--unix-mode: an abstract socket has no mode, and everybody in the network namespace "
            "may connect: remove it, or give --unix PATH",
        ),
        (
            ("--unix", "@"),
            "--unix: '@' is not the name of an abstract socket; give one such as @gateway",
        ),
        (
            ("--unix", "@" + "x" * 108),
            f"cannot listen on --unix @{'x' * 108}: AF_UNIX path too long; choose a shorter name",
        ),
    ],
)
def test_what_cannot_be_is_one_line(options: tuple[str, ...], line: str, tmp_path: Path) -> None:
    ended = run_command("serve", *options, folder=tmp_path)
    assert (ended.returncode, ended.stderr) == (2, f"gateway: error: {line}\n")


@pytest.mark.parametrize("length", [106, 107])
def test_the_longest_names_are_taken(start_gateway: StartGateway, length: int) -> None:
    name = f"@{os.getpid()}".ljust(length + 1, "x")
    start_gateway("recording:handler", "--unix", name)
    assert ask(name).startswith(b"HTTP/1.1 200 OK\r\n")


def test_a_file_may_name_one_and_a_path_may_begin_so(
    start_gateway: StartGateway, name: str, tmp_path: Path
) -> None:
    (tmp_path / "gateway.toml").write_text(f'unix = "{name}"\n', "utf-8")
    with subprocess.Popen(
        [sys.executable, "-m", "gateway", "serve", "--config", "gateway.toml"],
        cwd=tmp_path,
        env=clean_environ(),
        stderr=subprocess.PIPE,
        encoding="utf-8",
    ) as process:
        assert process.stderr is not None
        assert f" on unix:{name} (pid " in process.stderr.readline()
        process.terminate()
        assert process.wait(15) == 0
    path = tmp_path / "@gw"
    start_gateway("recording:handler", "--unix", str(path))
    assert path.is_socket()
