"""Requests that never reach the handler: each whole, in pieces, between others.

The table follows RFC 9112 where it demands a refusal, and elsewhere the gateway's own rule: what
two servers could read differently is refused.
"""

import uuid
from typing import NamedTuple

import pytest
from functional.serving import Gateway
from functional.wire import WireClient

CODES = {
    400: "InvalidArgument",
    417: "ExpectationFailed",
    501: "NotImplemented",
    505: "HTTPVersionNotSupported",
}


class Row(NamedTuple):
    """`TOKEN` in `data` stands for what tells whether the handler ran."""

    name: str
    data: bytes
    status: int = 400


def field(line: bytes) -> bytes:
    """A request with one more field line."""
    return b"GET /TOKEN HTTP/1.1\r\nHost: a\r\n" + line + b"\r\n\r\n"


def post(line: bytes, body: bytes) -> bytes:
    """A request with one more field line and a body."""
    return b"POST /TOKEN HTTP/1.1\r\nHost: a\r\n" + line + b"\r\n\r\n" + body


def chunked(body: bytes) -> bytes:
    return post(b"Transfer-Encoding: chunked", body)


def target(text: bytes, method: bytes = b"GET") -> bytes:
    return method + b" " + text + b" HTTP/1.1\r\nHost: a\r\n\r\n"


def host(line: bytes) -> bytes:
    return b"GET /TOKEN HTTP/1.1\r\n" + line + b"\r\n"


def version(text: bytes) -> bytes:
    return b"GET /TOKEN" + text + b"\r\nHost: a\r\n\r\n"


ROWS = [
    # Line ends and white space.
    Row("line feeds only", b"GET /TOKEN HTTP/1.1\nHost: a\n\n"),
    Row("line feed behind the request line", b"GET /TOKEN HTTP/1.1\nHost: a\r\n\r\n"),
    Row("line feed behind a field", field(b"X-A: b\nX-C: d")),
    Row("carriage return in a value", field(b"X-A: b\rc")),
    Row("carriage return ends a field", field(b"X-A: b\rX-C: d")),
    Row("line feed ends the head", b"GET /TOKEN HTTP/1.1\r\nHost: a\r\n\n"),
    Row("space before the colon", field(b"X-A : b")),
    Row("tab before the colon", field(b"X-A\t: b")),
    Row("space before the first field", b"GET /TOKEN HTTP/1.1\r\n Host: a\r\n\r\n"),
    Row("folded value", field(b"X-A: b\r\n c")),
    Row("folded by a tab", field(b"X-A: b\r\n\tc")),
    Row("folded length", post(b"Content-Length:\r\n 5", b"hello")),
    Row("space before the request line", b" GET /TOKEN HTTP/1.1\r\nHost: a\r\n\r\n"),
    # Characters.
    Row("NUL in a value", field(b"X-A: b\0c")),
    Row("BEL in a value", field(b"X-A: b\x07c")),
    Row("DEL in a value", field(b"X-A: b\x7fc")),
    Row("NUL in a name", field(b"X\0A: b")),
    Row("empty name", field(b": b")),
    Row("name with a space", field(b"X A: b")),
    Row("name with a bracket", field(b"X(A): b")),
    Row("name beyond ASCII", field(b"X-\xe4: b")),
    Row("no colon", field(b"X-A")),
    # Length.
    Row("two different lengths", post(b"Content-Length: 5\r\nContent-Length: 6", b"hello")),
    Row("two equal lengths", post(b"Content-Length: 5\r\nContent-Length: 5", b"hello")),
    Row("a list of lengths", post(b"Content-Length: 5, 5", b"hello")),
    Row("a signed length", post(b"Content-Length: +5", b"hello")),
    Row("a negative length", post(b"Content-Length: -5", b"hello")),
    Row("minus nothing", post(b"Content-Length: -0", b"")),
    Row("a hexadecimal length", post(b"Content-Length: 0x5", b"hello")),
    Row("a fraction", post(b"Content-Length: 5.0", b"hello")),
    Row("an underscore", post(b"Content-Length: 1_0", b"hellohello")),
    Row("two numbers", post(b"Content-Length: 5 5", b"hello")),
    Row("an empty length", post(b"Content-Length:", b"")),
    Row("no number", post(b"Content-Length: five", b"hello")),
    Row("2^64", post(b"Content-Length: 18446744073709551616", b"hello")),
    Row("2^64 and 5", post(b"Content-Length: 18446744073709551621", b"hello")),
    # Transfer codings.
    Row(
        "length and coding",
        post(b"Content-Length: 5\r\nTransfer-Encoding: chunked", b"0\r\n\r\n"),
    ),
    Row(
        "coding and length",
        post(b"Transfer-Encoding: chunked\r\nContent-Length: 5", b"0\r\n\r\n"),
    ),
    Row("length and another coding", post(b"Content-Length: 5\r\nTransfer-Encoding: x", b"hello")),
    Row("chunked twice", post(b"Transfer-Encoding: chunked, chunked", b"0\r\n\r\n")),
    Row(
        "chunked in two lines",
        post(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", b"0\r\n\r\n"),
    ),
    Row(
        "identity behind chunked",
        post(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity", b"0\r\n\r\n"),
    ),
    Row("chunked with a parameter", post(b"Transfer-Encoding: chunked;q=1", b"0\r\n\r\n")),
    Row("nearly chunked", post(b"Transfer-Encoding: xchunked", b"0\r\n\r\n")),
    Row("vertical tab before chunked", post(b"Transfer-Encoding: \x0bchunked", b"0\r\n\r\n")),
    Row("an empty coding", post(b"Transfer-Encoding:", b"")),
    Row("identity", post(b"Transfer-Encoding: identity", b"")),
    Row("gzip without chunked", post(b"Transfer-Encoding: gzip", b"x")),
    Row("chunked before gzip", post(b"Transfer-Encoding: chunked, gzip", b"0\r\n\r\n")),
    Row("identity, chunked", post(b"Transfer-Encoding: identity, chunked", b"0\r\n\r\n")),
    Row("comma before chunked", post(b"Transfer-Encoding: ,chunked", b"0\r\n\r\n")),
    Row("gzip, chunked", post(b"Transfer-Encoding: gzip, chunked", b"0\r\n\r\n"), 501),
    Row(
        "gzip, chunked in two lines",
        post(b"Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked", b"0\r\n\r\n"),
        501,
    ),
    Row(
        "chunked in HTTP/1.0",
        b"POST /TOKEN HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ),
    Row(
        "chunked in HTTP/1.0 that stays",
        b"POST /TOKEN HTTP/1.0\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"0\r\n\r\n",
    ),
    # Chunks.
    Row("no chunk size", chunked(b"\r\n0\r\n\r\n")),
    Row("a letter as chunk size", chunked(b"g\r\n0\r\n\r\n")),
    Row("0x in a chunk size", chunked(b"0x2\r\nok\r\n0\r\n\r\n")),
    Row("a signed chunk size", chunked(b"+2\r\nok\r\n0\r\n\r\n")),
    Row("a negative chunk size", chunked(b"-2\r\nok\r\n0\r\n\r\n")),
    Row("space before a chunk size", chunked(b" 2\r\nok\r\n0\r\n\r\n")),
    Row("space behind a chunk size", chunked(b"2 \r\nok\r\n0\r\n\r\n")),
    Row("underscore in a chunk size", chunked(b"0_2\r\nok\r\n0\r\n\r\n")),
    Row("a chunk size beyond 64 bits", chunked(b"10000000000000002\r\nok\r\n0\r\n\r\n")),
    Row("a very long chunk size", chunked(b"0" * 300 + b"2\r\nok\r\n0\r\n\r\n")),
    Row("line feed behind a chunk size", chunked(b"2\nok\r\n0\r\n\r\n")),
    Row("carriage return behind a chunk size", chunked(b"2\rok\r\n0\r\n\r\n")),
    Row("a chunk longer than its size", chunked(b"2\r\nokay\r\n0\r\n\r\n")),
    Row("a chunk ended by a line feed", chunked(b"2\r\nok\n0\r\n\r\n")),
    Row("a chunk ended by any two bytes", chunked(b"2\r\nokXX0\r\n\r\n")),
    Row("a bare extension sign", chunked(b"2;\r\nok\r\n0\r\n\r\n")),
    Row("line feed in an extension", chunked(b"2;a=b\nok\r\n0\r\n\r\n")),
    Row("carriage return in an extension", chunked(b"2;a=\rb\r\nok\r\n0\r\n\r\n")),
    Row("NUL in an extension", chunked(b"2;a=\0\r\nok\r\n0\r\n\r\n")),
    Row("a long extension", chunked(b"2;a=" + b"b" * 1000 + b"\r\nok\r\n0\r\n\r\n")),
    Row("many extensions", chunked((b"1;a=" + b"b" * 200 + b"\r\nx\r\n") * 100 + b"0\r\n\r\n")),
    Row("a trailer without a colon", chunked(b"0\r\nX-A\r\n\r\n")),
    Row("a trailer without a name", chunked(b"0\r\n: b\r\n\r\n")),
    Row("space before the colon of a trailer", chunked(b"0\r\nX-A : b\r\n\r\n")),
    Row("NUL in a trailer", chunked(b"0\r\nX-A: \0\r\n\r\n")),
    Row("a folded trailer", chunked(b"0\r\nX-A: b\r\n c\r\n\r\n")),
    Row("line feed ends the body", chunked(b"2\r\nok\r\n0\r\n\n")),
    Row("a large trailer", chunked(b"0\r\nX-A: " + b"b" * 9000 + b"\r\n\r\n")),
    Row("many trailers", chunked(b"0\r\n" + b"X-A: bcdef\r\n" * 1000 + b"\r\n")),
    # The request line.
    Row("no version", b"GET /TOKEN\r\n\r\n"),
    Row("no version, and fields", version(b"")),
    Row("HTTP/0.9", version(b" HTTP/0.9"), 505),
    Row("HTTP/2.0", version(b" HTTP/2.0"), 505),
    Row("HTTP/1.2", version(b" HTTP/1.2")),
    Row("HTTP/1.10", version(b" HTTP/1.10")),
    Row("HTTP/1", version(b" HTTP/1")),
    Row("HTTP/1.1 and a space", version(b" HTTP/1.1 ")),
    Row("http/1.1", version(b" http/1.1")),
    Row("RTSP/1.0", version(b" RTSP/1.0")),
    Row("two spaces before the version", version(b"  HTTP/1.1")),
    Row("a tab before the version", version(b"\tHTTP/1.1")),
    Row("two spaces behind the method", b"GET  /TOKEN HTTP/1.1\r\nHost: a\r\n\r\n"),
    Row("a space in the target", target(b"/TOKEN b")),
    Row("a method in lower case", target(b"/TOKEN", b"get")),
    Row("an unknown method", target(b"/TOKEN", b"BREW")),
    Row("a method with a bracket", target(b"/TOKEN", b"G(T")),
    Row("no method", b"/TOKEN HTTP/1.1\r\nHost: a\r\n\r\n"),
    Row("no request line", b"Host: a\r\n\r\n"),
    Row("rubbish", b"\x00\x01\x02\xff\xfe\r\n\r\n"),
    Row("a TLS handshake", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500)),
    # Targets.
    Row("a relative target", target(b"TOKEN")),
    Row("the target * of GET", target(b"*")),
    Row("the target * of POST", target(b"*", b"POST")),
    Row("a fragment", target(b"/TOKEN#x")),
    Row("a fragment in a query", target(b"/TOKEN?a#x")),
    Row("NUL in the target", target(b"/TOKEN\0")),
    Row("a control character in the target", target(b"/TOKEN\x01")),
    Row("an absolute target without a host", target(b"http:///TOKEN")),
    Row("an absolute target with a user", target(b"http://me@a/TOKEN")),
    Row("an absolute target of another scheme", target(b"ftp://a/TOKEN")),
    Row("an authority as target of GET", target(b"a:80")),
    Row("CONNECT", target(b"a:80", b"CONNECT"), 501),
    # Host and other fields that must be there once, or mean something.
    Row("no Host", host(b"")),
    Row("no Host with an absolute target", b"GET http://a/TOKEN HTTP/1.1\r\n\r\n"),
    Row("two Hosts", host(b"Host: a\r\nHost: b\r\n")),
    Row("two equal Hosts", host(b"Host: a\r\nhost: a\r\n")),
    Row("an empty Host", host(b"Host:\r\n")),
    Row("a Host with a space", host(b"Host: a b\r\n")),
    Row("a list of Hosts", host(b"Host: a, b\r\n")),
    Row("a Host with a user", host(b"Host: me@a\r\n")),
    Row("a Host with a path", host(b"Host: a/b\r\n")),
    Row("a Host with a scheme", host(b"Host: http://a\r\n")),
    Row("a Host with two ports", host(b"Host: a:80:80\r\n")),
    Row("a Host with a word as port", host(b"Host: a:http\r\n")),
    Row("a Host with an open bracket", host(b"Host: [::1\r\n")),
    Row("two types", post(b"Content-Type: a/b\r\nContent-Type: c/d\r\nContent-Length: 2", b"ok")),
    Row("an unknown expectation", post(b"Expect: 200-ok\r\nContent-Length: 2", b"ok"), 417),
    Row("two expectations", post(b"Expect: 100-continue, x\r\nContent-Length: 2", b"ok"), 417),
    # Sizes, which have tests of their own; here for what comes behind.
    Row("a large field", field(b"X-A: " + b"b" * 8300)),
    Row("a field without an end", b"GET /TOKEN HTTP/1.1\r\nHost: a\r\nX-A: " + b"b" * 100_000),
    Row("many fields", field(b"\r\n".join([b"X-A: b"] * 3000))),
    Row("a long target", target(b"/TOKEN/" + b"x" * 4200)),
    Row("a target without an end", b"GET /TOKEN" + b"x" * 100_000),
    Row("a large declared body", post(b"Content-Length: 33554433", b"some")),
    Row("a large declared chunk", chunked(b"2000001\r\nsome")),
]

WAYS = ["whole", "in pieces", "before another", "behind another"]

FIRST = b"GET /first HTTP/1.1\r\nHost: a\r\n\r\n"
AFTER = b"GET /TOKEN HTTP/1.1\r\nHost: a\r\n\r\n"


def send(client: WireClient, way: str, data: bytes) -> None:
    if way == "whole":
        client.send(data)
    elif way == "in pieces":
        # Single bytes where they are most telling: the first and the last.
        client.send_in_pieces(data[:400])
        client.send_in_pieces(data[400:-400], 1000)
        client.send_in_pieces(data[max(400, len(data) - 400) :])
    elif way == "before another":
        client.send(data + AFTER + AFTER)
    else:
        client.send(FIRST + data + AFTER)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_refusals(recorder: Gateway, row: Row, way: str) -> None:
    token = uuid.uuid4().hex
    with recorder.connect() as client:
        send(client, way, row.data.replace(b"TOKEN", token.encode()))
        if way == "behind another":
            assert client.read_response().json()["environ"]["PATH_INFO"] == "/first"
        response = client.read_response()
        assert response.status == row.status
        assert response["X-Fc-Error-Type"] == "FcCommonError"
        assert response["Content-Type"] == "application/json"
        assert response.closes
        body = response.json()
        assert set(body) == {"ErrorCode", "ErrorMessage"}
        assert body["ErrorCode"] == CODES[row.status]
        assert isinstance(body["ErrorMessage"], str)
        assert body["ErrorMessage"]
        client.expect_close()
    with recorder.connect() as client:
        assert client.ask(f"/runs/{token}").body == b"0"


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
