"""A request head that has passed every check, and the checks.

Theory of operation: `httptools` has checked the syntax (request line, field lines, the digits of
Content-Length).  This module decides what the fields *mean* together: the target's form, the host,
the framing of the body.  It refuses everything that two servers could read differently
(RFC 9112 §11.2).
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from gateway.bounded_cache import remember
from gateway.errors import (
    BodyTooLarge,
    ExpectationFailed,
    HeadersTooLarge,
    MalformedRequest,
    NotImplementedByGateway,
)
from gateway.fc import names
from gateway.http.message import fields as roles
from gateway.http.message import grammar
from gateway.http.message.fields import FieldName, FieldNames, Fields
from gateway.limits import Limits

if TYPE_CHECKING:
    from gateway.http.message.origin import Origin

_SPACE: Final = 0x20

_MAX_LENGTH_DIGITS: Final = 20
"""Digits of a Content-Length that count.  The parser refuses 2^64, so only zeros can precede them,
and `int` raises for more than 4300 digits."""

_APART: Final = (roles.DROPPED, roles.PLATFORM)

_CONTROLS: Final = (roles.INVOCATION_TYPE, roles.LOG_TYPE)

_API_PREFIXES: Final = names.API_PREFIXES
_SHORTEST_PREFIX: Final = min(map(len, names.API_PREFIXES))
_TWO: Final = ord("2")

CHUNKED: Final = -1
"""The value of `RequestHead.content_length` for a body of unknown length."""


class RequestHead:
    """What is known of a request before its body.

    A parsed head does not change: requests with equal bytes share one.
    """

    __slots__ = (
        "content_length",
        "environ",
        "expects_continue",
        "fields",
        "has_controls",
        "host",
        "is_async",
        "is_http_1_0",
        "keep_alive",
        "log_parts",
        "method",
        "origin",
        "path",
        "query",
        "target",
        "wants_tail",
        "withheld",
    )

    method: str
    target: str
    """Path and query as they arrived, percent-encoded, latin-1; `*` for `OPTIONS *`."""
    path: str
    """The target up to its first `?`, still percent-encoded."""
    query: str
    """The target behind its first `?`."""
    host: str
    """The target's authority if it has one, otherwise `Host`; may be empty."""
    fields: Fields
    """Field lines in their order, without the dropped ones; values without outer white space."""
    content_length: int
    """Bytes of the body; `CHUNKED` if the length is unknown."""
    is_http_1_0: bool
    keep_alive: bool
    """Whether the client lets the connection persist (RFC 9112 §9.3)."""
    expects_continue: bool
    has_controls: bool
    """Whether the request may be special: it has a field that controls its invocation, such as one
    of the next two, or a path of FC's API."""
    is_async: bool
    """Whether the request asks for an asynchronous invocation."""
    wants_tail: bool
    """Whether the request asks for the tail of its invocation's log."""
    environ: dict[str, Any] | None
    """A cache of the application, for further requests with the same head."""
    log_parts: tuple[tuple[str, int] | None, tuple[str, ...]] | None
    """A cache of the access log: the client's address, and the parts of the line for both."""
    origin: "Origin | None"
    """A cache of `proxies.forwarded`: where trusted proxies say that the request comes from."""
    withheld: Fields | None
    """The dropped field lines and the platform's; `None`: there are none."""

    def __init__(self, method: str, is_http_1_0: bool, keep_alive: bool) -> None:
        self.method = method
        self.is_http_1_0 = is_http_1_0
        self.keep_alive = keep_alive
        self.content_length = 0
        self.expects_continue = False
        self.has_controls = self.is_async = self.wants_tail = False
        self.environ = self.log_parts = self.origin = self.withheld = None

    def __repr__(self) -> str:
        version = "1.0" if self.is_http_1_0 else "1.1"
        return f"<RequestHead {self.method} {self.path} HTTP/{version}>"

    def set_target(self, target: bytes) -> str | None:
        """Take the request target.  Returns its authority if it is absolute, otherwise `None`.

        Raises:
            Refusal: the target has none of the forms that its method may have.
        """
        authority = None
        if self.method == "CONNECT":
            raise NotImplementedByGateway("CONNECT is not supported: the gateway is not a proxy")
        if target[:1] != b"/":
            if target != b"*":
                authority, target = split_absolute(target)
            elif self.method != "OPTIONS":
                raise MalformedRequest("only OPTIONS may have the target *")
        text = self.target = target.decode("latin-1")
        if "#" in text:
            raise MalformedRequest("the request target contains a fragment")
        self.path, _, self.query = text.partition("?")
        if "\\" in self.path:  # Some servers read it as "/"; in a query, browsers send it.
            raise MalformedRequest("the path contains a backslash")
        # All prefixes begin with "/2": this spares most requests 500 instructions.
        if len(target) > _SHORTEST_PREFIX and target[1] == _TWO and text.startswith(_API_PREFIXES):
            self.has_controls = True
        if text == "*":
            self.path = ""  # RFC 9112 §3.3: the request is about the server, not about a path.
        return authority

    def set_fields(
        self, lines: Sequence[tuple[bytes, bytes]], field_names: FieldNames, authority: str | None
    ) -> None:
        """Take the field lines, and apply those with a role.

        Raises:
            Refusal: the fields contradict one another, or ask for something that is not supported.
        """
        host: str | None = None
        coding: bytes | None = None
        has_type = has_apart = False
        fields: list[tuple[FieldName, bytes]] = []
        self.fields = fields
        for spelling, value in lines:
            name = field_names[spelling]
            if value and value[-1] <= _SPACE:
                value = value.rstrip(b" \t")  # noqa: PLW2901 - the parser strips the front only
            fields.append((name, value))
            role = name.role
            if not role:
                continue
            if role == roles.HOST:
                if host is not None:
                    raise MalformedRequest("the request has more than one Host field")
                # RFC 9112 §3.2: Host is empty if the target URI has no authority.
                host = _known_hosts.get(value) or (check_host(value) if value else "")
            elif role == roles.CONTENT_LENGTH:
                self.content_length = int(value[-_MAX_LENGTH_DIGITS:])
            elif role == roles.CONTENT_TYPE:
                if has_type:
                    raise MalformedRequest("the request has more than one Content-Type field")
                has_type = True
            elif role == roles.TRANSFER_ENCODING:
                coding = value if coding is None else coding + b"," + value
            elif role == roles.EXPECT:
                self._set_expectation(value)
            elif role in _CONTROLS:
                self._set_control(role, value)
            else:
                has_apart = True
        if coding is not None:
            self._set_coding(coding)
        if has_apart:
            self._keep_apart(fields)
        if host is None and not self.is_http_1_0:
            raise MalformedRequest("an HTTP/1.1 request needs a Host field")
        self.host = authority or host or ""

    def _keep_apart(self, fields: list[tuple[FieldName, bytes]]) -> None:
        """Move the dropped fields to `withheld`, and copy the platform's there."""
        self.withheld = [field for field in fields if field[0].role in _APART]
        self.fields = [field for field in fields if field[0].role != roles.DROPPED]

    def set_many_fields(
        self, lines: Sequence[tuple[bytes, bytes]], names: FieldNames, authority: str | None
    ) -> None:
        """As `set_fields`, for more lines than `fields.MAX_UNPACKED`."""
        noted, packed = names.sift(lines)
        self.set_fields(noted, names, authority)
        self.fields, self.withheld = packed

    def _set_control(self, role: int, value: bytes) -> None:
        """Take a field that controls the invocation; unknown values have no effect."""
        self.has_controls = True
        if role == roles.INVOCATION_TYPE:
            self.is_async = value.lower() == b"async"
        else:
            self.wants_tail = value.lower() == b"tail"

    def _set_expectation(self, value: bytes) -> None:
        if value.lower() != b"100-continue":
            raise ExpectationFailed("the only supported expectation is 100-continue")
        self.expects_continue = not self.is_http_1_0

    def _set_coding(self, coding: bytes) -> None:
        if self.is_http_1_0:
            raise MalformedRequest("HTTP/1.0 has no Transfer-Encoding")
        codings = [item.strip(b" \t").lower() for item in coding.split(b",")]
        if codings != [b"chunked"]:
            if codings[-1] == b"chunked" and not {b"", b"identity", b"chunked"} & {*codings[:-1]}:
                raise NotImplementedByGateway("the only supported transfer coding is chunked")
            raise MalformedRequest("Transfer-Encoding must be chunked")
        self.content_length = CHUNKED

    @property
    def awaits_log(self) -> bool:
        """Whether the response should contain the log; an asynchronous one comes before it."""
        return self.wants_tail and not self.is_async

    def as_refused(self) -> "RequestHead":
        """This head, with empty values for what a refusal left unset: enough to respond and log."""
        for name in ("target", "path", "query", "host"):
            if not hasattr(self, name):
                setattr(self, name, "")
        if not hasattr(self, "fields"):
            self.fields = []
        return self

    def body_limit(self, limits: Limits) -> int:
        """The most bytes that the request's body may have."""
        return limits.max_async_body if self.is_async else limits.max_body


def split_absolute(target: bytes) -> tuple[str, bytes]:
    """Authority, and path with query, of an absolute-form target (RFC 9112 §3.2.2)."""
    match = grammar.ABSOLUTE_TARGET.fullmatch(target)
    if match is None:
        raise MalformedRequest("the request target has none of the forms of RFC 9112 §3.2")
    path = match[2]
    return check_host(match[1]), path if path[:1] == b"/" else b"/" + path


_MAX_HOSTS: Final = 64
_MAX_HOST_BYTES: Final = 255

_known_hosts: Final[dict[bytes, str]] = {}


def check_host(value: bytes) -> str:
    """`host` or `host:port` as text, cached: most servers have few names.

    Raises:
        MalformedRequest: `value` is neither.
    """
    if not grammar.HOST.fullmatch(value):
        raise MalformedRequest("Host must be a host or host:port")
    host = value.decode("ascii")
    if len(value) <= _MAX_HOST_BYTES:
        remember(_known_hosts, _MAX_HOSTS, value, host)
    return host


def body_too_large(limit: int) -> BodyTooLarge:
    """The refusal of a body of more than `limit` bytes."""
    return BodyTooLarge(f"the request body is larger than {limit} bytes")


def too_many_fields(limit: int) -> HeadersTooLarge:
    """The refusal of a head of more than `limit` fields."""
    return HeadersTooLarge(f"the request has more than {limit} header fields")


def is_kept_open(lines: Sequence[tuple[bytes, bytes]]) -> bool:
    """Whether an HTTP/1.0 client lets the connection persist (RFC 9112 §9.3).

    The parser only looks for `keep-alive`, though `close` overrides it, and also accepts
    `Proxy-Connection`.
    """
    options = b",".join(value for name, value in lines if name.lower() == b"connection")
    names = {option.strip(b" \t").lower() for option in options.split(b",")}
    return b"keep-alive" in names and b"close" not in names
