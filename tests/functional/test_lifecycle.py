"""From the first line to the exit status: starting, draining, and mistakes that keep it from it."""

import json
import os
import re
import resource
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from functional.serving import LATER, Gateway, run_command, wait_until
from functional.wire import WireClient

from gateway import __version__

StartGateway = Callable[..., Gateway]

SIGNALS = [signal.SIGTERM, signal.SIGINT]


@pytest.fixture
def serve(start_gateway: StartGateway, gates: Any) -> StartGateway:
    def start(*options: str) -> Gateway:
        return start_gateway("gated:handler", *options, environ=gates.environ)

    return start


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


# Starting.


def test_it_says_where_it_listens(serve: StartGateway) -> None:
    gateway = serve()
    assert gateway.announced_pid == gateway.process.pid
    assert re.fullmatch(r"http://127\.0\.0\.1:[1-9]\d+", gateway.address)
    assert gateway.errors == (
        f"Gateway {__version__} serves gated:handler (WSGI handler) with 1 worker x 8 threads "
        f"on {gateway.address} (pid {gateway.process.pid})\n"
    )
    assert gateway.stop() == 0
    assert gateway.output == ""
    assert "Traceback" not in gateway.errors


def test_it_is_ready_when_it_says_so(serve: StartGateway) -> None:
    for _ in range(3):
        with serve().connect() as client:
            assert client.ask("/quick").status == 200


def test_what_the_handler_prints_is_passed_on(start_gateway: StartGateway) -> None:
    source = """
        import sys

        def handler(environ, start_response):
            print("on standard output", flush=True)
            print("on standard error", file=sys.stderr)
            start_response("200 OK", [])
            return []
    """
    gateway = start_gateway("printing:handler", source=source)
    with gateway.connect() as client:
        assert client.ask("/").status == 200
    assert gateway.stop() == 0
    assert gateway.output == "on standard output\n"
    assert "on standard error\n" in gateway.errors


# Draining.


@pytest.mark.parametrize("number", SIGNALS)
def test_a_running_request_is_completed(
    serve: StartGateway, gates: Any, stack: ExitStack, number: int
) -> None:
    gateway = serve()
    running, idle, new = (stack.enter_context(gateway.connect()) for _ in range(3))
    assert idle.ask("/quick").status == 200
    running.request("/until/first")
    gates.await_start("first")
    gateway.signal(number)
    idle.expect_close()
    new.expect_close()
    wait_until(lambda: is_refused(gateway), "the port is closed")
    assert gateway.process.poll() is None
    gates.open("first")
    response = running.read_response()
    assert response.status == 200
    assert response.closes
    running.expect_close()
    assert gateway.wait() == 0
    assert "Traceback" not in gateway.errors


def is_refused(gateway: Gateway) -> bool:
    try:
        gateway.connect().close()
    except ConnectionRefusedError:
        return True
    return False


def test_queued_requests_are_completed(serve: StartGateway, gates: Any, stack: ExitStack) -> None:
    gateway = serve("--threads", "1")
    first, *queued = (stack.enter_context(gateway.connect()) for _ in range(5))
    first.request("/until/first")
    gates.await_start("first")
    for client in queued:
        client.request("/quick")
        client.has_answer_within(0.02)
    gateway.signal(signal.SIGTERM)
    wait_until(lambda: "draining" in gateway.errors, "it drains")
    gates.open("first")
    for client in (first, *queued):
        response = client.read_response()
        assert response.status == 200
        assert response.closes
        client.expect_close()
    assert gateway.wait() == 0


def test_pipelined_requests_that_have_arrived_are_completed(
    serve: StartGateway, gates: Any
) -> None:
    gateway = serve("--threads", "1")
    with gateway.connect() as client:
        client.send(
            b"GET /until/first HTTP/1.1\r\nHost: a\r\n\r\n"
            b"GET /second HTTP/1.1\r\nHost: a\r\n\r\n"
            b"GET /third HTTP/1.1\r\nHost: a\r\n\r\n"
        )
        gates.await_start("first")
        gateway.signal(signal.SIGTERM)
        wait_until(lambda: "draining" in gateway.errors, "it drains")
        gates.open("first")
        assert client.read_response().body == b"/until/first 0"
        assert client.read_response().body == b"/second 0"
        response = client.read_response()
        assert response.body == b"/third 0"
        assert response.closes
        client.expect_close()
    assert gateway.wait() == 0


def test_answers_and_requests_in_the_middle_are_completed(
    serve: StartGateway, gates: Any, stack: ExitStack
) -> None:
    gateway = serve()
    answer, head, body, large = (stack.enter_context(gateway.connect()) for _ in range(4))
    answer.request("/parts/first")
    gates.await_start("first")
    head.send(b"GET /quick HTTP/1.1\r\nHost:")
    body.send(b"POST /quick HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf")
    large.request("/large/20000000")
    assert large.read_head().status == 200
    head.has_answer_within(0.1)
    gateway.signal(signal.SIGTERM)
    wait_until(lambda: "draining" in gateway.errors, "it drains")
    head.send(b" a\r\n\r\n")
    response = head.read_response()
    assert (response.status, response.closes) == (200, True)
    body.send(b"more..")
    response = body.read_response()
    assert (response.body, response.closes) == (b"/quick 10", True)
    assert len(large.read_exactly(20_000_000)) == 20_000_000
    gates.open("first")
    assert answer.read_response().body == b"begun ended"
    for client in (answer, head, body, large):
        client.expect_close()
    assert gateway.wait() == 0


@pytest.mark.parametrize("place", ["port", "path"])
def test_what_the_kernel_has_taken_is_answered(
    serve: StartGateway, stack: ExitStack, tmp_path: Path, place: str
) -> None:
    """Connections that are not accepted yet, and requests that are not read yet."""
    gateway = serve(*(("--unix", str(tmp_path / "socket")) if place == "path" else ()))
    idle = [stack.enter_context(gateway.connect()) for _ in range(10)]
    for client in idle:
        assert client.ask("/quick").status == 200
    os.kill(gateway.worker_pid, signal.SIGSTOP)
    new = [stack.enter_context(gateway.connect()) for _ in range(50)]
    for client in (*idle, *new):
        client.request("/quick")
    gateway.signal(signal.SIGTERM)
    os.kill(gateway.worker_pid, signal.SIGCONT)
    for client in (*idle, *new):
        assert client.read_response().status == 200
        client.expect_close()
    assert gateway.wait() == 0


def test_a_request_on_its_way_is_answered(serve: StartGateway, stack: ExitStack) -> None:
    gateway = serve()
    idle, new = (stack.enter_context(gateway.connect()) for _ in range(2))
    assert idle.ask("/quick").status == 200
    gateway.signal(signal.SIGTERM)
    wait_until(lambda: "draining" in gateway.errors, "it drains")
    for client in (idle, new):
        response = client.ask("/quick")
        assert (response.status, response.closes) == (200, True)
    assert gateway.wait() == 0


def test_who_has_just_connected_is_waited_for_longer(serve: StartGateway, stack: ExitStack) -> None:
    """A client far away has not heard of its connection when those that idle are closed."""
    gateway = serve()
    idle, new = (stack.enter_context(gateway.connect()) for _ in range(2))
    assert idle.ask("/quick").status == 200
    gateway.signal(signal.SIGTERM)
    idle.expect_close()
    time.sleep(0.2)  # The way there.
    response = new.ask("/quick")
    assert (response.status, response.closes) == (200, True)
    new.expect_close()
    assert gateway.wait() == 0


def test_who_never_asks_puts_the_end_off_for_a_second(
    serve: StartGateway, stack: ExitStack
) -> None:
    gateway = serve()
    silent = stack.enter_context(gateway.connect())
    before = time.monotonic()
    gateway.signal(signal.SIGTERM)
    silent.expect_close()
    assert time.monotonic() - before < 10  # And not for the minute of an idle connection.
    assert gateway.wait() == 0


def test_asynchronous_invocations_are_completed(serve: StartGateway, gates: Any) -> None:
    gateway = serve()
    with gateway.connect() as client:
        response = client.ask("/until/first", "POST", fields=[("X-Fc-Invocation-Type", "Async")])
        assert response.status == 202
    gates.await_start("first")
    gateway.signal(signal.SIGTERM)
    wait_until(lambda: "draining" in gateway.errors, "it drains")
    with pytest.raises(TimeoutError):
        wait_or_time_out(gateway, 0.3)
    gates.open("first")
    assert gateway.wait() == 0


def wait_or_time_out(gateway: Gateway, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while gateway.process.poll() is None:
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(0.01)


@pytest.mark.parametrize("first", SIGNALS)
@pytest.mark.parametrize("second", SIGNALS)
def test_a_second_signal_ends_at_once(
    serve: StartGateway, gates: Any, first: int, second: int
) -> None:
    gateway = serve("--drain-timeout", "1h")
    with gateway.connect() as client:
        client.request("/until/first")
        gates.await_start("first")
        gateway.signal(first)
        wait_until(lambda: "draining" in gateway.errors, "it drains")
        gateway.signal(second)  # The same wish still.
        with pytest.raises(TimeoutError):
            wait_or_time_out(gateway, LATER)
        gateway.signal(second)
        gateway.wait(10)
        client.wait_for_end()
    assert "Traceback" not in gateway.errors


@pytest.mark.parametrize(("timeout", "at_least"), [("500ms", 0.4), ("0", 0.0)])
def test_draining_has_an_end(
    serve: StartGateway, gates: Any, timeout: str, at_least: float
) -> None:
    gateway = serve("--drain-timeout", timeout)
    with gateway.connect() as client:
        client.request("/until/first")
        gates.await_start("first")
        before = time.monotonic()
        gateway.signal(signal.SIGTERM)
        gateway.wait(15)
        assert time.monotonic() - before >= at_least
        client.wait_for_end()
    assert "Traceback" not in gateway.errors


def test_it_starts_again_on_the_port_at_once(serve: StartGateway) -> None:
    first = serve()
    with first.connect() as client:
        assert client.ask("/quick").status == 200
        assert first.stop() == 0  # It closes first: its side of the connection lingers.
    with serve("--port", str(first.port)).connect() as client:
        assert client.ask("/quick").status == 200


# Running out.


def test_it_survives_running_out_of_descriptors(serve: StartGateway, stack: ExitStack) -> None:
    gateway = serve()
    with gateway.connect() as client:
        assert client.ask("/quick").status == 200
    room = gateway.descriptors + 20
    resource.prlimit(gateway.worker_pid, resource.RLIMIT_NOFILE, (room, room))
    clients = [stack.enter_context(gateway.connect()) for _ in range(60)]
    served = 0
    for client in clients:
        try:
            client.request("/quick")
            if client.has_answer_within(0.05):
                served += client.read_response().status == 200
        except (ConnectionError, AssertionError):
            continue
    assert served >= 5
    before = cpu_seconds(gateway)
    time.sleep(0.5)
    assert cpu_seconds(gateway) - before < 0.4  # It does not spin.
    for client in clients:
        client.close()
    wait_until(lambda: is_served(gateway), "it serves again")


def cpu_seconds(gateway: Gateway) -> float:
    fields = Path(f"/proc/{gateway.worker_pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def is_served(gateway: Gateway) -> bool:
    try:
        with gateway.connect(timeout=2) as client:
            return client.ask("/quick").status == 200
    except (OSError, AssertionError):
        return False


# Where it cannot listen.


def check_mistake(folder: Path, *arguments: str, says: str, **more: Any) -> None:
    """The command ends with status 2 and one line; the stack of the user's code may follow it."""
    done = run_command(*arguments, folder=folder, **more)
    assert done.returncode == 2, done
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert all(line.startswith("  | ") for line in lines[1:]), done.stderr
    assert lines[0].startswith("gateway: error: ")
    assert says in lines[0]


def test_a_port_in_use(serve: StartGateway, tmp_path: Path) -> None:
    gateway = serve()
    arguments = ("serve", "gateway.demo:handler", "--port", str(gateway.port))
    check_mistake(tmp_path, *arguments, says=f"port {gateway.port} of 127.0.0.1 is in use")
    with gateway.connect() as client:
        assert client.ask("/quick").status == 200


@pytest.mark.parametrize("host", ["203.0.113.1", "no-such-host.invalid"])
def test_no_address_of_this_machine(tmp_path: Path, host: str) -> None:
    arguments = ("serve", "gateway.demo:handler", "--port", "0", "--host", host)
    check_mistake(tmp_path, *arguments, says=f"--host {host} is no address")


def test_a_socket_path_in_use(serve: StartGateway, tmp_path: Path) -> None:
    path = tmp_path / "used.sock"
    gateway = serve("--unix", str(path))
    arguments = ("serve", "gateway.demo:handler", "--unix", str(path))
    check_mistake(tmp_path, *arguments, says=f"--unix {path} is in use")
    with gateway.connect() as client:  # It has not been replaced.
        assert client.ask("/quick").status == 200


def test_a_stale_socket_is_replaced(serve: StartGateway, tmp_path: Path) -> None:
    path = tmp_path / "stale.sock"
    killed = serve("--unix", str(path))
    killed.kill()
    assert stat.S_ISSOCK(path.stat().st_mode)
    with serve("--unix", str(path)).connect() as client:
        assert client.ask("/quick").status == 200


def test_a_file_is_not_replaced_by_a_socket(tmp_path: Path) -> None:
    path = tmp_path / "precious.txt"
    path.write_text("precious")
    arguments = ("serve", "gateway.demo:handler", "--unix", str(path))
    check_mistake(tmp_path, *arguments, says=f"--unix {path} exists and is no socket")
    assert path.read_text() == "precious"


@pytest.mark.parametrize("name", ["missing/gateway.sock", "n" * 200])
def test_a_socket_path_that_cannot_be(tmp_path: Path, name: str) -> None:
    arguments = ("serve", "gateway.demo:handler", "--unix", str(tmp_path / name))
    check_mistake(tmp_path, *arguments, says="--unix")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_is_not_writable(tmp_path: Path) -> None:
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o500)
    arguments = ("serve", "gateway.demo:handler", "--unix", str(folder / "gateway.sock"))
    check_mistake(tmp_path, *arguments, says="--unix")


def test_descriptors_that_are_no_listening_sockets(tmp_path: Path) -> None:
    with (
        (tmp_path / "file").open("wb") as file,
        socket.socket() as idle,
        socket.socket(type=socket.SOCK_DGRAM) as datagram,
    ):
        datagram.bind(("127.0.0.1", 0))
        for number, says in [
            (file.fileno(), "is no socket"),
            (idle.fileno(), "is no listening stream socket"),
            (datagram.fileno(), "is no listening stream socket"),
        ]:
            arguments = ("serve", "gateway.demo:handler", "--fd", str(number))
            check_mistake(tmp_path, *arguments, says=f"--fd {number} {says}", pass_fds=(number,))
    arguments = ("serve", "gateway.demo:handler", "--fd", "987")
    check_mistake(tmp_path, *arguments, says="--fd 987")


# `gateway check`.

GOOD = """
def handler(environ, start_response):
    start_response("200 OK", [])
    return []

class Application:
    def __call__(self, environ, start_response):
        return handler(environ, start_response)

    method = __call__

application = Application()
"""

MODULES = {
    "good.py": GOOD,
    "package/__init__.py": "",
    "package/module.py": GOOD,
    "broken.py": "def handler(:\n",
    "raising.py": "handler = 1 / 0\n",
    "importing.py": "import no_such_module_here\n",
    "exiting.py": "import sys\nsys.exit(3)\n",
    "printing.py": "raise ValueError('line 1\\nline 2')\n",
    "number.py": "handler = 42\n",
}


@pytest.fixture(scope="module")
def code_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("code")
    for name, text in MODULES.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    return folder


@pytest.mark.parametrize(
    "target",
    ["good:handler", "good.handler", "good:application.method", "package.module:handler",
     "package/module.handler", "gateway.demo:handler"],
)  # fmt: skip
def test_check_of_a_good_target(code_folder: Path, target: str) -> None:
    done = run_command("check", target, folder=code_folder)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert len(done.stdout.splitlines()) == 1
    assert done.stdout.startswith(f"{target}: WSGI handler ")


BAD_TARGETS = [
    ("missing:handler", "Unable to import module 'missing'"),
    ("package.missing:handler", "Unable to import module 'package.missing'"),
    ("importing:handler", "Unable to import module 'importing'"),
    ("broken:handler", "Syntax error in module 'broken'"),
    ("good:missing", "Handler 'missing' is missing on module 'good'"),
    ("good.handlr", "did you mean 'handler'?"),
    ("number:handler", "Invalid handler 'number:handler'"),
    ("raising:handler", "Module initialization error: 'division by zero'"),
    ("printing:handler", "Module initialization error: 'line 1 line 2'"),
    ("exiting:handler", "Module initialization error"),
    ("good:Application", "Invalid handler 'Application'"),
    ("good", "Invalid handler 'good'"),
]

WORDS = {
    "ImportModuleError": ("missing.handler", "Unable to import module 'missing': "),
    "UserCodeSyntaxError": ("broken.handler", "Syntax error in module 'broken': "),
    "HandlerNotFound": ("good.missing", "Handler 'missing' is missing on module 'good': "),
    "UserCodeError": ("raising.handler", "Module initialization error: 'division by zero': "),
    "InvalidHandleName": ("handler", "Invalid handler 'handler': "),
}


@pytest.mark.parametrize("source", ["command line", "environment", "project"])
@pytest.mark.parametrize("name", WORDS)
def test_function_compute_s_name_and_words_for_what_cannot_be_loaded(
    code_folder: Path, name: str, source: str
) -> None:
    target, words = WORDS[name]
    options: list[str] = []
    more = {}
    if source == "environment":
        more = {"FC_FUNCTION_HANDLER": target}
    elif source == "project":
        (code_folder / "s.yaml").write_text(PROJECT.format(target))
        options = ["--project", "s.yaml"]
    else:
        options = [target]
    done = run_command("check", *options, folder=code_folder, environ=more)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr
    assert done.stderr.splitlines()[0].endswith(f"[{name}]")


PROJECT = """
edition: 1.0.0
name: app
services:
  fn:
    component: fc3
    props:
      functionName: fn
      runtime: python3.10
      handler: {}
      code: ./
"""


@pytest.mark.parametrize(("target", "says"), BAD_TARGETS)
def test_check_of_a_bad_target(code_folder: Path, target: str, says: str) -> None:
    check_mistake(code_folder, "check", target, says=says)


@pytest.mark.parametrize(("target", "says"), BAD_TARGETS[::3])
def test_serve_of_a_bad_target(code_folder: Path, target: str, says: str) -> None:
    check_mistake(code_folder, "serve", target, "--port", "0", says=says)


def test_a_socket_path_is_removed_when_the_handler_cannot_be_loaded(code_folder: Path) -> None:
    path = code_folder / "gateway.sock"
    arguments = ("serve", "raising:handler", "--unix", str(path))
    check_mistake(code_folder, *arguments, says="division by zero")
    assert not path.exists()


def test_a_relative_socket_path_is_removed_too(code_folder: Path, tmp_path: Path) -> None:
    """It is relative to where the gateway was started, not to the code folder."""
    with subprocess.Popen(
        [sys.executable, "-m", "gateway", "serve", "--unix", "gw.sock", "--chdir", code_folder],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        assert " on unix:gw.sock (pid " in process.stderr.readline()
        assert (tmp_path / "gw.sock").is_socket()
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    assert not (tmp_path / "gw.sock").exists()


# Records.


@pytest.mark.parametrize("form", ["json", "text"])
def test_access_log(start_gateway: StartGateway, form: str) -> None:
    gateway = start_gateway("gateway.demo:handler", "--access-log", form)
    ids = []
    with gateway.connect() as client:
        for target in ("/status/204", "/bytes/1000", "/nothing?x=%22"):
            agent = [("User-Agent", 'quo"te \\ \xe9')]
            ids.append(client.ask(target, fields=agent)["X-Fc-Request-Id"])
        client.send(b"GET / HTTP/1.1\r\n\r\n")
        ids.append(client.read_response()["X-Fc-Request-Id"])
    with gateway.connect() as client:
        client.request("/delay/300")
        client.has_answer_within(0.05)
        client.reset()
    assert gateway.stop() == 0
    lines = [
        line
        for line in (gateway.output + gateway.errors).splitlines()
        if line.startswith(("{", "127.0.0.1 "))
    ]
    assert len(lines) == 5, (gateway.output, gateway.errors)
    assert all(request_id in line for request_id, line in zip(ids, lines, strict=False))
    if form == "json":
        records = [json.loads(line) for line in lines]
        assert [record["status"] for record in records] == [204, 200, 404, 400, 499]
        assert [record["bytes_sent"] for record in records[:2]] == [0, 1000]
        assert records[2]["target"] == "/nothing?x=%22"
        assert records[2]["user_agent"] == 'quo"te \\ \xe9'
    else:
        statuses = [re.search(r'" (\d{3}) \d+ "', line) for line in lines]
        assert [match and match[1] for match in statuses] == ["204", "200", "404", "400", "499"]
        assert '"quo\\x22te \\x5c \\xe9"' in lines[0] or '"quo\\x22te \\x5c \xe9"' in lines[0]


def test_the_wire_client_is_given_an_end(serve: StartGateway) -> None:
    """What the tests above rely on: silence is not taken for an end."""
    with WireClient(serve().address, timeout=0.2) as client, pytest.raises(TimeoutError):
        client.expect_close()
