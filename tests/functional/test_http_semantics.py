"""HTTP/1.1 and 1.0 as clients speak them: RFC 9110, RFC 9112."""

import re
import socket
import ssl
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from itertools import pairwise
from pathlib import Path

import pytest
from functional.serving import Gateway, wait_until
from functional.wire import Response, Truncated, WireClient

StartGateway = Callable[..., Gateway]

HOST = "Host: gateway.test\r\n"

REQUEST_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


def environ(response: Response) -> dict[str, str]:
    assert response.status == 200, response
    found: dict[str, str] = response.json()["environ"]
    return found


def runs(gateway: Gateway, token: str) -> int:
    """How many requests with `token` have reached the handler."""
    with gateway.connect() as client:
        response = client.ask(f"/runs/{token}")
    assert response.status == 200
    return int(response.body)


@pytest.fixture(scope="module")
def streaming(start_shared_gateway: StartGateway) -> Gateway:
    return start_shared_gateway("streaming:handler")


# Connections.


def test_a_connection_serves_many_requests_in_turn(client: WireClient) -> None:
    for number in range(50):
        assert environ(client.ask(f"/{number}"))["PATH_INFO"] == f"/{number}"


def test_pipelined_requests_are_answered_in_order(client: WireClient) -> None:
    count = 500
    client.send(b"".join(b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % n for n in range(count)))
    paths = [environ(client.read_response())["PATH_INFO"] for _ in range(count)]
    assert paths == [f"/{n}" for n in range(count)]


def test_pipelined_requests_with_bodies_in_one_segment(client: WireClient) -> None:
    client.send(
        b"POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\none"
        b"POST /2 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\ntwo\r\n0\r\n\r\n"
        b"GET /3 HTTP/1.1\r\nHost: a\r\n\r\n"
        b"POST /4 HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nfour"
    )
    answers = [client.read_response().json() for _ in range(4)]
    assert [answer["body"] for answer in answers] == ["one", "two", "", "four"]
    assert [answer["environ"]["PATH_INFO"] for answer in answers] == ["/1", "/2", "/3", "/4"]


def test_pipelined_requests_in_any_segments(recorder: Gateway) -> None:
    requests = (
        b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\none"
        b"GET /b HTTP/1.1\r\nHost: a\r\n\r\n"
        b"PUT /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\ntwo\r\n0\r\n\r\n"
        b"GET /d HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    )
    for size in (1, 2, 3, 7, 64):
        with recorder.connect() as client:
            client.send_in_pieces(requests, size)
            answers = [client.read_response().json() for _ in range(4)]
            client.expect_close()
        assert [answer["environ"]["PATH_INFO"] for answer in answers] == ["/a", "/b", "/c", "/d"]
        assert [answer["body"] for answer in answers] == ["one", "", "two", ""]


def test_pipelining_beyond_all_buffers_does_not_hang(recorder: Gateway) -> None:
    """The client reads nothing until it has sent everything: 2 MB of requests, 4 MB of answers."""
    count = 4000
    with recorder.connect() as client:
        request = b"GET /%d HTTP/1.1\r\nHost: a\r\nX-Padding: " + b"p" * 400 + b"\r\n\r\n"
        data = b"".join(request % n for n in range(count))
        sent = 0
        answers = 0
        client.socket.setblocking(False)
        while sent < len(data):  # As far as it goes; then both ways in turn.
            try:
                sent += client.socket.send(data[sent : sent + 65536])
            except BlockingIOError:
                client.socket.settimeout(15)
                response = client.read_response()
                assert environ(response)["PATH_INFO"] == f"/{answers}"
                answers += 1
                client.socket.setblocking(False)
        client.socket.settimeout(15)
        while answers < count:
            assert environ(client.read_response())["PATH_INFO"] == f"/{answers}"
            answers += 1


@pytest.mark.parametrize("word", ["close", "Close", "keep-alive, close", "foo, CLOSE"])
def test_connection_close_is_honoured(client: WireClient, word: str) -> None:
    response = client.ask("/", fields=[("Connection", word)])
    assert response.status == 200
    assert response.closes
    client.expect_close()


def test_nothing_behind_connection_close_is_run(recorder: Gateway, client: WireClient) -> None:
    token = uuid.uuid4().hex
    client.send(
        f"GET /first-{token} HTTP/1.1\r\n{HOST}Connection: close\r\n\r\n"
        f"GET /second-{token} HTTP/1.1\r\n{HOST}\r\nrubbish".encode()
    )
    response = client.read_response()
    assert environ(response)["PATH_INFO"] == f"/first-{token}"
    assert response.closes
    client.expect_close()
    assert runs(recorder, token) == 1


def test_a_client_that_half_closes_gets_all_answers(client: WireClient) -> None:
    client.send(b"".join(b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % n for n in range(30)))
    client.half_close()
    for number in range(30):
        assert environ(client.read_response())["PATH_INFO"] == f"/{number}"
    client.expect_close()


def test_a_client_that_half_closes_gets_a_streamed_answer(streaming: Gateway) -> None:
    with streaming.connect() as client:
        client.request("/slowly/5")
        client.half_close()
        assert client.read_response().body == b"0\n1\n2\n3\n4\n"
        client.expect_close()


def test_a_client_that_only_connects_and_half_closes_is_closed(client: WireClient) -> None:
    client.half_close()
    client.expect_close()


def test_empty_lines_before_a_request_are_skipped(client: WireClient) -> None:
    client.send(b"\r\n\r\nGET /1 HTTP/1.1\r\nHost: a\r\n\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n")
    assert environ(client.read_response())["PATH_INFO"] == "/1"
    assert environ(client.read_response())["PATH_INFO"] == "/2"


def test_a_connection_survives_errors_of_the_handler_and_404s(
    start_shared_gateway: StartGateway,
) -> None:
    gateway = start_shared_gateway("gateway.demo:handler")
    with gateway.connect() as client:
        for path, status in [("/nothing", 404), ("/status/500", 500), ("/", 200)] * 3:
            assert client.ask(path).status == status


# HTTP/1.0.


def test_http_1_0_closes(client: WireClient) -> None:
    client.send(b"GET /old HTTP/1.0\r\n\r\n")
    response = client.read_response()
    assert environ(response)["SERVER_PROTOCOL"] == "HTTP/1.0"
    assert response.closes
    client.expect_close()


def test_http_1_0_stays_when_asked_to(client: WireClient) -> None:
    for number in range(3):
        client.send(b"GET /%d HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n" % number)
        response = client.read_response()
        assert environ(response)["PATH_INFO"] == f"/{number}"
        assert response["Connection"].lower() == "keep-alive"
    client.send(b"GET /last HTTP/1.0\r\n\r\n")
    assert client.read_response().closes
    client.expect_close()


def test_http_1_0_gets_no_chunks(streaming: Gateway) -> None:
    with streaming.connect() as client:
        client.send(b"GET /3/5 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        response = client.read_response()
        assert not response.has("Transfer-Encoding")
        assert not response.has("Content-Length")
        assert response.closes
        assert response.body == b"aaaaabbbbbccccc"


def test_http_1_0_with_a_body(client: WireClient) -> None:
    client.send(b"POST / HTTP/1.0\r\nContent-Length: 5\r\n\r\nhello")
    assert client.read_response().json()["body"] == "hello"
    client.expect_close()


FAILS_IN_THE_MIDDLE = {
    "wsgi": """
        def handler(environ, start_response):
            start_response("200 OK", [])
            yield b"begun"
            raise ValueError
    """,
    "asgi": """
        async def handler(scope, receive, send):
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"begun", "more_body": True})
            raise ValueError
    """,
}


@pytest.mark.parametrize("interface", ["wsgi", "asgi"])
def test_http_1_0_clients_notice_a_cut(start_gateway: StartGateway, interface: str) -> None:
    """To them the end of the connection is the end of the body, unless it is a reset."""
    source = FAILS_IN_THE_MIDDLE[interface]
    gateway = start_gateway("failing:handler", "--interface", interface, source=source)
    with gateway.connect() as client:
        client.send(b"GET / HTTP/1.0\r\n\r\n")
        with pytest.raises(ConnectionResetError):
            client.read_response()


# Methods and targets.


def test_head_has_the_fields_of_get_and_no_body(client: WireClient) -> None:
    with_body = client.ask("/x")
    without = client.ask("/x", "HEAD")
    assert without.status == 200
    assert without["Content-Type"] == with_body["Content-Type"]
    assert without.body == b""
    assert client.ask("/y").status == 200  # The connection is in step.


def test_head_of_a_streamed_answer(streaming: Gateway) -> None:
    with streaming.connect() as client:
        response = client.ask("/3/5", "HEAD")
        assert response.status == 200
        assert client.ask("/1/5").body == b"aaaaa"


@pytest.mark.parametrize(
    "method", ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND", "REPORT", "TRACE"]
)
def test_methods_reach_the_handler(client: WireClient, method: str) -> None:
    assert environ(client.ask("/", method))["REQUEST_METHOD"] == method


def test_absolute_form(client: WireClient) -> None:
    client.send(
        b"GET http://other.test:81/a%20b/?x=1 HTTP/1.1\r\nHost: gateway.test\r\n\r\n"
        b"GET http://other.test HTTP/1.1\r\nHost: other.test\r\n\r\n"
        b"GET http://other.test?x=2 HTTP/1.1\r\nHost: other.test\r\n\r\n"
    )
    found = environ(client.read_response())
    assert found["PATH_INFO"] == "/a b/"
    assert found["QUERY_STRING"] == "x=1"
    assert found["fc.request_uri"] == "/a%20b/?x=1"
    assert found["HTTP_HOST"] == "other.test:81"  # RFC 9112 §3.2.2: the target's, not the field's.
    assert environ(client.read_response())["PATH_INFO"] == "/"
    found = environ(client.read_response())
    assert (found["PATH_INFO"], found["QUERY_STRING"]) == ("/", "x=2")


def test_asterisk_form(client: WireClient) -> None:
    found = environ(client.ask("*", "OPTIONS"))
    assert found["PATH_INFO"] == ""  # PEP 3333 knows only paths: empty, or from "/".
    assert found["fc.request_uri"] == "*"


@pytest.mark.parametrize("target", ["gateway.test:80", "/path", "http://gateway.test/"])
def test_connect_is_not_implemented(client: WireClient, target: str) -> None:
    client.send(f"CONNECT {target} HTTP/1.1\r\n{HOST}\r\n".encode())
    response = client.read_response()
    assert response.status == 501
    assert response.closes
    assert response.json()["ErrorCode"] == "NotImplemented"
    client.expect_close()


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        ("/caf%C3%A9", "/caf\xc3\xa9", ""),
        ("/a%2Fb", "/a/b", ""),
        ("/a+b", "/a+b", ""),
        ("/%", "/%", ""),
        ("/?", "/", ""),
        ("/?a=b?c=d&e=%20", "/", "a=b?c=d&e=%20"),
        ("//double//slash", "//double//slash", ""),
        ("/../up", "/../up", ""),
        ("/a;b=c", "/a;b=c", ""),
    ],
)
def test_targets(client: WireClient, target: str, path: str, query: str) -> None:
    found = environ(client.ask(target))
    assert (found["PATH_INFO"], found["QUERY_STRING"]) == (path, query)
    assert found["fc.request_uri"] == target
    assert found["SCRIPT_NAME"] == ""


def test_bytes_beyond_ascii_in_a_target(client: WireClient) -> None:
    """Not allowed by RFC 3986; where they are taken, they are PEP 3333's latin-1."""
    client.send(b"GET /caf\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n")
    response = client.read_response()
    if response.status == 200:
        assert environ(response)["PATH_INFO"] == "/caf\xc3\xa9"
    else:
        assert response.status == 400


# Bodies.


@pytest.mark.parametrize("size", [0, 1, 1000, 65536, 3_000_000])
def test_a_body_with_a_length(client: WireClient, size: int) -> None:
    answer = client.ask("/", "POST", body=b"x" * size).json()
    assert answer["length"] == size
    assert answer["environ"]["CONTENT_LENGTH"] == str(size)


@pytest.mark.parametrize("piece", [1, 3, 1000])
def test_a_chunked_body(client: WireClient, piece: int) -> None:
    body = bytes(range(97, 123)) * 40
    chunks = b"".join(
        b"%x\r\n%b\r\n" % (len(body[n : n + piece]), body[n : n + piece])
        for n in range(0, len(body), piece)
    )
    client.send(
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n" + chunks + b"0\r\n\r\n"
    )
    answer = client.read_response().json()
    assert answer["body"].encode() == body
    assert answer["environ"]["CONTENT_LENGTH"] == str(len(body))
    assert "HTTP_TRANSFER_ENCODING" not in answer["environ"]
    assert client.ask("/next").status == 200


def test_a_chunked_body_may_be_empty(client: WireClient) -> None:
    client.send(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
    answer = client.read_response().json()
    assert answer["length"] == 0
    assert answer["environ"]["CONTENT_LENGTH"] == "0"


def test_a_body_that_looks_like_a_request_is_a_body(recorder: Gateway, client: WireClient) -> None:
    token = uuid.uuid4().hex
    inner = f"GET /inner-{token} HTTP/1.1\r\n{HOST}\r\n".encode()
    assert client.ask("/", "GET", body=inner).json()["body"].encode() == inner
    assert client.ask("/", "DELETE", body=inner).json()["body"].encode() == inner
    assert runs(recorder, f"/inner-{token}") == 0


@pytest.mark.parametrize("protocol", ["h2c", "websocket", "TLS/1.0", "foo/2"])
@pytest.mark.parametrize("size", [0, 1, 5, 10_000])
def test_upgrade_never_splits_a_request(
    recorder: Gateway, client: WireClient, protocol: str, size: int
) -> None:
    token = uuid.uuid4().hex
    upgrade = f"{HOST}Connection: Upgrade, HTTP2-Settings\r\nUpgrade: {protocol}\r\n"
    inner = f"GET /inner-{token} HTTP/1.1\r\n{HOST}\r\n".encode()
    fixed = f"POST / HTTP/1.1\r\n{upgrade}Content-Length: {len(inner)}\r\n\r\n".encode() + inner
    chunked = (
        f"POST / HTTP/1.1\r\n{upgrade}Transfer-Encoding: chunked\r\n\r\n{len(inner):x}\r\n"
    ).encode() + inner
    client.send_in_pieces(fixed, size or len(fixed))
    assert client.read_response().json()["body"].encode() == inner
    client.send_in_pieces(chunked + b"\r\n0\r\n\r\n", size or len(chunked) + 10)
    assert client.read_response().json()["body"].encode() == inner
    assert runs(recorder, f"/inner-{token}") == 0


def test_upgrade_without_a_body_is_served_as_http_1_1(client: WireClient) -> None:
    upgrade = b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    client.send(
        b"GET /1 HTTP/1.1\r\nHost: a\r\n" + upgrade + b"\r\n"
        b"GET /2 HTTP/1.1\r\nHost: a\r\n" + upgrade + b"\r\n"
        b"POST /3 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nok"
    )
    for number in (1, 2, 3):
        response = client.read_response()
        assert environ(response)["PATH_INFO"] == f"/{number}"
        assert not response.closes
    assert response.json()["body"] == "ok"


def test_trailers_never_become_headers(client: WireClient) -> None:
    client.send(
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: X-Late\r\n"
        b"X-Early: yes\r\n\r\n2\r\nok\r\n0\r\nX-Late: no\r\nX-Early: no\r\nAccept: no\r\n"
        b"X_Early: no\r\nX-Fc-Invocation-Type: Async\r\n\r\n"
        b"GET /next HTTP/1.1\r\nHost: a\r\n\r\n"
    )
    answer = client.read_response().json()
    assert answer["body"] == "ok"
    assert "HTTP_X_LATE" not in answer["environ"]
    assert answer["environ"]["HTTP_X_EARLY"] == "yes"
    assert answer["environ"]["HTTP_HOST"] == "a"
    assert answer["environ"]["CONTENT_LENGTH"] == "2"
    found = environ(client.read_response())
    assert found["PATH_INFO"] == "/next"
    assert "HTTP_X_LATE" not in found


@pytest.mark.parametrize(
    "line", [b"Content-Length: 99", b"Transfer-Encoding: chunked", b"Host: no", b"Authorization: x"]
)
@pytest.mark.parametrize("size", [1, 1 << 20])
def test_trailers_that_frame_or_route_are_refused(
    client: WireClient, line: bytes, size: int
) -> None:
    """RFC 9110 §6.5.1: who in front or behind merges them would read another request."""
    client.send_in_pieces(
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n"
        b"X-A: b\r\n" + line + b"\r\n\r\nGET /next HTTP/1.1\r\nHost: a\r\n\r\n",
        size,
    )
    response = client.read_response()
    assert response.status == 400
    assert "trailer" in response.json()["ErrorMessage"]
    client.expect_close()


def test_a_forbidden_trailer_behind_a_body_that_a_handler_reads(
    start_gateway: Callable[..., Gateway],
) -> None:
    """It runs already: its read fails, and the client gets the refusal for its answer."""
    gateway = start_gateway(
        "reads:handler",
        *("--body-buffer", "1KB"),
        source="""
        def handler(environ, start_response):
            print("it runs", flush=True)
            try:
                size = len(environ["wsgi.input"].read())
            except Exception as error:
                print("read failed:", type(error).__name__, flush=True)
                raise
            start_response("200 OK", [])
            return [str(size).encode()]
        """,
    )
    with gateway.connect() as client:
        client.send(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        client.send(b"2000\r\n" + b"x" * 0x2000 + b"\r\n")
        wait_until(lambda: "it runs" in gateway.output, "the handler reads")
        client.send(b"0\r\nHost: b\r\n\r\n")
        assert client.read_response().status == 400
        client.expect_close()
    wait_until(lambda: "read failed:" in gateway.output, "the handler's read has failed")


@pytest.mark.parametrize("host", [b"Host:", b"Host: "])
def test_an_empty_host_is_served(client: WireClient, host: bytes) -> None:
    """RFC 9112 §3.2: where the target URI has no authority; checks of health send it."""
    client.send(b"GET /x HTTP/1.1\r\n" + host + b"\r\n\r\n")
    found = environ(client.read_response())
    assert found["HTTP_HOST"] == ""
    assert found["SERVER_NAME"] == "127.0.0.1"


@pytest.mark.parametrize(
    ("first", "status", "code"),
    [
        (b"BREW / HTTP/1.1", 501, "NotImplemented"),
        (b"get / HTTP/1.1", 501, "NotImplemented"),
        (b"PRI * HTTP/2.0", 505, "HTTPVersionNotSupported"),
    ],
)
@pytest.mark.parametrize("size", [1, 3, 1 << 20])
def test_methods_and_versions_that_are_not_served(
    client: WireClient, first: bytes, status: int, code: str, size: int
) -> None:
    client.send_in_pieces(first + b"\r\nHost: a\r\n\r\n", size)
    response = client.read_response()
    assert (response.status, response.json()["ErrorCode"]) == (status, code)
    client.expect_close()


def test_tls_to_a_plain_port_is_told_once(start_gateway: Callable[..., Gateway]) -> None:
    gateway = start_gateway("recording:handler")
    for _ in range(3):
        context = ssl.create_default_context()
        with (
            socket.create_connection(("127.0.0.1", gateway.port), timeout=10) as plain,
            pytest.raises(OSError, match=r"SSL|reset"),
        ):
            context.wrap_socket(plain, server_hostname="localhost")
    wait_until(lambda: "spoke TLS" in gateway.errors, "the log tells it")
    with gateway.connect() as client:
        assert client.ask().status == 200
    assert gateway.errors.count("spoke TLS") == 1


def test_a_streamed_answer_is_chunked_and_keeps_the_connection(streaming: Gateway) -> None:
    with streaming.connect() as client:
        for _ in range(3):
            response = client.ask("/4/100000")
            assert response.is_chunked
            assert response.body == b"".join(
                letter * 100_000 for letter in (b"a", b"b", b"c", b"d")
            )


def test_a_streamed_answer_arrives_part_by_part(streaming: Gateway) -> None:
    with streaming.connect() as client:
        client.request("/slowly/3")
        assert client.read_head().status == 200
        for number in range(3):
            assert client.read_line() == b"2\r\n"
            assert client.read_exactly(4) == b"%d\n\r\n" % number
        assert client.read_exactly(5) == b"0\r\n\r\n"


# Expectations.


def expecting(length: int, expectation: str = "100-continue", more: str = "") -> bytes:
    return (
        f"POST /expect HTTP/1.1\r\n{HOST}Expect: {expectation}\r\n"
        f"Content-Length: {length}\r\n{more}\r\n"
    ).encode()


@pytest.mark.parametrize("expectation", ["100-continue", "100-Continue"])
def test_continue_is_sent_when_the_body_is_wanted(client: WireClient, expectation: str) -> None:
    client.send(expecting(5, expectation))
    interim = client.read_head()
    assert interim.status == 100
    assert not interim.has("Content-Length")
    client.send(b"hello")
    assert client.read_response().json()["body"] == "hello"


def test_continue_for_a_chunked_body(client: WireClient) -> None:
    client.send(
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n"
    )
    assert client.read_head().status == 100
    client.send(b"5\r\nhello\r\n0\r\n\r\n")
    assert client.read_response().json()["body"] == "hello"


def test_no_continue_when_the_body_is_there_already(client: WireClient) -> None:
    client.send(expecting(5) + b"h")
    assert not client.has_answer_within(0.2)
    client.send(b"ello")
    assert client.read_response().json()["body"] == "hello"  # It fails on an interim response.


def test_no_continue_without_a_body(client: WireClient) -> None:
    client.send(expecting(0))
    assert client.read_response().status == 200


def test_no_continue_for_http_1_0(client: WireClient) -> None:
    client.send(b"POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
    assert not client.has_answer_within(0.2)
    client.send(b"ok")
    assert client.read_response().json()["body"] == "ok"


@pytest.mark.parametrize(
    ("request_head", "status"),
    [
        (expecting(33 * 1024 * 1024), 400),
        (expecting(200_000, more="X-Fc-Invocation-Type: Async\r\n"), 400),
        (expecting(5, more="Content-Type: a\r\nContent-Type: b\r\n"), 400),
        (expecting(5, "200-ok"), 417),
        (expecting(5, "100-continue, 200-ok"), 417),
        (expecting(5, ""), 417),
        (b"GET / HTTP/1.1\r\nHost: a\r\nExpect: more\r\n\r\n", 417),
    ],
)
def test_no_continue_when_the_request_is_refused(
    client: WireClient, request_head: bytes, status: int
) -> None:
    client.send(request_head)
    response = client.read_response()
    assert response.status == status
    assert response.closes
    client.expect_close()


def test_expectation_with_pipelining(client: WireClient) -> None:
    """`100 Continue` belongs behind the answer of the request before."""
    client.send(b"GET /first HTTP/1.1\r\nHost: a\r\n\r\n" + expecting(5))
    assert environ(client.read_response())["PATH_INFO"] == "/first"
    assert client.read_head().status == 100
    client.send(b"hello")
    assert client.read_response().json()["body"] == "hello"


# Fields.


def test_custom_fields_become_environ_keys(client: WireClient) -> None:
    fields = [("x-Custom-key", "value"), ("X-Spaces", "  a b \t "), ("X-Empty", "")]
    found = environ(client.ask("/", fields=fields))
    assert found["HTTP_X_CUSTOM_KEY"] == "value"
    assert found["HTTP_X_SPACES"] == "a b"
    assert found["HTTP_X_EMPTY"] == ""


def test_names_with_an_underscore_are_dropped(client: WireClient) -> None:
    fields = [
        ("X_Forwarded_For", "6.6.6.6"),
        ("X-Real_Ip", "6.6.6.6"),
        ("Content_Length", "3"),
        ("Content_Type", "evil"),
        ("_", "x"),
        ("X-Real-Ip", "1.1.1.1"),
    ]
    found = environ(client.ask("/", fields=fields))
    assert found["HTTP_X_REAL_IP"] == "1.1.1.1"
    assert "HTTP_X_FORWARDED_FOR" not in found
    assert found["CONTENT_LENGTH"] == "0"
    assert "6.6.6.6" not in found.values()
    assert "evil" not in found.values()


def test_repeated_fields_are_joined(client: WireClient) -> None:
    fields = [("X-Many", "a"), ("x-many", "b"), ("X-MANY", "c"), ("Cookie", "a=1"), ("Cookie", "b")]
    found = environ(client.ask("/", fields=fields))
    assert found["HTTP_X_MANY"] == "a,b,c"
    assert found["HTTP_COOKIE"] == "a=1; b"


def test_the_fields_of_function_compute_are_dropped_but_for_its_controls(
    client: WireClient,
) -> None:
    fields = [
        ("X-Fc-Access-Key-Secret", "forged"),
        ("x-fc-request-id", "forged"),
        ("X-FC-Account-Id", "forged"),
        ("X-Fc-Anything", "forged"),
        ("X-Fc-Log-Type", "Tail"),
        ("X-Fc-Invocation-Type", "Sync"),
    ]
    response = client.ask("/", fields=fields)
    found = environ(response)
    assert "forged" not in response.body.decode()
    assert [name for name in found if name.startswith("HTTP_X_FC_")] == [
        "HTTP_X_FC_LOG_TYPE",
        "HTTP_X_FC_INVOCATION_TYPE",
    ]


def test_proxy_is_no_variable_of_the_process(client: WireClient) -> None:
    """ "httpoxy": the field is told as HTTP_PROXY in environ, but never in os.environ."""
    found = environ(client.ask("/", fields=[("Proxy", "http://evil.test")]))
    assert found.get("HTTP_PROXY", "http://evil.test") == "http://evil.test"


def test_values_are_latin_1(client: WireClient) -> None:
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\nX-Name: Zo\xc3\xab \xff\r\n\r\n")
    assert environ(client.read_response())["HTTP_X_NAME"] == "Zo\xc3\xab \xff"


def test_request_ids_are_unique_and_known_to_the_handler(recorder: Gateway) -> None:
    ids = []
    for _ in range(5):
        with recorder.connect() as client:
            for _ in range(20):
                response = client.ask("/")
                assert response["X-Fc-Request-Id"] == response.json()["request_id"]
                ids.append(response["X-Fc-Request-Id"])
    assert len(set(ids)) == 100
    assert all(REQUEST_ID.fullmatch(request_id) for request_id in ids), ids[:3]


def test_refusals_have_a_request_id_too(client: WireClient) -> None:
    client.send(b"GET / HTTP/1.1\r\n\r\n")
    response = client.read_response()
    assert response.status == 400
    assert REQUEST_ID.fullmatch(response["X-Fc-Request-Id"])


def test_date(client: WireClient) -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    date = client.ask("/")["Date"]
    assert re.fullmatch(r"[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT", date)
    assert before - timedelta(seconds=1) <= parsedate_to_datetime(date) <= datetime.now(UTC)


def test_no_server_field_by_default_and_one_by_option(
    client: WireClient, start_gateway: StartGateway
) -> None:
    assert not client.ask("/").has("Server")
    with start_gateway("recording:handler", "--server-header", "mine/1").connect() as other:
        assert other.ask("/")["Server"] == "mine/1"
        other.send(b"GET / HTTP/1.1\r\n\r\n")
        assert other.read_response()["Server"] == "mine/1"


# Where it listens.


def test_addresses_in_environ(recorder: Gateway, client: WireClient) -> None:
    found = environ(client.ask("/"))
    assert found["REMOTE_ADDR"] == "127.0.0.1"
    assert found["REMOTE_PORT"] == str(client.socket.getsockname()[1])
    assert found["SERVER_PORT"] == str(recorder.port)
    assert found["wsgi.url_scheme"] == "http"


def test_unix_socket(start_gateway: StartGateway, tmp_path: Path) -> None:
    path = tmp_path / "gateway.sock"
    gateway = start_gateway("recording:handler", "--unix", str(path))
    assert gateway.address == f"unix:{path}"
    with gateway.connect() as client:
        found = environ(client.ask("/a"))
        assert found["REMOTE_ADDR"] == ""
        assert found["SERVER_NAME"]
        assert found["SERVER_PORT"] == "80"
        assert client.ask("/b", "POST", body=b"x" * 500_000).json()["length"] == 500_000
        client.send(b"BAD\r\n\r\n")
        assert client.read_response().status == 400
        client.expect_close()
    assert gateway.stop() == 0
    assert not path.exists()


@pytest.fixture
def inherited() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        yield sock


def test_inherited_socket(start_gateway: StartGateway, inherited: socket.socket) -> None:
    number = inherited.fileno()
    gateway = start_gateway("recording:handler", "--fd", str(number), pass_fds=(number,))
    assert gateway.port == inherited.getsockname()[1]
    with gateway.connect() as client:
        assert client.ask("/").status == 200
    assert gateway.stop() == 0
    # It is the parent's socket still, and listens for the next gateway.
    again = start_gateway("recording:handler", "--fd", str(number), pass_fds=(number,))
    with again.connect() as client:
        assert client.ask("/").status == 200


def test_inherited_unix_socket(start_gateway: StartGateway, tmp_path: Path) -> None:
    path = tmp_path / "inherited.sock"
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(path))
        sock.listen()
        gateway = start_gateway(
            "recording:handler", "--fd", str(sock.fileno()), pass_fds=(sock.fileno(),)
        )
        assert gateway.address == f"unix:{path}"
        with gateway.connect() as client:
            assert client.ask("/").status == 200
        assert gateway.stop() == 0
        assert path.exists()


def test_ipv6(start_gateway: StartGateway) -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6")
    gateway = start_gateway("recording:handler", "--host", "::1", "--port", "0")
    assert gateway.address == f"http://[::1]:{gateway.port}"
    with socket.create_connection(("::1", gateway.port), timeout=10) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: [::1]\r\nConnection: close\r\n\r\n")
        answer = b""
        while piece := sock.recv(65536):
            answer += piece
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b'"REMOTE_ADDR": "::1"' in answer


# Clients that leave.


def test_a_reset_while_a_streamed_answer_is_sent(streaming: Gateway) -> None:
    for _ in range(5):
        with streaming.connect() as client:
            client.request("/100000/10000")
            client.read_exactly(1000)
            client.reset()
    with streaming.connect() as client:
        assert client.ask("/1/3").body == b"aaa"


def test_a_body_that_ends_early_is_refused_and_not_run(
    recorder: Gateway, client: WireClient
) -> None:
    token = uuid.uuid4().hex
    client.send(f"POST /{token} HTTP/1.1\r\n{HOST}Content-Length: 10\r\n\r\nhalf".encode())
    client.half_close()
    assert client.read_response().status == 400
    client.expect_close()
    assert runs(recorder, token) == 0


@pytest.mark.parametrize(
    "rest",
    [
        b"POST /TOKEN HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n",
        b"POST /TOKEN HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhalf",
        b"POST /TOKEN HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST /TOKEN HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n0",
        b"POST /TOKEN HTTP/1.1\r\nHost: a\r\nContent-Le",
    ],
)
def test_a_request_that_ends_early_behind_another_is_refused(
    recorder: Gateway, client: WireClient, rest: bytes
) -> None:
    token = uuid.uuid4().hex
    client.send(
        b"GET /first HTTP/1.1\r\nHost: a\r\n\r\n" * 20 + rest.replace(b"TOKEN", token.encode())
    )
    client.half_close()
    for _ in range(20):
        assert environ(client.read_response())["PATH_INFO"] == "/first"
    assert client.read_response().status == 400
    client.expect_close()
    assert runs(recorder, token) == 0


def test_a_head_that_ends_early_is_refused(client: WireClient) -> None:
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\n")
    client.half_close()
    assert client.read_response().status == 400
    client.expect_close()


def test_the_wire_client_notices_faults() -> None:
    """What the tests above rely on."""
    here, there = socket.socketpair()
    with WireClient.__new__(WireClient) as client, there:
        client.socket = here
        client._unread = b""
        there.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel")
        there.close()
        with pytest.raises(Truncated):
            client.read_response()


def test_ids_of_pipelined_requests_belong_to_them(client: WireClient) -> None:
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" * 50)
    ids = []
    for _ in range(50):
        response = client.read_response()
        assert response["X-Fc-Request-Id"] == response.json()["request_id"]
        ids.append(response["X-Fc-Request-Id"])
    assert all(first != second for first, second in pairwise(ids))
