"""Crowds that hold what they can for as long as they can: others are served as without them.

Each crowd is there while quick requests are made; then it must be gone without a trace, whether its
clients leave or the gateway's deadlines end them.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial

import pytest
from functional.conftest import Gates, StartGateway
from functional.crowds import going_on
from functional.serving import Gateway, wait_until
from functional.wire import WireClient

pytestmark = pytest.mark.family("slow-clients")

Tally = Callable[..., None]

CROWD = 100
QUICK = 150
DEADLINES = (
    *("--head-timeout", "1s", "--body-timeout", "1s", "--write-timeout", "1s"),
    *("--keep-alive-timeout", "1s"),
)

HEAD = b"GET / HTTP/1.1\r\nHost: a\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a\r\n"
PIPELINE = (HEAD.replace(b"/", b"/large/20000", 1) + b"\r\n") * 50

# What each client says first, and then again and again.
CROWDS: dict[str, tuple[bytes, bytes]] = {
    "nothing": (b"", b""),
    "an idle connection": (HEAD + b"\r\n", b""),
    "a slow head": (HEAD + b"X-Slow: ", b"a"),
    "a slow body": (POST + b"Content-Length: 100000\r\n\r\n", b"a"),
    "chunks of a byte": (POST + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\na\r\n"),
    "a body that never comes": (POST + b"Content-Length: 33000000\r\n\r\n", b""),
    "an answer that is not read": (HEAD.replace(b"/", b"/large/8000000", 1) + b"\r\n", b""),
    "a stream that is not read": (HEAD.replace(b"/", b"/endless/s", 1) + b"\r\n", b""),
    "endless pipelining": (PIPELINE, PIPELINE),
}


@contextmanager
def crowd(gateway: Gateway, kind: str, size: int = CROWD) -> Iterator[list[WireClient]]:
    """So many clients, each of which goes on saying the same for as long as it is listened to."""
    first, again = CROWDS[kind]
    clients = [gateway.connect(receive_buffer=4096) for _ in range(size)]
    for client in clients:
        with suppress(OSError):
            client.send(first)
    try:
        with going_on(clients, again, every=0.05):
            yield clients
    finally:
        for client in clients:
            client.close()


def p99_of_quick_requests(gateway: Gateway) -> float:
    """Of requests one after the other, in seconds; each must be answered."""
    took = []
    with gateway.connect() as client:
        for _ in range(QUICK):
            start = time.perf_counter()
            assert client.ask("/quick").status == 200
            took.append(time.perf_counter() - start)
            time.sleep(0.002)
    return sorted(took)[int(QUICK * 0.99)]


def threads(gateway: Gateway) -> int:
    return gateway.status_value("Threads")


@pytest.fixture
def serve(start_gateway: StartGateway, gates: Gates) -> Callable[..., Gateway]:
    return partial(start_gateway, "gated:handler", environ=gates.environ)


@pytest.mark.parametrize("kind", CROWDS)
def test_a_crowd_holds_nobody_up(serve: Callable[..., Gateway], kind: str, tally: Tally) -> None:
    """Who is held up waits for seconds; the benchmark, on a quiet machine, bounds it by twice."""
    gateway = serve()
    alone = p99_of_quick_requests(gateway)
    files, running = gateway.descriptors, threads(gateway)
    memory = gateway.status_value("VmRSS")
    with crowd(gateway, kind):
        assert p99_of_quick_requests(gateway) < 6 * alone + 1
        # 256 MB of answers that wait, 64 of those in the threads, and what malloc keeps of both.
        allowed = 500_000 if kind == "an answer that is not read" else 25_000
        assert gateway.status_value("VmRSS") - memory < allowed
    wait_until(lambda: gateway.descriptors <= files, "every descriptor is given back")
    wait_until(lambda: threads(gateway) <= running, "no thread is left over")
    tally(faults=CROWD, served=2 * QUICK)


@pytest.mark.parametrize("kind", CROWDS)
def test_deadlines_end_a_crowd(serve: Callable[..., Gateway], kind: str, tally: Tally) -> None:
    gateway = serve(*DEADLINES, "--body-total-timeout", "2s")
    files, running = gateway.descriptors, threads(gateway)
    with crowd(gateway, kind, 40) as clients:
        wait_until(lambda: gateway.descriptors > files, "the crowd is there")
        wait_until(lambda: gateway.descriptors <= files, "every one of them is gone", 20)
        assert len(clients) == 40
    wait_until(lambda: threads(gateway) <= running, "no thread is left over")
    with gateway.connect() as client:
        assert client.ask("/next").status == 200
    tally(faults=40, served=1)


def test_answers_that_are_not_read_are_bounded(serve: Callable[..., Gateway], tally: Tally) -> None:
    gateway = serve("--answer-memory", "20MB")
    before = gateway.status_value("VmRSS")
    with crowd(gateway, "an answer that is not read"):
        wait_until(lambda: "were cut off" in gateway.errors, "the bound is told")
        assert p99_of_quick_requests(gateway) < 2
        # As above, where all of them would be 800 MB.
        assert gateway.status_value("VmRSS") - before < 250_000
        with gateway.connect() as client:  # Who reads gets it all, however full it is.
            assert len(client.ask("/large/8000000").body) == 8_000_000
    tally(faults=CROWD, served=QUICK + 1)


# Few descriptors.


@pytest.fixture
def cramped(serve: Callable[..., Gateway]) -> Gateway:
    """A gateway as under `ulimit -n 64`."""
    return serve(open_files=64)


def test_few_descriptors_are_told(cramped: Gateway, tally: Tally) -> None:
    assert "the process may open 64 files (ulimit -n)" in cramped.errors
    with cramped.connect() as client:
        assert client.ask("/quick").status == 200
    tally(served=1)


def test_idle_connections_keep_nobody_out(cramped: Gateway, tally: Tally) -> None:
    files = cramped.descriptors
    with crowd(cramped, "an idle connection"):
        # After a sweep it is known who is idle.
        wait_until(lambda: is_served(cramped), "somebody makes room")
        for _ in range(QUICK):
            with cramped.connect() as client:
                assert client.ask("/quick").status == 200
        assert cramped.descriptors < 64
    wait_until(lambda: cramped.descriptors <= files, "every descriptor is given back")
    assert "Traceback" not in cramped.errors
    tally(faults=CROWD, served=QUICK)


def is_served(gateway: Gateway) -> bool:
    with gateway.connect() as client, suppress(ConnectionError, AssertionError):
        return client.ask("/quick").status == 200
    return False


def test_who_finds_no_room_is_told(cramped: Gateway, gates: Gates, tally: Tally) -> None:
    """Every connection has a request under way."""
    files = cramped.descriptors
    with ExitStack() as stack:
        clients = [stack.enter_context(cramped.connect()) for _ in range(40)]
        for number, client in enumerate(clients):
            with suppress(ConnectionError):
                client.request(f"/until/one?{number}")
        gates.await_start("one")
        refused = [client for client in clients if has_been_told(client)]
        statuses = [status_of(client) for client in refused]
        assert set(statuses) <= {503, None}, "told, or closed where even that costs too much"
        assert statuses.count(503) >= 5
        gates.open("one")
        served = [client for client in clients if client not in refused]
        assert len(served) >= 10
        for client in served:
            assert client.read_response().status == 200
    wait_until(lambda: cramped.descriptors <= files, "every descriptor is given back")
    assert "connections were turned away" in cramped.errors
    tally(refused=len(refused), served=len(served))


def has_been_told(client: WireClient) -> bool:
    try:
        return client.has_answer_within(0.02)
    except ConnectionError:
        return True


def status_of(client: WireClient) -> int | None:
    try:
        return client.read_response().status
    except (ConnectionError, AssertionError):
        return None


def test_a_cap_of_ones_own(serve: Callable[..., Gateway], gates: Gates, tally: Tally) -> None:
    gateway = serve("--max-connections", "2")
    with gateway.connect() as first, gateway.connect() as second:
        first.request("/until/gate")
        second.request("/until/gate")
        gates.await_start("gate")
        with gateway.connect() as third:
            response = third.ask("/quick")
            assert (response.status, response.closes) == (503, True)
            assert response.json()["ErrorCode"] == "ResourceThrottled"
        gates.open("gate")
        assert first.read_response().status == second.read_response().status == 200
    tally(refused=1, served=2)
