"""The addresses of trusted proxies."""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

from gateway.bounded_cache import BoundedCache

UNIX: Final = "unix"
"""The entry for peers of a Unix socket, which have no address."""
ANY: Final = "*"
"""The entry for all peers; it does not apply to further hops."""

_MAX_REMEMBERED: Final = 256

Address = IPv4Address | IPv6Address


def parse_address(text: str) -> Address | None:
    """An IP address after `unmap`; `None` for any other text."""
    try:
        return unmap(ip_address(text))
    except ValueError:
        return None


def unmap(address: Address) -> Address:
    """The IPv4 address of an IPv4-mapped IPv6 address (RFC 4291 §2.5.5.2); others unchanged.

    Dual-stack sockets show IPv4 peers in the mapped form.
    """
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


class Networks:
    """The networks of trusted proxies."""

    __slots__ = ("_has_any", "_has_unix", "_known", "_networks")

    def __init__(self, entries: Iterable[str]) -> None:
        """`entries` are addresses, networks as `address/bits`, `UNIX` and `ANY`.

        Raises:
            ValueError: an entry is none of these.
        """
        listed = {*entries}
        self._has_any = ANY in listed
        self._has_unix = UNIX in listed
        self._networks = [ip_network(entry) for entry in sorted(listed - {ANY, UNIX})]
        self._known: BoundedCache[str, bool] = BoundedCache(_MAX_REMEMBERED)
        """Cached results for peers: there are few proxies."""

    def __repr__(self) -> str:
        words = [str(network) for network in self._networks]
        words += [UNIX] * self._has_unix + [ANY] * self._has_any
        return f"<Networks {', '.join(words) or 'none'}>"

    def cover(self, address: Address) -> bool:
        """Whether a listed network contains the address; `ANY` does not count."""
        return any(address in network for network in self._networks)

    def cover_text(self, text: str) -> bool:
        """`cover` for the address of a socket, which may have a zone."""
        is_covered = self._known.get(text)
        if is_covered is None:
            address = parse_address(text.partition("%")[0])
            is_covered = address is not None and self.cover(address)
            self._known.remember(text, is_covered)
        return is_covered

    def cover_peer(self, peer: tuple[str, int] | None) -> bool:
        """Whether the peer is a trusted proxy; `None` stands for a Unix socket."""
        if self._has_any:
            return True
        return self._has_unix if peer is None else self.cover_text(peer[0])


def check_entry(text: str) -> str:
    """Normalize an entry of the list.

    Raises:
        ValueError: it is not an entry; the message continues a sentence about it.
    """
    if text in (UNIX, ANY):
        return text
    try:
        # A zone (RFC 4007 §11) names a link of one machine, not a part of a network.
        network = ip_network("" if "%" in text else text, strict=False)
    except ValueError:
        raise ValueError(
            "is no network; give addresses or networks such as 10.0.0.0/8, or unix, or *"
        ) from None
    if isinstance(network, IPv6Network) and network.network_address.ipv4_mapped:
        raise ValueError("is IPv4 in IPv6; give it as IPv4")
    if "/" in text and str(network.network_address) != str(ip_address(text.partition("/")[0])):
        raise ValueError(f"has bits behind its network; give {network}, or the address alone")
    return str(network)
