"""The PROXY protocol, versions 1 and 2: how a proxy of connections tells whom it serves.

Source: HAProxy's "The PROXY protocol, versions 1 & 2" (proxy-protocol.txt), sections 2.1 and 2.2.
It wants a receiver that does not guess: where the protocol is on, every connection begins with a
header, and only listed proxies may connect.
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
_V1_LONGEST: Final = 107
"""Bytes of a line with its end (section 2.1)."""
_V2_START: Final = b"\r\n\r\n\0\r\nQUIT\n"
_V2_FIXED: Final = 16
_V2_MOST_BEHIND: Final = 4096
"""Bytes behind the fixed part.  A length field has room for 64 KB; addresses take 216 at the most,
and what proxies add to them (section 2.2.7) is short."""

_V1_PORT: Final = r"(0|[1-9][0-9]{0,4})"
_V1_LINE: Final = re.compile(
    rf"PROXY TCP(?:4 ([0-9.]+) ([0-9.]+)|6 ([0-9A-Fa-f:.]+) ([0-9A-Fa-f:.]+)) {_V1_PORT} {_V1_PORT}"
)
_V1_UNKNOWN: Final = re.compile(rb"PROXY UNKNOWN(?: [\t\x20-\x7e]*)?")

_LOCAL: Final = 0x20
_PROXY: Final = 0x21
"""Version and command."""

_ADDRESS_SIZES: Final = {0x11: 12, 0x21: 36}
"""Bytes of two addresses and ports, by family and protocol: TCP over IPv4 and over IPv6."""
_WITHOUT_ADDRESS: Final = {0x00: 0, 0x31: 216}
"""Of those that name no address: unspecified, and stream sockets with a path."""


class MalformedPreface(Exception):
    """The bytes are not a header of the PROXY protocol; the text says why, and quotes nothing."""


class Preface(NamedTuple):
    """A header that has been understood."""

    size: int
    """In bytes: behind them the client's begin."""
    is_local: bool
    """Whether the proxy speaks for itself, so that the ends are the connection's own."""
    source: Peer | None
    """Whom it serves; `None`: it does not say."""
    destination: Peer | None


def parse_preface(data: bytes) -> Preface | None:
    """The header that `data` begins with; `None`: more bytes are needed.

    Raises:
        MalformedPreface: no bytes that might follow can make it one.
    """
    if data[:12] == _V2_START[: len(data)]:
        return _parse_v2(data)
    if data[:6] == _V1_START[: len(data)]:
        return _parse_v1(data)
    raise MalformedPreface("it begins with none")


def _parse_v1(data: bytes) -> Preface | None:
    end = data.find(b"\r\n", 0, _V1_LONGEST)
    if end < 0:
        if len(data) >= _V1_LONGEST:
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
    if len(data) < _V2_FIXED:
        return None
    family = data[13]
    behind = int.from_bytes(data[14:16], "big")
    if behind > _V2_MOST_BEHIND:
        raise MalformedPreface("it is too long")
    is_local = data[12] == _LOCAL
    needed = 0
    if not is_local:
        needed = _ADDRESS_SIZES.get(family, _WITHOUT_ADDRESS.get(family, -1))
        if needed < 0:
            raise MalformedPreface("its family or protocol is not served")
        if behind < needed:
            raise MalformedPreface("it is too short for its addresses")
    size = _V2_FIXED + behind
    if len(data) < size:
        return None
    if is_local or family in _WITHOUT_ADDRESS:
        return Preface(size, is_local, None, None)
    block = data[_V2_FIXED : _V2_FIXED + needed]
    width = (needed - 4) // 2
    source, destination = block[:width], block[width : 2 * width]
    ports = [int.from_bytes(block[at : at + 2], "big") for at in (2 * width, 2 * width + 2)]
    return Preface(
        size,
        False,
        (str(unmap(ip_address(source))), ports[0]),
        (str(unmap(ip_address(destination))), ports[1]),
    )


class Door:
    """What the connections of a worker that begin with a header share."""

    def __init__(
        self, networks: Networks, new_connection: Callable[[SharedState], Connection] = Connection
    ) -> None:
        """Connections from `networks` are let in, and go on as what `new_connection` makes."""
        self.networks = networks
        self.new_connection = new_connection

    def greet(self, site: SharedState) -> "PrefacedConnection":
        """The protocol of a connection that begins."""
        return PrefacedConnection(site, self)


class PrefacedConnection(asyncio.Protocol):
    """The beginning of a connection, up to the end of its header."""

    __slots__ = ("_data", "_deadline", "_door", "_peer", "_site", "_transport")

    def __init__(self, site: SharedState, door: Door) -> None:
        self._site = site
        self._door = door
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
        if not self._door.networks.cover_peer(self._peer):
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
        else:  # So load balancers look whether anybody is there.
            self.cut()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self._site.connections.remove(self)
        self._transport = None

    def _hand_over(self, transport: asyncio.Transport, preface: Preface) -> None:
        """Let a fresh connection go on behind the header."""
        rest = self._data[preface.size :]
        self._site.connections.remove(self)
        self._transport = None
        connection = self._door.new_connection(self._site)
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

    # Called by the cap on connections, the site's sweep and at its end.

    @property
    def descriptor(self) -> int:
        """Of its socket; -1: it is closed."""
        return descriptor_of(self._transport)

    @property
    def waits_since(self) -> float:
        """Since when, by the loop's time, it waits for its header."""
        return self._deadline - self._site.timeouts.head

    @property
    def pace(self) -> None:
        """It brings nothing that is awaited."""

    def make_room(self) -> bool:
        """Close: nothing is under way."""
        self.cut()
        return True

    def check_deadline(self, now: float) -> None:
        """Close when the header has not come in time."""
        if now > self._deadline:
            self._close("no PROXY header in time")

    def drain(self) -> bool:
        """Close, unless it is new: nothing is under way."""
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
