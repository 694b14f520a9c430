"""Turns bytes into a checked request head or a refusal.

Theory of operation: `httptools` parses heads only.  Each segment is cut behind the first empty
line, so that the parser never sees a byte of a body, nor of a pipelined request while the previous
one is unfinished.  Three things follow.  The connection's own bound limits pipelining.  An
`Upgrade` cannot make the parser mistake a body for a request (it takes the bytes behind an upgrade
for another protocol).  A trailer section never reaches `on_header`.

The parser's cost of joining the pieces of a field grows with the square of their number, and it
does not report a field that never ends.  `Limits.max_head` bounds an open head.  If that limit is
high, small pieces of a large head are fed together.  Where a segment is cut and what is counted
depends on the bytes alone, not on how they were split into segments.

A head that equals the previous one, byte for byte, is not parsed again: probes, pollers and load
generators repeat themselves all day.  The cache is one head of the same connection, so no client
can learn from it what another has sent.
"""

from typing import Final

import httptools

from gateway.errors import (
    HeadersTooLarge,
    MalformedRequest,
    PathTooLong,
    Refusal,
)
from gateway.http.message.fields import MAX_UNPACKED, FieldNames, pack_lines, unpack_lines
from gateway.http.message.head import RequestHead, body_too_large, is_kept_open, too_many_fields
from gateway.http.message.parser_words import in_our_words
from gateway.http.message.request_line import (
    MAX_EMPTY_LINES,
    check_beginning,
    is_http_1_0,
    method_of,
    path_size,
    skip_empty_lines,
    unknown_method,
    version_not_supported,
)
from gateway.limits import Limits

_HEAD_END: Final = b"\r\n\r\n"
_LARGE_HEAD: Final = 32 * 1024
"""Bytes of an open head.  Beyond them, the parser gets at least `_FEED_SIZE` bytes at a time."""

_FEED_SIZE: Final = 4 * 1024

_MEMORY_PER_BYTE: Final = 4
"""Bytes of memory for each byte of a head: itself, its fields, its target and their parts."""

_HTTP_1_1: Final = b" HTTP/1.1\r\n"


class HeadParser:
    """Turns the bytes of one connection into request heads, one at a time.

    After a head, `rest` holds the bytes behind it: the body, and pipelined requests.  The caller
    takes the body off before it feeds them again.  After a `Refusal` the parser must not be used
    again.
    """

    __slots__ = (
        "_counted",
        "_has_method",
        "_held",
        "_is_complete",
        "_keep_alive",
        "_last",
        "_limits",
        "_lines",
        "_names",
        "_packed",
        "_packed_count",
        "_parser",
        "_raw",
        "_size",
        "_target",
        "last_raw",
        "refused",
        "rest",
    )

    def __init__(self, names: FieldNames, limits: Limits) -> None:
        self._names = names
        self._limits = limits
        self._parser = httptools.HttpRequestParser(self)
        self._raw = b""
        """The open head's bytes of earlier segments."""
        self._held = b""
        """Bytes behind `_raw` that the parser has not seen."""
        self._target = b""
        self._lines: list[tuple[bytes, bytes]] = []
        self._packed = b""
        self._packed_count = 0
        """The open head's lines before `_lines`, packed: its end may be a long time coming."""
        self._size = self._counted = 0
        """Bytes of all names and values up to line `_counted`: no line is counted twice."""
        self._is_complete = self._keep_alive = self._has_method = False
        self.last_raw = b""
        """The bytes of the previous head; empty: forgotten."""
        self._last: RequestHead | None = None
        self.rest = b""
        self.refused: RequestHead | None = None
        """What is known of the refused request, if its head could be read."""

    @property
    def is_open(self) -> bool:
        """Whether a head has begun and not ended; empty lines before it do not count."""
        return bool(self._target or self._raw.strip(b"\r\n"))

    @property
    def size(self) -> int:
        """Approximate bytes of memory of the open head, otherwise of the last one."""
        return _MEMORY_PER_BYTE * (len(self._raw) + len(self._held) or len(self.last_raw))

    def is_head_request(self, data: bytes) -> bool:
        """Whether the open head, which may be refused at any byte, has the method HEAD.

        `data` are the refused bytes, if any.  The bytes decide: what the parser reports of an
        invalid head depends on how it was split into segments.
        """
        return (self._raw + data[: 2 * MAX_EMPTY_LINES]).lstrip(b"\r\n").startswith(b"HEAD ")

    def forget(self) -> None:
        """Forget the last head: the next request may not come for a while."""
        self.last_raw = b""
        self._last = None

    def close(self) -> None:
        """Let go of the parser, which refers back to this object."""
        del self._parser

    def feed(self, data: bytes) -> RequestHead | None:
        """The next head if `data` completes it, `None` if more bytes are needed.

        Raises:
            Refusal: the head breaks a rule or a limit.
        """
        if data == self.last_raw and not self._raw:  # Not even a search: 3 % of a small request.
            self.rest = b""
            return self._last
        while True:
            start = -1 if self._raw else data.find(_HEAD_END)
            if start >= 0:
                end = start + 4
            else:
                if len(self._raw) > _LARGE_HEAD:
                    data = self._hold(data)
                    if not data:
                        return None
                end = self._find_end(data)
            if 0 < end < len(data):
                piece, self.rest = data[:end], data[end:]
            else:
                piece, self.rest = data, b""
            if piece == self.last_raw and not self._raw:  # With a body or a request behind it.
                return self._last
            if len(piece) > _FEED_SIZE and self._has_many_lines(piece):
                piece, self.rest = data[:_FEED_SIZE], data[_FEED_SIZE:]
            self._feed_parser(piece)
            if self._is_complete:
                return self._take_head(self._raw + piece if self._raw else piece)
            self._raw += piece
            if not self._target and len(self._raw) > MAX_EMPTY_LINES:
                skip_empty_lines(self._raw)
            if not self.rest:
                return None
            data = self.rest  # Empty lines before a request line (RFC 9112 §2.2).

    def _has_many_lines(self, piece: bytes) -> bool:
        """Whether `piece` may have more fields than allowed.

        The parser then gets it in steps and stops at the first step with too many fields: thousands
        of fields would block the loop for milliseconds.
        """
        return piece.count(b"\n") > self._limits.max_header_fields

    def _hold(self, data: bytes) -> bytes:
        """The bytes to feed now: none, or `data` behind the bytes held back before."""
        held = self._held + data
        is_over = len(self._raw) + len(held) > self._limits.max_head
        if len(held) < _FEED_SIZE and not is_over and not self._find_end(held):
            self._held = held
            return b""
        self._held = b""
        return held

    def _find_end(self, data: bytes) -> int:
        """Index in `data` behind the first empty line, which may have begun before it; 0: none."""
        if self._raw:
            tail = self._raw[-3:]
            across = (tail + data[:3]).find(_HEAD_END)
            if across >= 0:
                return across + 4 - len(tail)
        start = data.find(_HEAD_END)
        return start + 4 if start >= 0 else 0

    def _feed_parser(self, piece: bytes) -> None:
        room = self._limits.max_head - len(self._raw)
        try:
            self._parser.feed_data(piece if len(piece) <= room else piece[:room])
        except httptools.HttpParserUpgrade:
            pass  # The gateway ignores upgrades, as RFC 9110 §7.8 allows.
        except httptools.HttpParserError as error:
            self._explain(self._raw + piece, str(error))
            self._parser = _Stopped(self)
        if not self._is_complete:
            if not self._has_method:
                self._check_method(self._raw + piece)
            self._check_sizes()
            if len(self._lines) > MAX_UNPACKED:
                self._pack()
        if len(piece) > room:
            raise self._headers_too_large()

    def _explain(self, raw: bytes, reason: str) -> None:
        """Refuse the head that begins with `raw`, unless the reason depends on more bytes.

        `reason` is the parser's message, which clients never see.
        """
        self._check_method(raw)
        self._check_sizes()
        if not self._has_method:
            return
        if reason == "Invalid HTTP version":
            raise version_not_supported() from None
        raise MalformedRequest(in_our_words(reason)) from None

    def _check_method(self, raw: bytes) -> None:
        """Refuse an unknown method as soon as it is complete: before all other faults."""
        check_beginning(raw)
        method = method_of(raw)
        if method is not None:
            if not _is_known(method):
                raise unknown_method() from None
            self._has_method = True

    def _pack(self) -> None:
        """Pack the lines of the open head: a client may leave it open."""
        self._packed += pack_lines(self._lines)
        self._packed_count += len(self._lines)
        self._lines = []
        self._counted = 0

    def _check_sizes(self) -> None:
        """Refuse a head that is already too large, whatever else is wrong with it."""
        limits = self._limits
        target = self._target
        limit = limits.max_path_bytes
        if len(target) > limit and path_size(target) > limit:
            raise PathTooLong(f"path and query are longer than {limit} bytes")
        for name, value in self._lines[self._counted :]:
            self._size += len(name) + len(value.rstrip(b" \t"))
        self._counted = len(self._lines)
        if self._size > limits.max_header_bytes:
            raise self._headers_too_large()
        if self._packed_count + self._counted > limits.max_header_fields:
            raise too_many_fields(limits.max_header_fields)

    def _headers_too_large(self) -> Refusal:
        limit = self._limits.max_header_bytes
        return HeadersTooLarge(f"the request headers are larger than {limit} bytes")

    def _take_head(self, raw: bytes) -> RequestHead:
        limits = self._limits
        parser = self._parser
        method = parser.get_method()
        text = _METHODS.get(method) or _other(method, raw)
        if len(raw) > limits.small_head:
            self._check_sizes()
        if self._packed:
            self._lines = unpack_lines(self._packed) + self._lines
            self._packed = b""
            self._packed_count = 0
        target = self._target
        version_at = len(method) + 1 + len(target)
        is_old = raw[version_at : version_at + 11] != _HTTP_1_1 and is_http_1_0(raw, version_at)
        head = RequestHead(text, is_old, self._keep_alive)
        if is_old and self._keep_alive:
            head.keep_alive = is_kept_open(self._lines)
        try:
            if len(self._lines) <= MAX_UNPACKED:
                head.set_fields(self._lines, self._names, head.set_target(target))
            else:
                head.set_many_fields(self._lines, self._names, head.set_target(target))
            if head.content_length:
                limit = head.body_limit(limits)
                if head.content_length > limit:
                    raise body_too_large(limit)
                # The old parser waits for a body that it will never see.
                self._parser = httptools.HttpRequestParser(self)
        except Refusal:
            self.refused = head.as_refused()
            raise
        self._raw = self._target = b""
        self._lines = []
        self._size = self._counted = 0
        self._is_complete = self._has_method = False
        self.last_raw = raw
        self._last = head
        return head

    # Called by httptools, which wraps exceptions, so these only take notes.

    def on_url(self, fragment: bytes) -> None:
        self._target += fragment

    def on_header(self, name: bytes, value: bytes) -> None:
        self._lines.append((name, value))

    def on_headers_complete(self) -> None:
        self._is_complete = True
        # Ask now: behind a request without a body, the parser has forgotten.
        self._keep_alive = self._parser.should_keep_alive()


_METHODS: Final = {
    method.encode(): method for method in ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH")
}


def _other(method: bytes, raw: bytes) -> str:
    """The text of a less common method; refuses methods of other protocols."""
    check_beginning(raw)
    if not _is_known(method):
        raise unknown_method()
    text = _METHODS[method] = method.decode("ascii")  # Bounded: the parser knows some forty.
    return text


class _Stopped(httptools.HttpRequestParser):
    """Replaces a parser that has met an unknown method before the method is complete."""

    def feed_data(self, data: object) -> None:  # noqa: ARG002
        raise httptools.HttpParserError


def _is_known(method: bytes) -> bool:
    """Whether the parser accepts this method in an HTTP/1.1 request."""
    try:
        httptools.HttpRequestParser(object()).feed_data(method + b" / HTTP/1.1\r\n")
    except httptools.HttpParserError:
        return False
    return True
