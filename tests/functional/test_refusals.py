"""What surrounds a refusal; the requests that are refused are in the conformance tables."""

import uuid

from functional.serving import Gateway

FIRST = b"GET /first HTTP/1.1\r\nHost: a\r\n\r\n"
AFTER = b"GET /TOKEN HTTP/1.1\r\nHost: a\r\n\r\n"


def test_the_count_that_the_table_relies_on(recorder: Gateway) -> None:
    token = uuid.uuid4().hex
    with recorder.connect() as client:
        client.send(AFTER.replace(b"TOKEN", token.encode()) * 2)
        assert client.read_response().status == 200
        assert client.read_response().status == 200
        assert client.ask(f"/runs/{token}").body == b"2"


def test_an_error_behind_many_pipelined_requests_lets_them_be_answered(recorder: Gateway) -> None:
    with recorder.connect() as client:
        client.send(FIRST * 100 + b"rubbish\r\n\r\n" + FIRST)
        for _ in range(100):
            assert client.read_response().status == 200
        assert client.read_response().status == 400
        client.expect_close()


def test_a_refusal_of_head_has_no_body(recorder: Gateway) -> None:
    with recorder.connect() as client:
        client.send(b"HEAD / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999\r\n\r\n")
        response = client.read_response("HEAD")
        assert response.status == 400
        client.expect_close()


def test_a_client_that_goes_on_sending_reads_its_refusal(recorder: Gateway) -> None:
    """The bytes behind a refusal are read and dropped, or a reset could overtake the answer."""
    with recorder.connect() as client:
        client.send(b"GET / HTTP/1.1\r\n\r\n")
        for _ in range(200):
            client.send(bytes(100_000))
        assert client.read_response().status == 400
        client.expect_close()


def test_a_client_that_resets_behind_a_refusal_does_no_harm(recorder: Gateway) -> None:
    for _ in range(20):
        with recorder.connect() as client:
            client.send(b"rubbish\r\n\r\n" + bytes(10_000))
            client.reset()
    with recorder.connect() as client:
        assert client.ask("/").status == 200
