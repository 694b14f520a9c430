"""The pure core under any bytes: heads and bodies come out, or a refusal, and nothing else.

An input is a plan for the cuts, and the bytes of a connection.  What must be so:

- nothing but a `Refusal` is ever raised;
- the outcome of the pieces is that of the whole;
- an open head or line is bounded, and no body is larger than it may be;
- an accepted request, written down in the plainest form, is accepted again and says the same:
  nothing in it was understood in a way that only this parser would.
"""

from collections.abc import Iterable
from itertools import pairwise
from typing import NamedTuple

from gateway.errors import Refusal
from gateway.http.connection.shared_state import is_withheld
from gateway.http.message.fields import FieldNames
from gateway.http.message.framing import Chunked, FixedLength
from gateway.http.message.head import CHUNKED, RequestHead, body_too_large
from gateway.http.message.parser import HeadParser
from gateway.limits import Limits

SMALL = Limits(
    max_header_bytes=160, max_path_bytes=40, max_body=90, max_async_body=20, body_buffer=48
)
"""Inputs of some hundred bytes meet every limit."""

LONGEST_LINE = 256 + 2
"""Bytes that an open line of a chunked body may have, its end included."""

_NAMES = FieldNames(is_withheld)


class Request(NamedTuple):
    """What was understood of a request."""

    method: str
    target: str
    host: str
    fields: list[tuple[bytes, bytes]]
    is_http_1_0: bool
    keep_alive: bool
    expects_continue: bool
    is_async: bool
    is_chunked: bool
    body: bytes


class Reading(NamedTuple):
    """All that came out of a connection's bytes."""

    requests: list[Request]
    refusal: tuple[int, str] | None
    """Its status and code.  Of a request with two faults of the same answer, the message may name
    either: the parser hands a line on when it ends, or when the segment does."""
    is_open: bool
    """Whether the bytes ended within a request."""


def take_plan(data: bytes) -> tuple[int, list[int], bytes]:
    """Options, places to cut at, and the bytes to be cut.

    The first byte has the options and in its lower half the number of cuts, each of which is a
    byte: its share of the length.  15 cuts are a cut behind each byte.
    """
    if not data:
        return 0, [], b""
    cuts = data[0] & 15
    options = data[0] >> 4
    if cuts == 15:
        stream = data[1:]
        return options, list(range(1, len(stream))), stream
    stream = data[1 + cuts :]
    return options, [place * len(stream) // 256 for place in data[1 : 1 + cuts]], stream


def cut(data: bytes, places: Iterable[int]) -> list[bytes]:
    """`data` in pieces, none of which is empty."""
    edges = sorted({0, *places, len(data)})
    return [data[start:end] for start, end in pairwise(edges)]


def read(segments: Iterable[bytes], limits: Limits) -> Reading:
    """Read a connection as long as it persists, as `http.connection` does."""
    parser = HeadParser(_NAMES, limits)
    requests: list[Request] = []
    head: RequestHead | None = None
    framing: FixedLength | Chunked | None = None
    body = bytearray()
    try:
        for segment in segments:
            data = segment
            while data:
                if framing is None:
                    head = parser.feed(data)
                    assert len(parser._raw) <= limits.max_head
                    if head is None:
                        break
                    data = parser.rest
                    body = bytearray()
                    framing = _framing(head, body, limits)
                if not framing.is_complete:
                    data = framing.feed(data)
                    assert len(body) <= head.body_limit(limits)
                    assert isinstance(framing, FixedLength) or len(framing._line) <= LONGEST_LINE
                if framing.is_complete:
                    framing = None
                    requests.append(_request(head, bytes(body)))
                    if not head.keep_alive:
                        return Reading(requests, None, False)
    except Refusal as refusal:
        return Reading(requests, (refusal.status, refusal.code), False)
    return Reading(requests, None, framing is not None or parser.is_open)


def _framing(head: RequestHead, body: bytearray, limits: Limits) -> FixedLength | Chunked:
    if head.content_length != CHUNKED:
        return FixedLength(head.content_length, body.extend)
    room = head.body_limit(limits)
    return Chunked(
        body.extend,
        max_body=room,
        max_trailers=limits.max_header_bytes,
        max_trailer_fields=limits.max_header_fields,
        too_large=lambda: body_too_large(room),
    )


def _request(head: RequestHead, body: bytes) -> Request:
    return Request(
        head.method,
        head.target,
        head.host,
        [(name.lower, value) for name, value in head.fields],
        head.is_http_1_0,
        head.keep_alive,
        head.expects_continue,
        head.is_async,
        head.content_length == CHUNKED,
        body,
    )


def written(request: Request) -> bytes:
    """The request in the plainest form that says the same."""
    hosts = [value for name, value in request.fields if name == b"host"]
    is_absolute = request.host.encode() not in hosts and request.host != ""
    target = f"http://{request.host}{request.target}" if is_absolute else request.target
    version = "1.0" if request.is_http_1_0 else "1.1"
    lines = [f"{request.method} {target} HTTP/{version}".encode("latin-1")]
    lines += [name + b":" + value for name, value in request.fields]
    body = request.body
    if request.is_chunked:
        body = (b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)) if body else b"0\r\n\r\n"
    return b"\r\n".join([*lines, b"", body])


def check(data: bytes) -> None:
    """Raises AssertionError, or whatever else may not come out."""
    options, places, stream = take_plan(data)
    limits = Limits() if options & 1 else SMALL
    whole = read([stream] if stream else [], limits)
    if places:
        pieces = read(cut(stream, places), limits)
        assert pieces == whole, (pieces, whole)
    for request in whole.requests:
        again = read([written(request)], limits)
        assert again == Reading([request], None, False), (again, request)
