"""Heads: each fed whole, byte by byte, cut in two at every place, and with trailing data."""

import gc
import sys
from dataclasses import replace
from itertools import product

import pytest

from gateway.errors import (
    BodyTooLarge,
    ExpectationFailed,
    HeadersTooLarge,
    MalformedRequest,
    NotImplementedByGateway,
    PathTooLong,
    Refusal,
    VersionNotSupported,
)
from gateway.http.message.fields import FieldNames
from gateway.http.message.head import CHUNKED
from gateway.http.message.parser import HeadParser
from gateway.limits import Limits

LIMITS = Limits()
BEHIND = b"GET /behind HTTP/1.1\r\nHost: b\r\n\r\n"


def new_parser(limits=LIMITS):
    return HeadParser(FieldNames(lambda name: name == b"x-withheld"), limits)


def request(*lines: bytes, first: bytes = b"GET / HTTP/1.1", host: bytes = b"Host: a") -> bytes:
    """A head: its first line, `host` unless it is empty, and further field lines."""
    return b"\r\n".join([first, *([host] if host else []), *lines, b"", b""])


def splits(data):
    """The ways in which each head is fed."""
    yield [data]
    yield [bytes([byte]) for byte in data]
    if len(data) < 400:
        yield from ([data[:place], data[place:]] for place in range(1, len(data)))


def feed(parser, segments):
    """The head, and the bytes behind it."""
    for number, segment in enumerate(segments):
        head = parser.feed(segment)
        if head is not None:
            return head, parser.rest + b"".join(segments[number + 1 :])
    return None, b""


def parse(data, limits=LIMITS):
    """The head in `data`, checked to be the same in every split and whatever comes behind."""
    whole, rest = feed(new_parser(limits), [data])
    assert whole is not None, "the head is not complete"
    assert rest == b""
    expected = facts(whole)
    for trailing in (b"", b"x", BEHIND, b"\r\n\r\n"):
        for segments in splits(data + trailing):
            head, rest = feed(new_parser(limits), segments)
            assert rest == trailing
            assert facts(head) == expected
    return whole


def facts(head):
    """All that a head says."""
    kept = ("fields", "environ", "log_parts", "origin", "withheld")
    values = {name: getattr(head, name) for name in head.__slots__ if name not in kept}
    lines = {"fields": head.fields, "withheld": head.withheld or []}
    return values | {
        kind: [(name.lower, value) for name, value in found] for kind, found in lines.items()
    }


def bytes_until_refusal(data, limits):
    """How many bytes of `data` are taken before one is refused, and how."""
    parser = new_parser(limits)
    for taken in range(len(data)):
        try:
            parser.feed(data[taken : taken + 1])
        except Refusal as refusal:
            return taken, type(refusal)
    raise AssertionError("all was taken")


def refusal_of(data, limits=LIMITS):
    """The refusal of `data`, checked to be of the same class in every split."""
    found = set()
    for trailing in (b"", BEHIND):
        for segments in splits(data + trailing):
            parser = new_parser(limits)
            try:  # Hundreds of thousands of times: `pytest.raises` would cost more than the parser.
                feed(parser, segments)
            except Refusal as refusal:
                found.add(type(refusal))
            else:
                pytest.fail(f"nothing was refused: {segments[:20]}")
    (kind,) = found
    return kind


# --- accepted ----------------------------------------------------------------------------------


def test_a_plain_request():
    head = parse(request(b"Accept: */*", b"X-Empty:"))
    assert facts(head) == {
        "method": "GET",
        "target": "/",
        "path": "/",
        "query": "",
        "host": "a",
        "fields": [(b"host", b"a"), (b"accept", b"*/*"), (b"x-empty", b"")],
        "withheld": [],
        "content_length": 0,
        "is_http_1_0": False,
        "keep_alive": True,
        "expects_continue": False,
        "has_controls": False,
        "is_async": False,
        "wants_tail": False,
    }
    assert repr(head) == "<RequestHead GET / HTTP/1.1>"


@pytest.mark.parametrize(
    ("first", "expected"),
    [
        (b"GET / HTTP/1.1", ("GET", "/", "/", "", "a")),
        (b"DELETE /a/b?c=d?e HTTP/1.1", ("DELETE", "/a/b?c=d?e", "/a/b", "c=d?e", "a")),
        (b"GET /? HTTP/1.1", ("GET", "/?", "/", "", "a")),
        (b"GET //a//b HTTP/1.1", ("GET", "//a//b", "//a//b", "", "a")),
        (b"GET /%41%2f%zz HTTP/1.1", ("GET", "/%41%2f%zz", "/%41%2f%zz", "", "a")),
        (b"GET /../a HTTP/1.1", ("GET", "/../a", "/../a", "", "a")),
        (b"OPTIONS * HTTP/1.1", ("OPTIONS", "*", "", "", "a")),
        (b"OPTIONS /x HTTP/1.1", ("OPTIONS", "/x", "/x", "", "a")),
        (b"PROPFIND / HTTP/1.1", ("PROPFIND", "/", "/", "", "a")),
        (b"GET http://b/c?d HTTP/1.1", ("GET", "/c?d", "/c", "d", "b")),
        (b"GET https://b:8080/c HTTP/1.1", ("GET", "/c", "/c", "", "b:8080")),
        (b"GET http://b HTTP/1.1", ("GET", "/", "/", "", "b")),
        (b"GET http://b?d HTTP/1.1", ("GET", "/?d", "/", "d", "b")),
        (b"GET HTTP://[::1]:80/ HTTP/1.1", ("GET", "/", "/", "", "[::1]:80")),
    ],
)
def test_targets(first, expected):
    head = parse(request(first=first))
    assert (head.method, head.target, head.path, head.query, head.host) == expected


@pytest.mark.parametrize(
    ("first", "lines", "is_http_1_0", "keep_alive"),
    [
        (b"GET / HTTP/1.1", (), False, True),
        (b"GET / HTTP/1.1", (b"Connection: close",), False, False),
        (b"GET / HTTP/1.1", (b"Connection: CLOSE",), False, False),
        (b"GET / HTTP/1.1", (b"Connection: x, close",), False, False),
        (b"GET / HTTP/1.1", (b"Connection: keep-alive",), False, True),
        (b"GET / HTTP/1.0", (), True, False),
        (b"GET / HTTP/1.0", (b"Connection: keep-alive",), True, True),
        (b"POST / HTTP/1.0", (b"Content-Length: 3",), True, False),
        (b"POST / HTTP/1.1", (b"Content-Length: 3",), False, True),
        (b"POST / HTTP/1.1", (b"Transfer-Encoding: chunked",), False, True),
    ],
)
def test_version_and_persistence(first, lines, is_http_1_0, keep_alive):
    head = parse(request(*lines, first=first))
    assert (head.is_http_1_0, head.keep_alive) == (is_http_1_0, keep_alive)


@pytest.mark.parametrize("blank", [b"\r\n", b"\r\n\r\n", b"\r\n\r\n\r\n", b"\r\n" * 9])
def test_empty_lines_before_a_request(blank):
    assert parse(blank + request()).path == "/"


def test_an_empty_line_is_not_yet_a_request():
    parser = new_parser()
    assert not parser.is_open
    assert parser.feed(b"\r\n\r\n") is None
    assert not parser.is_open
    assert parser.feed(b"G") is None
    assert parser.is_open
    assert parser.feed(request()[1:]).path == "/"
    assert not parser.is_open


@pytest.mark.parametrize(
    ("line", "value"),
    [
        (b"X-A:b", b"b"),
        (b"X-A:  b", b"b"),
        (b"X-A: b  ", b"b"),
        (b"X-A:\tb\t \t", b"b"),
        (b"X-A: b c", b"b c"),
        (b"X-A:   ", b""),
        (b"X-A: \xe4\xff", b"\xe4\xff"),
        (b'X-A: "b:c"', b'"b:c"'),
    ],
)
def test_white_space_around_values(line, value):
    head = parse(request(line))
    assert [(name.lower, found) for name, found in head.fields[1:]] == [(b"x-a", value)]


def test_fields_keep_their_order_and_repeats():
    head = parse(request(b"B: 1", b"A: 2", b"b: 3"))
    assert [(name.lower, value) for name, value in head.fields[1:]] == [
        (b"b", b"1"), (b"a", b"2"), (b"b", b"3"),
    ]  # fmt: skip


@pytest.mark.parametrize("line", [b"X_A: b", b"Content_Length: 7", b"Host_: c", b"X-Withheld: 1"])
def test_fields_that_are_dropped(line):
    head = parse(request(line, b"X-A: b"))
    assert [name.lower for name, _ in head.fields] == [b"host", b"x-a"]
    assert head.content_length == 0


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        (b"example.com", "example.com"),
        (b"Example.COM:8080", "Example.COM:8080"),
        (b"a:", "a:"),
        (b"127.0.0.1:80", "127.0.0.1:80"),
        (b"[::1]", "[::1]"),
        (b"[2001:db8::1]:443", "[2001:db8::1]:443"),
        (b"[v1.a:b]", "[v1.a:b]"),
        (b"a_b.c~d%20", "a_b.c~d%20"),
        (b"a  ", "a"),
        (b"a" * 300, "a" * 300),
        (b"", ""),
    ],
)
def test_hosts(host, expected):
    assert parse(request(host=b"Host: " + host)).host == expected


def test_http_1_0_needs_no_host():
    assert parse(request(first=b"GET / HTTP/1.0", host=b"")).host == ""


@pytest.mark.parametrize(
    ("lines", "length"),
    [
        ((), 0),
        ((b"Content-Length: 0",), 0),
        ((b"Content-Length: 5",), 5),
        ((b"Content-Length: 5  ",), 5),
        ((b"content-length: 005",), 5),
        ((b"Transfer-Encoding: chunked",), CHUNKED),
        ((b"transfer-encoding: CHUNKED ",), CHUNKED),
    ],
)
@pytest.mark.parametrize("method", [b"POST", b"GET", b"DELETE"])
def test_how_the_body_is_framed(method, lines, length):
    assert parse(request(*lines, first=method + b" / HTTP/1.1")).content_length == length


def test_expectation():
    assert parse(request(b"Expect: 100-continue", b"Content-Length: 1")).expects_continue
    assert parse(request(b"Expect: 100-Continue")).expects_continue
    old = parse(request(b"Expect: 100-continue", first=b"POST / HTTP/1.0"))
    assert not old.expects_continue, "HTTP/1.0 knows no interim responses (RFC 9110 §10.1.1)"


@pytest.mark.parametrize(
    ("value", "is_async"), [(b"Async", True), (b"async", True), (b"Sync", False)]
)
def test_invocation_type(value, is_async):
    head = parse(request(b"X-Fc-Invocation-Type: " + value))
    assert head.is_async == is_async
    assert head.has_controls


@pytest.mark.parametrize(
    ("value", "wants_tail"),
    [(b"Tail", True), (b"tAIL", True), (b"None", False), (b"", False), (b"Tails", False)],
)
def test_log_type(value, wants_tail):
    assert parse(request(b"X-Fc-Log-Type: " + value)).wants_tail == wants_tail


# --- upgrades ----------------------------------------------------------------------------------

UPGRADE = (b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c")


def test_an_upgrade_loses_nothing_that_follows():
    data = request(*UPGRADE)
    parser = new_parser()
    assert parser.feed(data + BEHIND).path == "/"
    assert parser.rest == BEHIND
    assert parser.feed(parser.rest).path == "/behind"


@pytest.mark.parametrize("framing", [b"Content-Length: 33", b"Transfer-Encoding: chunked"])
def test_an_upgrade_does_not_hide_the_body(framing):
    head = parse(request(*UPGRADE, framing, first=b"POST / HTTP/1.1"))
    assert head.content_length in (33, CHUNKED)


def test_heads_one_behind_the_other():
    parser = new_parser()
    stream = request(first=b"GET /1 HTTP/1.1") + request(
        b"Content-Length: 3", first=b"PUT /2 HTTP/1.1"
    )
    assert parser.feed(stream).path == "/1"
    assert parser.feed(parser.rest).path == "/2"
    assert parser.rest == b""
    assert parser.feed(BEHIND).path == "/behind"


# --- refused -----------------------------------------------------------------------------------

REFUSED = [
    # The request line.
    (b"GET /\r\n\r\n", MalformedRequest),
    (b"GET / \r\n\r\n", MalformedRequest),
    (request(first=b"GET  / HTTP/1.1"), MalformedRequest),
    (request(first=b"GET /  HTTP/1.1"), MalformedRequest),
    (request(first=b"GET / HTTP/1.1 "), MalformedRequest),
    (request(first=b" GET / HTTP/1.1"), MalformedRequest),
    (request(first=b"GET\t/ HTTP/1.1"), MalformedRequest),
    (request(first=b"GET / RTSP/1.0"), MalformedRequest),
    (request(first=b"SOURCE / ICE/1.0"), MalformedRequest),
    (request(first=b"GET / http/1.1"), MalformedRequest),
    (request(first=b"GET / HTTP/1.1x"), MalformedRequest),
    (request(first=b"GET / HTTP/0.9"), VersionNotSupported),
    (request(first=b"GET / HTTP/2.0"), VersionNotSupported),
    (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", VersionNotSupported),
    (b"\r\nPRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", VersionNotSupported),
    (request(first=b"PRI / HTTP/1.1"), VersionNotSupported),
    (b"PRI *\n\r\n", VersionNotSupported),
    (b"PRI *\r\n\r\n", VersionNotSupported),
    (request(first=b"get / HTTP/1.1"), NotImplementedByGateway),
    (request(first=b"Get / HTTP/1.1"), NotImplementedByGateway),
    (request(first=b"G / HTTP/1.1"), NotImplementedByGateway),
    (request(first=b"GETS / HTTP/1.1"), NotImplementedByGateway),
    (request(first=b"BREW / HTTP/1.1"), NotImplementedByGateway),
    (request(first=b"BREW pot HTCPCP/1.0"), NotImplementedByGateway),
    (request(first=b"!#$%&'*+-.^_`|~09 / HTTP/1.1"), NotImplementedByGateway),
    (request(first=b"DESCRIBE / HTTP/1.1"), NotImplementedByGateway),
    (request(first=b"DESCRIBE / RTSP/1.0"), NotImplementedByGateway),
    (request(first=b"DESCRIBE /" + b"x" * 5000 + b" HTTP/1.1"), NotImplementedByGateway),
    (request(first=b"PRI /" + b"x" * 5000 + b" HTTP/1.1"), VersionNotSupported),
    (b"\nPRI / HTTP/1.1\r\n\r\n", MalformedRequest),
    (b"\nBREW / HTTP/1.1\r\n\r\n", MalformedRequest),
    (b"\r\n" + request(first=b"BREW / HTTP/1.1"), NotImplementedByGateway),
    (request(first=b"M" * 63 + b" / HTTP/1.1"), NotImplementedByGateway),
    (request(first=b"M" * 64 + b" / HTTP/1.1"), NotImplementedByGateway),
    (request(first=b"M" * 65 + b" / HTTP/1.1"), NotImplementedByGateway),
    (b"M" * 5000 + b"\0", NotImplementedByGateway),
    (request(first=b"M" * 64 + b"\t/ HTTP/1.1"), MalformedRequest),
    (request(first=b"M" * 65 + b"\t/ HTTP/1.1"), NotImplementedByGateway),
    (request(first=b"BR(EW / HTTP/1.1"), MalformedRequest),
    (request(first=b"BREW\t/ HTTP/1.1"), MalformedRequest),
    (b"BREW\r\n\r\n", MalformedRequest),
    (request(first=b"GET a HTTP/1.1"), MalformedRequest),
    (request(first=b"GET /a b HTTP/1.1"), MalformedRequest),
    (request(first=b"GET * HTTP/1.1"), MalformedRequest),
    (request(first=b"OPTIONS *a HTTP/1.1"), MalformedRequest),
    (request(first=b"GET /a#b HTTP/1.1"), MalformedRequest),
    (request(first=b"GET /a\xe4 HTTP/1.1"), MalformedRequest),
    (request(first=b"GET /a\0 HTTP/1.1"), MalformedRequest),
    (request(first=b"GET ftp://a/ HTTP/1.1"), MalformedRequest),
    (request(first=b"GET http:///a HTTP/1.1"), MalformedRequest),
    (request(first=b"GET http://u@b/ HTTP/1.1"), MalformedRequest),
    (request(first=b"GET http://b/#c HTTP/1.1"), MalformedRequest),
    (request(first=b"CONNECT a:1 HTTP/1.1"), NotImplementedByGateway),
    # Lines.
    (b"GET / HTTP/1.1\nHost: a\n\n", MalformedRequest),
    (b"GET / HTTP/1.1\r\nHost: a\n\r\n\r\n", MalformedRequest),
    (b"GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n", MalformedRequest),
    (request(b" folded"), MalformedRequest),
    (request(b"X-A: b", b"\tfolded"), MalformedRequest),
    (request(b"X-A : b"), MalformedRequest),
    (request(b"X-A\t: b"), MalformedRequest),
    (request(b": b"), MalformedRequest),
    (request(b"X-A"), MalformedRequest),
    (request(b"X(A: b"), MalformedRequest),
    (request(b"X\xe4: b"), MalformedRequest),
    (request(b"X-A: b\0c"), MalformedRequest),
    (request(b"X-A: b\x07c"), MalformedRequest),
    (request(b"X-A: b\x7fc"), MalformedRequest),
    # Host.
    (request(host=b""), MalformedRequest),
    (request(b"Host: a"), MalformedRequest),
    (request(b"HOST: b"), MalformedRequest),
    (request(b"Host: b", first=b"GET / HTTP/1.0"), MalformedRequest),
    (request(b"Host: b", first=b"GET http://c/ HTTP/1.1"), MalformedRequest),
    (request(first=b"GET http://c/ HTTP/1.1", host=b""), MalformedRequest),
    *(
        (request(host=b"Host: " + host), MalformedRequest)
        for host in (b"a b", b"a/b", b"u@a", b"a:b", b"a:123456", b"[::1", b"\xe4", b"a%2",
                     b":80", b"[::1%25eth0]", b"a?b", b"http://a", b"a\\b")
    ),
    # Content-Length.
    *(
        (request(b"Content-Length: " + length, first=b"POST / HTTP/1.1"), MalformedRequest)
        for length in (b"", b"+5", b"-0", b"-5", b"0x5", b"5 5", b"5, 5", b"5,", b"5.0", b"1e3",
                       b"x", b"\xb2", b"18446744073709551616", b"9" * 40)
    ),
    (request(b"Content-Length: 5", b"Content-Length: 5"), MalformedRequest),
    (request(b"Content-Length: 5", b"Content-Length: 6"), MalformedRequest),
    (request(b"Content-Length: 5", b"Transfer-Encoding: chunked"), MalformedRequest),
    (request(b"Transfer-Encoding: chunked", b"Content-Length: 5"), MalformedRequest),
    # Transfer-Encoding.
    *(
        (request(b"Transfer-Encoding: " + coding, first=b"POST / HTTP/1.1"), kind)
        for coding, kind in (
            (b"gzip, chunked", NotImplementedByGateway),
            (b"gzip , deflate,chunked", NotImplementedByGateway),
            (b"identity", MalformedRequest),
            (b"identity, chunked", MalformedRequest),
            (b",chunked", MalformedRequest),
            (b"chunked, chunked", MalformedRequest),
            (b"chunked,", MalformedRequest),
            (b"chunked, gzip", MalformedRequest),
            (b"gzip", MalformedRequest),
            (b"xchunked", MalformedRequest),
            (b"chunkedx", MalformedRequest),
            (b"chunked;q=1", MalformedRequest),
            (b'"chunked"', MalformedRequest),
            (b"\x0bchunked", MalformedRequest),
            (b"", MalformedRequest),
        )
    ),
    (request(b"Transfer-Encoding: gzip", b"Transfer-Encoding: chunked"), NotImplementedByGateway),
    (request(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"), MalformedRequest),
    (request(b"Transfer-Encoding: chunked", first=b"POST / HTTP/1.0"), MalformedRequest),
    # Others.
    (request(b"Content-Type: a/b", b"Content-Type: a/b"), MalformedRequest),
    (request(b"Expect: tea"), ExpectationFailed),
    (request(b"Expect: 100-continue, tea"), ExpectationFailed),
    (request(b"Expect: tea", first=b"GET / HTTP/1.0"), ExpectationFailed),
]  # fmt: skip


@pytest.mark.parametrize(("data", "kind"), REFUSED)
def test_refusals(data, kind):
    assert refusal_of(data) is kind


@pytest.mark.parametrize(
    ("data", "spoken"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "TLS"),
        (b"\x05\x01\x00", "SOCKS"),
        (b"\x04\x01\x00\x50\x7f\0\0\1\0", "SOCKS"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "SSH"),
        (b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n" + BEHIND, "the PROXY protocol"),
        (b"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c" + b"\1" * 12, "the PROXY protocol"),
        (b"\x80GET", ""),
        (b"PROXYING / HTTP/1.1\r\n\r\n", ""),
    ],
)
def test_other_protocols_are_recognised(data, spoken):
    for segments in splits(data + BEHIND):
        with pytest.raises(Refusal) as caught:
            feed(new_parser(), segments)
        assert getattr(caught.value, "spoken", "") == spoken
        assert caught.value.closes


def test_an_unknown_method_is_refused_at_its_end():
    assert bytes_until_refusal(b"BREW / ", LIMITS) == (4, NotImplementedByGateway)
    assert bytes_until_refusal(b"M" * 100, LIMITS) == (64, NotImplementedByGateway)
    parser = new_parser()
    assert parser.feed(b"BR") is None
    assert parser.is_open


def test_the_words_are_the_gateway_s():
    """Whatever the parser says: in no split do its words reach a client."""
    its_words = (
        b"encountered",
        b"Invalid",
        b"Pause",
        b"Expected",
        b"httptools",
        b"Missing",
        b"url",
    )
    for data, _ in REFUSED:
        for segments in ([data], [bytes([byte]) for byte in data]):
            with pytest.raises(Refusal) as caught:
                feed(new_parser(), segments)
            message = caught.value.message.encode()
            assert message
            assert not any(word in message for word in its_words), message


# --- limits ------------------------------------------------------------------------------------


def headers_of(size):
    """A head whose names and values are `size` bytes in sum, `Host: a` included."""
    lines, left = [], size - 5
    while left > 200:
        lines.append(b"X-%04d: " % len(lines) + b"v" * 94)
        left -= 100
    return request(*lines, b"X-Last: " + b"v" * (left - 6))


@pytest.mark.parametrize("delta", [-1, 0])
def test_headers_up_to_the_limit(delta):
    head = parse(headers_of(8192 + delta))
    assert sum(len(name.lower) + len(value) for name, value in head.fields) == 8192 + delta


def test_headers_beyond_the_limit():
    assert refusal_of(headers_of(8193)) is HeadersTooLarge


def test_white_space_does_not_count():
    """FC counts names and values."""
    limits = replace(LIMITS, max_header_bytes=200)
    assert refusal_of(headers_of(201), limits) is HeadersTooLarge
    padded = headers_of(200).replace(b": ", b":    ").replace(b"\r\n", b"   \r\n")
    padded = padded.replace(b"1.1   ", b"1.1").removesuffix(b"   \r\n") + b"\r\n"
    parse(padded, limits)


def test_dropped_fields_count():
    limits = replace(LIMITS, max_header_bytes=200)
    line = b"X_" + b"a" * 94 + b": " + b"b" * 98
    parse(request(line), limits)  # 194 and the 5 of Host
    assert refusal_of(request(line + b"bb"), limits) is HeadersTooLarge


@pytest.mark.parametrize("delta", [-1, 0, 1])
@pytest.mark.parametrize("prefix", [b"", b"http://example.com", b"https://u.example:8080"])
@pytest.mark.parametrize("shape", [b"/%b", b"/a?%b", b"/?%b"])
def test_path_and_query_at_the_limit(delta, prefix, shape):
    limits = replace(LIMITS, max_path_bytes=100)
    path = shape % (b"x" * (100 + delta - len(shape) + 2))
    data = request(first=b"GET " + prefix + path + b" HTTP/1.1")
    if delta > 0:
        assert refusal_of(data, limits) is PathTooLong
    else:
        assert parse(data, limits).target == path.decode()


@pytest.mark.parametrize("delta", [-1, 0, 1])
def test_an_empty_path_counts_as_what_it_stands_for(delta):
    limits = replace(LIMITS, max_path_bytes=100)
    query = b"x/" * 40 + b"x" * (18 + delta)
    data = request(first=b"GET http://example.com?" + query + b" HTTP/1.1")
    if delta > 0:
        assert refusal_of(data, limits) is PathTooLong
    else:
        assert parse(data, limits).target == "/?" + query.decode()


def test_path_beyond_fc_s_limit():
    assert parse(request(first=b"GET /" + b"x" * 4095 + b" HTTP/1.1")).path == "/" + "x" * 4095
    assert refusal_of(request(first=b"GET /" + b"x" * 4096 + b" HTTP/1.1")) is PathTooLong


def test_an_authority_without_path_that_never_ends():
    limits = replace(LIMITS, max_path_bytes=100)
    assert parse(request(first=b"GET http://" + b"x" * 200 + b" HTTP/1.1"), limits).path == "/"


@pytest.mark.parametrize(
    ("lines", "limit"), [((), 1000), ((b"X-Fc-Invocation-Type: Async",), 100)]
)  # fmt: skip
def test_announced_bodies_at_the_limit(lines, limit):
    limits = replace(LIMITS, max_body=1000, max_async_body=100)
    for length in (limit - 1, limit):
        assert (
            parse(request(*lines, b"Content-Length: %d" % length), limits).content_length == length
        )
    assert refusal_of(request(*lines, b"Content-Length: %d" % (limit + 1)), limits) is BodyTooLarge


SMALL = replace(LIMITS, max_header_bytes=100, max_path_bytes=100)


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\nHost: a\r\nX-A: " + b"v" * 5000,
        b"GET / HTTP/1.1\r\nHost: a\r\nX-A:" + b" " * 5000,
        b"GET / HTTP/1.1\r\n" + b"N" * 5000,
        b"GET / HTTP/1.1\r\nHost: a\r\n" + b"A:\r\n" * 1000,
    ],
)
def test_a_head_that_does_not_end_is_refused_at_the_cap(data):
    assert refusal_of(data, SMALL) is HeadersTooLarge
    taken, kind = bytes_until_refusal(data, SMALL)
    assert kind is HeadersTooLarge
    assert taken <= SMALL.max_head


def test_a_target_that_does_not_end_is_refused_at_its_limit():
    data = b"GET /" + b"x" * 5000
    assert bytes_until_refusal(data, SMALL) == (len(b"GET ") + 100, PathTooLong)


def test_only_a_scheme_of_http_s_makes_an_authority_free():
    """Else bytes behind the limit, a `://`, would decide whether those before it had been free."""
    data = b"GET " + b"z" * 101 + b"://b/ HTTP/1.1\r\nHost: a"
    assert refusal_of(data, SMALL) is PathTooLong


@pytest.mark.parametrize("delta", [-1, 0, 1])
@pytest.mark.parametrize("line", [b"A:", b"A_B: c", b"X-Fc-Log-Type: Tail"])
def test_the_number_of_fields_by_default(delta, line):
    limits = replace(LIMITS, max_header_bytes=65536)
    data = request(*[line] * (511 + delta))
    if delta > 0:
        assert refusal_of(data, limits) is HeadersTooLarge
    else:
        head = parse(data, limits)
        assert len(head.fields) + len(head.withheld or ()) == 512 + delta


@pytest.mark.parametrize("count", [46, 47, 48, 49, 200])
def test_many_fields_say_what_few_say(count):
    """Of more than 48 other code makes what a head keeps."""
    many = [b"X-A%d: v%d " % (number, number) for number in range(count)]
    meant = [b"X_Y: 1", b"X-Withheld: 2", b"content-length:  5", b"X-Fc-Log-Type: tail"]
    head, plain = parse(request(*many, *meant)), parse(request(*meant))
    fields = [(name.lower, name.environ_key, value) for name, value in head.fields]
    assert fields[:2] == [(b"host", "HTTP_HOST", b"a"), (b"x-a0", "HTTP_X_A0", b"v0")]
    assert fields[-3:] == [
        (b"x-a%d" % (count - 1), f"HTTP_X_A{count - 1}", b"v%d" % (count - 1)),
        (b"content-length", "CONTENT_LENGTH", b"5"),
        (b"x-fc-log-type", "HTTP_X_FC_LOG_TYPE", b"tail"),
    ]
    assert len(head.fields) == count + 3
    assert facts(head) | {"fields": []} == facts(plain) | {"fields": []}


@pytest.mark.parametrize("line", [b"Host: b", b"Content-Type: a/b", b"Expect: tea", b"X: \0"])
def test_many_fields_hide_no_fault(line):
    many = [b"X-A%d: v" % number for number in range(100)]
    head = request(b"Content-Type: a/b", *many, line)
    assert refusal_of(head) in (MalformedRequest, ExpectationFailed)


def kept_bytes(objects):
    """What `objects` take in memory, with all that only they refer to."""
    seen, size, stack = set(), 0, [*objects]
    while stack:
        each = stack.pop()
        if id(each) in seen or isinstance(each, type | Limits | FieldNames):
            continue
        seen.add(id(each))
        size += sys.getsizeof(each)
        stack.extend(gc.get_referents(each))
    return size


TWO_BYTES = [b"%c%c" % pair for pair in product(b"abcdefghijklmnopqrstuvwxyz", repeat=2)]


@pytest.mark.parametrize("is_open", [False, True])
def test_many_small_fields_cost_few_bytes(is_open):
    """Fields of two bytes each once took 25 to 49 times as much, for as long as a body may take."""
    data = request(b"Content-Length: 5", *[name + b":" for name in TWO_BYTES[:500]])
    if is_open:
        data = data[:-2]
    for segments in ([data], [data[place : place + 7] for place in range(0, len(data), 7)]):
        parser = new_parser()
        head, _ = feed(parser, segments)
        assert (head is None) == is_open
        kept = kept_bytes([parser._raw, parser._lines, parser._packed, parser.last_raw, head])
        assert kept < 6 * len(data) + 4096
        assert parser.size >= 4 * len(data)


def test_ten_thousand_fields():
    assert refusal_of(request(*[b"A: b"] * 10_000)) is HeadersTooLarge


@pytest.mark.parametrize(("more", "kind"), [(-1, None), (0, None), (1, HeadersTooLarge)])
def test_the_number_of_fields(more, kind):
    limits = replace(LIMITS, max_header_fields=50)
    data = request(*[b"A: b"] * (49 + more))
    if kind is None:
        assert len(parse(data, limits).fields) == 50 + more
    else:
        assert refusal_of(data, limits) is kind


def test_fields_beyond_their_number_are_refused_while_the_head_is_open():
    limits = replace(LIMITS, max_header_fields=50)
    taken, kind = bytes_until_refusal(b"GET / HTTP/1.1\r\n" + b"A:\r\n" * 100, limits)
    assert kind is HeadersTooLarge
    assert taken <= len(b"GET / HTTP/1.1\r\n") + 51 * 4


@pytest.mark.parametrize("size", [99, 100, 101, 1000])
def test_a_head_up_to_small_head_breaks_no_limit(size):
    """What is not counted could not have been refused: the counted sums say so."""
    limits = replace(
        LIMITS, max_header_bytes=size, max_path_bytes=size, max_header_fields=size // 4
    )
    assert limits.small_head == size // 4 * 4
    longest = b"GET /" + b"x" * (
        limits.small_head - len(request(host=b"", first=b"GET / HTTP/1.0"))
    )
    data = request(host=b"", first=longest + b" HTTP/1.0")
    assert len(data) == limits.small_head
    assert parse(data, limits).path == longest[4:].decode()


# --- a large open head ---------------------------------------------------------------------------

LARGE = replace(LIMITS, max_header_bytes=200_000)


@pytest.mark.parametrize("size", [1, 7, 4095, 4096, 4097])
@pytest.mark.parametrize("trailing", [b"", b"x", BEHIND])
def test_a_large_head_in_small_pieces(size, trailing):
    data = request(b"X-A: " + b"b" * 45_000, b"X-B: c") + trailing
    parser = new_parser(LARGE)
    head, rest = feed(parser, [data[place : place + size] for place in range(0, len(data), size)])
    assert facts(head) == facts(new_parser(LARGE).feed(data))
    assert rest == trailing
    assert not parser.is_open
    assert parser.feed(PLAIN).path == "/a"


def test_a_large_head_that_does_not_end_is_refused_at_the_cap():
    taken, kind = bytes_until_refusal(b"GET / HTTP/1.1\r\nX-A:" + b" " * 300_000, LARGE)
    assert kind is HeadersTooLarge
    assert taken == LARGE.max_head


def test_a_fault_in_a_large_head_is_found_soon():
    data = b"GET / HTTP/1.1\r\nX-A: " + b"b" * 40_000
    taken, kind = bytes_until_refusal(data + b"\0" + b"b" * 5000, LARGE)
    assert kind is MalformedRequest
    assert len(data) <= taken <= len(data) + 4096


class CountingParser:
    """Takes all, and counts how often."""

    def __init__(self) -> None:
        self.calls = 0

    def feed_data(self, data):
        self.calls += 1


def test_small_pieces_of_a_large_head_are_fed_together():
    """Each feed costs as much as the field is long: httptools joins its pieces."""
    parser = new_parser(LARGE)
    parser.feed(b"GET / HTTP/1.1\r\nX-A: " + b"b" * 40_000)
    counting = parser._parser = CountingParser()
    for _ in range(3 * 4096):
        parser.feed(b"b")
    assert counting.calls == 3


def test_limits_come_before_other_faults():
    limits = replace(LIMITS, max_header_bytes=50)
    assert refusal_of(request(b"X-A: " + b"b" * 50, b"Expect: tea"), limits) is HeadersTooLarge


def test_a_parser_can_be_thrown_away():
    parser = new_parser()
    parser.feed(b"GET")
    parser.close()


# --- the same head again -------------------------------------------------------------------------

PLAIN = b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n"


@pytest.mark.parametrize("first", [PLAIN, POST])
@pytest.mark.parametrize("behind", [b"", b"body"])
def test_the_same_head_again_is_not_parsed_again(first, behind):
    parser = new_parser()
    head = parser.feed(first)
    assert parser.feed(first + behind) is head
    assert parser.rest == behind


@pytest.mark.parametrize(
    "second",
    [
        PLAIN.replace(b"/a", b"/b"),
        PLAIN.replace(b"Host: a", b"Host: b"),
        PLAIN.replace(b"GET", b"HEAD"),
        PLAIN.replace(b"Host: a\r\n", b"Host: a\r\nX-A: \r\n"),
    ],
)
def test_another_head_is_parsed(second):
    parser = new_parser()
    first = parser.feed(PLAIN)
    assert facts(parser.feed(second)) == facts(new_parser().feed(second))
    assert facts(parser.feed(PLAIN)) == facts(first)


def test_the_end_of_a_head_is_no_head():
    """The second segment alone equals the head before it."""
    parser = new_parser()
    parser.feed(PLAIN)
    assert parser.feed(b"GET /b HTTP/1.1\r\nX-A: ") is None
    assert parser.feed(PLAIN).target == "/b"


@pytest.mark.parametrize("taken", range(1, len(PLAIN)))
def test_the_same_head_in_two_segments(taken):
    parser = new_parser()
    first = parser.feed(PLAIN)
    assert parser.feed(PLAIN[:taken]) is None
    assert facts(parser.feed(PLAIN[taken:] + b"more")) == facts(first)
    assert parser.rest == b"more"
    assert facts(parser.feed(PLAIN)) == facts(first)


def test_the_last_head_can_be_forgotten():
    parser = new_parser()
    first = parser.feed(PLAIN)
    parser.forget()
    second = parser.feed(PLAIN)
    assert second is not first
    assert facts(second) == facts(first)
