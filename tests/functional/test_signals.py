"""Signals from elsewhere: those that come twice, those that mean nothing, and SIGHUP."""

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from functional.serving import (
    HANDLERS,
    LATER,
    Gateway,
    clean_environ,
    command,
    is_alive,
    wait_until,
)
from functional.wire import WireClient

StartGateway = Callable[..., Gateway]

END = [signal.SIGTERM, signal.SIGINT]

UNUSED = [
    *(signal.SIGUSR1, signal.SIGUSR2, signal.SIGQUIT),
    *(signal.SIGALRM, signal.SIGVTALRM, signal.SIGPROF, signal.SIGIO),
    *(signal.SIGPWR, signal.SIGSTKFLT, signal.SIGRTMIN, signal.SIGRTMIN + 3, signal.SIGRTMAX),
]
HARMLESS = [signal.SIGWINCH, signal.SIGURG, signal.SIGCONT, signal.SIGPIPE, signal.SIGCHLD]


def name_of(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


@pytest.fixture(params=["0", "1", "2"])
def workers(request: pytest.FixtureRequest) -> str:
    return str(request.param)


# Twice by nature.


@pytest.mark.parametrize("first", END)
@pytest.mark.parametrize("second", END)
def test_what_is_repeated_within_a_second_is_one_wish(
    start_gateway: StartGateway, gates: Any, workers: str, first: int, second: int
) -> None:
    gateway = start_gateway(
        "gated:handler", "--workers", workers, "--drain-timeout", "1h", environ=gates.environ
    )
    with gateway.connect() as client:
        client.request("/until/gate")
        gates.await_start("gate")
        for number in (first, second, first):
            gateway.signal(number)
            time.sleep(0.1)
        wait_until(lambda: "draining" in gateway.errors, "it drains")
        assert not client.has_answer_within(0.3)
        gates.open("gate")
        assert client.read_response().status == 200
    assert gateway.wait() == 0
    assert "at once" not in gateway.errors


def test_timeout_1_loses_nothing(tmp_path: Path, gates: Any, stack: ExitStack) -> None:
    """It sends SIGTERM to its child, and then to the group: workers get one, the supervisor two."""
    path = tmp_path / "socket"
    serve = command("serve", "gated:handler", "--chdir", str(HANDLERS), "--unix", str(path))
    process = subprocess.Popen(
        ["timeout", "3600", *serve],
        env=clean_environ(**gates.environ),
        cwd=tmp_path,
        start_new_session=True,
        stderr=subprocess.PIPE,
    )
    try:
        wait_until(path.exists, "it listens")
        clients = [stack.enter_context(WireClient(f"unix:{path}")) for _ in range(8)]
        for number, client in enumerate(clients):
            client.request(f"/until/gate-{number}")
            gates.await_start(f"gate-{number}")
        process.terminate()
        time.sleep(0.3)
        for number, client in enumerate(clients):
            gates.open(f"gate-{number}")
            assert client.read_response().status == 200
        _, errors = process.communicate(timeout=20)
        assert b"at once" not in errors
    finally:
        process.kill()
        process.wait()


def test_all_processes_may_be_told_several_times(start_gateway: StartGateway, gates: Any) -> None:
    gateway = start_gateway("gated:handler", "--drain-timeout", "1h", environ=gates.environ)
    with gateway.connect() as client:
        client.request("/until/gate")
        gates.await_start("gate")
        pids = [gateway.worker_pid, gateway.process.pid]
        for _ in range(3):
            for pid in pids:
                os.kill(pid, signal.SIGTERM)
        assert not client.has_answer_within(0.5)
        gates.open("gate")
        assert client.read_response().status == 200
    assert gateway.wait() == 0
    assert "at once" not in gateway.errors


def test_a_worker_alone_is_told_twice_too(start_gateway: StartGateway, gates: Any) -> None:
    gateway = start_gateway("gated:handler", "--drain-timeout", "1h", environ=gates.environ)
    first = gateway.worker_pid
    with gateway.connect() as client, gateway.connect() as other:
        client.request("/until/gate")
        gates.await_start("gate")
        for _ in range(2):
            os.kill(first, signal.SIGTERM)
        assert not client.has_answer_within(0.5)
        gates.open("gate")
        assert client.read_response().status == 200
        other.wait_for_end()
    with gateway.connect() as client:
        client.request("/until/never")
        gates.await_start("never")
        second = gateway.worker_pid
        os.kill(second, signal.SIGTERM)
        time.sleep(LATER)
        os.kill(second, signal.SIGTERM)
        client.wait_for_end()
    assert "SIGTERM again: ending at once" in gateway.errors


def test_while_one_drains_by_itself_another_serves(start_gateway: StartGateway, gates: Any) -> None:
    gateway = start_gateway("gated:handler", environ=gates.environ)
    first = gateway.worker_pid
    with gateway.connect() as client:
        client.request("/until/gate")
        gates.await_start("gate")
        os.kill(first, signal.SIGTERM)
        line = f"worker {first} ends; another is started at once"
        wait_until(lambda: line in gateway.errors, "it takes no more requests")
        with gateway.connect() as other:
            assert other.ask("/quick").status == 200
        assert is_alive(first)
        gates.open("gate")
        assert client.read_response().status == 200


ENDLESS = """
import threading, time
threading.Thread(target=time.sleep, args=(3600,)).start()
def handler(environ, start_response):
    start_response("200 OK", [])
    return []
"""


@pytest.mark.parametrize("number", END)
def test_a_repetition_does_not_kill_what_ends_already(
    start_gateway: StartGateway, number: int
) -> None:
    """Behind the last request, too, a later one ends it at once, and an early one does nothing."""
    gateway = start_gateway("app:handler", "--workers", "0", source=ENDLESS)
    gateway.signal(number)
    wait_until(lambda: "draining" in gateway.errors, "it drains")
    time.sleep(0.6)
    gateway.signal(number)
    time.sleep(LATER)
    assert gateway.process.poll() is None
    gateway.signal(number)
    assert gateway.wait(5) == 0


# Without a meaning.


def test_all_of_them_at_once_do_not_crash_a_worker(start_gateway: StartGateway) -> None:
    """Handlers nest on a stack of their own, which is small where crashes are told."""
    gateway = start_gateway("recording:handler")
    worker = gateway.worker_pid
    for _ in range(5):
        os.kill(worker, signal.SIGSTOP)
        for number in UNUSED:
            os.kill(worker, number)
        os.kill(worker, signal.SIGCONT)
        with gateway.connect() as client:
            assert client.ask("/").status == 200
    assert gateway.worker_pid == worker


def processes(gateway: Gateway) -> list[int]:
    return list({gateway.process.pid, *gateway.worker_pids})


@pytest.mark.parametrize("who", ["supervisor", "worker", "all"])
def test_what_means_nothing_ends_nothing(
    start_gateway: StartGateway, workers: str, who: str
) -> None:
    gateway = start_gateway("recording:handler", "--workers", workers)
    before = processes(gateway)
    targets = {
        "supervisor": [gateway.process.pid],
        "worker": gateway.worker_pids,
        "all": before,
    }[who]
    for number in [*UNUSED, *HARMLESS]:
        for pid in targets:
            os.kill(pid, number)
    for number in UNUSED:
        line = f"{name_of(number)} is ignored: it means nothing to the gateway"
        wait_until(lambda: gateway.errors.count(line) >= len(targets), line)  # noqa: B023 (at once)
    with gateway.connect() as client:
        assert client.ask("/").status == 200
    assert sorted(processes(gateway)) == sorted(before)
    for number in HARMLESS:
        assert name_of(number) not in gateway.errors


def test_what_comes_often_is_told_once(start_gateway: StartGateway, workers: str) -> None:
    gateway = start_gateway("recording:handler", "--workers", workers)
    everybody = processes(gateway)
    for _ in range(50):
        for pid in everybody:
            os.kill(pid, signal.SIGUSR1)
    with gateway.connect() as client:
        assert client.ask("/").status == 200
    wait_until(lambda: gateway.errors.count("SIGUSR1") >= len(everybody), "each tells it")
    time.sleep(0.2)
    assert gateway.errors.count("SIGUSR1") == len(everybody)


def test_the_watcher_of_the_code_lives_on(start_gateway: StartGateway) -> None:
    gateway = start_gateway("app:handler", "--reload", source=ENDLESS.replace("threading.T", "# "))
    before = processes(gateway)
    assert len(before) == 3
    for pid in before:
        os.kill(pid, signal.SIGUSR2)
    wait_until(lambda: gateway.errors.count("SIGUSR2") == 3, "all of them tell it")
    assert processes(gateway) == before


HANDLED = """
import multiprocessing, os, signal, subprocess, sys, threading

seen = []
signal.signal(signal.SIGUSR1, lambda number, frame: seen.append(number))

STATUS = (
    "import re; "
    "print(*re.findall(r'^Sig(?:Blk|Ign):.*', open('/proc/self/status').read(), re.M))"
)

def forked(queue):
    numbers = (signal.SIGUSR1, signal.SIGUSR2, signal.SIGQUIT, signal.SIGHUP, signal.SIGTERM)
    queue.put([str(signal.getsignal(number)) for number in numbers])

def handler(environ, start_response):
    start_response("200 OK", [])
    path = environ["PATH_INFO"]
    if path == "/seen":
        return [str(seen).encode()]
    if path == "/forked":
        context = multiprocessing.get_context("fork")
        queue = context.Queue()
        process = context.Process(target=forked, args=(queue,))
        process.start()
        found = queue.get(timeout=20)
        process.join()
        return ["\\n".join(found).encode()]
    if path == "/thread":
        found = []
        def run():
            found.append(open(f"/proc/self/task/{threading.get_native_id()}/status").read())
        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
        return [found[0].encode()]
    if path == "/shell":
        return [os.popen(f"{sys.executable} -c \\"{STATUS}\\"").read().encode()]
    return [subprocess.run([sys.executable, "-c", STATUS], capture_output=True).stdout]
"""


def test_a_handler_of_the_user_is_the_one(start_gateway: StartGateway, workers: str) -> None:
    gateway = start_gateway("app:handler", "--workers", workers, source=HANDLED)
    for pid in gateway.worker_pids:
        os.kill(pid, signal.SIGUSR1)
    with gateway.connect() as client:
        wait_until(lambda: client.ask("/seen").body == b"[10]", "it is called")
    assert "SIGUSR1" not in gateway.errors


def masks(text: str) -> dict[str, int]:
    return {name: int(mask, 16) for name, mask in re.findall(r"Sig(Blk|Ign):\s*(\w+)", text)}


NOT_OURS = sum(1 << (number - 1) for number in (signal.SIGPIPE, signal.SIGXFSZ, 32, 33))
"""Every Python ignores the first two, also for `os.popen`; the others are the C library's."""


@pytest.mark.parametrize("path", ["/program", "/shell"])
def test_programs_inherit_no_ignored_signal_and_no_mask(
    start_gateway: StartGateway, workers: str, path: str
) -> None:
    gateway = start_gateway("app:handler", "--workers", workers, source=HANDLED)
    own = masks(Path("/proc/self/status").read_text())
    with gateway.connect() as client:
        found = masks(client.ask(path).body.decode())
    assert found["Blk"] == 0
    assert found["Ign"] & ~own["Ign"] & ~NOT_OURS == 0


def test_threads_inherit_no_mask(start_gateway: StartGateway, workers: str) -> None:
    gateway = start_gateway("app:handler", "--workers", workers, source=HANDLED)
    with gateway.connect() as client:
        assert masks(client.ask("/thread").body.decode())["Blk"] == 0


def test_a_forked_process_takes_signals_as_usual(start_gateway: StartGateway, workers: str) -> None:
    gateway = start_gateway("app:handler", "--workers", workers, source=HANDLED)
    with gateway.connect() as client:
        usr1, *others = client.ask("/forked").body.decode().splitlines()
    assert "lambda" in usr1, "it is the user's"
    assert set(others) <= {"Handlers.SIG_DFL", "0"}


def test_what_was_ignored_before_stays_ignored(tmp_path: Path, gates: Any) -> None:
    """As nohup(1) has it, for the programs that handlers start."""
    (tmp_path / "app.py").write_text(HANDLED)
    path = tmp_path / "socket"
    process = subprocess.Popen(
        ["nohup", *command("serve", "app:handler", "--unix", str(path))],
        env=clean_environ(),
        cwd=tmp_path,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until(path.exists, "it listens")
        with WireClient(f"unix:{path}") as client:
            found = masks(client.ask("/program").body.decode())
        assert found["Ign"] & 1 << (signal.SIGHUP - 1)
    finally:
        process.terminate()
        assert process.wait(20) == 0


def test_a_gateway_that_is_started_with_blocked_signals_can_be_ended(
    start_gateway: StartGateway, workers: str
) -> None:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {*END, signal.SIGHUP})
    try:
        gateway = start_gateway("recording:handler", "--workers", workers)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    assert gateway.stop() == 0


# SIGHUP.


def test_without_a_supervisor_a_reload_is_refused(start_gateway: StartGateway) -> None:
    gateway = start_gateway("recording:handler", "--workers", "0")
    for _ in range(3):
        gateway.signal(signal.SIGHUP)
        time.sleep(0.05)
    line = "SIGHUP is ignored: with --workers 0 nothing can be loaded again; start the gateway anew"
    wait_until(lambda: line in gateway.errors, "it is told")
    with gateway.connect() as client:
        assert client.ask("/").status == 200
    assert gateway.errors.count("SIGHUP") == 1


def test_without_a_supervisor_the_end_of_the_terminal_is_the_end(
    hang_up: Callable[..., "subprocess.Popen[bytes]"],
) -> None:
    assert hang_up(*command("serve", "--port", "0", "--workers", "0")).wait(20) == 0


SETTINGS = """
import json, os, threading
def handler(environ, start_response):
    context = environ["fc.context"]
    start_response("200 OK", [])
    return [json.dumps({
        "pid": os.getpid(),
        "name": context.function.name,
        "memory": context.function.memory,
        "variable": os.environ.get("COLOUR"),
        "threads": sum(t.name.startswith("gateway-") and t.name[8:].isdigit()
                       for t in threading.enumerate()),
    }).encode()]
"""


def told(gateway: Gateway) -> dict[str, Any]:
    with gateway.connect() as client:
        found: dict[str, Any] = json.loads(client.ask("/").body)
        return found


def test_a_reload_takes_changed_settings(start_gateway: StartGateway, tmp_path: Path) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text('function_name = "one"\nthreads = 2\n')
    gateway = start_gateway("app:handler", "--config", str(file), "--workers", "2", source=SETTINGS)
    before = gateway.worker_pids
    assert {**told(gateway), "pid": 0, "variable": None} == {
        "pid": 0,
        "name": "one",
        "memory": 512,
        "variable": None,
        "threads": 2,
    }
    file.write_text('function_name = "two"\nthreads = 3\nfunction_memory = 128\n')
    gateway.signal(signal.SIGHUP)
    wait_until(lambda: gateway.errors.count("takes over") == 2, "both are replaced")
    wait_until(lambda: len(gateway.worker_pids) == 2, "the old ones have ended")
    found = told(gateway)
    assert (found["name"], found["memory"], found["threads"]) == ("two", 128, 3)
    assert found["pid"] not in before
    assert "need a restart" not in gateway.errors
    # Who comes later has them as well.
    file.write_text('function_name = "three"\n')
    wait_until(lambda: len(gateway.worker_pids) == 2, "the old ones have ended")
    for pid in gateway.worker_pids:
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: gateway.errors.count("another is started") == 2, "both are replaced")
    assert told(gateway)["name"] == "two", "nobody has asked to read the file"


PROJECT = """
edition: 3.0.0
name: app
resources:
  one:
    component: fc3
    props:
      functionName: {name}
      handler: app.handler
      runtime: python3.10
      code: .
      environmentVariables:
        COLOUR: {colour}
"""


def test_a_reload_reads_the_project(start_gateway: StartGateway, tmp_path: Path) -> None:
    project = tmp_path / "s.yaml"
    project.write_text(PROJECT.format(name="one", colour="red"))
    gateway = start_gateway(
        "app:handler", "--project", str(project), "--interface", "wsgi", source=SETTINGS
    )
    assert told(gateway)["variable"] == "red"
    project.write_text(PROJECT.format(name="two", colour="green"))
    gateway.signal(signal.SIGHUP)
    wait_until(lambda: told(gateway)["variable"] == "green", "it is replaced")
    found = told(gateway)
    assert (found["name"], found["variable"]) == ("two", "green")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("threads = 0\n", r"gateway\.toml:1: threads: '0' is too small"),
        ("thredas = 3\n", r"unknown key; did you mean threads"),
        ("threads =\n", "not TOML"),
        (None, "No such file"),
    ],
)
def test_a_mistake_changes_nothing(
    start_gateway: StartGateway, tmp_path: Path, text: str | None, says: str
) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text('function_name = "one"\n')
    gateway = start_gateway("app:handler", "--config", str(file), source=SETTINGS)
    before = gateway.worker_pid
    if text is None:
        file.unlink()
    else:
        file.write_text(text)
    gateway.signal(signal.SIGHUP)
    wait_until(lambda: "SIGHUP changes nothing: " in gateway.errors, "it is told")
    (line,) = [each for each in gateway.errors.splitlines() if "SIGHUP" in each]
    assert re.search(says, line), line
    time.sleep(0.3)
    assert gateway.worker_pid == before
    assert told(gateway)["name"] == "one"
    file.write_text('function_name = "two"\n')
    gateway.signal(signal.SIGHUP)
    wait_until(lambda: told(gateway)["name"] == "two", "it is replaced")


def test_what_is_fixed_at_the_start_is_named(start_gateway: StartGateway, tmp_path: Path) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text("workers = 1\n")
    gateway = start_gateway("app:handler", "--config", str(file), source=SETTINGS)
    file.write_text('workers = 2\nbacklog = 17\nhost = "0.0.0.0"\nfunction_name = "two"\n')
    gateway.signal(signal.SIGHUP)
    wait_until(lambda: told(gateway)["name"] == "two", "it is replaced")
    assert "SIGHUP: changes of --host, --backlog, --workers need a restart" in gateway.errors
    wait_until(lambda: len(gateway.worker_pids) == 1, "the old one has ended")


def test_times_of_the_supervisor_are_taken_as_well(
    start_gateway: StartGateway, tmp_path: Path
) -> None:
    """A longer drain is not cut by who kills whoever is late."""
    file = tmp_path / "gateway.toml"
    file.write_text('drain_timeout = "0"\nstart_timeout = "3s"\n')
    gateway = start_gateway("app:handler", "--config", str(file), source=SETTINGS)
    file.write_text('drain_timeout = "1h"\nstart_timeout = "1h"\n')
    folder = gateway._stderr.parent
    (folder / "app.py").write_text("import time\ntime.sleep(4)\n" + SETTINGS)
    gateway.signal(signal.SIGHUP)
    wait_until(lambda: "takes over" in gateway.errors, "it is replaced")
    assert "hangs" not in gateway.errors


# Several things at once.


@pytest.mark.parametrize("number", END)
def test_workers_that_end_with_the_supervisor_are_not_lost(
    start_gateway: StartGateway, number: int
) -> None:
    """A terminal or a service manager sends the signal to all processes of a group.

    The supervisor is stopped until its workers have ended, so that it learns of both at once.
    """
    gateway = start_gateway("recording:handler", "--workers", "2")
    workers = gateway.worker_pids
    assert len(workers) == 2
    gateway.signal(signal.SIGSTOP)
    for pid in workers:
        os.kill(pid, signal.SIGTERM)
    wait_until(lambda: not any(map(is_alive, workers)), "the workers end")
    gateway.signal(number)
    gateway.signal(signal.SIGCONT)
    assert gateway.wait() == 0
    assert "ending" in gateway.errors
    assert "another is" not in gateway.errors
