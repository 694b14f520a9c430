"""Clients that bring a body slowly: they hold no thread, no memory and no connection of others."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest
from functional.conftest import StartGateway
from functional.crowds import going_on
from functional.serving import Gateway, wait_until
from functional.wire import WireClient

pytestmark = pytest.mark.family("slow-clients")

Tally = Callable[..., None]

MIB = 1024 * 1024


def post(size: int) -> bytes:
    return b"POST /length HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % size


@contextmanager
def uploads(
    gateway: Gateway, count: int, size: int, at_once: int, rate: int
) -> Iterator[list[WireClient]]:
    """So many clients that send `at_once` bytes of a body of `size`, then `rate` in a second."""
    with ExitStack() as stack:
        clients = [stack.enter_context(gateway.connect()) for _ in range(count)]
        for client in clients:
            client.send(post(size) + bytes(at_once))
        with going_on(clients, bytes(rate // 5), every=0.2):
            yield clients


def answers_soon(gateway: Gateway, seconds: float = 5.0) -> None:
    with gateway.connect() as client:
        begun = time.monotonic()
        assert client.ask("/").status == 200
        assert time.monotonic() - begun < seconds


@pytest.mark.parametrize("threads", [2, 8])
def test_a_thread_that_waits_for_a_body_is_replaced(
    start_gateway: StartGateway, threads: int, tally: Tally
) -> None:
    gateway = start_gateway(
        "uploads:handler",
        *("--threads", str(threads), "--body-buffer", "64KB", "--max-body", "40MB"),
    )
    with uploads(gateway, threads + 2, 10 * MIB, 100_000, 500):
        wait_until(lambda: gateway.output.count("begun") >= threads, "handlers wait for bodies")
        for _ in range(5):
            answers_soon(gateway)
    tally(faults=threads + 2, served=5)


def test_the_only_thread_does_not_wait_for_a_body(
    start_gateway: StartGateway, tally: Tally
) -> None:
    """It begins when the body is there: also when it is larger than the default buffer."""
    gateway = start_gateway("uploads:handler", "--threads", "1", "--max-body", "40MB")
    with uploads(gateway, 2, 34 * MIB, 33 * MIB, 500):
        time.sleep(0.5)
        for _ in range(5):
            answers_soon(gateway)
        assert "begun" not in gateway.output
    tally(faults=2, served=5)


def test_who_holds_the_only_thread_is_cut_off_when_others_wait(
    start_gateway: StartGateway, tally: Tally
) -> None:
    gateway = start_gateway(
        "uploads:handler",
        *("--threads", "1", "--body-buffer", "64KB", "--max-body", "40MB"),
    )
    with uploads(gateway, 1, 10 * MIB, 100_000, 500):
        wait_until(lambda: "begun" in gateway.output, "the handler waits for the body")
        answers_soon(gateway, 15)
    wait_until(lambda: "1 uploads were cut off" in gateway.errors, "it is told")
    tally(faults=1, served=1)


def test_who_holds_the_only_thread_may_be_slow_when_nobody_waits(
    start_gateway: StartGateway, tally: Tally
) -> None:
    gateway = start_gateway(
        "uploads:handler",
        *("--threads", "1", "--body-buffer", "64KB", "--max-body", "40MB"),
    )
    with gateway.connect() as client:
        client.send(post(200_000) + bytes(150_000))
        time.sleep(7)
        client.send(bytes(50_000))
        response = client.read_response()
        assert (response.status, response.body) == (200, b"200000")
    tally(served=1)


def test_who_holds_the_memory_and_brings_little_makes_room(
    start_gateway: StartGateway, tally: Tally
) -> None:
    """Eight uploads stop shortly before the budget is full; another one goes on all the same."""
    gateway = start_gateway("uploads:handler", "--body-memory", "16MB", "--max-body", "4MB")
    with uploads(gateway, 8, 4 * MIB, 14 * MIB // 8 - 20_000, 1000):
        time.sleep(2.5)
        with gateway.connect() as client:
            client.send(post(3 * MIB) + bytes(3 * MIB))
            response = client.read_response()
            assert (response.status, response.body) == (200, str(3 * MIB).encode())
    wait_until(lambda: "uploads were cut off: they were slow" in gateway.errors, "it is told")
    tally(faults=8, served=1)


def test_who_brings_little_is_told_408(start_gateway: StartGateway, tally: Tally) -> None:
    gateway = start_gateway("uploads:handler", "--body-memory", "16MB", "--max-body", "4MB")
    with gateway.connect() as slow, uploads(gateway, 7, 4 * MIB, 14 * MIB // 8, 1000):
        slow.send(post(4 * MIB) + bytes(14 * MIB // 8 - 100_000))
        time.sleep(2.5)
        with gateway.connect() as client:
            client.send(post(3 * MIB) + bytes(3 * MIB))
            assert client.read_response().status == 200
        response = slow.read_response()
        assert (response.status, response.closes) == (408, True)
        assert response.json()["ErrorCode"] == "RequestTimeout"
    tally(faults=1, served=1)


def test_slow_uploads_are_left_alone_while_nobody_waits(
    start_gateway: StartGateway, tally: Tally
) -> None:
    gateway = start_gateway("uploads:handler", "--body-memory", "16MB", "--max-body", "4MB")
    with uploads(gateway, 7, 4 * MIB, 14 * MIB // 8 - 20_000, 1000) as clients:
        time.sleep(6)
        for _ in range(3):
            answers_soon(gateway)
        assert all(not client.has_answer_within(0.01) for client in clients)
    assert "cut off" not in gateway.errors
    tally(faults=7, served=3)


# The cap on connections.


def test_bodies_that_trickle_make_room_for_newcomers(
    start_gateway: StartGateway, tally: Tally
) -> None:
    gateway = start_gateway("uploads:handler", "--max-connections", "30")
    with uploads(gateway, 30, 100_000, 100, 30):
        time.sleep(2)
        for _ in range(40):
            answers_soon(gateway)
            time.sleep(0.02)
    wait_until(lambda: "connections were closed: they were idle" in gateway.errors, "it is told")
    tally(faults=30, served=40)


def test_a_body_that_comes_in_earnest_makes_no_room_and_newcomers_are_told(
    start_gateway: StartGateway, tally: Tally
) -> None:
    gateway = start_gateway("uploads:handler", "--max-connections", "20")
    with uploads(gateway, 20, 4 * MIB, 100, 50_000) as clients:
        time.sleep(2)
        with ExitStack() as stack:
            newcomers = [stack.enter_context(gateway.connect()) for _ in range(60)]
            for newcomer in newcomers:
                newcomer.request("/")
            assert [newcomer.read_response().status for newcomer in newcomers] == [503] * 60
        assert all(not client.has_answer_within(0.01) for client in clients)
    wait_until(lambda: "connections were turned away" in gateway.errors, "it is told")
    tally(faults=20, refused=60)
