"""Who a request comes from, as trusted proxies tell it in header fields.

Theory of operation: each proxy appends who has connected to it, so the list is true from the right
for as long as those who appended are trusted.  It is read from the right, hop by hop, through the
trusted proxies; the first address that is none of them is the client's, and what stands left of
it, which the client may have written itself, is never looked at.

A proxy sets some fields and passes others on as they come, and only its operator knows which.  So
the fields that count are chosen by name, and `Forwarded` excludes the others: no two sources are
ever weighed against each other, for a client would choose the one it can write.

What cannot be read is not guessed: a client whose hop is malformed, `unknown` or hidden is not
known, and does not pass for the proxy.
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

_MOST_HOPS: Final = 32
"""Hops that are read.  Where the last of them is a trusted proxy still, the client is not known."""

_LONGEST_READ: Final = 2048
"""Characters of a field, in all of its lines together, that are read, from the right.  They have
room for all hops; the event loop reads them, and what a client adds is not to hold it up."""

_LONGEST_HOST: Final = 255

_PORTS: Final = {"http": 80, "https": 443}


class TrustedProxies:
    """Reads what trusted proxies say of a request."""

    __slots__ = ("_names", "_networks", "_reads_forwarded")

    def __init__(self, networks: Networks, fields: Iterable[str]) -> None:
        """`fields` are the names, in lower case, of those that the proxies set."""
        self._networks = networks
        self._names = frozenset(name.encode() for name in fields)
        self._reads_forwarded = FORWARDED.encode() in self._names

    def __repr__(self) -> str:
        return f"<TrustedProxies {self._networks!r} {sorted(self._names)}>"

    def origin(self, head: RequestHead, connection: Ends) -> Origin:
        """Where the request comes from; the head, which belongs to its connection, keeps it."""
        origin: Origin | None = head.origin
        if origin is None:
            origin = head.origin = self._find(head, connection)
        return origin

    def _find(self, head: RequestHead, connection: Ends) -> Origin:
        told = _Told()
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
        client = connection.peer if told.client is _NOT_SAID else told.client
        scheme = told.scheme
        server, host = _addressed(told, scheme, head.host, connection.local)
        return Origin(client, server, scheme, host)

    def _trusts(self, connection: Ends) -> bool:
        """Whether who wrote the head's last entries is a trusted proxy.

        The client that a PROXY header announces is one only if it is listed by address.
        """
        peer = connection.peer
        if connection.is_announced:
            return peer is not None and self._networks.cover_text(peer[0])
        return self._networks.cover_peer(peer)

    def _read_forwarded(self, values: list[str], told: "_Told") -> None:
        element: dict[str, str] = {}
        for hop, element in enumerate(_elements_from_the_right(values), 1):
            if not self._passes(told, element.get("for", ""), _FORWARDED_NODE, hop):
                break
        told.take_scheme(element.get("proto", ""))
        told.take_host(element.get("host", ""))

    def _read_x_forwarded(self, lines: list[tuple[str, str]], told: "_Told") -> None:
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
            """The entry of the hop that names the client, or the nearest there is."""
            items = lists.get(name)
            return items[-min(max(hops, 1), len(items))] if items else ""

        told.take_scheme(said(X_FORWARDED_PROTO))
        told.take_host(said(X_FORWARDED_HOST))
        told.take_port(said(X_FORWARDED_PORT))

    def _passes(self, told: "_Told", text: str, form: re.Pattern[str], hop: int) -> bool:
        """Take a hop; whether it is a trusted proxy, so that the one before it may be read."""
        told.client = None
        node = _parse_node(text, form)
        if node is None:
            return False
        address, port = node
        is_proxy = self._networks.cover(address)
        if is_proxy and hop == _MOST_HOPS:
            return False
        told.client = (str(address), port)
        return is_proxy


_NOT_SAID: Final[Peer] = ("", -1)


class _Told:
    """What was read and has passed its check."""

    __slots__ = ("client", "host", "port", "scheme")

    def __init__(self) -> None:
        self.client: Peer | None = _NOT_SAID
        self.scheme = "http"
        self.host = ""
        self.port = 0

    def take_scheme(self, text: str) -> None:
        if text.lower() in _PORTS:
            self.scheme = text.lower()

    def take_host(self, text: str) -> None:
        if len(text) <= _LONGEST_HOST and grammar.HOST.fullmatch(text.encode("latin-1")):
            self.host = text

    def take_port(self, text: str) -> None:
        self.port = _parse_port(text)


def _addressed(
    told: _Told, scheme: str, host_field: str, local: Peer | None
) -> tuple[Peer | None, str]:
    """Whom the client addressed, and what becomes of `Host`.

    Without a word of it, both are as the connection has them.  A port that is told takes the place
    of the one in the host; the scheme's own is left out.
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
    """Name and port, 0 for none, of what `grammar.HOST` has passed."""
    name, colon, port = host.rpartition(":")
    return (name, _parse_port(port)) if colon and not port.endswith("]") else (host, 0)


def _bare(name: str) -> str:
    """Without the brackets of an IPv6 address."""
    return name[1:-1] if name[:1] == "[" else name


def _entries(text: str) -> list[str]:
    """The entries of a list (RFC 9110 §5.6.1: empty ones do not count).

    In the place of all that is not read there is one that says nothing.
    """
    first, *pieces = text[-_LONGEST_READ - 1 :].split(",")
    entries = [entry for piece in pieces if piece and (entry := piece.strip(" \t"))]
    if len(text) > _LONGEST_READ:
        return ["", *entries]
    return [first.strip(" \t"), *entries] if first.strip(" \t") else entries


# RFC 7239 §6, and what proxies write into X-Forwarded-For, which no standard describes.
_PORT: Final = r"(?::([0-9]{1,5}))?"
_X_FORWARDED_NODE: Final = re.compile(
    rf"(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+)){_PORT}|([0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*)"
)
_FORWARDED_NODE: Final = re.compile(
    r"(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+))(?::(?:([0-9]{1,5})|_[A-Za-z0-9._-]+))?()"
)


def _parse_node(text: str, form: re.Pattern[str]) -> tuple[Address, int] | None:
    """Address and port, or 0, of a hop; `None`: it does not tell."""
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
    """A port from 1 on; 0: it is none."""
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
"""RFC 7239 §4: a `forwarded-pair`, or none, and all that divides it from the next.

Its quantifiers do not give back what they took, so that a hostile value costs no more than its
length.
"""


_QUOTED_PAIR: Final = re.compile(r"\\(.)")


def _elements_from_the_right(values: list[str]) -> Iterator[dict[str, str]]:
    """The elements of `Forwarded`, the last first, by field line: a client that leaves a quote
    open in its own does not reach those that proxies add.

    A line that cannot be read is an element that says nothing, and so are all lines from the one on
    that is too long to be read, or stands left of too many.
    """
    left = _LONGEST_READ
    for value in reversed(values[-_MOST_HOPS:]):
        left -= len(value)
        if left < 0:
            yield {}
            return
        yield from reversed(_elements(value))
    if len(values) > _MOST_HOPS:
        yield {}


def _elements(value: str) -> list[dict[str, str]]:
    elements: list[dict[str, str]] = [{}]
    at = 0
    while match := _PART.match(value, at):
        name, token, quoted, end = match.groups()
        if name is not None:
            name = name.lower()
            if name in elements[-1]:
                break  # RFC 7239 §4: once in each element.
            elements[-1][name] = token or "".join(_QUOTED_PAIR.split(quoted))
        if not end:
            return [element for element in elements if element]
        if "," in end:
            elements.append({})
        at = match.end()
    return [{}]
