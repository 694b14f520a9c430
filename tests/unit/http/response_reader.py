"""A strict reader of responses: what is not exactly RFC 9112 is an `AssertionError`."""

import re
from collections.abc import Iterable
from typing import NamedTuple

from gateway.http.connection.exchange import Exchange

_STATUS_LINE = re.compile(rb"HTTP/1\.1 ([1-5][0-9][0-9]) [\t\x20-\x7e\x80-\xff]*")
_FIELD_LINE = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+): ([\x20-\x7e\x80-\xff]*)")
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_CHUNK = re.compile(rb"([1-9a-f][0-9a-f]*|0)\r\n")


class Answer(NamedTuple):
    """One final response."""

    status: int
    fields: dict[str, str]
    """By lower-case name; a repeated one would be a fault."""
    body: bytes

    @property
    def closes(self) -> bool:
        return self.fields.get("connection") == "close"


class AnswerReader:
    """Takes all bytes that a client has received apart."""

    def __init__(self, data: bytes, *, is_closed: bool, names_request: bool = True) -> None:
        self._data = data
        self._is_closed = is_closed
        self._constant = {"date", "x-fc-request-id"} if names_request else {"date"}
        self.interims = 0
        """How many `100 Continue` came."""

    def read_all(self, methods: Iterable[str | None]) -> list[Answer]:
        """One answer for each method (`None`: not understood), and nothing behind them."""
        answers = [self._read_one(method) for method in methods]
        if self._data == _CONTINUE:  # The body that it asks for never came.
            self._data = b""
            self.interims += 1
        assert self._data == b"", f"bytes that belong to no answer: {self._data!r}"
        assert not any(answer.closes for answer in answers[:-1]), "an answer after the last"
        if answers and answers[-1].closes:
            assert self._is_closed
        return answers

    def _read_one(self, method: str | None) -> Answer:
        while True:
            head, found, rest = self._data.partition(b"\r\n\r\n")
            assert found, f"no whole head: {self._data!r}"
            first, *lines = head.split(b"\r\n")
            match = _STATUS_LINE.fullmatch(first)
            assert match, f"no status line: {first!r}"
            status = int(match[1])
            self._data = rest
            if status >= 200:
                break
            assert (status, lines) == (100, [])
            self.interims += 1
        fields: dict[str, str] = {}
        for line in lines:
            match = _FIELD_LINE.fullmatch(line)
            assert match, f"no field line: {line!r}"
            name = match[1].decode().lower()
            assert name not in fields, f"{name} is there twice"
            fields[name] = match[2].decode("latin-1")
        assert fields.keys() >= self._constant
        return Answer(status, fields, self._read_body(method, status, fields))

    def _read_body(self, method: str | None, status: int, fields: dict[str, str]) -> bytes:
        length, coding = fields.get("content-length"), fields.get("transfer-encoding")
        assert length is None or coding is None
        if status in (204, 304):
            assert length is coding is None
            return b""
        if method == "HEAD":
            return b""
        if length is not None:
            return self._cut(int(length))
        if coding is not None:
            assert coding == "chunked"
            return self._read_chunks()
        assert fields.get("connection") == "close", "a body without an end"
        return self._cut(len(self._data))

    def _read_chunks(self) -> bytes:
        body = b""
        while True:
            match = _CHUNK.match(self._data)
            assert match, f"no chunk: {self._data!r}"
            self._cut(match.end())
            piece = self._cut(int(match[1], 16))
            assert self._cut(2) == b"\r\n"
            if not piece:
                return body
            body += piece

    def _cut(self, size: int) -> bytes:
        assert len(self._data) >= size, "the answer is cut short"
        piece, self._data = self._data[:size], self._data[size:]
        return piece


def read_answers(
    data: bytes,
    methods: Iterable[str | None] = ("GET",),
    *,
    is_closed: bool = True,
    names_request: bool = True,
) -> list[Answer]:
    """The answers in `data`, to requests of these methods."""
    return AnswerReader(data, is_closed=is_closed, names_request=names_request).read_all(methods)


def method_of(record: Exchange, sent: bytes) -> str | None:
    """The method as the client knows it, which has `sent` this, and perhaps more.

    A record has it only of what was understood; the refusal of anything but HEAD has a body.
    """
    if record.head is not None:
        return record.head.method
    return "HEAD" if b"HEAD " in sent and not record.bytes_sent else None
