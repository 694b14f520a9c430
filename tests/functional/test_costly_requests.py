"""Requests that are costly for their size: bounded, and no hindrance to others."""

from collections.abc import Callable

import pytest
from conformance.cases import get
from functional.conftest import StartGateway
from functional.serving import Gateway
from functional.wire import WireClient

pytestmark = pytest.mark.family("limits")

CHUNKED = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.fixture(scope="module")
def generous(start_shared_gateway: StartGateway) -> Gateway:
    """With a limit on headers far beyond Function Compute's."""
    return start_shared_gateway(
        "recording:handler", "--max-header-bytes", "1MB", "--max-header-fields", "8192"
    )


@pytest.mark.parametrize("fields", [8191, 8192, 8193])
@pytest.mark.parametrize("value", [b"", b"b" * 100])
def test_the_number_of_fields_is_bounded_where_their_bytes_are_not(
    generous: Gateway, fields: int, value: bytes, tally: Callable[..., None]
) -> None:
    with generous.connect() as client:
        client.send(get(*[b"A:" + value] * (fields - 1)))
        response = client.read_response()
        if fields <= 8192:
            joined = response.json()["environ"]["HTTP_A"]
            assert joined == ",".join([value.decode()] * (fields - 1))
        else:
            assert response.status == 400
            client.expect_close()
    tally(refused=fields > 8192, served=fields <= 8192)


def test_a_large_head_in_single_bytes(generous: Gateway, tally: Callable[..., None]) -> None:
    with generous.connect() as client, generous.connect() as other:
        client.send(b"GET /large HTTP/1.1\r\nHost: a\r\nX-A: " + b"b" * 900_000)
        for _ in range(50):
            client.send_in_pieces(b"b" * 100)
            assert other.ask("/quick").status == 200
        client.send(b"\r\n\r\n")
        assert client.read_response().json()["environ"]["HTTP_X_A"] == "b" * 905_000
    tally(served=51)


def test_a_field_without_an_end_is_refused_where_limits_are_large(
    generous: Gateway, tally: Callable[..., None]
) -> None:
    with generous.connect() as client:
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\nX-A:")
        client.send_in_pieces(b" " * 3_000_000, 10_000)
        assert client.read_response().status == 400
        client.expect_close()
    tally(refused=1)


def quick_requests_beside(client: WireClient, other: WireClient, piece: bytes, times: int) -> None:
    for _ in range(times):
        client.send(piece)
        assert other.ask("/quick").status == 200


def test_a_body_of_single_byte_chunks(recorder: Gateway, tally: Callable[..., None]) -> None:
    with recorder.connect() as client, recorder.connect() as other:
        client.send(CHUNKED)
        quick_requests_beside(client, other, b"1\r\nx\r\n" * 10_000, 20)
        client.send(b"0\r\n\r\n")
        assert client.read_response().json()["length"] == 200_000
    tally(served=21)


@pytest.mark.parametrize(("more", "is_refused"), [(-1, False), (0, False), (1, True)])
def test_single_byte_chunks_are_counted(
    start_gateway: StartGateway, more: int, is_refused: bool, tally: Callable[..., None]
) -> None:
    gateway = start_gateway("recording:handler", "--max-body", "1000", "--max-async-body", "1000")
    with gateway.connect() as client:
        client.send(CHUNKED + b"1\r\nx\r\n" * (1000 + more) + b"0\r\n\r\n")
        response = client.read_response()
        assert response.status == (400 if is_refused else 200)
        if not is_refused:
            assert response.json()["length"] == 1000 + more
    tally(refused=is_refused, served=not is_refused)


def test_thousands_of_pipelined_requests(recorder: Gateway, tally: Callable[..., None]) -> None:
    with recorder.connect() as client, recorder.connect() as other:
        client.send(get() * 1000)
        for _ in range(1000):
            assert client.read_response().status == 200
        assert other.ask("/quick").status == 200
    tally(served=1001)


def test_empty_lines_without_an_end(recorder: Gateway, tally: Callable[..., None]) -> None:
    with recorder.connect() as client:
        client.send_in_pieces(b"\r\n" * 500_000, 1 << 18)
        assert client.read_response().status == 400
        client.expect_close()
    tally(refused=1)
