"""Each size limit: one byte below, at, and one above; and what memory bodies may take."""

import hashlib
import http.client
import json
import random
import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest
import requests
from functional.serving import Gateway, wait_until
from functional.wire import Response, WireClient

StartGateway = Callable[..., Gateway]

KIB = 1024
MIB = 1024 * KIB

OWN = {
    "--max-header-bytes": 300,
    "--max-path-bytes": 100,
    "--max-body": 2000,
    "--max-async-body": 1000,
}


@pytest.fixture(scope="module")
def strict(start_shared_gateway: StartGateway) -> Gateway:
    """With limits of its own."""
    options = [word for name, size in OWN.items() for word in (name, str(size))]
    return start_shared_gateway("recording:handler", *options)


@pytest.fixture(params=["defaults", "own"])
def any_gateway(request: pytest.FixtureRequest, recorder: Gateway, strict: Gateway) -> Gateway:
    return recorder if request.param == "defaults" else strict


def limit(gateway: Gateway, strict: Gateway, name: str, default: int) -> int:
    return OWN[name] if gateway is strict else default


def check_refused(response: Response, status: int = 400) -> None:
    assert response.status == status
    assert response["X-Fc-Error-Type"] == "FcCommonError"
    assert response.json()["ErrorCode"] == "InvalidArgument"
    assert response.closes


def runs(gateway: Gateway, token: str) -> int:
    with gateway.connect() as client:
        return int(client.ask(f"/runs/{token}").body)


def check(gateway: Gateway, data: bytes, is_within: bool) -> None:
    """Send a request whose path begins with /TOKEN; it is served, or refused and not run."""
    token = uuid.uuid4().hex[:12]
    with gateway.connect() as client:
        client.send_in_pieces(data.replace(b"/TOKEN", b"/" + token.encode()), 1 << 20)
        response = client.read_response()
        if is_within:
            assert response.status == 200
        else:
            check_refused(response)
            client.expect_close()
    assert runs(gateway, token) == is_within


# Header.


def one_long_field(size: int) -> bytes:
    return b"Host: a\r\nX-A: " + b"b" * (size - 5 - 3) + b"\r\n"


def padded(size: int) -> bytes:
    """White space around a value does not count."""
    return b"Host:  \t a\r\nX-A:   " + b"b" * (size - 5 - 3) + b"  \t \r\n"


def many_short_fields(size: int) -> bytes:
    count = (size - 5) // 17
    return (
        b"Host: a\r\n"
        + b"a: %b\r\n" % (b"b" * 16) * (count - 1)
        + b"a: %b\r\n" % (b"b" * (size - 5 - 17 * (count - 1) - 1))
    )


def dropped_fields(size: int) -> bytes:
    """What never reaches the handler counts too."""
    return b"Host: a\r\nX_A: " + b"b" * 10 + b"\r\nX-Fc-A: " + b"c" * (size - 5 - 13 - 6) + b"\r\n"


@pytest.mark.parametrize("make", [one_long_field, padded, many_short_fields, dropped_fields])
@pytest.mark.parametrize("excess", [-1, 0, 1])
def test_header(
    any_gateway: Gateway, strict: Gateway, make: Callable[[int], bytes], excess: int
) -> None:
    size = limit(any_gateway, strict, "--max-header-bytes", 8 * KIB) + excess
    check(any_gateway, b"GET /TOKEN HTTP/1.1\r\n" + make(size) + b"\r\n", excess <= 0)


@pytest.mark.parametrize("excess", [0, 1])
def test_header_byte_by_byte(strict: Gateway, excess: int) -> None:
    size = OWN["--max-header-bytes"] + excess
    with strict.connect() as client:
        client.send_in_pieces(b"GET / HTTP/1.1\r\n" + one_long_field(size) + b"\r\n")
        assert client.read_response().status == (400 if excess else 200)


def test_each_request_of_a_connection_has_the_whole_limit(recorder: Gateway) -> None:
    with recorder.connect() as client:
        client.send((b"GET / HTTP/1.1\r\n" + one_long_field(8 * KIB) + b"\r\n") * 5)
        for _ in range(5):
            assert client.read_response().status == 200


@pytest.mark.parametrize(
    ("options", "most"), [((), 512), (("--max-header-fields", "20"), 20)], ids=["default", "own"]
)
def test_number_of_fields(start_gateway: StartGateway, options: tuple[str, ...], most: int) -> None:
    gateway = start_gateway("recording:handler", *options)
    for excess in (-1, 0, 1):
        fields = b"Host: a\r\n" + b"a:b\r\n" * (most - 1 + excess)
        check(gateway, b"GET /TOKEN HTTP/1.1\r\n" + fields + b"\r\n", excess <= 0)


def test_number_of_fields_with_plain_errors(start_gateway: StartGateway) -> None:
    gateway = start_gateway("recording:handler", "--error-style", "plain")
    with gateway.connect() as client:
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\n" + b"a:b\r\n" * 512 + b"\r\n")
        response = client.read_response()
        assert response.status == 431
        assert response.json()["code"] == "HeadersTooLarge"
        client.expect_close()


def test_open_and_waiting_heads_of_very_many_fields_cost_little_memory(
    start_gateway: StartGateway,
) -> None:
    """As tuples of texts, fields of two bytes took thirty times their bytes, for a minute."""
    gateway = start_gateway("recording:handler")
    names = [b"%c%c:\r\n" % (one, two) for one in range(97, 117) for two in range(97, 122)]
    head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n" + b"".join(names)
    with gateway.connect() as first:
        first.ask()
        before = gateway.status_value("VmRSS")
        with ExitStack() as stack:
            for number in range(400):
                client = stack.enter_context(gateway.connect())
                client.send(head + b"\r\n" * (number % 2))
            first.ask()
            assert gateway.status_value("VmRSS") - before < 16 * KIB


# Path and query.


def path_only(size: int) -> bytes:
    return b"/TOKEN" + b"x" * (size - 13)


def path_and_query(size: int) -> bytes:
    return b"/TOKEN/abc?" + b"x" * (size - 18)


def percent_encoded(size: int) -> bytes:
    """It counts as it arrives."""
    return b"/TOKEN" + b"%41" * 10 + b"x" * (size - 13 - 30)


def absolute(size: int) -> bytes:
    """Scheme and authority do not count."""
    return b"http://gateway.test:80" + path_only(size)


@pytest.mark.parametrize("make", [path_only, path_and_query, percent_encoded, absolute])
@pytest.mark.parametrize("excess", [-1, 0, 1])
def test_path(
    any_gateway: Gateway, strict: Gateway, make: Callable[[int], bytes], excess: int
) -> None:
    size = limit(any_gateway, strict, "--max-path-bytes", 4 * KIB) + excess
    check(any_gateway, b"GET " + make(size) + b" HTTP/1.1\r\nHost: a\r\n\r\n", excess <= 0)


# Body.


def with_length(size: int) -> bytes:
    return b"Content-Length: %d\r\n\r\n" % size + bytes(size)


def in_one_chunk(size: int) -> bytes:
    return b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % size + bytes(size) + b"\r\n0\r\n\r\n"


def in_chunks(size: int) -> bytes:
    whole, rest = divmod(size, 1000)
    chunks = b"3e8\r\n" + bytes(1000) + b"\r\n"
    last = b"%x\r\n" % rest + bytes(rest) + b"\r\n" if rest else b""
    return b"Transfer-Encoding: chunked\r\n\r\n" + chunks * whole + last + b"0\r\n\r\n"


@pytest.mark.parametrize("make", [with_length, in_one_chunk, in_chunks])
@pytest.mark.parametrize("excess", [-1, 0, 1])
def test_body(
    any_gateway: Gateway, strict: Gateway, make: Callable[[int], bytes], excess: int
) -> None:
    size = limit(any_gateway, strict, "--max-body", 32 * MIB) + excess
    check(any_gateway, b"POST /TOKEN HTTP/1.1\r\nHost: a\r\n" + make(size), excess <= 0)


@pytest.mark.parametrize("make", [with_length, in_one_chunk, in_chunks])
@pytest.mark.parametrize("excess", [-1, 0, 1])
def test_asynchronous_body(
    any_gateway: Gateway, strict: Gateway, make: Callable[[int], bytes], excess: int
) -> None:
    size = limit(any_gateway, strict, "--max-async-body", 128 * KIB) + excess
    token = uuid.uuid4().hex
    head = f"POST /{token} HTTP/1.1\r\nHost: a\r\nX-Fc-Invocation-Type: Async\r\n".encode()
    with any_gateway.connect() as client:
        client.send_in_pieces(head + make(size), 1 << 20)
        response = client.read_response()
        if excess > 0:
            check_refused(response)
            client.expect_close()
            assert runs(any_gateway, token) == 0
        else:
            assert response.status == 202
            assert response.body == b""
            assert response.has("X-Fc-Request-Id")
            wait_until(lambda: runs(any_gateway, token) == 1, "the handler runs")
            assert client.ask("/after").status == 200


def test_a_declared_body_is_refused_before_it_comes(recorder: Gateway) -> None:
    with recorder.connect() as client:
        client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % (32 * MIB + 1))
        check_refused(client.read_response())
        client.expect_close()


def test_a_chunk_is_refused_before_it_comes(recorder: Gateway) -> None:
    with recorder.connect() as client:
        client.send(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2000001\r\n")
        check_refused(client.read_response())
        client.expect_close()


def test_http_client_reads_the_refusal_of_a_body_that_it_sends_anyway(recorder: Gateway) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", recorder.port, timeout=30)
    connection.request("POST", "/", body=bytes(40 * MIB))
    response = connection.getresponse()
    assert response.status == 400
    assert json.loads(response.read())["ErrorCode"] == "InvalidArgument"
    connection.close()


@pytest.mark.parametrize("is_chunked", [False, True])
def test_requests_reads_the_refusal_of_a_body_that_it_sends_anyway(
    recorder: Gateway, is_chunked: bool
) -> None:
    body = (bytes(MIB) for _ in range(40)) if is_chunked else bytes(40 * MIB)
    response = requests.post(recorder.address, data=body, timeout=30)
    assert response.status_code == 400
    assert response.json()["ErrorCode"] == "InvalidArgument"


def test_a_refused_body_takes_no_memory(start_gateway: StartGateway) -> None:
    gateway = start_gateway("recording:handler", "--max-body", "100KB")
    with gateway.connect() as client:
        assert client.ask("/").status == 200
    before = gateway.status_value("VmHWM")
    with ThreadPoolExecutor(4) as pool:
        answers = pool.map(
            lambda _: requests.post(gateway.address, data=bytes(40 * MIB), timeout=30), range(4)
        )
    assert {answer.status_code for answer in answers} == {400}
    assert gateway.status_value("VmHWM") - before < 10 * KIB  # kB


# The handler's header.


@pytest.fixture(scope="module")
def sizing(start_shared_gateway: StartGateway) -> Gateway:
    return start_shared_gateway("sizing:handler")


@pytest.mark.parametrize("way", ["one", "many", "streamed"])
@pytest.mark.parametrize("excess", [-1, 0, 1])
def test_response_header(sizing: Gateway, way: str, excess: int) -> None:
    with sizing.connect() as client:
        check_response_header(client.ask(f"/{way}/{8 * KIB + excess}"), excess)
        assert client.ask("/one/10").status == 200


@pytest.mark.parametrize("excess", [-1, 0, 1])
def test_own_response_header(start_gateway: StartGateway, excess: int) -> None:
    gateway = start_gateway("sizing:handler", "--max-response-header-bytes", "100")
    with gateway.connect() as client:
        check_response_header(client.ask(f"/one/{100 + excess}"), excess)


def check_response_header(response: Response, excess: int) -> None:
    if excess <= 0:
        assert response.status == 200
        return
    assert response.status == 502
    assert response["X-Fc-Error-Type"] == "UnhandledInvocationError"
    assert response.json()["ErrorCode"] == "BadResponse"
    assert not response.has("X-A")


# Memory.


def test_bodies_beyond_the_memory_wait_and_all_complete(start_gateway: StartGateway) -> None:
    """120 MB of bodies, all begun before one is complete, through a memory of 8 MB."""
    count, size = 30, 4 * MIB
    gateway = start_gateway(
        "reading:handler", "--body-memory", "8MB", "--body-buffer", "8MB", "--threads", "4"
    )
    with gateway.connect() as client:
        client.ask("/all")
    before = gateway.status_value("VmHWM")
    all_begun = threading.Barrier(count)

    def post(number: int) -> bool:
        body = random.Random(number).randbytes(size)
        with gateway.connect(timeout=50) as client:
            client.send(b"POST /all HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % size)
            client.send(body[:1000])
            all_begun.wait(30)
            client.send(body[1000:])
            response = client.read_response()
        assert response.status == 200
        return bool(response.json()["sha256"] == hashlib.sha256(body).hexdigest())

    with ThreadPoolExecutor(count) as pool:
        assert all(pool.map(post, range(count)))
    # The memory, one body more, what handlers read (4 of 4 MB twice), and room for the allocator.
    assert gateway.status_value("VmHWM") - before < 80 * KIB  # kB


def test_a_body_that_stops_does_not_stop_the_others(start_gateway: StartGateway) -> None:
    """The oldest body has the memory and does not go on: it runs into its deadline."""
    gateway = start_gateway(
        "reading:handler", "--body-memory", "1MB", "--body-buffer", "1MB", "--body-timeout", "1s",
        "--body-min-rate", "0",
    )  # fmt: skip
    head = b"POST /all HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n"
    with gateway.connect() as stopped, gateway.connect() as other:
        stopped.send(head % (900 * KIB) + bytes(800 * KIB))
        other.send(head % (900 * KIB))
        other.send(bytes(900 * KIB))
        assert other.read_response().status in (200, 503)
        assert stopped.read_response().status == 408
    with gateway.connect() as client:
        assert client.ask("/all", "POST", body=bytes(900 * KIB)).json()["length"] == 900 * KIB


def test_memory_is_given_back(start_gateway: StartGateway) -> None:
    """Many times the memory, by clients that behave and by clients that leave half-way."""
    gateway = start_gateway("reading:handler", "--body-memory", "1MB", "--body-timeout", "5s")
    for number in range(12):
        with gateway.connect() as client:
            if number % 3:
                assert client.ask("/all", "POST", body=bytes(700 * KIB)).status == 200
            else:
                client.send(b"POST /all HTTP/1.1\r\nHost: a\r\nContent-Length: 800000\r\n\r\n")
                client.send(bytes(700 * KIB))
                client.reset()
    with gateway.connect() as first, gateway.connect() as second:
        head = b"POST /all HTTP/1.1\r\nHost: a\r\nContent-Length: 400000\r\n\r\n"
        first.send(head + bytes(399_999))
        second.send(head + bytes(400_000))
        assert second.read_response().status == 200
        first.send(b"x")
        assert first.read_response().status == 200


# Large bodies, which are read straight to their place.


def test_large_bodies_in_a_row_and_a_request_behind(start_gateway: StartGateway) -> None:
    """Pipelined on one connection: no byte is lost, and none goes to another's body."""
    gateway = start_gateway("reading:handler")
    bodies = [random.Random(size).randbytes(size) for size in (3 * MIB, 5, 700_001, 6 * MIB + 1)]
    with gateway.connect(timeout=30) as client:

        def send() -> None:
            for body in bodies:
                head = b"POST /blocks/70000 HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n"
                client.send(head % len(body) + body)
            client.send(b"GET /all HTTP/1.1\r\nHost: a\r\n\r\n")

        with ThreadPoolExecutor(1) as pool:
            sending = pool.submit(send)
            for body in bodies:
                found = client.read_response().json()
                assert found["sha256"] == hashlib.sha256(body).hexdigest()
            sending.result()
        assert client.read_response().json()["length"] == 0


@pytest.mark.parametrize("way", ["again", "lines", "iterate", "bounded-lines/1000"])
def test_a_large_body_is_a_file_like_a_small_one(start_gateway: StartGateway, way: str) -> None:
    body = b"".join(b"line %d\n" % number for number in range(100_000))
    with start_gateway("reading:handler").connect() as client:
        found = client.ask(f"/{way}", "POST", body=body).json()
    assert found["sha256"] == hashlib.sha256(body).hexdigest()
    assert found.get("again", True)


def test_a_large_body_that_ends_early(start_gateway: StartGateway) -> None:
    head = b"POST /all HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % (4 * MIB)
    gateway = start_gateway("reading:handler")
    with gateway.connect() as client:
        client.send(head + bytes(3 * MIB))
        client.half_close()
        assert client.read_response().status == 400
    with gateway.connect() as client:
        client.send(head + bytes(3 * MIB))
        client.reset()
    with gateway.connect() as client:
        assert client.ask("/all", "POST", body=bytes(4 * MIB)).json()["length"] == 4 * MIB


# Bodies larger than the buffer.


@pytest.fixture(scope="module")
def small_buffer(start_shared_gateway: StartGateway) -> Gateway:
    return start_shared_gateway(
        "reading:handler", "--body-buffer", "64KB", "--max-body", "64MB", "--threads", "2"
    )


BODY = b"".join(b"line %d %b\n" % (n, b"x" * (n % 300)) for n in range(12_000))  # 2 MB


@pytest.mark.parametrize(
    "path", ["/all", "/blocks/1000", "/blocks/1000000", "/lines", "/iterate", "/bounded-lines/50"]
)
@pytest.mark.parametrize("is_chunked", [False, True])
def test_a_large_body_is_streamed(small_buffer: Gateway, path: str, is_chunked: bool) -> None:
    with small_buffer.connect() as client:
        if is_chunked:
            client.send(f"POST {path} HTTP/1.1\r\nHost: a\r\n".encode() + chunks_of(BODY))
            answer = client.read_response().json()
            assert answer["length_told"] is None
        else:
            answer = client.ask(path, "POST", body=BODY).json()
        assert answer["sha256"] == hashlib.sha256(BODY).hexdigest()
        assert answer.get("lines", 12_000) == 12_000
        assert client.ask("/all").json()["length"] == 0  # The connection is in step.


def chunks_of(body: bytes) -> bytes:
    pieces = [body[n : n + 70_001] for n in range(0, len(body), 70_001)]
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    return b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"


@pytest.mark.parametrize("size", [0, 1, 64 * KIB - 1])
def test_a_body_below_the_buffer_can_be_read_again(small_buffer: Gateway, size: int) -> None:
    """It is Function Compute's `BytesIO`."""
    with small_buffer.connect() as client:
        assert client.ask("/again", "POST", body=bytes(size)).json()["again"]


@pytest.mark.parametrize("excess", [-1, 0, 1])
def test_a_body_about_the_size_of_the_buffer(small_buffer: Gateway, excess: int) -> None:
    body = random.Random(excess).randbytes(64 * KIB + excess)
    with small_buffer.connect() as client:
        for _ in range(3):
            answer = client.ask("/all", "POST", body=body).json()
            assert answer["sha256"] == hashlib.sha256(body).hexdigest()


def test_a_body_that_may_just_fill_the_buffer_is_never_streamed(
    start_gateway: StartGateway,
) -> None:
    """As by default: the largest body is as large as the buffer."""
    gateway = start_gateway("reading:handler", "--max-body", "64KB", "--body-buffer", "64KB")
    filling = b"10000\r\n" + bytes(64 * KIB) + b"\r\n"
    for path, end, status in (("/again", b"0\r\n\r\n", 200), ("/again", b"1\r\nx\r\n", 400)):
        with gateway.connect() as client:
            client.send(f"POST {path} HTTP/1.1\r\nHost: a\r\n".encode())
            client.send(b"Transfer-Encoding: chunked\r\n\r\n" + filling)
            assert not client.has_answer_within(0.2), "the handler did not wait for the end"
            client.send(end)
            response = client.read_response()
            assert response.status == status
            if status == 200:
                assert response.json()["again"]
                assert response.json()["length_told"] == str(64 * KIB)


def test_a_slow_upload_of_a_streamed_body(small_buffer: Gateway) -> None:
    with small_buffer.connect() as client:
        client.send(b"POST /lines HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(BODY))
        for start in range(0, len(BODY), 100_000):
            client.send(BODY[start : start + 100_000])
            time.sleep(0.01)
        answer = client.read_response().json()
    assert answer["sha256"] == hashlib.sha256(BODY).hexdigest()


@pytest.mark.parametrize("path", ["/nothing", "/some/1", "/some/100000"])
@pytest.mark.parametrize("size", [100 * KIB, 20 * MIB])
def test_a_handler_that_leaves_a_streamed_body_unread(
    small_buffer: Gateway, path: str, size: int
) -> None:
    """The answer comes through although the client is still sending."""
    with small_buffer.connect() as client:
        client.request(path, "POST", body=bytes(size))
        response = client.read_response()
        assert response.status == 200
        if response.closes:
            client.expect_close()
        else:  # The body had arrived when the handler answered.
            assert size < MIB
            assert client.ask("/all").json()["length"] == 0
    with small_buffer.connect() as client:
        assert client.ask("/all").status == 200


def test_a_client_that_leaves_while_its_body_is_streamed(small_buffer: Gateway) -> None:
    """Both threads are freed, though their handlers wait for bytes that never come."""
    for leave in (WireClient.reset, WireClient.close, WireClient.half_close) * 2:
        with small_buffer.connect() as client:
            client.send(b"POST /all HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n")
            client.send(bytes(200_000))
            leave(client)
    with small_buffer.connect() as client:
        assert client.ask("/all").status == 200


def test_a_streamed_body_stays_out_of_memory(start_gateway: StartGateway) -> None:
    gateway = start_gateway("reading:handler", "--body-buffer", "64KB", "--max-body", "128MB")
    size = 100 * MIB
    with gateway.connect() as client:
        client.ask("/away")
        before = gateway.status_value("VmHWM")
        client.send(b"POST /away HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % size)
        for _ in range(100):
            client.send(bytes(MIB))
        assert client.read_response().json()["length"] == size
        client.send(b"POST /nothing HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % size)
        for _ in range(100):
            client.send(bytes(MIB))
        assert client.read_response().status == 200
        client.expect_close()
    assert gateway.status_value("VmHWM") - before < 10 * KIB  # kB
