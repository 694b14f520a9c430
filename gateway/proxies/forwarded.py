"""The origin of a request, from header fields of trusted proxies.

Theory of operation.  Each proxy appends the address that connected to it, so the list is reliable
from the right as long as the appending proxies are trusted.  It is read from the right, hop by hop,
through the trusted proxies.  The first other address is the client's; everything left of it may
come from the client itself and is ignored.

A proxy sets some fields and passes others unchanged, and only its operator knows which.  So the
operator names the fields to read, and `Forwarded` excludes the others: two sources are never
combined, because a client would write the one that its proxy passes.

Nothing is guessed: if the client's hop is malformed, `unknown` or obfuscated, the client is
unknown, and the proxy's address does not replace it.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Final

from gateway.http.message import grammar
from gateway.http.message.fields import lines_of
from gateway.http.message.head import RequestHead
from gateway.http.message.origin import Ends, Origin, Peer
from gateway.proxies.networks import Address, Networks, parse_address

FORWARDED: Final = "forwarded"
X_FORWARDED_FOR: Final = "x-forwarded-for"
X_FORWARDED_PROTO: Final = "x-forwarded-proto"
X_FORWARDED_HOST: Final = "x-forwarded-host"
X_FORWARDED_PORT: Final = "x-forwarded-port"

_MAX_HOPS: Final = 32
"""The most hops to read.  If the last of them is a trusted proxy, the client is unknown."""

_MAX_CHARACTERS: Final = 2048
"""The most characters of a field to read from the right, over all of its lines.  All hops fit in.
The bound keeps a client from blocking the event loop with a long field."""

_MAX_HOST_CHARACTERS: Final = 255

_PORTS: Final = {"http": 80, "https": 443}


class TrustedProxies:
    """Reads the origin of requests from fields of trusted proxies."""

    __slots__ = ("_names", "_networks", "_reads_forwarded")

    def __init__(self, networks: Networks, fields: Iterable[str]) -> None:
        """`fields` are the lower-case names of the fields that the proxies set."""
        self._networks = networks
        self._names = frozenset(name.encode() for name in fields)
        self._reads_forwarded = FORWARDED.encode() in self._names

    def __repr__(self) -> str:
        return f"<TrustedProxies {self._networks!r} {sorted(self._names)}>"

    def origin(self, head: RequestHead, connection: Ends) -> Origin:
        """The origin of the request, cached on the head, which belongs to its connection."""
        origin: Origin | None = head.origin
        if origin is None:
            origin = head.origin = self._find(head, connection)
        return origin

    def _find(self, head: RequestHead, connection: Ends) -> Origin:
        told = _Forwarded()
        if self._trusts(connection):
            lines = [
                (name.decode(), value.decode("latin-1"))
                for name, value in lines_of(head.fields)
                if name in self._names
            ]
            if lines and self._reads_forwarded:
                self._read_forwarded([value for _, value in lines], told)
            elif lines:
                self._read_x_forwarded(lines, told)
        client = connection.peer if told.client is _UNSET else told.client
        scheme = told.scheme
        server, host = _addressed(told, scheme, head.host, connection.local)
        return Origin(client, server, scheme, host)

    def _trusts(self, connection: Ends) -> bool:
        """Whether the peer, which wrote the last entries, is a trusted proxy.

        A client announced by a PROXY header is trusted only if its address is listed.
        """
        peer = connection.peer
        if connection.is_announced:
            return peer is not None and self._networks.cover_text(peer[0])
        return self._networks.cover_peer(peer)

    def _read_forwarded(self, values: list[str], told: "_Forwarded") -> None:
        element: dict[str, str] = {}
        for hop, element in enumerate(_elements_from_the_right(values), 1):
            if not self._passes(told, element.get("for", ""), _FORWARDED_NODE, hop):
                break
        told.take_scheme(element.get("proto", ""))
        told.take_host(element.get("host", ""))

    def _read_x_forwarded(self, lines: list[tuple[str, str]], told: "_Forwarded") -> None:
        values: dict[str, list[str]] = {}
        for name, value in lines:
            values.setdefault(name, []).append(value)
        lists = {name: _entries(",".join(texts)) for name, texts in values.items()}
        hops = 0
        for hop in reversed(lists.get(X_FORWARDED_FOR, ())):
            hops += 1
            if not self._passes(told, hop, _X_FORWARDED_NODE, hops):
                break

        def said(name: str) -> str:
            """The entry of the hop that names the client, or the nearest entry."""
            items = lists.get(name)
            return items[-min(max(hops, 1), len(items))] if items else ""

        told.take_scheme(said(X_FORWARDED_PROTO))
        told.take_host(said(X_FORWARDED_HOST))
        told.take_port(said(X_FORWARDED_PORT))

    def _passes(self, told: "_Forwarded", text: str, form: re.Pattern[str], hop: int) -> bool:
        """Take a hop; return whether it is a trusted proxy, so that the hop before it counts."""
        told.client = None
        node = _parse_node(text, form)
        if node is None:
            return False
        address, port = node
        is_proxy = self._networks.cover(address)
        if is_proxy and hop == _MAX_HOPS:
            return False
        told.client = (str(address), port)
        return is_proxy


_UNSET: Final[Peer] = ("", -1)


class _Forwarded:
    """The values that were read and are valid."""

    __slots__ = ("client", "host", "port", "scheme")

    def __init__(self) -> None:
        self.client: Peer | None = _UNSET
        self.scheme = "http"
        self.host = ""
        self.port = 0

    def take_scheme(self, text: str) -> None:
        if text.lower() in _PORTS:
            self.scheme = text.lower()

    def take_host(self, text: str) -> None:
        if len(text) <= _MAX_HOST_CHARACTERS and grammar.HOST.fullmatch(text.encode("latin-1")):
            self.host = text

    def take_port(self, text: str) -> None:
        self.port = _parse_port(text)


def _addressed(
    told: _Forwarded, scheme: str, host_field: str, local: Peer | None
) -> tuple[Peer | None, str]:
    """The address that the client used, and the new value of `Host`.

    Without information from the proxies both are unchanged.  A forwarded port replaces the port of
    the host, and the scheme's default port is left out.
    """
    if not told.host and not told.port:
        return local, ""
    default = _PORTS[scheme]
    name, port = _split(told.host or host_field)
    if not told.port:
        return (_bare(name), port or default), told.host
    if not name:
        return (local[0] if local else "localhost", told.port), ""
    host = name if told.port == default else f"{name}:{told.port}"
    return (_bare(name), told.port), host


def _split(host: str) -> tuple[str, int]:
    """Name and port (0 for none) of a text that matches `grammar.HOST`."""
    name, colon, port = host.rpartition(":")
    return (name, _parse_port(port)) if colon and not port.endswith("]") else (host, 0)


def _bare(name: str) -> str:
    """The name without the brackets of an IPv6 address."""
    return name[1:-1] if name[:1] == "[" else name


def _entries(text: str) -> list[str]:
    """The entries of a list (RFC 9110 §5.6.1: empty ones do not count).

    One empty entry replaces all that is beyond the limit.
    """
    first, *pieces = text[-_MAX_CHARACTERS - 1 :].split(",")
    entries = [entry for piece in pieces if piece and (entry := piece.strip(" \t"))]
    if len(text) > _MAX_CHARACTERS:
        return ["", *entries]
    return [first.strip(" \t"), *entries] if first.strip(" \t") else entries


# RFC 7239 §6, and the forms that proxies write into X-Forwarded-For, which has no standard.
_PORT: Final = r"(?::([0-9]{1,5}))?"
_X_FORWARDED_NODE: Final = re.compile(
    rf"(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+)){_PORT}|([0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*)"
)
_FORWARDED_NODE: Final = re.compile(
    r"(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+))(?::(?:([0-9]{1,5})|_[A-Za-z0-9._-]+))?()"
)


def _parse_node(text: str, form: re.Pattern[str]) -> tuple[Address, int] | None:
    """Address and port (0 for none) of a hop; `None` if it is malformed or hidden."""
    match = form.fullmatch(text)
    if match is None:
        return None
    bracketed, plain, port, bare = match.groups()
    address = parse_address(bracketed or plain or bare)
    if address is None or (bracketed and ":" not in bracketed):
        return None
    number = _parse_port(port) if port else 0
    return None if port and not number else (address, number)


def _parse_port(text: str) -> int:
    """A port from 1 to 65535; 0 if the text is not a port."""
    if not (text.isascii() and text.isdigit() and len(text) <= 5):
        return 0
    return number if (number := int(text)) < 65536 else 0


_TOKEN: Final = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]++"
_PART: Final = re.compile(
    rf"""[\t ]*+ (?: ({_TOKEN}) = (?: ({_TOKEN})
                 | " ( (?: [\t \x21\x23-\x5b\x5d-\x7e\x80-\xff] | \\[\t \x21-\x7e\x80-\xff] )* ) "
             ) )? [\t ]*+ ( [;,] [;,\t ]*+ | \Z )""",
    re.VERBOSE,
)
"""RFC 7239 §4: an optional `forwarded-pair` and the separators after it.

Its quantifiers are possessive, so a hostile value takes only linear time.
"""


_QUOTED_PAIR: Final = re.compile(r"\\(.)")


def _elements_from_the_right(values: list[str]) -> Iterator[dict[str, str]]:
    """The elements of `Forwarded`, the last first, by field line: an open quote in a client's line
    does not affect the lines that proxies add.

    An unreadable line counts as one empty element, and so do all lines beyond the limits of length
    and number.
    """
    left = _MAX_CHARACTERS
    for value in reversed(values[-_MAX_HOPS:]):
        left -= len(value)
        if left < 0:
            yield {}
            return
        yield from reversed(_elements(value))
    if len(values) > _MAX_HOPS:
        yield {}


def _elements(value: str) -> list[dict[str, str]]:
    elements: list[dict[str, str]] = [{}]
    at = 0
    while match := _PART.match(value, at):
        name, token, quoted, end = match.groups()
        if name is not None:
            name = name.lower()
            if name in elements[-1]:
                break  # RFC 7239 §4: at most once per element.
            elements[-1][name] = token or "".join(_QUOTED_PAIR.split(quoted))
        if not end:
            return [element for element in elements if element]
        if "," in end:
            elements.append({})
        at = match.end()
    return [{}]
