"""A client on the level of bytes: says anything, understands only correct HTTP/1.1.

Every wait has an end: a socket timeout, which fails the test.
"""

import contextlib
import json
import re
import socket
import struct
from collections.abc import Iterable
from typing import Any, NamedTuple

TIMEOUT = 15.0

_STATUS_LINE = re.compile(rb"HTTP/1\.1 ([1-9][0-9]{2}) ([\t\x20-\x7e\x80-\xff]*)\r\n")
_FIELD_LINE = re.compile(
    rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+): ?((?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*"
    rb"[\x21-\x7e\x80-\xff])?)?)\r\n"
)
_CHUNK_LINE = re.compile(rb"([0-9a-fA-F]+)\r\n")


class BadAnswer(AssertionError):
    """The bytes are not a response of RFC 9112."""


class Truncated(BadAnswer):
    """The connection ended within a response."""


class Response(NamedTuple):
    """One response as it was on the wire."""

    status: int
    reason: str
    fields: list[tuple[str, str]]
    body: bytes
    is_chunked: bool = False

    def values(self, name: str) -> list[str]:
        return [value for field, value in self.fields if field.lower() == name.lower()]

    def __getitem__(self, name: str) -> str:  # type: ignore[override]
        values = self.values(name)
        assert len(values) == 1, f"{name}: {values} in {self}"
        return values[0]

    def has(self, name: str) -> bool:
        return bool(self.values(name))

    @property
    def closes(self) -> bool:
        return self.values("Connection") == ["close"]

    def json(self) -> Any:
        return json.loads(self.body)


class WireClient:
    """One connection.  A context manager; `read…` raise `Truncated` at an early end."""

    def __init__(self, address: str, timeout: float = TIMEOUT, receive_buffer: int = 0) -> None:
        """`address` is a URL or `unix:` and a path, as the gateway tells it."""
        if address.startswith("unix:"):
            self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            where: Any = address.removeprefix("unix:")
        else:
            self.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            host, _, port = address.removeprefix("http://").rpartition(":")
            where = (host, int(port))
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(timeout)
        self.socket.connect(where)
        self._unread = b""

    def __enter__(self) -> "WireClient":
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    # Out.

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def send_in_pieces(self, data: bytes, size: int = 1) -> None:
        """As small segments, for as long as the other side listens."""
        for start in range(0, len(data), size):
            try:
                self.socket.sendall(data[start : start + size])
            except (BrokenPipeError, ConnectionResetError):
                return

    def request(
        self,
        target: str = "/",
        method: str = "GET",
        fields: Iterable[tuple[str, str]] = (),
        body: bytes | None = None,
    ) -> None:
        """Send a well-formed request."""
        lines = [f"{method} {target} HTTP/1.1", "Host: gateway.test"]
        lines += [f"{name}: {value}" for name, value in fields]
        if body is not None:
            lines.append(f"Content-Length: {len(body)}")
        self.send("\r\n".join([*lines, "", ""]).encode("latin-1") + (body or b""))

    def ask(self, target: str = "/", method: str = "GET", **more: Any) -> Response:
        """Send a well-formed request and read its response."""
        self.request(target, method, **more)
        return self.read_response(method)

    def half_close(self) -> None:
        self.socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self.socket.close()

    def reset(self) -> None:
        """Close with an RST in place of a FIN."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    # In.

    def read_response(self, method: str = "GET", *, skips_interim: bool = False) -> Response:
        """The next final response; an interim one is a fault if it is not to be skipped."""
        response = self.read_head()
        while skips_interim and response.status < 200:
            response = self.read_head()
        status = response.status
        assert status >= 200, f"unexpected interim response {response}"
        if method == "HEAD" or status in (204, 304):
            return response
        if response.has("Transfer-Encoding"):
            assert response["Transfer-Encoding"] == "chunked"
            assert not response.has("Content-Length")
            return response._replace(body=self._read_chunks(), is_chunked=True)
        if response.has("Content-Length"):
            return response._replace(body=self.read_exactly(int(response["Content-Length"])))
        assert response.closes, f"a body without an end: {response}"
        return response._replace(body=self.read_to_end())

    def read_head(self) -> Response:
        """Status line and fields of the next response, of an interim one too."""
        line = self.read_line()
        match = _STATUS_LINE.fullmatch(line)
        if match is None:
            raise BadAnswer(f"no status line: {line[:200]!r}")
        fields = []
        while (line := self.read_line()) != b"\r\n":
            field = _FIELD_LINE.fullmatch(line)
            if field is None:
                raise BadAnswer(f"no field line: {line[:200]!r}")
            fields.append((field[1].decode(), field[2].decode("latin-1")))
        return Response(int(match[1]), match[2].decode("latin-1"), fields, b"")

    def _read_chunks(self) -> bytes:
        chunks = []
        while True:
            line = self.read_line()
            match = _CHUNK_LINE.fullmatch(line)
            if match is None:
                raise BadAnswer(f"no chunk size: {line[:200]!r}")
            size = int(match[1], 16)
            chunks.append(self.read_exactly(size))
            if (end := self.read_exactly(2)) != b"\r\n":
                raise BadAnswer(f"a chunk ends with {end!r}")
            if not size:
                return b"".join(chunks)

    def read_line(self) -> bytes:
        while b"\n" not in self._unread:
            if not self._receive():
                raise Truncated(f"end within a line: {self._unread[:200]!r}")
        line, _, self._unread = self._unread.partition(b"\n")
        return line + b"\n"

    def read_exactly(self, size: int) -> bytes:
        pieces = [self._unread[:size]]
        self._unread = self._unread[size:]
        missing = size - len(pieces[0])
        while missing:
            piece = self.socket.recv(min(missing, 1 << 20))
            if not piece:
                raise Truncated(f"{missing} of {size} bytes are missing")
            pieces.append(piece)
            missing -= len(piece)
        return b"".join(pieces)

    def read_to_end(self) -> bytes:
        """Everything until the other side closes."""
        pieces = [self._unread]
        self._unread = b""
        while piece := self.socket.recv(1 << 20):
            pieces.append(piece)
        return b"".join(pieces)

    def read_to_end_of(self, last: bytes) -> bytes:
        """Everything until the other side says `last`, or closes."""
        while not self._unread.endswith(last) and self._receive():
            pass
        said, self._unread = self._unread, b""
        return said

    def _receive(self) -> bool:
        data = self.socket.recv(1 << 16)
        self._unread += data
        return bool(data)

    def expect_close(self) -> None:
        """The other side closes in order, and says nothing more before."""
        rest = self.read_to_end()
        assert rest == b"", f"bytes behind the last response: {rest[:300]!r}"

    def wait_for_end(self) -> None:
        """Wait until the connection ends, by a reset too; what is said before does not matter."""
        with contextlib.suppress(ConnectionError):
            self.read_to_end()

    def has_answer_within(self, seconds: float) -> bool:
        """Whether anything, or the end, arrives within a time."""
        if self._unread:
            return True
        before = self.socket.gettimeout()
        self.socket.settimeout(seconds)
        try:
            self._receive()
        except TimeoutError:
            return False
        except ConnectionError:
            return True
        finally:
            self.socket.settimeout(before)
        return True
