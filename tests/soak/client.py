"""One connection of a client that understands only correct answers."""

import asyncio
import re
import socket
import struct

from unit.http.response_reader import Answer

PATIENCE = 40.0
"""Seconds, after which an answer counts as lost."""

_STATUS_LINE = re.compile(rb"HTTP/1\.1 ([1-9][0-9]{2}) [\t\x20-\x7e\x80-\xff]*\r\n")
_FIELD_LINE = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+): ([\x20-\x7e\x80-\xff]*)\r\n")
_CHUNK_LINE = re.compile(rb"([0-9a-f]+)\r\n")


class Lost(Exception):
    """The connection ended, or was silent for too long, within an answer or before it."""


class Wrong(Exception):
    """What came is no answer, or that to another request."""


class Wire:
    """A connection; to be closed or reset."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, port: int, receive_buffer: int = 0) -> "Wire":
        """Connect; `receive_buffer` in bytes, 0 for the system's choice."""
        sock = socket.socket()
        sock.setblocking(False)
        if receive_buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        try:
            await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))
        except OSError as error:
            sock.close()
            raise Lost(f"no connection: {error}") from None
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        limit = receive_buffer or 1 << 16
        return cls(*await asyncio.open_connection(sock=sock, limit=limit))

    async def send(self, data: bytes) -> None:
        """Say something."""
        try:
            self._writer.write(data)
            async with asyncio.timeout(PATIENCE):
                await self._writer.drain()
        except (OSError, TimeoutError) as error:
            raise Lost(f"within sending: {error!r}") from None

    def half_close(self) -> None:
        self._writer.write_eof()

    def close(self) -> None:
        self._writer.close()

    def reset(self) -> None:
        sock = self._writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()

    async def read_answer(self, method: str = "GET", patience: float = PATIENCE) -> Answer:
        """The next final answer, within `patience` seconds.

        Raises:
            Lost, Wrong: there is none.
        """
        try:
            async with asyncio.timeout(patience):
                while (answer := await self._read_head()).status == 100:
                    pass
                return answer._replace(body=await self._read_body(method, answer))
        except (asyncio.IncompleteReadError, OSError, TimeoutError) as error:
            raise Lost(f"within an answer: {error!r}") from None
        except asyncio.LimitOverrunError as error:
            raise Wrong(f"a line without an end: {error}") from None

    async def read_interim(self) -> int:
        """The status of the next answer's head, an interim one's too."""
        try:
            async with asyncio.timeout(PATIENCE):
                return (await self._read_head()).status
        except (asyncio.IncompleteReadError, OSError, TimeoutError) as error:
            raise Lost(f"before 100 Continue: {error!r}") from None

    async def read_some(self, size: int, seconds: float = PATIENCE) -> bytes:
        """What comes next; empty at the end, or when the connection is reset.

        Raises:
            Lost: nothing came within `seconds`.
        """
        try:
            async with asyncio.timeout(seconds):
                return await self._reader.read(size)
        except TimeoutError:
            raise Lost(f"nothing within {seconds:g} s") from None
        except OSError:
            return b""

    async def read_to_end(self, seconds: float = PATIENCE) -> bytes:
        """Everything until the gateway closes or resets."""
        data = b""
        while piece := await self.read_some(1 << 16, seconds):
            data += piece
        return data

    async def _read_head(self) -> Answer:
        line = await self._reader.readuntil(b"\n")
        match = _STATUS_LINE.fullmatch(line)
        if match is None:
            raise Wrong(f"no status line: {line[:200]!r}")
        fields: dict[str, str] = {}
        while (line := await self._reader.readuntil(b"\n")) != b"\r\n":
            field = _FIELD_LINE.fullmatch(line)
            if field is None:
                raise Wrong(f"no field line: {line[:200]!r}")
            fields[field[1].decode().lower()] = field[2].decode("latin-1")
        return Answer(int(match[1]), fields, b"")

    async def _read_body(self, method: str, head: Answer) -> bytes:
        if method == "HEAD" or head.status in (204, 304):
            return b""
        if "content-length" in head.fields:
            return await self._reader.readexactly(int(head.fields["content-length"]))
        if head.fields.get("transfer-encoding") != "chunked":
            raise Wrong(f"a body without an end: {head}")
        pieces = []
        while True:
            line = await self._reader.readuntil(b"\n")
            match = _CHUNK_LINE.fullmatch(line)
            if match is None:
                raise Wrong(f"no chunk size: {line[:200]!r}")
            piece = await self._reader.readexactly(int(match[1], 16) + 2)
            if piece[-2:] != b"\r\n":
                raise Wrong("a chunk without an end")
            if len(piece) == 2:
                return b"".join(pieces)
            pieces.append(piece[:-2])
