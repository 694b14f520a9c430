"""Which addresses are those of trusted proxies."""

import pytest

from gateway.proxies.networks import Networks, check_entry, parse_address

pytestmark = pytest.mark.family("trust")


@pytest.mark.parametrize(
    ("entries", "covered", "others"),
    [
        (["10.0.0.0/8"], ["10.0.0.0", "10.255.255.255"], ["9.255.255.255", "11.0.0.0", "::1"]),
        (["192.0.2.7"], ["192.0.2.7"], ["192.0.2.6", "192.0.2.8"]),
        (["2001:db8::/127"], ["2001:db8::", "2001:db8::1"], ["2001:db8::2", "32.1.13.184"]),
        (["fe80::/10"], ["fe80::1%eth0"], ["fec0::1"]),
        # As a socket for IPv4 and IPv6 shows a peer of IPv4.
        (["127.0.0.0/8"], ["::ffff:127.0.0.1"], ["::127.0.0.1", "::ffff:128.0.0.1"]),
        ([], [], ["127.0.0.1", "::1"]),
        (["*", "unix"], [], ["127.0.0.1"]),
        (["0.0.0.0/0"], ["203.0.113.9"], ["::1", "", "unix", "*"]),
    ],
)
def test_addresses(entries, covered, others, tally):
    networks = Networks(entries)
    for _ in range(2):  # The answer is remembered.
        assert [text for text in covered + others if networks.cover_text(text)] == covered
    tally(served=len(covered), refused=len(others))


@pytest.mark.parametrize(
    ("entries", "peer", "is_covered"),
    [
        (["::1"], ("::1", 9), True),
        (["::1"], None, False),
        (["unix"], None, True),
        (["unix"], ("::1", 9), False),
        (["*"], None, True),
        (["*"], ("203.0.113.9", 9), True),
        ([], ("", 0), False),
    ],
)
def test_peers(entries, peer, is_covered, tally):
    assert Networks(entries).cover_peer(peer) is is_covered
    tally(served=is_covered, refused=not is_covered)


def test_the_memory_of_peers_is_bounded():
    networks = Networks(["10.0.0.0/8"])
    for number in range(1000):
        address = f"10.0.{number // 256}.{number % 256}"
        assert networks.cover_text(address)
        assert len(networks._known) <= 256
        assert address in networks._known


@pytest.mark.parametrize(
    "text", ["", "a", "1.2.3", "1.2.3.4.5", "01.2.3.4", "1.2.3.256", ":::", "[::1]"]
)
def test_no_address(text, tally):
    assert parse_address(text) is None
    tally(refused=1)


def test_an_entry_that_is_none():
    with pytest.raises(ValueError, match="is no network"):
        check_entry("10.0.0.0/8/8")
    with pytest.raises(ValueError, match="10"):
        Networks(["10.0.0.1/8"])


def test_repr():
    assert repr(Networks(["*", "10.0.0.0/8"])) == "<Networks 10.0.0.0/8, *>"
    assert repr(Networks([])) == "<Networks none>"
