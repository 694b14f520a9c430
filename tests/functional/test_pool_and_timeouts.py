"""Threads and time: what one client or one handler takes, others do not miss."""

import contextlib
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Protocol

import pytest
from functional.serving import Gateway, wait_until
from functional.wire import Response, WireClient


class Gates(Protocol):
    """See the fixture `gates`."""

    def has_started(self, name: str) -> bool: ...
    def await_start(self, name: str) -> None: ...
    def await_closing(self, name: str) -> None: ...
    def open(self, name: str) -> None: ...


Serve = Callable[..., Gateway]


@pytest.fixture
def serve(start_gateway: Callable[..., Gateway], gates: Gates) -> Serve:
    """Starts a gateway with one thread and the given options for `handlers/gated.py`."""

    def start(*options: str, threads: int = 1) -> Gateway:
        return start_gateway(
            "gated:handler",
            "--threads",
            str(threads),
            *options,
            environ=gates.environ,  # type: ignore[attr-defined]
        )

    return start


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    """Closes what a test opens."""
    with ExitStack() as opened:
        yield opened


def check_refused(response: Response, status: int, code: str) -> None:
    assert response.status == status
    assert response["X-Fc-Error-Type"] == "FcCommonError"
    assert response.json()["ErrorCode"] == code


def occupy(gateway: Gateway, gates: Gates, stack: ExitStack, name: str = "first") -> WireClient:
    """Have a thread run a request until its gate opens."""
    client = stack.enter_context(gateway.connect())
    client.request(f"/until/{name}")
    gates.await_start(name)
    return client


# The queue.


def test_a_full_queue_refuses_at_once(serve: Serve, gates: Gates, stack: ExitStack) -> None:
    gateway = serve("--queue", "2")
    first = occupy(gateway, gates, stack)
    others = [stack.enter_context(gateway.connect()) for _ in range(6)]
    for number, client in enumerate(others):
        client.request(f"/quick/{number}")
    refused: list[WireClient] = []  # Whoever came first has a place in the queue.

    def four_are_refused() -> bool:
        refused[:] = [client for client in others if client.has_answer_within(0.001)]
        return len(refused) >= 4

    wait_until(four_are_refused, "who finds the queue full is refused")
    assert len(refused) == 4
    for client in refused:
        response = client.read_response()
        check_refused(response, 429, "ResourceExhausted")
        assert int(response["Retry-After"]) >= 1
        assert not response.closes
    gates.open("first")
    assert first.read_response().status == 200
    for client in others:
        if client not in refused:
            assert client.read_response().status == 200
    for client in others:  # Also the connections of the refused are of use again.
        assert client.ask("/quick").status == 200


def test_a_full_queue_refuses_asynchronous_requests_too(
    serve: Serve, gates: Gates, stack: ExitStack
) -> None:
    gateway = serve("--queue", "0")
    occupy(gateway, gates, stack)
    with gateway.connect() as client:
        response = client.ask("/quick", "POST", fields=[("X-Fc-Invocation-Type", "Async")])
        check_refused(response, 429, "ResourceExhausted")
    gates.open("first")


def test_without_a_queue_every_thread_can_be_used(
    serve: Serve, gates: Gates, stack: ExitStack
) -> None:
    gateway = serve("--queue", "0", threads=3)
    clients = [occupy(gateway, gates, stack, name) for name in "abc"]
    with gateway.connect() as client:
        check_refused(client.ask("/quick"), 429, "ResourceExhausted")
    for name, client in zip("abc", clients, strict=True):
        gates.open(name)
        assert client.read_response().status == 200


def test_who_waited_too_long_is_refused_and_not_run(
    serve: Serve, gates: Gates, stack: ExitStack
) -> None:
    gateway = serve("--queue-timeout", "200ms")
    first = occupy(gateway, gates, stack)
    second = stack.enter_context(gateway.connect())
    second.request("/until/second")
    assert second.has_answer_within(15)
    gates.open("first")
    assert first.read_response().status == 200
    response = second.read_response()
    check_refused(response, 503, "ResourceThrottled")
    assert int(response["Retry-After"]) >= 1
    assert not gates.has_started("second")
    assert second.ask("/quick").status == 200


def test_who_left_the_queue_is_not_run(serve: Serve, gates: Gates, stack: ExitStack) -> None:
    gateway = serve()
    first = occupy(gateway, gates, stack)
    with gateway.connect() as second:
        second.request("/until/second")
        second.has_answer_within(0.05)
        second.reset()
    third = stack.enter_context(gateway.connect())
    third.request("/quick")
    third.has_answer_within(0.1)
    gates.open("first")
    assert first.read_response().status == 200
    assert third.read_response().status == 200
    assert not gates.has_started("second")


# The handler's time.


def test_a_handler_past_its_time_is_answered_for(
    serve: Serve, gates: Gates, stack: ExitStack
) -> None:
    gateway = serve("--handler-timeout", "300ms", threads=2)
    client = occupy(gateway, gates, stack, "stuck")
    occupy(gateway, gates, stack, "also-stuck")
    others = [stack.enter_context(gateway.connect()) for _ in range(3)]
    for other in others:  # They wait behind them.
        other.request("/quick")
    response = client.read_response()
    assert response.status == 502
    assert response["X-Fc-Error-Type"] == "UnhandledInvocationError"
    assert response.json() == {"errorMessage": "Function time out after 0.3 seconds"}
    for other in others:
        assert other.read_response().status == 200
    errors = gateway.errors
    assert response["X-Fc-Request-Id"] in errors
    assert "in wait_for_gate" in errors  # Where the thread is stuck.
    assert "gated.py" in errors
    # Its late answer goes nowhere, least of all to the next request of the connection.
    gates.open("stuck")
    if response.closes:
        client.expect_close()
    else:
        for number in range(5):
            assert client.ask(f"/quick/{number}").body == f"/quick/{number} 0".encode()
        assert not client.has_answer_within(0.1)
    assert stack.enter_context(gateway.connect()).ask("/quick").status == 200


def test_more_stuck_handlers_than_threads(serve: Serve, gates: Gates, stack: ExitStack) -> None:
    gateway = serve("--handler-timeout", "200ms", threads=2)
    names = [f"stuck-{number}" for number in range(7)]
    clients = [stack.enter_context(gateway.connect()) for _ in names]
    for name, client in zip(names, clients, strict=True):
        client.request(f"/until/{name}")
    for client in clients:
        assert client.read_response().status == 502
    assert stack.enter_context(gateway.connect()).ask("/quick").status == 200
    for name in names:
        gates.open(name)


def test_a_handler_past_its_time_that_has_begun_to_answer_is_cut(
    serve: Serve, gates: Gates, stack: ExitStack
) -> None:
    gateway = serve("--handler-timeout", "300ms")
    client = stack.enter_context(gateway.connect())
    client.request("/parts/stuck")
    assert client.read_head().status == 200
    assert client.read_line() == b"6\r\n"
    with contextlib.suppress(ConnectionResetError):
        assert client.read_to_end() == b"begun \r\n"

    def is_served() -> bool:
        with gateway.connect() as other:
            return other.ask("/quick").status == 200

    wait_until(is_served, "another worker has taken over")
    gates.open("stuck")


def test_no_handler_timeout(serve: Serve, gates: Gates, stack: ExitStack) -> None:
    gateway = serve("--handler-timeout", "0")
    client = occupy(gateway, gates, stack)
    assert not client.has_answer_within(0.5)
    gates.open("first")
    assert client.read_response().status == 200


# The head's time.


@pytest.mark.parametrize(
    "data", [b"G", b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nHost: a\r\nX-A: b\r"]
)
def test_a_head_that_does_not_end(serve: Serve, data: bytes) -> None:
    with serve("--head-timeout", "300ms", "--keep-alive-timeout", "20s").connect() as client:
        client.send(data)
        response = client.read_response()
        check_refused(response, 408, "RequestTimeout")
        assert response.closes
        client.expect_close()


def test_a_head_that_trickles(serve: Serve) -> None:
    """The time is for the whole head: a byte now and then does not buy more."""
    with serve("--head-timeout", "400ms").connect() as client:
        deadline = time.monotonic() + 10
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\nX-A: ")
        while not client.has_answer_within(0.05):
            assert time.monotonic() < deadline
            client.send(b"b")
        check_refused(client.read_response(), 408, "RequestTimeout")
        client.expect_close()


def test_a_pause_within_a_head_is_fine(serve: Serve) -> None:
    with serve("--head-timeout", "2s", "--keep-alive-timeout", "300ms").connect() as client:
        for part in (b"GE", b"T / HTTP/1.1\r\nHo", b"st: a\r\n\r"):
            client.send(part)
            assert not client.has_answer_within(0.5)
        client.send(b"\n")
        assert client.read_response().status == 200


def test_the_time_of_the_second_head_begins_with_it(serve: Serve) -> None:
    with serve("--head-timeout", "500ms").connect() as client:
        for _ in range(3):
            assert client.ask("/quick").status == 200
            assert not client.has_answer_within(0.4)
        client.send(b"GET")
        check_refused(client.read_response(), 408, "RequestTimeout")


# The body's time.


@pytest.mark.parametrize("framing", ["Content-Length: 10", "Transfer-Encoding: chunked"])
def test_a_body_that_does_not_end(serve: Serve, gates: Gates, framing: str) -> None:
    with serve("--body-timeout", "300ms").connect() as client:
        client.send(f"POST /until/slow HTTP/1.1\r\nHost: a\r\n{framing}\r\n\r\n2\r\nok".encode())
        response = client.read_response()
        check_refused(response, 408, "RequestTimeout")
        assert response.closes
        client.expect_close()
    assert not gates.has_started("slow")


@pytest.mark.parametrize(("rate", "status"), [("1000", 200), ("0", 408)])
def test_bytes_that_arrive_buy_time(serve: Serve, rate: str, status: int) -> None:
    """4000 bytes per second, for three times the timeout."""
    gateway = serve("--body-timeout", "400ms", "--body-min-rate", rate)
    with gateway.connect() as client:
        client.send(b"POST /quick HTTP/1.1\r\nHost: a\r\nContent-Length: 4800\r\n\r\n")
        for _ in range(24):
            client.send(bytes(200))
            if client.has_answer_within(0.05):
                break
        response = client.read_response()
        assert response.status == status
        if status == 200:
            assert response.body == b"/quick 4800"


def test_a_streamed_body_that_stops(serve: Serve) -> None:
    """The handler waits for the rest; its thread is freed by the deadline."""
    gateway = serve("--body-timeout", "400ms", "--body-buffer", "1KB", "--body-min-rate", "0")
    with gateway.connect() as client:
        client.send(b"POST /quick HTTP/1.1\r\nHost: a\r\nContent-Length: 10000\r\n\r\n")
        client.send(bytes(5000))
        assert client.read_response().status == 408
        client.expect_close()
    with gateway.connect() as client:
        assert client.ask("/quick").status == 200


# Idle connections.


def test_an_idle_connection_is_closed(serve: Serve) -> None:
    gateway = serve("--keep-alive-timeout", "300ms")
    with gateway.connect() as silent, gateway.connect() as client:
        for _ in range(3):
            assert client.ask("/quick").status == 200
            assert not client.has_answer_within(0.1)
        client.expect_close()
        silent.expect_close()


def test_empty_lines_are_no_head_and_buy_no_time(serve: Serve) -> None:
    """Old clients send one behind a body; it is not a request that has begun."""
    with serve("--keep-alive-timeout", "700ms", "--head-timeout", "100ms").connect() as client:
        deadline = time.monotonic() + 10
        client.send(b"\r\n")
        while not client.has_answer_within(0.05):
            assert time.monotonic() < deadline
            client.send(b"\r\n")
        client.expect_close()


def test_keep_alive_can_be_off(serve: Serve) -> None:
    with serve("--keep-alive-timeout", "0").connect() as client:
        assert client.ask("/quick").closes
        client.expect_close()


def test_a_long_request_does_not_count_as_idle(
    serve: Serve, gates: Gates, stack: ExitStack
) -> None:
    gateway = serve("--keep-alive-timeout", "200ms", "--head-timeout", "200ms")
    client = occupy(gateway, gates, stack)
    assert not client.has_answer_within(0.7)
    gates.open("first")
    assert client.read_response().status == 200


# Clients that do not read.


@pytest.mark.parametrize("path", ["/endless/x", "/large/50000000"])
def test_a_client_that_takes_nothing_is_cut(serve: Serve, gates: Gates, path: str) -> None:
    gateway = serve("--write-timeout", "500ms")
    with gateway.connect(receive_buffer=4096) as client:
        client.request(path)
        client.read_exactly(1)
        descriptors = gateway.descriptors
        if path.startswith("/endless"):
            gates.await_closing("x")
        with gateway.connect() as other:
            assert other.ask("/quick").status == 200
        deadline = time.monotonic() + 10
        while gateway.descriptors >= descriptors:  # Its socket is closed without its doing.
            assert time.monotonic() < deadline
            time.sleep(0.02)
        client.wait_for_end()


def test_a_slow_client_that_takes_something_is_not_cut(serve: Serve) -> None:
    gateway = serve("--write-timeout", "600ms")
    size = 8_000_000
    with gateway.connect(receive_buffer=200_000) as client:
        client.request(f"/large/{size}")
        assert client.read_head()["Content-Length"] == str(size)
        left = size
        while left:
            left -= len(client.read_exactly(min(left, 1_000_000)))
            time.sleep(0.2)
        assert client.ask("/quick").status == 200


def test_slow_readers_hold_no_threads(serve: Serve, stack: ExitStack) -> None:
    gateway = serve()
    clients = [stack.enter_context(gateway.connect(receive_buffer=4096)) for _ in range(20)]
    for client in clients:
        client.request("/large/5000000")
        client.read_exactly(1)  # It has been answered, and the kernel took a part.
    with gateway.connect() as client:
        assert client.ask("/quick").status == 200
    for client in clients[:5]:
        client._unread = b"H" + client._unread
        assert len(client.read_response().body) == 5_000_000


def test_slow_uploads_hold_no_threads(serve: Serve, stack: ExitStack) -> None:
    gateway = serve("--queue", "1")
    clients = [stack.enter_context(gateway.connect()) for _ in range(64)]
    for client in clients:
        client.send(b"POST /quick HTTP/1.1\r\nHost: a\r\nContent-Length: 20\r\n\r\n")
    quick = stack.enter_context(gateway.connect())
    for _ in range(19):
        for client in clients:
            client.send(b"x")
        assert quick.ask("/quick").body == b"/quick 0"
    for client in clients:
        client.send(b"x")
        assert client.read_response().body == b"/quick 20"


def test_unfinished_heads_hold_nothing(serve: Serve, stack: ExitStack) -> None:
    gateway = serve("--queue", "1")
    for _ in range(200):
        stack.enter_context(gateway.connect()).send(b"GET / HTTP/1.1\r\nHost: a\r\nX-")
    with gateway.connect() as client:
        assert client.ask("/quick").status == 200


def test_a_handler_does_not_hold_up_the_loop(serve: Serve, gates: Gates, stack: ExitStack) -> None:
    gateway = serve(threads=2)
    slow = occupy(gateway, gates, stack)
    with gateway.connect() as client:
        for _ in range(20):
            assert client.ask("/quick").status == 200
    gates.open("first")
    assert slow.read_response().status == 200


SWITCHING = """
import sys, time
def handler(environ, start_response):
    start_response("200 OK", [])
    end = time.monotonic() + float(environ["QUERY_STRING"] or 0)
    found = {sys.getswitchinterval()}
    while time.monotonic() < end:
        found.add(sys.getswitchinterval())
        if environ["PATH_INFO"] == "/sleep":
            time.sleep(0.02)
    return [repr(sorted(round(seconds, 6) for seconds in found)).encode()]
"""


@pytest.mark.parametrize(("options", "short"), [((), 0.0005), (("1ms",), 0.001)])
def test_the_interpreter_switches_more_often_while_a_handler_computes(
    start_gateway: Callable[..., Gateway], options: tuple[str, ...], short: float
) -> None:
    given = [f"--switch-interval={value}" for value in options]
    gateway = start_gateway("app:handler", *given, source=SWITCHING)
    with gateway.connect() as client:
        assert client.ask("/").body == b"[0.005]"
        assert client.ask("/sleep?0.3").body == b"[0.005]", "who waits does not compute"
        assert client.ask("/compute?0.5").body.decode() == repr([short, 0.005])
        assert client.ask("/sleep?0.3").body.decode() in ("[0.005]", repr([short, 0.005]))
        assert client.ask("/").body == b"[0.005]"


DEAF = """
def handler(environ, start_response):
    start_response("200 OK", [])
    if environ["PATH_INFO"] == "/":
        return [b"quick"]
    return (b"x" * 65536 for _ in range(800))
"""


def test_clients_that_never_read_hold_nobody_up(
    start_gateway: Callable[..., Gateway], stack: ExitStack
) -> None:
    gateway = start_gateway("app:handler", "--threads", "2", source=DEAF)
    deaf = [stack.enter_context(gateway.connect()) for _ in range(12)]
    for client in deaf:
        client.send(b"GET /stream HTTP/1.1\r\nHost: a\r\n\r\n")
    with gateway.connect() as client:
        for _ in range(20):
            assert client.ask("/").body == b"quick"
    assert len(deaf[0].read_response().body) == 800 * 65536, "who reads at last gets all"
    with gateway.connect() as client:
        assert client.ask("/").body == b"quick"
