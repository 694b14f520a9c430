"""A client of the state machine: what it says, what it has asked for, and what must come of it."""

import socket
from dataclasses import dataclass, field
from itertools import count

from fuzz.reader import Answer, read_answer
from fuzz.rig import LARGE, LIMITS, echo_of, pattern

from gateway.http.message.response import CONTINUE

OK, FAULT, CUT, REFUSED, ANY = "ok", "fault", "cut", "refused", "any"
"""What comes of a request; `ANY`: it depends on what is quicker, and so does all behind it."""

WAYS = {
    "echo": OK, "parts": OK, "large": OK, "waits": OK, "empty": OK, "unread": OK, "lies_less": OK,
    "fails": FAULT, "injects": FAULT, "fails_late": CUT, "lies_more": CUT,
}  # fmt: skip

HEAD_OF_GARBAGE = b"POST /echo/garbage HTTP/1.1\r\nHost: a\r\n"
GARBAGE = [
    b"GET / HTTP/1.1\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 HTTP/1.1\r\n\r\n",
    b"GET /echo/garbage HTTP/9.9\r\nHost: a\r\n\r\n",
    HEAD_OF_GARBAGE + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    HEAD_OF_GARBAGE + b"Transfer-Encoding: gzip, chunked\r\n\r\n",
    HEAD_OF_GARBAGE + b"Content-Length: %d\r\n\r\n" % (LIMITS.max_body + 1),
    HEAD_OF_GARBAGE + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n",
    HEAD_OF_GARBAGE + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n",
    HEAD_OF_GARBAGE + b"Expect: tea\r\n\r\n",
    b"GET /" + b"x" * LIMITS.max_path_bytes + b" HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * LIMITS.max_header_bytes + b"\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost : a\r\n\r\n",
]

_tokens = count(1)


def new_token() -> str:
    """A name for a request that no other has."""
    return f"t{next(_tokens):07d}"


@dataclass
class Wanted:
    """A request, and what is to come of it."""

    token: str
    method: str
    outcome: str
    body: bytes | None
    """Of the answer; `None` where it is not known beforehand."""
    start: int
    end: int
    """Where it lies in what its client says."""
    is_last: bool = False
    streams: bool = False
    """Whether its handler may start before its body is complete."""


@dataclass
class Client:
    """One connection."""

    socket: socket.socket
    script: bytearray = field(default_factory=bytearray)
    """All that it says, sent or not."""
    sent: int = 0
    received: bytearray = field(default_factory=bytearray)
    wanted: list[Wanted] = field(default_factory=list)
    unwanted: list[str] = field(default_factory=list)
    """Tokens of requests behind the last one that may be run."""
    has_ended: bool = False
    """Whether the gateway has."""
    was_reset: bool = False
    has_half_closed: bool = False
    answered: int = 0

    @property
    def is_over(self) -> bool:
        """Whether what it says from now on is not to be heard."""
        return bool(self.wanted) and self.wanted[-1].is_last

    @property
    def has_overstepped(self) -> bool:
        """Whether it speaks behind a request that was to be the last (RFC 9112 §9.6: MUST NOT).

        The gateway has closed, so the kernel resets the connection, and answers that the client
        has not read may be lost.  Behind a refusal the gateway waits for it.
        """
        return (
            self.is_over and self.wanted[-1].outcome != REFUSED and self.sent > self.wanted[-1].end
        )

    def send(self, size: int) -> None:
        """Say the next bytes, as far as the kernel takes them."""
        if self.has_half_closed:
            return
        data = self.script[self.sent : self.sent + size]
        try:
            if data:
                self.sent += self.socket.send(data)
        except BlockingIOError:
            pass
        except OSError:
            assert self.is_over, "the gateway has ended a connection that was to persist"
            self.has_half_closed = self.was_reset = True

    def receive(self, size: int) -> None:
        try:
            while size > 0 and not self.has_ended:
                data = self.socket.recv(min(size, 65536))
                self.received += data
                size -= len(data)
                self.has_ended = not data
        except BlockingIOError:
            pass
        except ConnectionResetError:
            assert self.is_over, "the gateway has reset a connection that was to persist"
            self.has_ended = self.was_reset = True


def request_bytes(
    token: str, way: str, method: str, framing: str, body: bytes, options: str
) -> bytes:
    """A request as it is sent."""
    version = "1.0" if options == "http-1.0" else "1.1"
    lines = [f"{method} /{way}/{token} HTTP/{version}", "Host: a"]
    if options == "close":
        lines.append("Connection: close")
    if options == "expect":
        lines.append("Expect: 100-continue")
    if framing == "none":
        body = b""
    elif framing == "chunked" and version == "1.1":
        lines.append("Transfer-Encoding: chunked")
        sizes = [1, 100, 5000, len(body)]
        pieces, rest = [], body
        for size in sizes:
            piece, rest = rest[:size], rest[size:]
            if piece:
                pieces.append(b"%x;a=b\r\n%b\r\n" % (len(piece), piece))
        body = b"".join([*pieces, b"0\r\nX-Trailer: 1\r\n\r\n"])
    else:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


def answer_body(token: str, way: str, body: bytes) -> bytes:
    """What a way answers to a body, where it succeeds."""
    return {
        "echo": echo_of(token, body),
        "waits": echo_of(token, body),
        "parts": token.encode() + echo_of(token, body),
        "large": pattern(token, LARGE) if way == "large" else b"",
        "unread": token.encode(),
        "lies_less": token.encode()[:-1],
        "empty": b"",
    }.get(way, b"")


def next_answer(data: bytes, wanted: Wanted) -> tuple[Answer, bytes]:
    """The next final answer, and the bytes behind it."""
    while data.startswith(CONTINUE):
        data = data[len(CONTINUE) :]
    return read_answer(data, is_head=wanted.method == "HEAD")
