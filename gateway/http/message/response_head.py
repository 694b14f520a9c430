"""What an application says of its response, checked: the same rules for WSGI and ASGI.

Theory of operation: a header is kept, dropped because the gateway sets it, or refused because it
is about the connection and not the response; which one is decided once per name.  A fault that
is the application's is raised where the application stands, so that its own traceback shows the
line.  Date, request id and framing are the gateway's, which adds them when it encodes.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from gateway.bounded_cache import remember
from gateway.errors import BadResponse, Refusal
from gateway.fc import errors as fc_errors
from gateway.fc import names
from gateway.http.message import grammar
from gateway.http.message.head import RequestHead
from gateway.http.message.response import BODILESS, Status, kind_of, status_of
from gateway.text.exact_types import exact_text

_MOST_REMEMBERED: Final = 512

# What becomes of a header that an application sets.
_KEEP: Final = 0
_DROP: Final = 1
_LENGTH: Final = 2
_STEADY: Final = 3
"""Kept, and worth remembering with its value: few values, used again and again."""

_STEADY_NAMES: Final = frozenset(
    {
        "access-control-allow-credentials",
        "access-control-allow-headers",
        "access-control-allow-methods",
        "access-control-allow-origin",
        "cache-control",
        "content-encoding",
        "content-language",
        "content-security-policy",
        "content-type",
        "cross-origin-opener-policy",
        "referrer-policy",
        "strict-transport-security",
        "vary",
        "x-content-type-options",
        "x-frame-options",
        "x-xss-protection",
    }
)

_LONGEST_KNOWN: Final = 256
_DROPPED: Final = frozenset({"connection", "date", "keep-alive", "server", "upgrade"})
"""Function Compute's reserved response headers, besides `X-Fc-*`: dropped with a warning."""

_REFUSED: Final = frozenset(
    {
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "trailers",
        "transfer-encoding",
    }
)
"""Hop-by-hop headers (RFC 9110 §7.6.1; PEP 3333, "Other HTTP Features"): the server's to set."""


class ResponseHead:
    """Status and headers of an application's response, checked."""

    __slots__ = ("content_length", "dropped", "fields", "is_steady", "lines", "size", "status")

    status: Status
    fields: list[tuple[str, str]]
    """Names and values, without the dropped ones and Content-Length."""
    content_length: int | None
    """What the application says that its body's length is."""
    dropped: tuple[str, ...]
    """Names of those that are the gateway's to set."""
    size: int
    """Sum of the lengths of all names and values, the dropped ones included."""
    lines: str
    """Status and fields as lines, each with its end."""
    is_steady: bool
    """Whether the application may well say the very same again."""

    def __init__(self, status: Status, headers: Iterable[tuple[str, str]]) -> None:
        """Check what an application says of its response's header.

        Raises:
            TypeError, ValueError: a server may not send that; the message says what.
        """
        self.status = status
        self.is_steady = True
        self.content_length = None
        self.dropped = ()
        self.fields = fields = []
        size = 0
        for item in headers:
            try:
                known = _known.get(item)
            except TypeError:
                known = None  # Not hashable, so no tuple of two strings; told below.
            if known is not None:
                # Not `item`, which may be of a class that calls itself equal.
                fields.append(known[0])
                size += known[1]
            else:
                size += self._check(item)
        self.size = size
        self._join_lines()

    @classmethod
    def of(cls, status: Status, fields: Sequence[tuple[str, str]]) -> "ResponseHead":
        """One that the gateway itself has made: nothing is checked, nothing dropped."""
        head = cls(status, ())
        head.fields.extend(fields)
        head._join_lines()
        return head

    def _join_lines(self) -> None:
        parts = [self.status.line, "\r\n"]
        for name, value in self.fields:
            parts += name, ": ", value, "\r\n"
        self.lines = "".join(parts)

    def encode(
        self, request: RequestHead | None, length: int | None, keep_alive: bool, constant: str
    ) -> bytes:
        """Status line and header section of the response to `request`.

        `length` is the body's in bytes, `None` where it is not known beforehand; `constant` are
        ready-made field lines, without the last line end; `keep_alive` is whether the connection
        stays behind this response: the caller has made it false for `UNTIL_CLOSE`.
        """
        if self.status.code in BODILESS:
            framing = ""
        elif length is not None:
            framing = f"Content-Length: {length}\r\n"
        elif request is None or request.is_http_1_0:
            framing = ""
        else:
            framing = "Transfer-Encoding: chunked\r\n"
        if not keep_alive:
            framing += "Connection: close\r\n"
        elif request is not None and request.is_http_1_0:
            framing += "Connection: keep-alive\r\n"
        return f"HTTP/1.1 {self.lines}{framing}{constant}\r\n\r\n".encode("latin-1")

    def _check(self, item: tuple[str, str]) -> int:
        """Take a header that is not known; the length of its name and value."""
        if type(item) is not tuple or len(item) != 2:
            raise TypeError(f"a response header is a tuple (name, value), not {kind_of(item)}")
        name, value = item
        if type(name) is not str or type(value) is not str:
            name, value = item = _exact_item(name, value)
        role = _roles.get(name)
        if role is None:
            role = _find_role(name)
        if not (value.isascii() and value.isprintable()) and (
            grammar.FORBIDDEN_IN_VALUE.search(value)
        ):
            raise ValueError(f"the value of response header {name} has a forbidden character")
        size = len(name) + len(value)
        if role == _KEEP:
            self.fields.append(item)
        elif role == _STEADY:
            self.fields.append(item)
            if size <= _LONGEST_KNOWN:
                remember(_known, _MOST_REMEMBERED, item, (item, size))
                return size
        elif role == _DROP:
            self.dropped = (*self.dropped, name)
        else:
            self._set_content_length(value)
            return size
        self.is_steady = False
        return size

    def _set_content_length(self, value: str) -> None:
        if not (value.isascii() and value.isdigit()):
            raise ValueError(f"Content-Length is no number: {value!r:.30}")
        length = int(value)
        if self.content_length not in (None, length):
            raise ValueError("Content-Length is there twice, with different values")
        self.content_length = length


FAULT: Final = ResponseHead.of(status_of(fc_errors.STATUS), fc_errors.HEADERS)
"""Of the answer for an application that failed."""


def refusal_head(refusal: Refusal) -> ResponseHead:
    """Of the answer that is a refusal; the same for all of a kind, but for their `Retry-After`."""
    kind = type(refusal), refusal.retry_after
    head = _refusals.get(kind)
    if head is None:
        head = _refusals[kind] = ResponseHead.of(status_of(refusal.status), refusal.headers())
    return head


def response_header_too_large(limit: int) -> BadResponse:
    """The refusal of a response whose `ResponseHead.size` is more than `limit` bytes."""
    return BadResponse(f"the response headers are larger than {limit} bytes")


_refusals: dict[tuple[type[Refusal], int | None], ResponseHead] = {}

_roles: dict[str, int] = {}

_known: dict[tuple[str, str], tuple[tuple[str, str], int]] = {}
"""Headers that have passed every check, with their lengths: checking costs thrice as much."""


def _exact_item(name: object, value: object) -> tuple[str, str]:
    if not isinstance(name, str):
        raise TypeError(f"the name of a response header is no str: {kind_of(name)}")
    name = exact_text(name)
    if not isinstance(value, str):
        beginning = grammar.TOKEN.match(name)
        told = beginning[0] if beginning else ""
        raise TypeError(f"the value of response header {told:.100} is no str: {kind_of(value)}")
    return name, exact_text(value)


def _find_role(name: str) -> int:
    if not grammar.TOKEN.fullmatch(name):
        # Not all of it: a whole line, value included, that was taken for a name, is told to nobody.
        beginning = grammar.TOKEN.match(name)
        raise ValueError(
            "the name of a response header is no token"
            + (f"; it begins with {beginning[0]:.100}" if beginning else "")
        )
    lower = name.lower()
    if lower in _REFUSED:
        raise ValueError(f"{name} is a hop-by-hop header, which the server sets (RFC 9110 §7.6.1)")
    if lower in _DROPPED or lower.startswith(names.HEADER_PREFIX):
        role = _DROP
    elif lower == "content-length":
        role = _LENGTH
    else:
        role = _STEADY if lower in _STEADY_NAMES else _KEEP
    if len(name) <= _LONGEST_KNOWN:
        remember(_roles, _MOST_REMEMBERED, name, role)
    return role
