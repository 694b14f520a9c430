"""Clients that leave before they have their answer: noticed, recorded, and not worked for."""

import json
from collections.abc import Callable
from contextlib import ExitStack

import pytest
from functional.conftest import Gates, StartGateway
from functional.serving import Gateway, wait_until
from functional.wire import WireClient

pytestmark = pytest.mark.family("vanishing-clients")

Tally = Callable[..., None]
Serve = Callable[..., Gateway]

LEAVING = {"by FIN": WireClient.close, "by RST": WireClient.reset}


@pytest.fixture
def serve(start_gateway: StartGateway, gates: Gates) -> Serve:
    def start(*options: str) -> Gateway:
        every = ("--threads", "1", "--access-log", "json")
        return start_gateway("gated:handler", *every, *options, environ=gates.environ)

    return start


@pytest.fixture
def stack() -> ExitStack:
    with ExitStack() as stack:
        yield stack


def occupy(gateway: Gateway, gates: Gates, stack: ExitStack) -> WireClient:
    """Have the only thread wait for the gate `first`."""
    client = stack.enter_context(gateway.connect())
    client.request("/until/first")
    gates.await_start("first")
    return client


def records(gateway: Gateway) -> dict[str, int]:
    """Statuses of the access log by target."""
    lines = [json.loads(line) for line in gateway.output.splitlines()]
    statuses = {line["target"]: line["status"] for line in lines}
    assert len(statuses) == len(lines), "an exchange has one record"
    return statuses


def await_record(gateway: Gateway, target: str) -> int:
    wait_until(lambda: target in records(gateway), f"the record of {target}")
    return records(gateway)[target]


@pytest.mark.parametrize("leave", LEAVING.values(), ids=LEAVING)
def test_who_leaves_the_queue_is_not_worked_for(
    serve: Serve, gates: Gates, stack: ExitStack, leave: Callable[..., None], tally: Tally
) -> None:
    gateway = serve()
    first = occupy(gateway, gates, stack)
    second = gateway.connect()
    second.request("/until/second")
    assert not second.has_answer_within(0.3)
    leave(second)
    third = stack.enter_context(gateway.connect())
    third.request("/third")
    assert not third.has_answer_within(0.1)
    gates.open("first")
    assert first.read_response().status == third.read_response().status == 200
    assert await_record(gateway, "/until/second") == 499
    assert not gates.has_started("second")
    tally(faults=1, served=2)


def test_who_half_closes_in_the_queue_is_served(
    serve: Serve, gates: Gates, stack: ExitStack, tally: Tally
) -> None:
    gateway = serve()
    first = occupy(gateway, gates, stack)
    second = stack.enter_context(gateway.connect())
    second.request("/until/second")
    second.half_close()
    assert not second.has_answer_within(0.3)
    gates.open("first")
    assert first.read_response().status == 200
    gates.open("second")
    assert second.read_head().status == 100, "how the gateway asks whether anybody is there"
    assert second.read_response().status == 200
    second.expect_close()
    assert await_record(gateway, "/until/second") == 200
    tally(served=2)


@pytest.mark.parametrize("leave", LEAVING.values(), ids=LEAVING)
def test_who_leaves_a_running_handler_is_recorded(
    serve: Serve, gates: Gates, stack: ExitStack, leave: Callable[..., None], tally: Tally
) -> None:
    gateway = serve()
    leave(occupy(gateway, gates, stack))
    if leave is WireClient.reset:
        assert await_record(gateway, "/until/first") == 499, "noticed while the handler runs"
    with gateway.connect() as client:
        client.request("/queued")
        assert not client.has_answer_within(0.2), "time in which the end can be noticed"
        gates.open("first")
        assert client.read_response().status == 200
    assert await_record(gateway, "/until/first") == 499
    with gateway.connect() as client:
        assert client.ask("/next").status == 200
    tally(faults=1, served=1)


def test_who_half_closes_gets_the_answer(
    serve: Serve, gates: Gates, stack: ExitStack, tally: Tally
) -> None:
    gateway = serve()
    client = occupy(gateway, gates, stack)
    client.half_close()
    gates.open("first")
    # It says that it closes, unless the end of the client's side came behind its head.
    assert client.read_response().status == 200
    client.expect_close()
    assert await_record(gateway, "/until/first") == 200
    tally(served=1)


def test_pipelined_requests_of_who_half_closes_are_all_answered(
    serve: Serve, gates: Gates, stack: ExitStack, tally: Tally
) -> None:
    gateway = serve()
    client = occupy(gateway, gates, stack)
    for target in ("/second", "/third"):
        client.request(target)
    client.half_close()
    gates.open("first")
    assert [client.read_response().status for _ in range(3)] == [200, 200, 200]
    client.expect_close()
    for target in ("/until/first", "/second", "/third"):
        assert await_record(gateway, target) == 200
    tally(served=3)


def test_who_half_closes_behind_many_requests_takes_one_descriptor(
    serve: Serve, gates: Gates, tally: Tally
) -> None:
    count = 500
    gateway = serve()
    before = gateway.descriptors
    # It has room for a few answers only: most are not acknowledged while it reads nothing.
    with gateway.connect(receive_buffer=1024) as client:
        requests = [b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % number for number in range(count)]
        client.send(b"".join(requests) + b"GET /until/first HTTP/1.1\r\nHost: a\r\n\r\n")
        client.half_close()
        gates.await_start("first")
        assert gateway.descriptors <= before + 4
        gates.open("first")
        assert [client.read_response().status for _ in range(count + 1)] == [200] * (count + 1)
        client.expect_close()
    assert await_record(gateway, "/until/first") == 200
    assert [*records(gateway).values()] == [200] * (count + 1)
    tally(served=count + 1)


@pytest.mark.parametrize("leave", LEAVING.values(), ids=LEAVING)
def test_the_iterable_of_who_leaves_a_stream_is_closed(
    serve: Serve, gates: Gates, leave: Callable[..., None], tally: Tally
) -> None:
    gateway = serve()
    client = gateway.connect()
    client.request("/endless/stream")
    client.read_exactly(1 << 20)
    leave(client)
    gates.await_closing("stream")
    assert await_record(gateway, "/endless/stream") == 499
    with gateway.connect() as client:
        assert client.ask("/next").status == 200
    tally(faults=1, served=1)


@pytest.mark.parametrize("leave", LEAVING.values(), ids=LEAVING)
@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"G",
        b"GET / HTTP/1.1\r\nHost: a\r\n",
        b"POST /b HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n",
        b"POST /b HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n12345678",
        b"POST /b HTTP/1.1\r\nHost: a\r\nContent-Length: 3000000\r\n\r\n" + bytes(500_000),
        b"POST /b HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n123",
        b"GET / HTTP/9.9\r\n\r\n" + bytes(100),
    ],
    ids=["nothing", "a byte", "half a head", "a head", "a body but a byte", "a large body",
         "a chunk", "garbage"],
)  # fmt: skip
def test_who_leaves_within_a_request(
    shared: Gateway, sent: bytes, leave: Callable[..., None], tally: Tally
) -> None:
    before = shared.descriptors
    clients = [shared.connect() for _ in range(5)]
    for client in clients:
        client.send(sent)
    for client in clients:
        leave(client)
    wait_until(lambda: shared.descriptors <= before, "every descriptor is given back")
    with shared.connect() as client:
        assert client.ask("/next").status == 200
    wait_until(lambda: shared.descriptors <= before, "the last one too")
    tally(faults=5, served=1)


@pytest.fixture(scope="module")
def shared(start_shared_gateway: StartGateway, tmp_path_factory: pytest.TempPathFactory) -> Gateway:
    folder = tmp_path_factory.mktemp("gates")
    return start_shared_gateway("gated:handler", environ={"GATES": str(folder)})
