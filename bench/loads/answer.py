"""Answers, as far as loads must understand them to check them."""

import re

from bench.process import FailedRun

_CONTENT_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding:[ \t]*chunked", re.IGNORECASE)
_CLOSE = re.compile(rb"\r\nconnection:[ \t]*close", re.IGNORECASE)


class Body:
    """The length of a body that is not kept, from its framing.

    Raises:
        FailedRun: `feed` met what is no chunk.
    """

    __slots__ = ("_chunk", "_is_chunked", "_line", "is_complete", "is_until_eof", "length")

    def __init__(self, head: bytes) -> None:
        declared = _CONTENT_LENGTH.search(head)
        self.length = 0
        self._is_chunked = _CHUNKED.search(head) is not None
        self.is_until_eof = not self._is_chunked and declared is None
        self._chunk = int(declared[1]) if declared and not self._is_chunked else 0
        self._line = b""
        self.is_complete = not self._is_chunked and not self.is_until_eof and self._chunk == 0

    def feed(self, data: memoryview) -> None:
        """The next bytes."""
        if self.is_until_eof:
            self.length += len(data)
        elif not self._is_chunked:
            self.length += len(data)
            self._chunk -= len(data)
            self.is_complete = self._chunk <= 0
        else:
            self._feed_chunks(data)

    def _feed_chunks(self, data: memoryview) -> None:
        at = 0
        while at < len(data) and not self.is_complete:
            if self._chunk:
                step = min(self._chunk, len(data) - at)
                self._chunk -= step
                at += step
                continue
            line, newline, _ = bytes(data[at : at + 32]).partition(b"\n")
            at += len(line) + len(newline)
            self._line += line
            if newline:
                self._start_chunk()

    def _start_chunk(self) -> None:
        try:
            size = int(self._line.strip(), 16)
        except ValueError:
            raise FailedRun(f"no chunk size: {self._line[:40]!r}") from None
        self._line = b""
        self.length += size
        self._chunk = size + 2
        self.is_complete = size == 0


class Answer:
    """One answer; its body is kept up to the first 200 bytes as they came, chunk sizes and all.

    Raises:
        FailedRun: `feed` met what is no answer of HTTP/1.
    """

    __slots__ = ("_body", "_start", "head", "is_last", "sample", "status")

    def __init__(self) -> None:
        self._start = b""
        self._body: Body | None = None
        self.head = b""
        self.status = 0
        self.sample = b""
        self.is_last = False
        """Whether the server closes the connection after this answer."""

    @property
    def length(self) -> int:
        """Bytes of body so far, without framing."""
        return self._body.length if self._body else 0

    @property
    def is_complete(self) -> bool:
        """Whether all has come."""
        return self._body is not None and self._body.is_complete

    @property
    def is_until_eof(self) -> bool:
        """Whether the end of the connection is the end of the body."""
        return self._body is not None and self._body.is_until_eof

    def feed(self, data: bytes | memoryview) -> bool:
        """The next bytes; whether the answer is complete with them."""
        if self._body is None:
            self._start += data
            end = self._start.find(b"\r\n\r\n")
            if end < 0:
                return False
            self._read_head(self._start[: end + 2])
            data = self._start[end + 4 :]
        assert self._body is not None
        if len(self.sample) < 200:
            self.sample += bytes(data[:200])
        self._body.feed(memoryview(data))
        return self._body.is_complete

    def _read_head(self, head: bytes) -> None:
        found = re.match(rb"HTTP/1\.([01]) (\d{3})", head)
        if found is None:
            raise FailedRun(f"no HTTP answer: {head[:80]!r}")
        self.head = head
        self.status = int(found[2])
        self._body = Body(head)
        self.is_last = (
            self._body.is_until_eof or found[1] == b"0" or _CLOSE.search(head) is not None
        )
