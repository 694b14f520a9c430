"""Which peers and hops are trusted proxies, by address."""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

from gateway.bounded_cache import BoundedCache

UNIX: Final = "unix"
"""Entry for peers of a Unix socket, which have no address."""
ANY: Final = "*"
"""Entry for whoever connects; it says nothing of the hops behind."""

_MOST_REMEMBERED: Final = 256

Address = IPv4Address | IPv6Address


def parse_address(text: str) -> Address | None:
    """An IP address, see `unmap`; `None` for any other text."""
    try:
        return unmap(ip_address(text))
    except ValueError:
        return None


def unmap(address: Address) -> Address:
    """The address, of IPv4 also where it was mapped into IPv6 (RFC 4291 §2.5.5.2).

    So a socket for both shows it, and it is the same host.
    """
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


class Networks:
    """The networks that proxies are in."""

    __slots__ = ("_has_any", "_has_unix", "_known", "_networks")

    def __init__(self, entries: Iterable[str]) -> None:
        """Of addresses, networks as `address/bits`, `UNIX` and `ANY`.

        Raises:
            ValueError: an entry is none of these.
        """
        listed = {*entries}
        self._has_any = ANY in listed
        self._has_unix = UNIX in listed
        self._networks = [ip_network(entry) for entry in sorted(listed - {ANY, UNIX})]
        self._known: BoundedCache[str, bool] = BoundedCache(_MOST_REMEMBERED)
        """Answers for peers: proxies are few, and say the same all day."""

    def __repr__(self) -> str:
        words = [str(network) for network in self._networks]
        words += [UNIX] * self._has_unix + [ANY] * self._has_any
        return f"<Networks {', '.join(words) or 'none'}>"

    def cover(self, address: Address) -> bool:
        """Whether the address is in a network of the list; `ANY` does not count."""
        return any(address in network for network in self._networks)

    def cover_text(self, text: str) -> bool:
        """The same for an address as a socket tells it, with the zone that it may have."""
        is_covered = self._known.get(text)
        if is_covered is None:
            address = parse_address(text.partition("%")[0])
            is_covered = address is not None and self.cover(address)
            self._known.remember(text, is_covered)
        return is_covered

    def cover_peer(self, peer: tuple[str, int] | None) -> bool:
        """Whether who has connected is a trusted proxy; `None` is a Unix socket."""
        if self._has_any:
            return True
        return self._has_unix if peer is None else self.cover_text(peer[0])


def check_entry(text: str) -> str:
    """An entry of the list as it is kept.

    Raises:
        ValueError: it is none; the message continues a sentence about it.
    """
    if text in (UNIX, ANY):
        return text
    try:
        # A zone (RFC 4007 §11) is a link of one machine, and no part of a network.
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
