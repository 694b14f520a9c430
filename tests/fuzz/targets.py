"""What is fuzzed: by name, how much of a run it gets, and where its seeds are."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from fuzz import connections, heads, responses

FOLDER = Path(__file__).parent
ROOT = FOLDER.parents[1]

INSTRUMENTED = ("gateway.http", "gateway.wsgi")
"""Packages whose branches guide the fuzzer."""


class Target(NamedTuple):
    """A function that raises for an input that must not be."""

    check: Callable[[bytes], None]
    about: str
    share: float
    """Of all inputs of a run."""
    longest: int
    """Bytes of an input."""
    words: tuple[bytes, ...]
    """What the fuzzer may put in, besides bytes."""
    seed_folder: Path
    """Files with inputs to begin with."""

    @property
    def name(self) -> str:
        """Of the module."""
        return self.check.__module__.rpartition(".")[2]

    def seeds(self) -> list[Path]:
        return sorted(self.seed_folder.iterdir())


_HTTP = (
    b"\r\n", b"\r\n\r\n", b"\n", b"\r", b" ", b"\t", b":", b",", b";", b"_", b"#", b"?", b"*",
    b"\0", b"\x80", b"GET ", b"HEAD ", b"POST ", b"OPTIONS ", b"CONNECT ", b" HTTP/1.1\r\n",
    b" HTTP/1.0\r\n", b" HTTP/2.0\r\n", b"RTSP/1.0", b"http://", b"Host: a\r\n", b"Host:",
    b"Content-Length: 5\r\n", b"Content-Length: 0\r\n", b"Content_Length: 7\r\n",
    b"Content-Length: +1\r\n", b"Content-Type: a\r\n", b"Transfer-Encoding: chunked\r\n",
    b"Transfer-Encoding: gzip, chunked\r\n", b"Transfer-Encoding: identity\r\n", b"chunked",
    b"Connection: close\r\n", b"Connection: keep-alive\r\n", b"Connection: upgrade\r\n",
    b"Upgrade: h2c\r\n", b"Expect: 100-continue\r\n", b"X-Fc-Invocation-Type: Async\r\n",
    b"0\r\n\r\n", b"0\r\n", b"5\r\nhello\r\n", b"1;a=b\r\nx\r\n", b';a="\\""', b"0x5", b"-1",
    b"ffffffffffffffff\r\n", b"99999999999999999999", b" folded\r\n",
)  # fmt: skip

_WSGI = (
    b"\x1e", b"\x1f", b"\x1e\x1e", b"\r\n", b"\n", b"\r", b"\r\n\r\n", b"\0", b"\x80", b":", b" ",
    b"200 OK", b"200", b"204 No Content", b"304 Not Modified", b"100 Continue", b"999", b"1000",
    b"\x1eContent-Length\x1f5", b"\x1eContent-Length\x1f0", b"\x1eTransfer-Encoding\x1fchunked",
    b"\x1eConnection\x1fclose", b"\x1eConnection\x1fkeep-alive", b"\x1eSet-Cookie\x1fa=b",
    b"\x1eX-Fc-Request-Id\x1f1", b"\x1eX-Fc-Error-Type\x1fa", b"\x1eContent-Type\x1ftext/plain",
    b"\x1eTrailer\x1fa", b"\x1eDate\x1fnow", b"HTTP/1.1 200 OK\r\n", b"0\r\n\r\n", b"\xc3\xa9",
)  # fmt: skip

_SEEDS = FOLDER / "seeds"

TARGETS = {
    target.name: target
    for target in (
        Target(
            heads.check,
            "request heads and bodies, whole and in pieces",
            0.5,
            700,
            _HTTP,
            _SEEDS / "requests",
        ),
        Target(
            connections.check,
            "whole connections, in any cuts, read and answered in any way",
            0.2,
            500,
            _HTTP,
            _SEEDS / "requests",
        ),
        Target(
            responses.check,
            "responses of handlers that say anything",
            0.3,
            400,
            _WSGI,
            _SEEDS / "responses",
        ),
    )
}
