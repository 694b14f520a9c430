"""Two strict readers of responses: what is not exactly RFC 9112 is an `AssertionError`."""

import re
from typing import NamedTuple

import httptools

OURS = {"connection", "content-length", "date", "transfer-encoding", "x-fc-request-id"}
"""What the gateway adds."""

_STATUS_LINE = re.compile(rb"HTTP/1\.1 ([2-9][0-9][0-9] [\t\x20-\x7e\x80-\xff]*)")
_FIELD_LINE = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+): ([\t\x20-\x7e\x80-\xff]*)")
_CHUNK = re.compile(rb"([1-9a-f][0-9a-f]*|0)\r\n")


class Cut(Exception):
    """The response ends before its end."""


class Answer(NamedTuple):
    """A response as a client read it."""

    status: str
    fields: list[tuple[str, str]]
    body: bytes
    closes: bool
    is_delimited: bool
    """Whether its end is known without the connection's."""


def read_answer(data: bytes, *, is_head: bool) -> tuple[Answer, bytes]:
    """The first response in `data`, strictly, and the bytes behind it.

    Raises:
        Cut: it is not all there.
    """
    head, found, rest = data.partition(b"\r\n\r\n")
    if not found:
        raise Cut
    first, *lines = head.split(b"\r\n")
    match = _STATUS_LINE.fullmatch(first)
    assert match, f"no status line: {first!r}"
    status = match[1].decode("latin-1")
    fields = []
    for line in lines:
        match = _FIELD_LINE.fullmatch(line)
        assert match, f"no field line: {line!r}"
        fields.append((match[1].decode(), match[2].decode("latin-1")))
    framing = [(name.lower(), value) for name, value in fields if name.lower() in OURS]
    known = dict(framing)
    assert len(known) == len(framing), f"a field of the gateway's is there twice: {framing}"
    assert {"date", "x-fc-request-id"} <= known.keys()
    closes = known.get("connection") == "close"
    if is_head or status[:3] in ("204", "304"):
        return Answer(status, fields, b"", closes, True), rest
    if "content-length" in known:
        assert "transfer-encoding" not in known
        length = int(known["content-length"])
        if len(rest) < length:
            raise Cut
        return Answer(status, fields, rest[:length], closes, True), rest[length:]
    if "transfer-encoding" in known:
        assert known["transfer-encoding"] == "chunked"
        body, rest = read_chunks(rest)
        return Answer(status, fields, body, closes, True), rest
    assert closes, "a body without an end"
    return Answer(status, fields, rest, closes, False), b""


def read_chunks(data: bytes) -> tuple[bytes, bytes]:
    """A chunked body, and the bytes behind it."""
    body = b""
    while True:
        match = _CHUNK.match(data)
        if match is None:
            assert len(data) < 18, data
            raise Cut
        size = int(match[1], 16)
        end = match.end() + size + 2
        if len(data) < end:
            raise Cut
        assert data[end - 2 : end] == b"\r\n", data
        body += data[match.end() : end - 2]
        data = data[end:]
        if not size:
            return body, data


class SecondReader:
    """`httptools`' verdict on the first response of a connection."""

    def __init__(self, data: bytes) -> None:
        self.fields: list[tuple[str, str]] = []
        self.body = b""
        self.is_complete = False
        self._parser = httptools.HttpResponseParser(self)
        self._parser.feed_data(data)
        self.status = self._parser.get_status_code()

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self.is_complete:
            self.fields.append((name.decode(), value.decode("latin-1").rstrip("\t ")))

    def on_body(self, body: bytes) -> None:
        if not self.is_complete:
            self.body += body

    def on_message_complete(self) -> None:
        self.is_complete = True
