"""What a case of the conformance tables is, and the short ways to write one.

Each table follows RFC 9112 and RFC 9110 where they decide, and elsewhere the gateway's own rule:
what two servers could read differently is refused.  A case names the section that decides it, or
the advisory of the server that once read it otherwise.
"""

from typing import NamedTuple

HIDDEN = ("host", "content-length", "transfer-encoding", "connection", "expect")
"""Fields that a `Seen` does not list: what they say, it says otherwise."""


class Seen(NamedTuple):
    """A request as the handler must see it."""

    method: str = "GET"
    target: str = "/x"
    """Path and query."""
    host: str = "a"
    body: bytes = b""
    fields: tuple[tuple[str, str], ...] = ()
    """Names in lower case and values, in their order, without the `HIDDEN`."""


class Case(NamedTuple):
    """Bytes that a client sends, and what must become of them."""

    name: str
    source: str
    """The section, or the advisory."""
    data: bytes
    seen: tuple[Seen, ...]
    """The requests in `data` that are served, in order."""
    status: int = 0
    """Of the refusal behind them; 0: nothing is refused."""
    closes: bool = False
    """Whether the connection ends behind them: nothing more is read."""


def served(
    name: str, source: str, data: bytes, *seen: Seen, status: int = 0, closes: bool = False
) -> Case:
    """All in `data` is served, up to what `status` refuses."""
    return Case(name, source, data, seen or (Seen(),), status, closes or status != 0)


def refused(name: str, source: str, data: bytes, status: int = 400) -> Case:
    """The first request in `data` is refused."""
    return Case(name, source, data, (), status, closes=True)


def get(*lines: bytes, first: bytes = b"GET /x HTTP/1.1", host: bytes = b"Host: a") -> bytes:
    """A head: its first line, `host` unless it is empty, and further field lines."""
    return b"\r\n".join([first, *([host] if host else []), *lines, b"", b""])


def post(*lines: bytes, body: bytes = b"") -> bytes:
    """A POST with these field lines."""
    return get(*lines, first=b"POST /x HTTP/1.1") + body


def chunked(body: bytes) -> bytes:
    """A POST whose body is in chunks: those in `body`."""
    return post(b"Transfer-Encoding: chunked", body=body)


def posted(body: bytes = b"", *fields: tuple[str, str]) -> Seen:
    """What is seen of a `post`."""
    return Seen("POST", body=body, fields=fields)


SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
"""What hides in a body, and must not be found there."""
