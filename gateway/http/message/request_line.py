"""The request line, and other protocols that begin differently (RFC 9112 §3).

The parser knows a list of methods and stops at the first byte that leads to none of them.  The
response must not depend on that list's spelling, nor on how the bytes were split into segments.  So
this module decides by the bytes of the line.
"""

from typing import Final

from gateway.errors import (
    MalformedRequest,
    NotImplementedByGateway,
    Refusal,
    VersionNotSupported,
)
from gateway.http.message import grammar

MAX_EMPTY_LINES: Final = 1024
"""Bytes of empty lines before a request line."""

_MAX_METHOD: Final = 64
"""Bytes of a method; no server supports a longer one."""

_HTTP_1_1: Final = b" HTTP/1.1\r\n"
_HTTP_1_0: Final = b" HTTP/1.0\r\n"

_PREFACE: Final = b"PRI "
"""RFC 9113 §3.4: an HTTP/2 client begins with this; §11.6: no method has this name."""

_FIRST_BYTES: Final = {
    0x16: "TLS",  # RFC 8446 §5.1: a record of the handshake.
    0x05: "SOCKS",  # RFC 1928 §3
    0x04: "SOCKS",
    0x00: "the PROXY protocol",  # Version 2, behind two empty lines.
}
"""Other protocols, by first bytes with which no request can begin."""

_FIRST_WORDS: Final = ((b"SSH-", "SSH"), (b"PROXY ", "the PROXY protocol"))
"""RFC 4253 §4.2; proxy-protocol.txt, section 2.1."""


def check_beginning(raw: bytes) -> None:
    """Check the first word of a head, complete or not.

    Raises:
        Refusal: it is neither a method nor the beginning of one.
    """
    line = skip_empty_lines(raw)[: _MAX_METHOD + 1]
    if not line:
        return
    spoken = _FIRST_BYTES.get(line[0], "")
    for word, protocol in _FIRST_WORDS:
        if line.startswith(word):
            spoken = protocol
    if spoken:
        raise MalformedRequest(f"this port speaks HTTP; the client speaks {spoken}", spoken)
    match = grammar.METHOD.match(line)
    if match is None:
        raise MalformedRequest("the request line does not begin with a method")
    if line[match.end() : match.end() + 1] not in (b"", b" "):
        raise MalformedRequest("the method of the request line is not a token")
    if line.startswith(_PREFACE):
        raise version_not_supported()


def method_of(raw: bytes) -> bytes | None:
    """The method of a head whose beginning is valid; `None`: the method is incomplete."""
    line = skip_empty_lines(raw)
    method, space, _ = line[: _MAX_METHOD + 1].partition(b" ")
    return method if space or len(method) > _MAX_METHOD else None


def unknown_method() -> Refusal:
    """The refusal of a method that the parser does not know (RFC 9110 §9.1)."""
    return NotImplementedByGateway("the method is not supported; methods are upper-case")


def is_http_1_0(raw: bytes, version_at: int) -> bool:
    """Whether the request line names HTTP/1.0; false for 1.1.

    `version_at` is the index of the space before the version, if single spaces divide method,
    target and version.  The parser also accepts several spaces, the protocols RTSP and ICE, and no
    version at all, and does not report which.

    Raises:
        Refusal: the line is not exactly method SP target SP version, or has another version.
    """
    line = skip_empty_lines(raw)
    version = line[version_at : version_at + 11]
    if version in (_HTTP_1_1, _HTTP_1_0):
        return version == _HTTP_1_0
    if version[:6] == b" HTTP/":
        raise version_not_supported()
    raise MalformedRequest("the request line is not: method SP target SP HTTP/1.1")


def version_not_supported() -> Refusal:
    return VersionNotSupported("the only supported HTTP versions are 1.0 and 1.1")


def skip_empty_lines(raw: bytes) -> bytes:
    """A head, complete or not, without the empty lines that came before it.

    Raises:
        Refusal: there are too many, or they do not end with CR LF.  (The parser accepts any mix of
            CR and LF; RFC 9112 §2.2 speaks of "at least one" CRLF.)
    """
    line = raw.lstrip(b"\r\n")
    size = len(raw) - len(line)
    if size > MAX_EMPTY_LINES:
        raise MalformedRequest("too many empty lines before the request line")
    if line and raw[:size] != b"\r\n" * (size // 2):
        raise MalformedRequest("an empty line before the request line does not end with CR LF")
    return line


def path_size(target: bytes) -> int:
    """Bytes of path and query of a target, absolute or not, complete or not.

    The first bytes decide whether the target is absolute: with a search for `://`, later bytes
    would change what was already counted.
    """
    scheme = target[:8].lower()
    authority = 8 if scheme == b"https://" else 7 if scheme[:7] == b"http://" else 0
    if not authority:
        return len(target)
    path, query = target.find(b"/", authority), target.find(b"?", authority)
    if path < 0 or 0 <= query < path:
        # An empty path means "/" (RFC 9112 §3.2.1).
        return 1 + (len(target) - query if query >= 0 else 0)
    return len(target) - path
