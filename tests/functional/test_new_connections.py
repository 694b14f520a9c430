"""A worker that can serve no new connection any more is replaced, or ends; others go on."""

import re
import resource
import selectors
import socket
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, cast

import pytest
from functional.serving import Gateway, wait_until

pytestmark = [
    pytest.mark.family("workers"),
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the handler reads /proc"),
]

StartGateway = Callable[..., Gateway]
Tally = Callable[..., None]


@pytest.fixture
def serve(start_gateway: StartGateway) -> StartGateway:
    def start(*options: str, **more: Any) -> Gateway:
        return start_gateway("deafening:handler", *options, **more)

    return start


def pid_of_new(gateway: Gateway, timeout: float = 2.0) -> int:
    """Which worker answers a new connection; 0: none does."""
    with suppress(OSError, AssertionError), gateway.connect(timeout=timeout) as client:
        response = client.ask("/")
        if response.status == 200:
            return int(response.body)
    return 0


def listen(way: str, folder: Path) -> tuple[tuple[str, ...], dict[str, Any], list[socket.socket]]:
    if way == "unix":
        return ("--unix", str(folder / "gateway.sock")), {}, []
    if way == "fd":
        own = socket.create_server(("127.0.0.1", 0))
        return ("--fd", str(own.fileno())), {"pass_fds": (own.fileno(),)}, [own]
    return (), {}, []


@pytest.mark.parametrize("kind", ["tcp", "unix", "fd"])
@pytest.mark.parametrize("way", ["close", "cover", "leak"])
def test_a_worker_that_can_take_nobody_is_replaced(
    serve: StartGateway, tmp_path: Path, tally: Tally, way: str, kind: str
) -> None:
    options, more, own = listen(kind, tmp_path)
    gateway = serve("--worker-timeout", "2s", *options, open_files=256, **more)
    first = gateway.worker_pid
    with gateway.connect() as client:
        client.request(f"/{way}")
        with suppress(OSError, AssertionError):
            assert client.read_response().status == 200
        wait_until(lambda: pid_of_new(gateway) not in (0, first), "another one serves")
    wait_until(lambda: first not in gateway.worker_pids, "the first one ends")
    for sock in own:
        sock.close()
    tally(faults=1, served=1)


@pytest.mark.parametrize("way", ["close", "cover", "leak"])
def test_of_two_workers_the_other_serves_meanwhile(
    serve: StartGateway, tally: Tally, way: str
) -> None:
    gateway = serve("--workers", "2", "--worker-timeout", "2s", open_files=256)
    before = {*gateway.worker_pids}
    with gateway.connect() as client:
        client.request(f"/{way}")
        with suppress(OSError, AssertionError):
            client.read_response()
        wait_until(lambda: len({*gateway.worker_pids} & before) < 2, "one is replaced")
        wait_until(lambda: len({*gateway.worker_pids} - before) == 1, "by another")
    assert pid_of_new(gateway)
    tally(faults=1, served=1)


def test_who_is_connected_is_answered_until_then(serve: StartGateway, tally: Tally) -> None:
    """It asks to be replaced: the supervisor does not kill it."""
    gateway = serve("--worker-timeout", "2s")
    first = gateway.worker_pid
    with gateway.connect() as kept, gateway.connect() as client:
        kept.ask("/")
        kept.request("/sleep/3")
        client.ask("/close")
        wait_until(lambda: pid_of_new(gateway) not in (0, first), "another one serves")
        response = kept.read_response()
        assert int(response.body) == first
        assert response.closes
    wait_until(lambda: first not in gateway.worker_pids, "the first one ends")
    errors = gateway.errors
    assert errors.count("no new connection can be served any more: the listening socket") == 1
    assert "killed" not in errors
    tally(faults=1, served=3)


@pytest.mark.parametrize("way", ["close", "cover", "leak"])
def test_without_a_supervisor_the_process_ends(serve: StartGateway, tally: Tally, way: str) -> None:
    gateway = serve("--workers", "0", "--drain-timeout", "1s", open_files=256)
    with gateway.connect() as client:
        client.request(f"/{way}")
        with suppress(OSError, AssertionError):
            client.read_response()
        assert gateway.wait(30) == 1, gateway.errors
    assert "CRITICAL gateway.server" in gateway.errors
    tally(faults=1)


@pytest.mark.parametrize("limit", [20, 30, 50])
@pytest.mark.parametrize("workers", ["0", "1", "2"])
def test_a_depth_of_recursion_that_nothing_can_be_served_with(
    serve: StartGateway, tally: Tally, workers: str, limit: int
) -> None:
    """It is the whole process's, and taken back: a worker less would help nobody."""
    gateway = serve("--workers", workers)
    before = {*gateway.worker_pids}
    with gateway.connect() as client:
        client.request(f"/recursion/{limit}")
        with suppress(OSError, AssertionError):
            client.read_response()
    wait_until(lambda: "the recursion limit" in gateway.errors, "it is told")
    assert all(pid_of_new(gateway) for _ in range(10))
    assert {*gateway.worker_pids} == before
    tally(faults=1, served=10)


@pytest.mark.parametrize("workers", ["0", "1", "2"])
def test_memory_that_comes_back(serve: StartGateway, tally: Tally, workers: str) -> None:
    """The listener is not deaf afterwards, and nobody is replaced for a moment without memory."""
    gateway = serve("--workers", workers)
    before = {*gateway.worker_pids}
    knock_while_memory_is_out(gateway, least=65536)
    assert all(pid_of_new(gateway) for _ in range(30))
    assert {*gateway.worker_pids} == before
    tally(faults=1, served=30)


def test_memory_that_is_out_to_the_last_byte(serve: StartGateway, tally: Tally) -> None:
    """The interpreter itself may not survive that; then another worker serves."""
    gateway = serve()
    knock_while_memory_is_out(gateway, least=16)
    wait_until(lambda: all(pid_of_new(gateway) for _ in range(30)), "new connections are served")
    tally(faults=1, served=30)


def knock_while_memory_is_out(gateway: Gateway, *, least: int) -> None:
    with gateway.connect() as client:
        assert client.ask(f"/thread/memory/2/{least}").status == 200
    deadline = time.monotonic() + 2.5
    clients = []
    while time.monotonic() < deadline:
        clients.append(gateway.connect())
        with suppress(OSError):
            clients[-1].request("/")
        time.sleep(0.05)
    wait_until(lambda: pid_of_new(gateway), "a new connection is served")
    for one in clients:
        one.close()


def test_a_shortage_of_descriptors_that_passes(serve: StartGateway, tally: Tally) -> None:
    gateway = serve(open_files=256)
    first = gateway.worker_pid
    with gateway.connect() as client:
        client.request("/leak/2")
        time.sleep(0.5)
        with gateway.connect() as waiting:
            waiting.request("/")
            assert int(waiting.read_response().body) == first
        assert client.read_response().status == 200
    time.sleep(1)
    assert gateway.worker_pid == first
    assert gateway.errors.count("attempts to accept a connection failed") == 1
    tally(faults=1, served=2)


def test_a_worker_at_its_cap_of_connections_is_not_replaced(
    serve: StartGateway, tally: Tally
) -> None:
    """Every descriptor is a client's: another worker would be no better off."""
    gateway = serve("--worker-timeout", "1s", "--threads", "4", open_files=80)
    first = gateway.worker_pid
    clients = [gateway.connect() for _ in range(70)]
    for client in clients:
        client.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n1")
    time.sleep(4)
    assert gateway.worker_pid == first
    assert "no new connection can be served" not in gateway.errors
    for client in clients:
        client.close()
    wait_until(lambda: pid_of_new(gateway) == first, "it serves again")
    tally(faults=1, served=1)


@pytest.mark.parametrize("way", ["patch", "default-timeout"])
def test_what_a_handler_does_to_the_socket_module(
    serve: StartGateway, tally: Tally, way: str
) -> None:
    gateway = serve()
    with gateway.connect() as client:
        assert client.ask(f"/{way}").status == 200
    assert all(pid_of_new(gateway) == gateway.worker_pid for _ in range(5))
    assert "Traceback" not in gateway.errors
    tally(faults=1, served=6)


def test_looking_is_not_a_request(start_gateway: StartGateway, tally: Tally) -> None:
    """Nothing is logged or counted of the connections by which a worker looks at itself."""
    gateway = start_gateway(
        "deafening:handler",
        "--worker-timeout",
        "1s",
        "--access-log",
        "json",
        "--log-level",
        "debug",
    )
    with gateway.connect() as client:
        client.ask("/")
    descriptors = gateway.descriptors
    time.sleep(1.5)  # Six beats.
    assert abs(gateway.descriptors - descriptors) <= 4
    assert len(gateway.output.splitlines()) == 1
    assert re.fullmatch(r"Gateway .* serves .*\n", gateway.errors)
    tally(served=1)


# Many at once.


def test_newcomers_wait_no_longer_than_who_is_connected(
    start_gateway: StartGateway, tally: Tally
) -> None:
    """Clients that ask again and again keep the loop busy: each turn must let newcomers in."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    count = min(2000, hard - 200)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, count + 200), hard))
    gateway = start_gateway("deafening:handler", "--queue", "100000")
    request = b"GET / HTTP/1.1\r\nHost: gateway.test\r\n\r\n"
    with ExitStack() as stack, selectors.DefaultSelector() as selector:
        for numbers in (range(count // 2), range(count // 2, count)):
            for number in numbers:
                client = stack.enter_context(socket.socket())
                client.setblocking(False)
                client.connect_ex(("127.0.0.1", gateway.port))
                selector.register(client, selectors.EVENT_WRITE, number)
            # Until each has had an answer, those who were there before have not had many.
            answered = [0] * (numbers[-1] + 1)
            deadline = time.monotonic() + 60
            while not all(answered):
                assert time.monotonic() < deadline
                for key, _ in selector.select(1):
                    client = cast("socket.socket", key.fileobj)
                    if key.events == selectors.EVENT_READ:
                        assert client.recv(65536).startswith(b"HTTP/1.1 200 ")
                        answered[key.data] += 1
                    client.send(request)
                    if key.events == selectors.EVENT_WRITE:
                        selector.modify(client, selectors.EVENT_READ, key.data)
            assert max(answered) < 15
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    tally(served=count)
