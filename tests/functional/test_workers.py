"""Worker processes that die, hang, wear out or are replaced, and what clients see of it."""

import json
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from functional.serving import (
    HANDLERS,
    LATER,
    Gateway,
    children_of,
    clean_environ,
    command,
    is_alive,
    run_command,
    wait_until,
)
from functional.wire import WireClient

from gateway import __version__

pytestmark = pytest.mark.family("workers")

StartGateway = Callable[..., Gateway]
Tally = Callable[..., None]


@pytest.fixture
def serve(start_gateway: StartGateway, gates: Any) -> StartGateway:
    def start(*options: str, **more: Any) -> Gateway:
        return start_gateway("perilous:handler", *options, environ=gates.environ, **more)

    return start


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


def pid_from(gateway: Gateway, target: str = "/") -> int:
    """Which worker answers a new connection."""
    with gateway.connect() as client:
        response = client.ask(target)
        assert response.status == 200, response
        return int(response.body)


def crash(gateway: Gateway, target: str) -> None:
    with gateway.connect() as client:
        client.request(target)
        client.wait_for_end()
        assert client._unread == b""


# Death.


@pytest.mark.parametrize(
    ("target", "end"),
    [
        ("/exit/3", "ended with status 3"),
        ("/exit/0", "ended with status 0"),
        ("/segfault", "was killed by SIGSEGV"),
        ("/abort", "was killed by SIGABRT"),
        ("/killed", r"was killed by SIGKILL \(the system does this when memory runs out\)"),
        pytest.param(
            "/overflow",
            "was killed by SIGSEGV",
            marks=pytest.mark.skipif(
                sys.version_info >= (3, 12), reason="raises RecursionError there"
            ),
        ),
    ],
)
def test_a_handler_that_kills_its_process_costs_what_ran_there(
    serve: StartGateway, gates: Any, stack: ExitStack, tally: Tally, target: str, end: str
) -> None:
    gateway = serve()
    running, idle = (stack.enter_context(gateway.connect()) for _ in range(2))
    first = int(idle.ask("/").body)
    assert first == gateway.worker_pid != gateway.process.pid
    running.request("/until/never")
    gates.await_start("never")
    crash(gateway, target)
    for client in (running, idle):
        client.wait_for_end()  # They see an end, not silence.
        assert client._unread == b""
    second = pid_from(gateway)
    assert second == gateway.worker_pid != first
    lines = [line for line in gateway.errors.splitlines() if f"worker {first}" in line]
    assert len(lines) == 1, gateway.errors
    assert re.search(
        rf"ERROR gateway\.supervisor\[{gateway.process.pid}\]: worker {first} {end} "
        r"after \d+\.\d s; another is started at once$",
        lines[0],
    ), lines
    tally(faults=1, served=2)


def test_a_crash_in_c_tells_where(serve: StartGateway, tally: Tally) -> None:
    gateway = serve()
    crash(gateway, "/segfault")
    wait_until(lambda: "string_at" in gateway.errors, "the stack is written")
    assert "perilous.py" in gateway.errors
    tally(faults=1)


def test_what_waits_to_be_accepted_outlives_a_worker(
    serve: StartGateway, stack: ExitStack, tally: Tally
) -> None:
    gateway = serve()
    first = gateway.worker_pid
    os.kill(first, signal.SIGSTOP)
    clients = [stack.enter_context(gateway.connect()) for _ in range(50)]
    for client in clients:
        client.request("/")
    os.kill(first, signal.SIGKILL)
    pids = {int(client.read_response().body) for client in clients}
    assert pids == {gateway.worker_pid} != {first}
    tally(faults=1, served=50)


def test_deaths_in_a_row_are_waited_with_longer_and_longer(
    serve: StartGateway, tally: Tally
) -> None:
    gateway = serve()
    for _ in range(5):
        crash(gateway, "/exit/1")
    assert pid_from(gateway) == gateway.worker_pid
    delays = re.findall(r"another is started (.*)", gateway.errors)
    assert delays == ["at once", "in 0.1 s", "in 0.2 s", "in 0.4 s", "in 0.8 s"]
    tally(faults=5, served=1)


def test_another_worker_serves_meanwhile(serve: StartGateway, tally: Tally) -> None:
    gateway = serve("--workers", "2")
    before = set(gateway.worker_pids)
    assert len(before) == 2
    crash(gateway, "/exit/1")
    assert pid_from(gateway)
    wait_until(lambda: len(before | set(gateway.worker_pids)) == 3, "another is started")
    wait_until(lambda: len(gateway.worker_pids) == 2, "there are two again")
    assert len(before & set(gateway.worker_pids)) == 1
    tally(faults=1, served=1)


def test_a_worker_that_is_told_to_end_is_replaced(
    serve: StartGateway, gates: Any, tally: Tally
) -> None:
    gateway = serve()
    first = gateway.worker_pid
    with gateway.connect() as client:
        client.request("/until/gate")
        gates.await_start("gate")
        os.kill(first, signal.SIGTERM)
        wait_until(lambda: "SIGTERM: draining" in gateway.errors, "it drains")
        gates.open("gate")
        assert client.read_response().status == 200
    wait_until(lambda: pid_from(gateway) != first, "the other takes over")
    tally(faults=1, served=2)


# Silence.


def test_a_worker_that_hangs_is_killed_and_tells_where(serve: StartGateway, tally: Tally) -> None:
    """The interpreter lock is held in C: none of its threads can run."""
    gateway = serve("--worker-timeout", "1s")
    first = gateway.worker_pid
    crash(gateway, "/hold/60")
    assert pid_from(gateway) != first
    errors = gateway.errors
    assert f"worker {first} hangs: its loop has not turned for 1 s; it is killed" in errors
    assert "in hold_interpreter" in errors
    assert f"worker {first} was killed by SIGABRT after" in errors
    tally(faults=1, served=1)


def test_a_worker_that_does_not_even_abort_is_killed(serve: StartGateway, tally: Tally) -> None:
    gateway = serve("--worker-timeout", "1s")
    first = gateway.worker_pid
    os.kill(first, signal.SIGSTOP)
    assert pid_from(gateway) != first
    assert f"worker {first} was killed by SIGKILL after" in gateway.errors
    tally(faults=1, served=1)


def test_a_pause_of_all_processes_is_no_silence(serve: StartGateway, tally: Tally) -> None:
    """Of the pause half the timeout counts: a quarter is left for the next beat to come."""
    gateway = serve("--worker-timeout", "3s")
    first = gateway.worker_pid
    for pid in (gateway.process.pid, first):
        os.kill(pid, signal.SIGSTOP)
    time.sleep(3.5)
    for pid in (gateway.process.pid, first):
        os.kill(pid, signal.SIGCONT)
    time.sleep(1)
    assert pid_from(gateway) == first
    assert "hangs" not in gateway.errors
    tally(faults=1, served=1)


# Wear.


def test_a_worker_full_of_stuck_handlers_is_replaced(
    serve: StartGateway, stack: ExitStack, tally: Tally
) -> None:
    options = ("--threads", "2", "--handler-timeout", "100ms", "--drain-timeout", "1s")
    gateway = serve(*options)
    first = gateway.worker_pid
    for number in range(9):
        with gateway.connect() as client:
            assert client.ask(f"/until/stuck-{number}").status == 502
    assert pid_from(gateway)
    wait_until(lambda: "takes over" in gateway.errors, "it is replaced")
    second = pid_from(gateway)
    assert second != first
    assert f"worker {second} takes over from worker {first}" in gateway.errors
    wait_until(lambda: gateway.worker_pids == [second], "the first one ends")
    assert "ERROR gateway.supervisor" not in gateway.errors
    tally(faults=9, served=2)


# Reloads.


# Of different lengths, for bytecode of the same second and length is taken for current.
VERSIONED = """
import time
VERSION = {version}
def handler(environ, start_response):
    time.sleep(0.005)
    start_response("200 OK", [])
    return [str(VERSION).encode()]
"""


class Crowd:
    """Clients that ask until told to stop; each request has to be answered."""

    def __init__(self, gateway: Gateway, *, clients: int, keep_alive: bool) -> None:
        self._gateway = gateway
        self._keep_alive = keep_alive
        self._over = Event()
        self.answers: list[bytes] = []
        self.faults: list[BaseException] = []
        self._threads = [Thread(target=self._run) for _ in range(clients)]

    def __enter__(self) -> "Crowd":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        try:
            while not self._over.is_set():
                with self._gateway.connect() as client:
                    self._ask(client)
        except BaseException as error:
            self.faults.append(error)

    def _ask(self, client: WireClient) -> None:
        while not self._over.is_set():
            fields = [] if self._keep_alive else [("Connection", "close")]
            response = client.ask("/", fields=fields)
            assert response.status == 200
            self.answers.append(response.body)
            if response.closes or not self._keep_alive:
                return


def test_a_reload_loses_no_request(start_gateway: StartGateway, tally: Tally) -> None:
    gateway = start_gateway("app:handler", "--workers", "2", source=VERSIONED.format(version=1))
    before = gateway.worker_pids
    code = gateway_folder(gateway) / "app.py"
    with (
        Crowd(gateway, clients=4, keep_alive=True) as lasting,
        Crowd(gateway, clients=4, keep_alive=False) as passing,
    ):
        wait_until(lambda: lasting.answers and passing.answers, "they are answered")
        code.write_text(VERSIONED.format(version=22))
        gateway.signal(signal.SIGHUP)
        wait_until(lambda: gateway.errors.count("takes over from") == 2, "both are replaced")
        seen = len(lasting.answers), len(passing.answers)
        wait_until(
            lambda: len(lasting.answers) > seen[0] + 50 and len(passing.answers) > seen[1] + 50,
            "they are answered again",
        )
    answers = lasting.answers + passing.answers
    assert (lasting.faults, passing.faults) == ([], [])
    assert set(answers) == {b"1", b"22"}
    assert set(lasting.answers[-20:] + passing.answers[-20:]) == {b"22"}
    wait_until(lambda: not set(before) & set(gateway.worker_pids), "the old ones end")
    tally(faults=2, served=len(answers))


@pytest.mark.parametrize("workers", [1, 2])
def test_many_reloads_lose_no_request(
    start_gateway: StartGateway, tally: Tally, workers: int
) -> None:
    """Nor is one refused: a connection that is just being accepted when a worker is to end, too."""
    source = VERSIONED.format(version=1)
    gateway = start_gateway("app:handler", "--workers", str(workers), source=source)
    with (
        Crowd(gateway, clients=2, keep_alive=True) as lasting,
        Crowd(gateway, clients=3, keep_alive=False) as passing,
    ):
        for reload in range(1, 11):
            gateway.signal(signal.SIGHUP)
            wait_until(
                lambda number=reload: gateway.errors.count("takes over from") >= number * workers,
                "all are replaced",
            )
    assert (lasting.faults, passing.faults) == ([], [])
    tally(faults=10, served=len(lasting.answers + passing.answers))


def gateway_folder(gateway: Gateway) -> Path:
    return gateway._stderr.parent


def test_code_that_cannot_be_loaded_again_changes_nothing(
    start_gateway: StartGateway, tally: Tally
) -> None:
    gateway = start_gateway("app:handler", source=VERSIONED.format(version=1))
    first = gateway.worker_pid
    code = gateway_folder(gateway) / "app.py"
    code.write_text("handler = 1 / 0\n")
    gateway.signal(signal.SIGHUP)
    wait_until(lambda: gateway.errors.count("gateway: error: ") >= 3, "it is tried again")
    delays = re.findall(r"ended with status 2 after .* s; another is started (.*)", gateway.errors)
    assert delays[:2] == ["at once", "in 0.1 s"]
    assert "\nTraceback" not in gateway.errors
    with gateway.connect() as client:
        assert client.ask("/").body == b"1"
    assert first in gateway.worker_pids
    code.write_text(VERSIONED.format(version=22))
    wait_until(lambda: f"takes over from worker {first}" in gateway.errors, "it is loaded", 30)
    wait_until(lambda: first not in gateway.worker_pids, "the old one has ended")
    with gateway.connect() as client:
        assert client.ask("/").body == b"22"
    tally(faults=3, served=2)


# The start.


@pytest.mark.parametrize(
    ("source", "status", "says"),
    [
        ("handler = 1 / 0", 2, r"gateway: error: Module initialization error: .*(\n  \| .*)+"),
        ("import os\nos._exit(0)", 1, r".* worker \d+ ended with status 0 .*, before it could.*"),
        ("import os\nos._exit(2)", 2, r".* worker \d+ ended with status 2 .*, before it could.*"),
        ("import os\nos._exit(7)", 7, r".* worker \d+ ended with status 7 .*, before it could.*"),
        (
            "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)",
            1,
            r".* worker \d+ was killed by SIGKILL .*, before it could serve",
        ),
    ],
)
@pytest.mark.parametrize("workers", ["1", "3"])
def test_a_handler_that_cannot_be_loaded_ends_the_start(
    tmp_path: Path, tally: Tally, source: str, status: int, says: str, workers: str
) -> None:
    (tmp_path / "app.py").write_text(source)
    arguments = ("serve", "app:handler", "--port", "0", "--workers", workers)
    done = run_command(*arguments, folder=tmp_path)
    assert done.returncode == status
    assert re.fullmatch(says + "\n", done.stderr), done.stderr
    assert done.stdout == ""
    tally(faults=1)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_start_can_be_broken_off(tmp_path: Path, tally: Tally, number: int) -> None:
    (tmp_path / "app.py").write_text(
        "import time\nopen('loading', 'w').close()\ntime.sleep(60)\nhandler = None\n"
    )
    with subprocess.Popen(
        command("serve", "app:handler", "--port", "0"), cwd=tmp_path, env=clean_environ()
    ) as process:
        wait_until((tmp_path / "loading").exists, "it loads")
        (worker,) = children_of(process.pid)
        process.send_signal(number)
        assert process.wait(10) == 0
        assert not is_alive(worker)
    tally(faults=1)


def test_it_is_announced_when_all_workers_serve(serve: StartGateway, tally: Tally) -> None:
    gateway = serve("--workers", "3")
    assert gateway.errors == (
        f"Gateway {__version__} serves perilous:handler (WSGI handler) with 3 workers x 8 threads "
        f"on {gateway.address} (pid {gateway.process.pid})\n"
    )
    assert len(gateway.worker_pids) == 3
    assert gateway.process.pid not in gateway.worker_pids
    tally(served=3)


def test_the_supervisor_has_nothing_of_what_workers_run(serve: StartGateway, tally: Tally) -> None:
    gateway = serve()
    maps = Path("/proc/{}/maps")
    assert "uvloop" in Path(f"/proc/{gateway.worker_pid}/maps").read_text()
    supervisor = Path(f"/proc/{gateway.process.pid}/maps").read_text()
    assert not re.search("uvloop|httptools|_asyncio|_ssl", supervisor), maps
    threads = os.listdir(f"/proc/{gateway.process.pid}/task")
    assert len(threads) == 1
    tally(served=1)


def test_two_workers_share_a_burst_of_connections(
    serve: StartGateway, stack: ExitStack, tally: Tally
) -> None:
    gateway = serve("--workers", "2")
    clients = [stack.enter_context(gateway.connect()) for _ in range(64)]
    for client in clients:
        client.request("/")
    pids = [int(client.read_response().body) for client in clients]
    counts = sorted(pids.count(pid) for pid in gateway.worker_pids)
    assert sum(counts) == 64
    assert counts[0] >= 6, counts
    tally(served=64)


def test_without_a_supervisor_one_process_serves(
    serve: StartGateway, stack: ExitStack, tally: Tally
) -> None:
    gateway = serve("--workers", "0")
    assert pid_from(gateway) == gateway.announced_pid == gateway.process.pid
    assert children_of(gateway.process.pid) == []
    crash(gateway, "/exit/3")
    assert gateway.wait() == 3
    tally(faults=1, served=1)


# The end.


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_all_processes_counts_once(
    serve: StartGateway, gates: Any, tally: Tally, number: int
) -> None:
    """As terminals and service managers send it."""
    gateway = serve("--drain-timeout", "1h")
    with gateway.connect() as client:
        client.request("/until/gate")
        gates.await_start("gate")
        for pid in (gateway.worker_pid, gateway.process.pid):
            os.kill(pid, number)
        wait_until(lambda: "draining" in gateway.errors, "it drains")
        assert not client.has_answer_within(0.3)
        gates.open("gate")
        assert client.read_response().status == 200
    assert gateway.wait() == 0
    assert "at once" not in gateway.errors
    tally(faults=1, served=1)


def test_an_end_under_load_loses_nothing_that_was_taken(
    serve: StartGateway, gates: Any, stack: ExitStack, tally: Tally
) -> None:
    gateway = serve("--workers", "2", "--threads", "10")
    clients = [stack.enter_context(gateway.connect()) for _ in range(20)]
    for number, client in enumerate(clients[:10]):
        client.request(f"/until/gate-{number}")
    for number in range(10):
        gates.await_start(f"gate-{number}")
    for worker in gateway.worker_pids:
        os.kill(worker, signal.SIGSTOP)
    waiting = [stack.enter_context(gateway.connect()) for _ in range(30)]
    for client in (*clients[10:], *waiting):
        client.request("/")
    gateway.signal(signal.SIGTERM)
    wait_until(lambda: "SIGTERM: ending" in gateway.errors, "it ends")
    for worker in gateway.worker_pids:
        os.kill(worker, signal.SIGCONT)
    for number in range(10):
        gates.open(f"gate-{number}")
    for client in (*clients, *waiting):
        assert client.read_response().status == 200
    assert gateway.wait() == 0
    tally(faults=1, served=50)


def test_a_worker_that_hangs_does_not_keep_the_gateway(serve: StartGateway, tally: Tally) -> None:
    gateway = serve("--worker-timeout", "0", "--drain-timeout", "8760h")
    worker = gateway.worker_pid
    with gateway.connect() as client:
        client.request("/hold/60")
        time.sleep(0.3)
        gateway.signal(signal.SIGTERM)
        wait_until(lambda: "SIGTERM: ending" in gateway.errors, "it is told")
        time.sleep(LATER)
        gateway.signal(signal.SIGTERM)
        assert gateway.wait(15) == 0
        client.wait_for_end()
    assert not is_alive(worker)
    assert f"worker {worker} has not ended in time and is killed" in gateway.errors
    tally(faults=1)


def test_workers_do_not_outlive_their_supervisor(
    serve: StartGateway, gates: Any, tally: Tally
) -> None:
    gateway = serve("--workers", "2")
    workers = gateway.worker_pids
    with gateway.connect() as client, gateway.connect() as idle:
        assert idle.ask("/").status == 200
        client.request("/until/gate")
        gates.await_start("gate")
        gateway.process.kill()
        gateway.wait()
        idle.expect_close()
        with socket.socket() as sock:  # The port is free while the request still runs.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            wait_until(lambda: can_listen(sock, gateway.port), "the port is free")
        gates.open("gate")
        assert client.read_response().status == 200
    wait_until(lambda: not any(map(is_alive, workers)), "the workers end")
    assert "the supervisor has gone: draining" in gateway.errors
    tally(faults=1, served=2)


def can_listen(sock: socket.socket, port: int) -> bool:
    with suppress(OSError):
        sock.bind(("127.0.0.1", port))
        return True
    return False


def test_it_ends_with_its_terminal(
    hang_up: Callable[..., "subprocess.Popen[bytes]"], tally: Tally
) -> None:
    assert hang_up(*command("serve", "--port", "0")).wait(20) == 0
    tally(faults=1)


def test_it_outlives_its_terminal_where_that_is_asked_for(
    hang_up: Callable[..., "subprocess.Popen[bytes]"], tmp_path: Path, tally: Tally
) -> None:
    arguments = command("serve", "perilous:handler", "--chdir", str(HANDLERS), "--unix", "socket")
    process = hang_up("nohup", *arguments)
    with WireClient(f"unix:{tmp_path}/socket") as client:
        first = int(client.ask("/").body)
    # That it was closed is taken for what it is else: the wish to load the code again.
    wait_until(lambda: children_of(process.pid) not in ([], [first]), "it is replaced")
    with WireClient(f"unix:{tmp_path}/socket") as client:
        assert client.ask("/").status == 200
    tally(faults=1, served=2)


def test_exit_handlers_of_the_application_run_in_the_worker_alone(
    start_gateway: StartGateway, tally: Tally
) -> None:
    source = """
        import atexit, os
        def say_goodbye():
            print("goodbye from", os.getpid())
        atexit.register(say_goodbye)
        def handler(environ, start_response):
            start_response("200 OK", [])
            return []
    """
    gateway = start_gateway("app:handler", source=source)
    worker = gateway.worker_pid
    assert gateway.stop() == 0
    assert gateway.output == f"goodbye from {worker}\n"
    tally(served=1)


# What is shared.


def test_a_socket_path_is_the_supervisors(
    serve: StartGateway, tmp_path: Path, tally: Tally
) -> None:
    path = tmp_path / "gateway.sock"
    gateway = serve("--unix", str(path))
    first = pid_from(gateway)
    crash(gateway, "/exit/1")
    second = pid_from(gateway)
    gateway.signal(signal.SIGHUP)
    wait_until(lambda: f"takes over from worker {second}" in gateway.errors, "it is replaced")
    wait_until(lambda: len(gateway.worker_pids) == 1, "the old one ends")
    assert len({first, second, pid_from(gateway)}) == 3
    assert gateway.stop() == 0
    assert not path.exists()
    tally(faults=2, served=3)


@pytest.mark.parametrize("workers", ["0", "1", "2"])
def test_a_successor_may_listen_at_the_path_while_the_last_requests_run(
    serve: StartGateway, gates: Any, tmp_path: Path, tally: Tally, workers: str
) -> None:
    path = tmp_path / "gateway.sock"
    gateway = serve("--unix", str(path), "--workers", workers)
    with gateway.connect() as client:
        client.request("/until/gate")
        gates.await_start("gate")
        gateway.signal(signal.SIGTERM)
        wait_until(lambda: not path.exists(), "the path is free")
        (folder := tmp_path / "successor").mkdir()
        with Gateway(
            folder, "perilous:handler", "--unix", str(path), environ=gates.environ
        ) as successor:
            gates.open("gate")
            assert client.read_response().status == 200
            assert gateway.wait() == 0
            assert pid_from(successor) == successor.worker_pid
    assert not path.exists()
    tally(faults=1, served=2)


@pytest.mark.parametrize("workers", ["0", "1"])
@pytest.mark.parametrize("what", ["file", "socket"])
def test_what_stands_at_the_path_instead_is_left(
    serve: StartGateway, tmp_path: Path, tally: Tally, workers: str, what: str
) -> None:
    path, other = tmp_path / "gateway.sock", tmp_path / "other"
    gateway = serve("--unix", str(path), "--workers", workers)
    with socket.socket(socket.AF_UNIX) as own:
        if what == "file":
            other.write_text("precious")
        else:
            own.bind(str(other))
            own.listen()
        other.rename(path)
        before = path.stat()
        assert gateway.stop() == 0
        assert os.path.samestat(path.stat(), before)
    tally(faults=1)


def test_an_inherited_socket_outlives_workers_and_gateway(
    serve: StartGateway, tally: Tally
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as own:
        number = own.fileno()
        gateway = serve("--fd", str(number), "--workers", "2", pass_fds=(number,))
        first = pid_from(gateway)
        crash(gateway, "/exit/1")
        assert pid_from(gateway)
        assert gateway.stop() == 0
        with WireClient(gateway.address) as late:
            late.request("/")
            again = serve("--fd", str(number), pass_fds=(number,))
            assert int(late.read_response().body) == again.worker_pid != first
    tally(faults=1, served=3)


LOGGED = """
def handler(environ, start_response):
    start_response("200 OK", [])
    return []
"""


def test_lines_of_the_access_log_stay_whole(start_gateway: StartGateway, tally: Tally) -> None:
    """Batches are larger than what a pipe takes in one piece."""
    reader, writer = os.pipe()
    pieces: list[bytes] = []

    def read() -> None:
        while piece := os.read(reader, 1000):
            pieces.append(piece)

    gateway = start_gateway(
        "app:handler", "--workers", "3", "--access-log", "json", source=LOGGED, stdout=writer
    )
    os.close(writer)
    asked = 0
    with ExitStack() as stack:
        clients = [stack.enter_context(gateway.connect()) for _ in range(24)]
        for _ in range(11):  # 3.5 MB: one worker alone could hold the lines of all.
            for client in clients:
                client.send(b"GET /%s HTTP/1.1\r\nHost: a\r\n\r\n" % (b"x" * 3000) * 4)
                asked += 4
            for client in clients:
                for _ in range(4):
                    assert client.read_response().status == 200
    thread = Thread(target=read)  # Not before: the pipe is full, and all of them are waiting.
    thread.start()
    assert gateway.stop() == 0
    thread.join()
    os.close(reader)
    records = [json.loads(line) for line in b"".join(pieces).splitlines()]
    assert len(records) == asked
    assert len({record["request_id"] for record in records}) == asked
    tally(served=asked)


def descriptors_of(pid: int) -> list[str]:
    """What a process has open, without the numbers that tell one pipe from another."""
    found = []
    for name in os.listdir(f"/proc/{pid}/fd"):
        with suppress(FileNotFoundError):
            found.append(re.sub(r"\d+", "", os.readlink(f"/proc/{pid}/fd/{name}")))
    return sorted(found)


def test_replacements_leave_nothing_behind(serve: StartGateway, tally: Tally) -> None:
    gateway = serve("--access-log", "text")
    before = descriptors_of(gateway.process.pid), descriptors_of(gateway.worker_pid)
    for number in range(1, 21):
        assert pid_from(gateway)
        gateway.signal(signal.SIGHUP)
        text = "takes over from"
        wait_until(lambda: gateway.errors.count(text) == number, "it is replaced")  # noqa: B023 (at once)
    wait_until(lambda: len(children_of(gateway.process.pid)) == 1, "all are reaped")
    after = descriptors_of(gateway.process.pid), descriptors_of(gateway.worker_pid)
    assert after == before
    tally(faults=20, served=20)


@pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("unshare") is None, reason="needs its own process numbers"
)
def test_process_1_reaps_the_children_of_others(tmp_path: Path, tally: Tally) -> None:
    with socket.create_server(("127.0.0.1", 0)) as own:
        number = own.fileno()
        arguments = command("serve", "perilous:handler", "--chdir", str(HANDLERS), "--fd")
        process = subprocess.Popen(
            ["unshare", "--pid", "--fork", "--kill-child", *arguments, str(number)],
            env=clean_environ(),
            stderr=subprocess.PIPE,
            pass_fds=(number,),
            cwd=tmp_path,
        )
        with process:
            assert process.stderr is not None
            assert select.select([process.stderr], [], [], 20)[0]
            line = process.stderr.readline()
            if b" serves " not in line:
                pytest.skip(f"no process numbers of its own here: {line!r}")
            assert line.endswith(b"(pid 1)\n")
            (supervisor,) = children_of(process.pid)
            (worker,) = children_of(supervisor)
            for _ in range(3):
                with WireClient(f"http://127.0.0.1:{own.getsockname()[1]}") as client:
                    assert client.ask("/orphan").status == 200
            assert len(children_of(supervisor)) == 4
            wait_until(lambda: children_of(supervisor) == [worker], "orphans are reaped")
            os.kill(supervisor, signal.SIGTERM)
            assert process.wait(20) == 0
    tally(faults=3, served=3)


_LACKING = """
import os, socket, time
del os.pipe2, os.memfd_create, socket.MSG_NOSIGNAL, time.pthread_getcpuclockid
"""


def test_it_runs_without_what_macos_lacks(
    start_gateway: StartGateway, tmp_path: Path, tally: Tally
) -> None:
    site = tmp_path / "lacking"
    site.mkdir()
    (site / "sitecustomize.py").write_text(_LACKING)
    path = os.pathsep.join([str(site), clean_environ()["PYTHONPATH"]])
    gateway = start_gateway(
        "app:handler",
        *("--access-log", "text"),
        source=VERSIONED.format(version=1),
        environ={"PYTHONPATH": path},
    )
    first = gateway.worker_pid
    with gateway.connect() as client:
        assert client.ask("/").body == b"1"
    gateway.signal(signal.SIGHUP)
    wait_until(lambda: gateway.worker_pids not in ([], [first]), "another worker is started")
    wait_until(lambda: first not in gateway.worker_pids, "the first has ended")
    with gateway.connect() as client:
        assert client.ask("/").body == b"1"
    tally(served=2)
