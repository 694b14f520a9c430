"""Code whose import hangs: loading has an end, and mended code is served whatever hangs still."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from functional.serving import (
    Gateway,
    children_of,
    clean_environ,
    command,
    is_alive,
    run_command,
    wait_until,
)

StartGateway = Callable[..., Gateway]

VERSION = """
def handler(environ, start_response):
    start_response("200 OK", [])
    return [b"{version}"]
"""

HANGS = """
import os, time
open(f"hangs-{os.getpid()}", "w").close()
def wait_for_ever():
    time.sleep(3600)
wait_for_ever()
"""

TRAPS = (
    """
import signal
signal.signal(signal.SIGTERM, lambda number, frame: None)
"""
    + HANGS
)
"""SIGTERM does not end it."""


def put(gateway: Gateway, source: str) -> None:
    """Of other lengths, for bytecode of the same second and length is taken for current."""
    folder_of(gateway).joinpath("app.py").write_text(source)


def folder_of(gateway: Gateway) -> Path:
    return gateway._stderr.parent


def hanging(gateway: Gateway) -> list[int]:
    """The processes in which the import hangs."""
    names = [path.name for path in folder_of(gateway).glob("hangs-*")]
    pids = [int(name.removeprefix("hangs-")) for name in names]
    return [pid for pid in pids if is_alive(pid)]


def answer(gateway: Gateway) -> bytes:
    with gateway.connect() as client:
        return client.ask("/").body


def test_a_successor_that_never_serves_is_killed_and_tells_where(
    start_gateway: StartGateway,
) -> None:
    gateway = start_gateway(
        "app:handler", "--start-timeout", "3s", source=VERSION.format(version=1)
    )
    first = gateway.worker_pid
    put(gateway, HANGS)
    gateway.signal(signal.SIGHUP)
    wait_until(lambda: gateway.errors.count("was killed by SIGABRT") >= 2, "it is tried again", 30)
    assert re.search(
        r"worker \d+ hangs: after 3 s of loading it cannot serve; it is killed", gateway.errors
    )
    assert "in wait_for_ever" in gateway.errors
    assert answer(gateway) == b"1"
    assert first in gateway.worker_pids
    put(gateway, VERSION.format(version=22))
    wait_until(lambda: f"takes over from worker {first}" in gateway.errors, "it is loaded", 30)
    assert answer(gateway) == b"22"


def test_a_reload_supersedes_one_that_hangs(start_gateway: StartGateway) -> None:
    gateway = start_gateway("app:handler", source=VERSION.format(version=1))
    first = gateway.worker_pid
    put(gateway, HANGS)
    for number in range(1, 4):
        gateway.signal(signal.SIGHUP)
        wait_until(
            lambda: gateway.errors.count("SIGHUP: replacing") == number,  # noqa: B023 (at once)
            "it is heard",
        )
        wait_until(lambda: hanging(gateway), "it loads")
    wait_until(lambda: len(hanging(gateway)) == 1, "those before it are ended")
    assert answer(gateway) == b"1"
    put(gateway, VERSION.format(version=22))
    gateway.signal(signal.SIGHUP)
    wait_until(lambda: f"takes over from worker {first}" in gateway.errors, "it is loaded")
    assert answer(gateway) == b"22"
    wait_until(lambda: len(children_of(gateway.process.pid)) == 1, "nothing is left of the rest")


def test_who_dies_is_replaced_though_a_successor_hangs(start_gateway: StartGateway) -> None:
    """The successor is not waited for, and the log says what is true."""
    gateway = start_gateway("app:handler", source=VERSION.format(version=1))
    first = gateway.worker_pid
    put(gateway, HANGS)
    gateway.signal(signal.SIGHUP)
    wait_until(lambda: hanging(gateway), "it loads")
    (hung,) = hanging(gateway)
    put(gateway, VERSION.format(version=22))
    os.kill(first, signal.SIGKILL)
    assert answer(gateway) == b"22"
    assert re.search(rf"worker {first} was .*; another is started at once\n", gateway.errors)
    wait_until(lambda: not is_alive(hung), "who loads in vain is ended")
    wait_until(lambda: len(children_of(gateway.process.pid)) == 1, "one is left")


def test_an_outage_ends_with_the_next_reload(start_gateway: StartGateway) -> None:
    """All that there is hangs; no more than two do, and mended code is served at once."""
    gateway = start_gateway("app:handler", source=VERSION.format(version=1))
    first = gateway.worker_pid
    put(gateway, HANGS)
    gateway.signal(signal.SIGHUP)
    wait_until(lambda: hanging(gateway), "it loads")
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: len(hanging(gateway)) == 2, "another loads")
    before = hanging(gateway)
    # One of them dies, too: who began to load since then is still waited for, or one more is.
    os.kill(before[0], signal.SIGKILL)
    wait_until(lambda: before[0] not in hanging(gateway), "it has ended")
    time.sleep(0.3)
    assert len(hanging(gateway)) <= 2
    put(gateway, VERSION.format(version=22))
    gateway.signal(signal.SIGHUP)
    assert answer(gateway) == b"22"
    wait_until(lambda: len(children_of(gateway.process.pid)) == 1, "one is left")


def test_a_successor_that_is_ready_first_takes_the_place(start_gateway: StartGateway) -> None:
    """It had begun to load before the worker died; who was forked then is not needed."""
    gateway = start_gateway("app:handler", source=VERSION.format(version=1))
    first = gateway.worker_pid
    slow = """
import os, time
open(f"hangs-{os.getpid()}", "w").close()
while not os.path.exists("go-on"):
    time.sleep(0.01)
"""
    put(gateway, slow + VERSION.format(version=22))
    gateway.signal(signal.SIGHUP)
    wait_until(lambda: hanging(gateway), "it loads")
    (successor,) = hanging(gateway)
    put(gateway, HANGS)
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: len(hanging(gateway)) == 2, "another loads")
    (folder_of(gateway) / "go-on").touch()
    assert answer(gateway) == b"22"
    wait_until(lambda: gateway.worker_pids == [successor], "the other one is ended")


def test_a_storm_of_reloads_piles_nothing_up(start_gateway: StartGateway) -> None:
    """Not even where SIGTERM ends nobody who loads."""
    gateway = start_gateway("app:handler", source=VERSION.format(version=1))
    put(gateway, TRAPS)
    most = 0
    for _ in range(60):
        gateway.signal(signal.SIGHUP)
        time.sleep(0.02)
        most = max(most, len(gateway.worker_pids))
    assert most <= 1 + 2 + 1, "who serves, two that are ended, and one that loads"
    assert answer(gateway) == b"1"
    put(gateway, VERSION.format(version=22))
    gateway.signal(signal.SIGHUP)
    wait_until(lambda: answer(gateway) == b"22", "it is loaded")
    wait_until(lambda: len(children_of(gateway.process.pid)) == 1, "nothing is left of the rest")


@pytest.mark.parametrize("workers", ["1", "3"])
def test_a_start_that_hangs_ends(tmp_path: Path, workers: str) -> None:
    (tmp_path / "app.py").write_text(HANGS)
    options = ("--port", "0", "--workers", workers, "--start-timeout", "3s")
    done = run_command("serve", "app:handler", *options, folder=tmp_path)
    assert done.returncode == 1
    assert re.search(
        r"ERROR .*: worker \d+ hangs: after 3 s of loading it cannot serve; it is killed\n",
        done.stderr,
    )
    assert "in wait_for_ever" in done.stderr
    assert re.search(r"CRITICAL .* was killed by SIGABRT .*, before it could serve\n", done.stderr)


def test_an_initializer_that_hangs_in_c_is_a_start_that_hangs(tmp_path: Path) -> None:
    """Its own timeout is the loop's, which does not turn."""
    (tmp_path / "app.py").write_text(
        VERSION.format(version=1)
        + "import ctypes\n"
        + "def initialize(context):\n    ctypes.PyDLL(None).sleep(60)\n"
    )
    options = ("--port", "0", "--start-timeout", "3s", "--initializer", "app.initialize")
    done = run_command("serve", "app:handler", *options, folder=tmp_path)
    assert done.returncode == 1
    assert "in initialize" in done.stderr


def test_without_a_start_timeout_loading_may_take_long(start_gateway: StartGateway) -> None:
    gateway = start_gateway(
        "app:handler",
        *("--start-timeout", "0", "--worker-timeout", "1s"),
        source="import time\ntime.sleep(2.5)\n" + VERSION.format(version=1),
    )
    assert answer(gateway) == b"1"
    assert "hangs" not in gateway.errors


def test_a_thread_does_not_put_off_the_end_of_code_that_cannot_be_loaded(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(
        "import threading, time\n"
        "threading.Thread(target=time.sleep, args=(3600,)).start()\n"
        "handler = 1 / 0\n"
    )
    done = run_command("serve", "app:handler", "--port", "0", folder=tmp_path)
    assert done.returncode == 2
    assert "division by zero" in done.stderr


def test_a_start_that_hangs_can_be_broken_off_though_it_traps_signals(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(TRAPS)
    with subprocess.Popen(
        command("serve", "app:handler", "--port", "0"),
        cwd=tmp_path,
        env=clean_environ(),
        stderr=sys.stderr,
    ) as process:
        wait_until(lambda: list(tmp_path.glob("hangs-*")), "it loads")
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
