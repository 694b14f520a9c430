"""Who a request comes from, as trusted proxies tell it: the rules, and spoofing."""

from time import monotonic
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.http.message.fields import FieldNames
from gateway.http.message.origin import Origin
from gateway.http.message.parser import HeadParser
from gateway.limits import Limits
from gateway.proxies.forwarded import TrustedProxies
from gateway.proxies.networks import Networks

pytestmark = pytest.mark.family("trust")

PROXY = ("10.0.0.1", 40000)
LOCAL = ("10.0.0.9", 9000)
ALL = ("x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-forwarded-port")
CLIENT = "203.0.113.9"


class Connection(NamedTuple):
    """The ends of one."""

    peer: tuple[str, int] | None = PROXY
    local: tuple[str, int] | None = LOCAL
    is_announced: bool = False


def head_of(*lines, host="app.test"):
    request = ["GET / HTTP/1.1", f"Host: {host}", *lines, "", ""]
    parser = HeadParser(FieldNames(lambda _: False), Limits())
    return parser.feed("\r\n".join(request).encode("latin-1"))


def origin(*lines, fields=ALL, trusted=("10.0.0.0/8",), host="app.test", **ends):
    proxies = TrustedProxies(Networks(trusted), fields)
    return proxies.origin(head_of(*lines, host=host), Connection(**ends))


def client_of(*lines, **more):
    client = origin(*lines, **more).client
    return client and client[0]


def test_nothing_is_said(tally):
    assert origin() == Origin(PROXY, LOCAL, "http", "")
    tally(served=1)


def test_all_is_said(tally):
    lines = [
        f"X-Forwarded-For: {CLIENT}:50123",
        "X-Forwarded-Proto: HTTPS",
        "X-Forwarded-Host: shop.example",
        "X-Forwarded-Port: 8443",
    ]
    assert origin(*lines) == Origin(
        (CLIENT, 50123), ("shop.example", 8443), "https", "shop.example:8443"
    )
    tally(served=1)


@pytest.mark.parametrize(
    ("peer", "trusted"),
    [
        (("192.0.2.1", 1), ["10.0.0.0/8"]),
        (None, ["10.0.0.0/8", "::/0"]),
        (PROXY, ["unix"]),
        (("", 0), ["0.0.0.0/0"]),
    ],
)
def test_words_of_a_peer_that_is_not_listed(peer, trusted, tally):
    lines = [
        f"X-Forwarded-For: {CLIENT}",
        "X-Forwarded-Proto: https",
        "X-Forwarded-Host: evil",
        "X-Forwarded-Port: 1",
        f"Forwarded: for={CLIENT};proto=https;host=evil",
    ]
    told = Origin(peer, LOCAL, "http", "")
    assert origin(*lines, peer=peer, trusted=trusted) == told
    assert origin(*lines, peer=peer, trusted=trusted, fields=["forwarded"]) == told
    tally(refused=2)


@pytest.mark.parametrize(
    ("peer", "trusted"), [(None, ["unix"]), (PROXY, ["*"]), (None, ["*"]), (PROXY, ["10.0.0.1"])]
)
def test_words_of_a_peer_that_is_listed(peer, trusted, tally):
    assert client_of(f"X-Forwarded-For: {CLIENT}", peer=peer, trusted=trusted) == CLIENT
    tally(served=1)


@pytest.mark.parametrize(
    ("lines", "client"),
    [
        # What a client writes itself stands left of what its proxy adds.
        (["1.2.3.4, " + CLIENT], CLIENT),
        (["10.0.0.5, " + CLIENT], CLIENT),
        (["127.0.0.1, 1.2.3.4, " + CLIENT + ", 10.0.0.2"], CLIENT),
        (['evil", for=1.2.3.4;, ' + CLIENT], CLIENT),
        (["," * 3000 + CLIENT], CLIENT),
        (["1.2.3.4, " * 700 + CLIENT], CLIENT),
        # Field lines are one list, in their order (RFC 9110 §5.3).
        (["1.2.3.4", CLIENT], CLIENT),
        (["1.2.3.4", CLIENT, "10.0.0.2"], CLIENT),
        ([CLIENT, ""], CLIENT),
        ([CLIENT, ", ,"], CLIENT),
        # Through trusted proxies, and not beyond.
        ([CLIENT + ", 10.0.0.3, 10.0.0.2"], CLIENT),
        (["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
        # Forms.
        (["[2001:db8::1]:443"], "2001:db8::1"),
        (["[2001:db8::1]"], "2001:db8::1"),
        (["2001:DB8:0::1"], "2001:db8::1"),
        (["::ffff:" + CLIENT], CLIENT),
        ([CLIENT + ":65535"], CLIENT),
        ([" \t" + CLIENT + "\t "], CLIENT),
        # What cannot be read is not the proxy, and not what stands left of it.
        (["1.2.3.4, unknown"], None),
        (["1.2.3.4, _hidden"], None),
        (["1.2.3.4, garbage, 10.0.0.2"], None),
        (["1.2.3.4, 10.0.0.256"], None),
        (["1.2.3.4, 010.0.0.1"], None),
        (["1.2.3.4, " + CLIENT + ":0"], None),
        (["1.2.3.4, " + CLIENT + ":65536"], None),
        (["1.2.3.4, " + CLIENT + ":"], None),
        (["1.2.3.4, [" + CLIENT + "]"], None),
        (["1.2.3.4, [2001:db8::1"], None),
        (["1.2.3.4, fe80::1%eth0"], None),
        (['1.2.3.4, "' + CLIENT + '"'], None),
        (["1.2.3.4, " + CLIENT + "; x"], None),
        (["1.2.3.4, \xb2\xb3.0.0.1"], None),
        (["1.2.3.4 " + CLIENT], None),
    ],
)
def test_x_forwarded_for(lines, client, tally):
    assert client_of(*[f"X-Forwarded-For: {line}" for line in lines]) == client
    tally(served=client is not None, refused=client is None)


def test_whoever_connects_is_a_proxy_and_no_hop_behind_it(tally):
    line = f"X-Forwarded-For: 1.2.3.4, {CLIENT}"
    assert client_of(line, trusted=["*"], peer=("198.51.100.1", 1)) == CLIENT
    tally(refused=1)


@pytest.mark.parametrize(("hops", "client"), [(30, CLIENT), (31, CLIENT), (32, None), (700, None)])
def test_the_hops_are_bounded(hops, client, tally):
    line = "X-Forwarded-For: " + ",".join([CLIENT] + ["10.0.0.2"] * hops)
    assert client_of(line) == client
    element = "Forwarded: " + ",".join([f"for={CLIENT}"] + ["for=10.0.0.2"] * min(hops, 500))
    assert client_of(element, fields=["forwarded"]) == client
    tally(served=2 * (client is not None), refused=2 * (client is None))


LONGEST = 2048
"""Characters that are read of a field."""


@pytest.mark.parametrize("length", [LONGEST - 1, LONGEST, LONGEST + 1])
def test_the_characters_that_are_read_are_bounded(length, tally):
    is_read = length <= LONGEST
    behind = "10.0.0.2"
    padding = "," * (length - len(CLIENT) - len(behind))
    assert client_of(f"X-Forwarded-For: {CLIENT}{padding}{behind}") == (CLIENT if is_read else None)
    behind = "for=10.0.0.2"
    padding = "," * (length - len("for=") - len(CLIENT) - len(behind))
    element = f"Forwarded: for={CLIENT}{padding}{behind}"
    assert client_of(element, fields=["forwarded"]) == (CLIENT if is_read else None)
    tally(served=2 * is_read, refused=2 * (not is_read))


@pytest.mark.parametrize("length", [LONGEST - 1, LONGEST, LONGEST + 1])
def test_the_characters_of_all_lines_of_a_field_count_together(length, tally):
    is_read = length <= LONGEST
    lines = [f"for={CLIENT}", "," * (length - 2 * len("for=") - len(CLIENT) - 8), "for=10.0.0.2"]
    told = client_of(*[f"Forwarded: {line}" for line in lines], fields=["forwarded"])
    assert told == (CLIENT if is_read else None)
    tally(served=is_read, refused=not is_read)


@pytest.mark.parametrize("count", [31, 32, 33])
def test_the_lines_that_are_read_are_bounded(count, tally):
    lines = [f"for={CLIENT}", *[","] * (count - 2), "for=10.0.0.2"]
    told = client_of(*[f"Forwarded: {line}" for line in lines], fields=["forwarded"])
    assert told == (CLIENT if count <= 32 else None)
    tally(served=count <= 32, refused=count > 32)


@pytest.mark.parametrize("junk", ["a," * 4000, "," * 8000, "x" * 8000])
def test_whatever_a_client_puts_before_its_proxy_s_word_changes_nothing(junk, tally):
    assert client_of(f"X-Forwarded-For: {junk[: 8000 - len(CLIENT)]},{CLIENT}") == CLIENT
    lines = [f"Forwarded: {junk}", f"Forwarded: for={CLIENT}"]
    assert client_of(*lines, fields=["forwarded"]) == CLIENT
    tally(refused=2)


def test_a_name_with_an_underscore_is_another_field(tally):
    """The parser drops it: in environ it would be the same one."""
    assert client_of(f"X_Forwarded_For: {CLIENT}", f"X-Forwarded_For: {CLIENT}") == PROXY[0]
    tally(refused=2)


def test_fields_that_the_proxies_do_not_set_are_the_client_s_words(tally):
    lines = ["X-Forwarded-Host: evil", "X-Forwarded-Port: 1", f"Forwarded: for={CLIENT};host=evil"]
    told = origin(*lines, "X-Forwarded-Proto: https", fields=ALL[:2])
    assert told == Origin(PROXY, LOCAL, "https", "")
    assert origin(*lines, fields=["x-forwarded-for"]) == Origin(PROXY, LOCAL, "http", "")
    only = origin(f"X-Forwarded-For: {CLIENT}", "X-Forwarded-Proto: https", fields=["forwarded"])
    assert only == Origin(PROXY, LOCAL, "http", "")
    tally(refused=3)


@pytest.mark.parametrize(
    ("hops", "protos", "scheme"),
    [
        ("", "https", "https"),
        ("", "http, https", "https"),
        (CLIENT, "https, http", "http"),  # The first is the client's own.
        (f"{CLIENT}, 10.0.0.2", "https, http", "https"),
        (f"{CLIENT}, 10.0.0.2", "http, https, http", "https"),
        (f"{CLIENT}, 10.0.0.3, 10.0.0.2", "https", "https"),
        (CLIENT, "javascript", "http"),
        (CLIENT, "https://evil", "http"),
        (CLIENT, "https\t", "https"),
        (CLIENT, "ftp, https, wss", "http"),
        (CLIENT, "", "http"),
        (CLIENT, "http\xa0s", "http"),
    ],
)
def test_scheme(hops, protos, scheme, tally):
    told = origin(f"X-Forwarded-For: {hops}", f"X-Forwarded-Proto: {protos}")
    assert told.scheme == scheme
    tally(served=1)


@pytest.mark.parametrize(
    ("said", "port", "proto", "server", "host"),
    [
        ("shop.example", "", "http", ("shop.example", 80), "shop.example"),
        ("shop.example", "", "https", ("shop.example", 443), "shop.example"),
        ("shop.example:81", "", "http", ("shop.example", 81), "shop.example:81"),
        ("shop.example:81", "443", "https", ("shop.example", 443), "shop.example"),
        ("shop.example", "444", "https", ("shop.example", 444), "shop.example:444"),
        ("[2001:db8::1]:81", "", "http", ("2001:db8::1", 81), "[2001:db8::1]:81"),
        ("[2001:db8::1]", "82", "http", ("2001:db8::1", 82), "[2001:db8::1]:82"),
        ("evil, shop.example", "", "http", ("shop.example", 80), "shop.example"),
        # The port alone is that of the host in Host.
        ("", "8443", "https", ("app.test", 8443), "app.test:8443"),
        ("", "443", "https", ("app.test", 443), "app.test"),
        # What is no host or port changes nothing.
        ("evil/path", "", "http", LOCAL, ""),
        ("user@evil", "", "http", LOCAL, ""),
        ("a b", "", "http", LOCAL, ""),
        ("a" * 255, "", "http", ("a" * 255, 80), "a" * 255),
        ("a" * 256, "", "http", LOCAL, ""),
        ("", "0", "http", LOCAL, ""),
        ("", "65535", "http", ("app.test", 65535), "app.test:65535"),
        ("", "65536", "http", LOCAL, ""),
        ("", "-1", "http", LOCAL, ""),
        ("", "\xb2", "http", LOCAL, ""),
        ("", "000443", "https", LOCAL, ""),
    ],
)
def test_host_and_port(said, port, proto, server, host, tally):
    told = origin(
        f"X-Forwarded-Host: {said}", f"X-Forwarded-Port: {port}", f"X-Forwarded-Proto: {proto}"
    )
    assert (told.server, told.host) == (server, host)
    tally(served=1)


def test_a_port_without_any_host(tally):
    head = HeadParser(FieldNames(lambda _: False), Limits()).feed(
        b"GET / HTTP/1.0\r\nX-Forwarded-Port: 81\r\n\r\n"
    )
    proxies = TrustedProxies(Networks(["*"]), ALL)
    assert proxies.origin(head, Connection()).server == ("10.0.0.9", 81)
    head.origin = None
    assert proxies.origin(head, Connection(None, None)).server == ("localhost", 81)
    tally(served=2)


@pytest.mark.parametrize(
    ("lines", "client", "scheme", "host"),
    [
        ([f"for={CLIENT}"], CLIENT, "http", ""),
        ([f"For={CLIENT};PROTO=https;by=10.0.0.1"], CLIENT, "https", ""),
        ([f'for={CLIENT};host="shop.example:81"'], CLIENT, "http", "shop.example:81"),
        ([f"for=1.2.3.4;host=evil, for={CLIENT};host=a"], CLIENT, "http", "a"),
        ([f"for=1.2.3.4;host=evil, for={CLIENT}"], CLIENT, "http", ""),
        ([f"for={CLIENT};proto=https;host=a, for=10.0.0.2;proto=http"], CLIENT, "https", "a"),
        ([f'for="{CLIENT}:47011"'], CLIENT, "http", ""),
        ([f'for="{CLIENT}:_port"'], CLIENT, "http", ""),
        (['for="[2001:db8::1]:4711"'], "2001:db8::1", "http", ""),
        ([r'for="\[2001:db8::1\]"'], "2001:db8::1", "http", ""),
        (["for=1.2.3.4", f"for={CLIENT}"], CLIENT, "http", ""),
        ([f"for={CLIENT}", ""], CLIENT, "http", ""),
        ([f", ,for={CLIENT} , ;, "], CLIENT, "http", ""),
        ([f'for={CLIENT};ext="a,b;for=1.2.3.4"'], CLIENT, "http", ""),
        ([f"x=y;for={CLIENT}; proto=https"], CLIENT, "https", ""),
        # It does not tell, and is not guessed.
        (["for=1.2.3.4, for=unknown;proto=https"], None, "https", ""),
        (["for=1.2.3.4, for=_hidden"], None, "http", ""),
        (["for=1.2.3.4, proto=https"], None, "https", ""),
        (["for=2001:db8::1"], None, "http", ""),
        (['for="2001:db8::1"'], None, "http", ""),
        (['for="1.2.3.4:"'], None, "http", ""),
        (['for="1.2.3.4:99999"'], None, "http", ""),
        # What cannot be read, as a whole.
        ([f"for={CLIENT};for=1.2.3.4"], None, "http", ""),
        ([f"for={CLIENT} proto=https"], None, "http", ""),
        ([f"for = {CLIENT}"], None, "http", ""),
        ([f"for={CLIENT};host=shop.example:81"], None, "http", ""),
        ([f"{CLIENT}"], None, "http", ""),
        ([f'for="{CLIENT}'], None, "http", ""),
        (['for=1.2.3.4;x=", for="[2001:db8::1]"'], None, "http", ""),
        (['for=1.2.3.4;x="', f"for={CLIENT}"], CLIENT, "http", ""),
        (['for=1.2.3.4;x="', "for=10.0.0.2"], None, "http", ""),
        (["for=1.2.3.4;proto=javascript"], "1.2.3.4", "http", ""),
    ],
)
def test_forwarded(lines, client, scheme, host, tally):
    told = origin(*[f"Forwarded: {line}" for line in lines], fields=["forwarded"])
    assert (told.client and told.client[0], told.scheme, told.host) == (client, scheme, host)
    tally(served=client is not None, refused=client is None)


@pytest.mark.parametrize(
    ("peer", "trusted", "client"),
    [
        (("10.0.0.7", 1), ["10.0.0.0/8"], CLIENT),
        ((CLIENT, 1), ["10.0.0.0/8"], CLIENT),
        # Whom a PROXY header announces is a client, and `*` and `unix` are about who connects.
        (("192.0.2.5", 1), ["*"], "192.0.2.5"),
        (None, ["unix", "*"], None),
    ],
)
def test_whom_a_proxy_header_announces(peer, trusted, client, tally):
    line = f"X-Forwarded-For: {CLIENT}"
    assert client_of(line, peer=peer, trusted=trusted, is_announced=True) == client
    tally(served=1)


def test_the_head_keeps_what_was_found():
    head = head_of(f"X-Forwarded-For: {CLIENT}")
    proxies = TrustedProxies(Networks(["*"]), ALL)
    assert proxies.origin(head, Connection()) is proxies.origin(head, Connection())
    assert "x-forwarded-for" in repr(proxies)


TEXT = st.text(st.characters(codec="latin-1", exclude_characters="\r\n\0"), max_size=40).filter(
    lambda text: all(c == "\t" or " " <= c != "\x7f" for c in text)
)
MARKS = ['"', "\\", ",", ";", "[", "]", " ", "=", ":80", "\xff"]
WORDS = [CLIENT, "10.0.0.2", "::1", "for=", "proto=", "host=", "https", "unknown", "_x"]
PIECES = st.lists(st.sampled_from(MARKS + WORDS) | TEXT, max_size=12).map("".join)


@given(st.lists(PIECES, max_size=4), st.sampled_from([("forwarded",), ALL]))
def test_whatever_comes_the_outcome_is_an_address_or_none(values, fields):
    names = ["Forwarded"] if len(fields) == 1 else [name.title() for name in ALL]
    lines = [f"{name}: {value}" for value in values for name in names]
    told = origin(*lines, fields=fields)
    assert told.scheme in ("http", "https")
    for text in (told.client or ("::", 0))[0], (told.server or ("", 0))[0], told.host:
        assert text.isascii()
        assert text.isprintable()
        assert not set(text) & set(' /@"\\<>')
    assert 0 <= (told.client or ("", 0))[1] < 65536


@given(st.lists(PIECES, max_size=4))
def test_a_client_cannot_reach_what_its_proxy_appends(values):
    """Whatever a client sends in lines of its own."""
    mine = [f"X-Forwarded-For: {value}" for value in values]
    assert client_of(*mine, f"X-Forwarded-For: {CLIENT}") == CLIENT
    joined = ",".join([*values, CLIENT])
    assert client_of(f"X-Forwarded-For: {joined}") == CLIENT
    mine = [f"Forwarded: {value}" for value in values]
    assert client_of(*mine, f"Forwarded: for={CLIENT}", fields=["forwarded"]) == CLIENT


@pytest.mark.parametrize(
    "value",
    [
        "a=b" + " " * 500_000 + "x",
        "a=b;" * 200_000 + "\x00",
        "\\" * 500_000,
        ',for="' + "\\a" * 300_000,
        "for=10.0.0.1," * 50_000,
        "," * 500_000,
        "a" * 500_000,
        '";' * 200_000,
        "[" * 300_000,
    ],
)
def test_it_takes_no_longer_than_its_length(value, tally):
    """With anything worse than that, these would take hours."""
    name = FieldNames(lambda _: False)
    began = monotonic()
    for field in ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-port"):
        head = head_of()
        head.fields = [(name[field.encode()], value.encode("latin-1"))]
        told = TrustedProxies(Networks(["*", "10.0.0.0/8"]), [field]).origin(head, Connection())
        assert told.scheme == "http"
    assert monotonic() - began < 20.0
    tally(refused=1)
