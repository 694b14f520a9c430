"""Status and headers of an application's response, checked by the same rules for WSGI and ASGI.

Theory of operation: a header is kept, dropped because the gateway sets it, or refused because it
is about the connection and not the response.  The decision is made once per name.  An application's
fault is raised in the application's call, so that its traceback shows the line.  The gateway adds
date, request id and framing when it encodes the head.
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

_MAX_CACHED: Final = 512

# What happens to a header that an application sets.
_KEEP: Final = 0
_DROP: Final = 1
_LENGTH: Final = 2
_STEADY: Final = 3
"""Kept, and cached with its value: such headers have few values, used again and again."""

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

_MAX_CACHED_CHARACTERS: Final = 256

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
"""Hop-by-hop headers, which only the server may set (RFC 9110 §7.6.1; PEP 3333, "Other HTTP
Features")."""


class ResponseHead:
    """Status and headers of an application's response, checked."""

    __slots__ = ("content_length", "dropped", "fields", "is_steady", "lines", "size", "status")

    status: Status
    fields: list[tuple[str, str]]
    """Names and values, without the dropped ones and Content-Length."""
    content_length: int | None
    """The body's length according to the application; `None`: it does not say."""
    dropped: tuple[str, ...]
    """Names of dropped headers, which the gateway sets itself."""
    size: int
    """Sum of the lengths of all names and values, the dropped ones included."""
    lines: str
    """Status and fields as lines, each with its line end."""
    is_steady: bool
    """Whether all headers are cached ones, so that an equal head is likely to come again."""

    def __init__(self, status: Status, headers: Iterable[tuple[str, str]]) -> None:
        """Check status and headers of an application.

        Raises:
            TypeError, ValueError: a server must not send a header; the message says which.
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
                known = None  # Not hashable, so not a tuple of two strings; `_check` refuses it.
            if known is not None:
                # Not `item`, whose class may only claim to be equal.
                fields.append(known[0])
                size += known[1]
            else:
                size += self._check(item)
        self.size = size
        self._join_lines()

    @classmethod
    def of(cls, status: Status, fields: Sequence[tuple[str, str]]) -> "ResponseHead":
        """A head of the gateway's own: nothing is checked, nothing dropped."""
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

        `length` is the body's length in bytes, `None` if unknown.  `constant` are ready-made field
        lines, without the last line end.  `keep_alive`: the connection persists behind this
        response; the caller has made it false for `UNTIL_CLOSE`.
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
        """Check and take a header that is not cached.  Returns the length of name and value."""
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
            if size <= _MAX_CACHED_CHARACTERS:
                remember(_known, _MAX_CACHED, item, (item, size))
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
            raise ValueError(f"Content-Length is not a number: {value!r:.30}")
        length = int(value)
        if self.content_length not in (None, length):
            raise ValueError("the response has two different Content-Length headers")
        self.content_length = length


FAULT: Final = ResponseHead.of(status_of(fc_errors.STATUS), fc_errors.HEADERS)
"""Head of the response for an application that failed."""


def refusal_head(refusal: Refusal) -> ResponseHead:
    """Head of the response for a refusal; one per kind and `Retry-After`."""
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
"""Headers that have passed every check, with their lengths: a check costs three times as much."""


def _exact_item(name: object, value: object) -> tuple[str, str]:
    if not isinstance(name, str):
        raise TypeError(f"the name of a response header is not a str: {kind_of(name)}")
    name = exact_text(name)
    if not isinstance(value, str):
        beginning = grammar.TOKEN.match(name)
        shown = beginning[0] if beginning else ""
        raise TypeError(f"the value of response header {shown:.100} is not a str: {kind_of(value)}")
    return name, exact_text(value)


def _find_role(name: str) -> int:
    if not grammar.TOKEN.fullmatch(name):
        # Show only the beginning: the name may be a whole line, with a value that must stay secret.
        beginning = grammar.TOKEN.match(name)
        raise ValueError(
            "the name of a response header is not a token"
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
    if len(name) <= _MAX_CACHED_CHARACTERS:
        remember(_roles, _MAX_CACHED, name, role)
    return role
