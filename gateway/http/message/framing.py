"""Where a request body ends (RFC 9112 §6): counted by length, or chunk by chunk.

Both framings take the bytes behind a head and pass the body's bytes to a sink, as views of the
segment, without a copy.  `httptools` can parse chunks, but does not say at which byte a message
ends, so it would already have parsed the pipelined bytes behind the message.
"""

from collections.abc import Callable
from typing import Final, Protocol

from gateway.errors import MalformedRequest, Refusal
from gateway.http.message import grammar

_MAX_CHUNK_LINE: Final = 256
"""Bytes of a chunk's size and extensions; no honest client sends more."""

_MAX_EXTENSIONS: Final = 16 * 1024
"""Bytes of all chunk extensions of a body, leading zeros of sizes not included."""

_MIN_EXTENSION: Final = 32
"""A shorter extension counts as this many bytes: each costs the loop some µs, however short."""

_MAX_TRAILER_LINE: Final = 8 * 1024
"""Bytes of one field line of a trailer section: every segment joins the open line anew."""

_SMALL_CHUNK: Final = 4 * 1024
"""Bytes up to which it is cheaper to copy a chunk than to hand it on alone."""

_FORBIDDEN: Final = frozenset(
    name.encode()
    for name in (
        # Framing and connection (RFC 9112 §6.3, RFC 9110 §7.6.1).
        *("content-length", "transfer-encoding", "connection", "keep-alive", "proxy-connection"),
        *("te", "trailer", "upgrade", "expect", "max-forwards"),
        # Routing and origin.
        *("host", "forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-port"),
        *("x-forwarded-proto", "x-real-ip"),
        # Credentials.
        *("authorization", "proxy-authorization", "cookie"),
        # Content.
        *("content-encoding", "content-range", "content-type"),
    )
)
"""Field names that RFC 9110 §6.5.1 forbids in trailers.  A server in front or behind that merged
them into the header would read a different request.  All other trailers are dropped silently."""

# The next line of a chunked body.
_SIZE: Final = 0
_DATA_END: Final = 1
_TRAILER: Final = 2


class Framing(Protocol):
    """Separates the bytes of a body from those behind it."""

    is_complete: bool
    sink: Callable[[bytes | memoryview], None]
    """Takes the body's bytes; may be replaced between two feeds."""

    def feed(self, data: bytes) -> bytes:
        """Pass the body's bytes in `data` to the sink.

        Returns the bytes behind the body's end, if it has ended.

        Raises:
            Refusal: the body breaks a rule or a limit.  Nothing may be fed afterwards.
        """


class FixedLength:
    """A body of the length that Content-Length gives."""

    __slots__ = ("is_complete", "missing", "sink")

    def __init__(self, length: int, sink: Callable[[bytes | memoryview], None]) -> None:
        self.missing = length
        """Bytes that have not arrived yet."""
        self.sink = sink
        self.is_complete = length == 0

    def feed(self, data: bytes) -> bytes:
        missing = self.missing
        if len(data) > missing:
            self.missing = 0
            self.is_complete = True
            self.sink(memoryview(data)[:missing])
            return data[missing:]
        self.missing = missing - len(data)
        self.is_complete = len(data) == missing
        self.sink(data)
        return b""

    def pass_by(self, size: int) -> None:
        """Count `size` bytes of the body, up to `missing`, that bypassed the sink."""
        self.missing -= size
        self.is_complete = self.missing == 0


class Chunked:
    """A body in the chunked transfer coding (RFC 9112 §7.1).

    Chunk extensions are checked and ignored.  Trailers are checked and dropped, never merged into
    the header; those that RFC 9110 §6.5.1 forbids are refused.

    `max_body` limits the body and `max_trailers` the raw trailer section, both in bytes;
    `max_trailer_fields` limits the lines of that section.  All are inclusive.  `too_large` makes
    the refusal of a body beyond `max_body`.
    """

    __slots__ = (
        "_line",
        "_max_trailer_fields",
        "_max_trailers",
        "_missing",
        "_overhead",
        "_part",
        "_room",
        "_too_large",
        "is_complete",
        "sink",
    )

    def __init__(
        self,
        sink: Callable[[bytes | memoryview], None],
        *,
        max_body: int,
        max_trailers: int,
        max_trailer_fields: int,
        too_large: Callable[[], Refusal],
    ) -> None:
        self.sink = sink
        self._room = max_body
        self._max_trailers = max_trailers
        self._max_trailer_fields = max_trailer_fields
        self._too_large = too_large
        self._missing = 0
        self._overhead = 0
        self._line = b""
        self._part = _SIZE
        self.is_complete = False

    def feed(self, data: bytes) -> bytes:
        view = memoryview(data)
        position = 0
        while not self.is_complete:
            if self._missing:
                piece = view[position : position + self._missing]
                if not piece:
                    return b""
                self._missing -= len(piece)
                position += len(piece)
                self.sink(piece)
            else:
                if self._part == _SIZE and not self._line:
                    position = self._take_small_chunks(data, position)
                next_position = self._take_line(data, position)
                if next_position < 0:
                    return b""
                position = next_position
        return data[position:]

    def _take_small_chunks(self, data: bytes, position: int) -> int:
        """Take all small, complete chunks without extensions.

        Returns the index of the first other chunk.  A client may send a chunk per byte: line by
        line, 40,000 of them in a segment would block the loop for a seventh of a second.
        """
        match_size = grammar.PLAIN_CHUNK_LINE.match
        room = self._room
        pieces = []
        while (match := match_size(data, position)) is not None:
            size = int(match[1], 16)
            start = match.end()
            end = start + size
            if not 0 < size <= _SMALL_CHUNK or size > room or data[end : end + 2] != b"\r\n":
                break
            pieces.append(data[start:end])
            room -= size
            position = end + 2
        if pieces:
            self._room = room
            self.sink(b"".join(pieces))
        return position

    def _take_line(self, data: bytes, position: int) -> int:
        """Parse the line that begins at `position` or in an earlier segment.

        Returns the index behind the line, -1 while the line is open.
        """
        end = data.find(b"\n", position)
        line = self._line + data[position : end + 1 if end >= 0 else len(data)]
        self._check_open(line)
        if end < 0:
            self._line = line
            return -1
        self._line = b""
        if line[-2:] != b"\r\n":
            raise MalformedRequest("a line of the chunked body does not end with CR LF")
        self._parse_line(line[:-2])
        return end + 1

    def _check_open(self, line: bytes) -> None:
        """Refuse an open line that no further bytes could make valid."""
        if self._part == _DATA_END:
            if not b"\r\n".startswith(line):
                raise MalformedRequest("a chunk is longer than its size says")
        elif self._part == _TRAILER:
            if len(line) > min(self._max_trailers, _MAX_TRAILER_LINE) + 2:
                raise MalformedRequest("the trailer section is too large")
        elif len(line) > _MAX_CHUNK_LINE:
            raise MalformedRequest("a chunk extension is too long")
        if 0 <= line.find(b"\r") < len(line) - 2:
            raise MalformedRequest("a line of the chunked body contains a bare CR")

    def _parse_line(self, line: bytes) -> None:
        if self._part == _SIZE:
            self._parse_size(line)
        elif self._part == _DATA_END:
            self._part = _SIZE
        elif not line:
            self.is_complete = True
        else:
            self._max_trailers -= len(line)
            self._max_trailer_fields -= 1
            match = grammar.TRAILER_LINE.fullmatch(line)
            if self._max_trailers < 0 or self._max_trailer_fields < 0 or match is None:
                raise MalformedRequest("malformed or oversize trailer section")
            if match[1].lower() in _FORBIDDEN:
                raise MalformedRequest("the trailer section has a forbidden field")

    def _parse_size(self, line: bytes) -> None:
        match = grammar.CHUNK_LINE.fullmatch(line)
        if match is None:
            raise MalformedRequest("malformed chunk size or extension")
        more = len(line) - len(match[1])
        if more:
            self._overhead += max(more, _MIN_EXTENSION)
        if self._overhead > _MAX_EXTENSIONS:
            raise MalformedRequest("the chunk extensions are too long")
        size = self._missing = int(match[1], 16)
        if size > self._room:
            raise self._too_large()
        self._room -= size
        self._part = _DATA_END if size else _TRAILER
