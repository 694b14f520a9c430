"""The PROXY protocol, versions 1 and 2, by which a proxy announces the client of a connection.

Source: HAProxy's "The PROXY protocol, versions 1 & 2" (proxy-protocol.txt), sections 2.1 and 2.2.
It forbids receivers to guess: if the protocol is on, every connection must begin with a header, and
only listed proxies may connect.
"""

import asyncio
import re
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final, NamedTuple, cast

from gateway.http.connection.connection import Connection
from gateway.http.connection.endpoints import descriptor_of, peer_of, stands_for_standard
from gateway.http.connection.shared_state import FIRST_REQUEST_SECONDS, SharedState
from gateway.proxies.networks import Networks, unmap

Peer = tuple[str, int]

_V1_START: Final = b"PROXY "
_V1_MAX_BYTES: Final = 107
"""The most bytes of a line with its end (section 2.1)."""
_V2_START: Final = b"\r\n\r\n\0\r\nQUIT\n"
_V2_FIXED_BYTES: Final = 16
_V2_MAX_BYTES_AFTER: Final = 4096
"""The most bytes after the fixed part.  The length field allows 64 KB, but addresses take at most
216 bytes, and additions of proxies (section 2.2.7) are short."""

_V1_PORT: Final = r"(0|[1-9][0-9]{0,4})"
_V1_LINE: Final = re.compile(
    rf"PROXY TCP(?:4 ([0-9.]+) ([0-9.]+)|6 ([0-9A-Fa-f:.]+) ([0-9A-Fa-f:.]+)) {_V1_PORT} {_V1_PORT}"
)
_V1_UNKNOWN: Final = re.compile(rb"PROXY UNKNOWN(?: [\t\x20-\x7e]*)?")

_LOCAL: Final = 0x20
_PROXY: Final = 0x21
"""The values of the byte with version and command."""

_ADDRESS_SIZES: Final = {0x11: 12, 0x21: 36}
"""The bytes of both addresses and ports, by family and protocol: TCP over IPv4 and over IPv6."""
_WITHOUT_ADDRESS: Final = {0x00: 0, 0x31: 216}
"""The bytes of families without an IP address: unspecified, and Unix stream sockets."""


class MalformedPreface(Exception):
    """The bytes are not a PROXY header; the text says why, and quotes nothing."""


class Preface(NamedTuple):
    """A parsed PROXY header."""

    size: int
    """The header's size in bytes; the client's bytes follow it."""
    is_local: bool
    """Whether the proxy connects for itself, so that the connection's own addresses count."""
    source: Peer | None
    """The client's address; `None` if the proxy does not name it."""
    destination: Peer | None


def parse_preface(data: bytes) -> Preface | None:
    """Parse the header at the beginning of `data`; `None` if more bytes are needed.

    Raises:
        MalformedPreface: `data` is not the beginning of a header.
    """
    if data[:12] == _V2_START[: len(data)]:
        return _parse_v2(data)
    if data[:6] == _V1_START[: len(data)]:
        return _parse_v1(data)
    raise MalformedPreface("it begins with none")


def _parse_v1(data: bytes) -> Preface | None:
    end = data.find(b"\r\n", 0, _V1_MAX_BYTES)
    if end < 0:
        if len(data) >= _V1_MAX_BYTES:
            raise MalformedPreface("its line is too long")
        return None
    line, size = data[:end], end + 2
    if _V1_UNKNOWN.fullmatch(line):
        return Preface(size, False, None, None)
    match = _V1_LINE.fullmatch(line.decode("latin-1"))
    if match is None:
        raise MalformedPreface("its line is not of version 1")
    source4, destination4, source6, destination6, source_port, destination_port = match.groups()
    kind = IPv4Address if source4 else IPv6Address
    try:
        source = kind(source4 or source6)
        destination = kind(destination4 or destination6)
    except ValueError:
        raise MalformedPreface("its addresses are none") from None
    ports = int(source_port), int(destination_port)
    if max(ports) > 65535:
        raise MalformedPreface("its ports are none")
    return Preface(size, False, (str(unmap(source)), ports[0]), (str(unmap(destination)), ports[1]))


def _parse_v2(data: bytes) -> Preface | None:
    if len(data) > 12 and data[12] not in (_LOCAL, _PROXY):
        raise MalformedPreface("its version or command is unknown")
    if len(data) < _V2_FIXED_BYTES:
        return None
    family = data[13]
    behind = int.from_bytes(data[14:16], "big")
    if behind > _V2_MAX_BYTES_AFTER:
        raise MalformedPreface("it is too long")
    is_local = data[12] == _LOCAL
    needed = 0
    if not is_local:
        needed = _ADDRESS_SIZES.get(family, _WITHOUT_ADDRESS.get(family, -1))
        if needed < 0:
            raise MalformedPreface("its family or protocol is not served")
        if behind < needed:
            raise MalformedPreface("it is too short for its addresses")
    size = _V2_FIXED_BYTES + behind
    if len(data) < size:
        return None
    if is_local or family in _WITHOUT_ADDRESS:
        return Preface(size, is_local, None, None)
    block = data[_V2_FIXED_BYTES : _V2_FIXED_BYTES + needed]
    width = (needed - 4) // 2
    source, destination = block[:width], block[width : 2 * width]
    ports = [int.from_bytes(block[at : at + 2], "big") for at in (2 * width, 2 * width + 2)]
    return Preface(
        size,
        False,
        (str(unmap(ip_address(source))), ports[0]),
        (str(unmap(ip_address(destination))), ports[1]),
    )


class ProxyProtocol:
    """The settings that all connections with a PROXY header share."""

    def __init__(
        self, networks: Networks, new_connection: Callable[[SharedState], Connection] = Connection
    ) -> None:
        """Accept connections from `networks`; `new_connection` makes what follows the header."""
        self.networks = networks
        self.new_connection = new_connection

    def new_protocol(self, site: SharedState) -> "PrefacedConnection":
        """The protocol of a new connection."""
        return PrefacedConnection(site, self)


class PrefacedConnection(asyncio.Protocol):
    """A connection before the end of its PROXY header."""

    __slots__ = ("_data", "_deadline", "_peer", "_proxy_protocol", "_site", "_transport")

    def __init__(self, site: SharedState, door: ProxyProtocol) -> None:
        self._site = site
        self._proxy_protocol = door
        self._data = b""
        self._peer: Peer | None = None
        self._transport: asyncio.Transport | None = None
        self._deadline = 0.0

    def __repr__(self) -> str:
        return f"<PrefacedConnection {self._peer} {len(self._data)} bytes>"

    # Called by the loop.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._site.connections.add(self)
        self._deadline = self._site.loop.time() + self._site.timeouts.head
        if stands_for_standard(transport):
            self.cut()
            return
        self._peer = peer_of(transport.get_extra_info("socket"))
        if not self._proxy_protocol.networks.cover_peer(self._peer):
            self._close("it is no trusted proxy")

    def data_received(self, data: bytes) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        self._data += data
        try:
            preface = parse_preface(self._data)
        except MalformedPreface as fault:
            self._close(f"no PROXY header, {fault}")
        else:
            if preface is not None:
                self._hand_over(self._transport, preface)

    def eof_received(self) -> None:
        if self._data:
            self._close("no PROXY header, it ends before")
        else:  # Load balancers check like this whether the port is open.
            self.cut()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self._site.connections.remove(self)
        self._transport = None

    def _hand_over(self, transport: asyncio.Transport, preface: Preface) -> None:
        """Let an ordinary connection go on after the header."""
        rest = self._data[preface.size :]
        self._site.connections.remove(self)
        self._transport = None
        connection = self._proxy_protocol.new_connection(self._site)
        if not preface.is_local:
            destination = preface.destination
            if destination is None and self._peer is not None:
                destination = transport.get_extra_info("socket").getsockname()[:2]
            connection.announce(preface.source, destination)
        transport.set_protocol(connection)
        connection.connection_made(transport)
        if rest:
            connection.data_received(rest)

    def _close(self, reason: str) -> None:
        if self._transport is not None and not self._transport.is_closing():
            trouble = self._site.troubles.without_preface
            trouble.note(last=f"{reason}, from {_shown(self._peer)}")
            trouble.check(self._site.loop.time())
            self.cut()

    # Called by the cap on connections, by the sweep and at the end.

    @property
    def descriptor(self) -> int:
        """File descriptor of the socket, -1 once closed."""
        return descriptor_of(self._transport)

    @property
    def waits_since(self) -> float:
        """When, by the loop's clock, it began to wait for its header."""
        return self._deadline - self._site.timeouts.head

    @property
    def pace(self) -> None:
        """`None`: it receives no upload."""

    def make_room(self) -> bool:
        """Close, because no request is running; return True."""
        self.cut()
        return True

    def check_deadline(self, now: float) -> None:
        """Close if the header has not arrived in time."""
        if now > self._deadline:
            self._close("no PROXY header in time")

    def drain(self) -> bool:
        """Close, unless it is new and may still get its first request."""
        if self._site.loop.time() < self.waits_since + FIRST_REQUEST_SECONDS:
            return True
        self.cut()
        return False

    def cut(self) -> None:
        """Close at once."""
        if self._transport is not None:
            self._transport.abort()


def _shown(peer: Peer | None) -> str:
    return "a Unix socket" if peer is None else peer[0] or "an unknown address"
