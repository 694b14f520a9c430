"""The PROXY protocol: its two versions, every way to get them wrong, and the door behind them."""

import logging
import socket
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.http.wire import FakeSocket, FakeTransport, FakeUnixSocket, Kernel

from gateway.http.connection.connection import Connection
from gateway.http.connection.shared_state import Timeouts
from gateway.proxies.networks import Networks
from gateway.proxies.proxy_protocol import MalformedPreface, Preface, ProxyProtocol, parse_preface

pytestmark = pytest.mark.family("trust")

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
CLIENT, HERE = ("198.51.100.7", 35646), ("192.0.2.9", 443)
V1 = b"PROXY TCP4 198.51.100.7 192.0.2.9 35646 443\r\n"
PEER = ("203.0.113.9", 50123)
"""Who connects, as the fake socket tells it."""


def v2(command=0x21, family=0x11, block=b"", *, length=None):
    size = len(block) if length is None else length
    return SIGNATURE + bytes([command, family]) + struct.pack(">H", size) + block


def ends(kind=socket.AF_INET, source=CLIENT, destination=HERE):
    packed = [socket.inet_pton(kind, host) for host, _ in (source, destination)]
    return b"".join(packed) + struct.pack(">HH", source[1], destination[1])


SIX = ("2001:db8::7", 35646), ("2001:db8::9", 443)
TLVS = b"\x04\x00\x03\x00\x00\x00" + b"\x03\x00\x04abcd" + b"\x20\x00\x08\x01\0\0\0\0\x21\x00\x00"

TAKEN = [
    (V1, False, CLIENT, HERE),
    (b"PROXY TCP4 255.255.255.255 0.0.0.0 65535 0\r\n", False,
     ("255.255.255.255", 65535), ("0.0.0.0", 0)),
    (b"PROXY TCP6 2001:db8::7 2001:DB8:0:0::9 35646 443\r\n", False, *SIX),
    (b"PROXY TCP6 ::ffff:198.51.100.7 ::1 1 2\r\n", False, ("198.51.100.7", 1), ("::1", 2)),
    # The longest there is: 107 bytes with the line end.
    (b"PROXY UNKNOWN " + b" ".join([b"ffff:" * 7 + b"ffff"] * 2) + b" 65535 65535\r\n",
     False, None, None),
    (b"PROXY UNKNOWN\r\n", False, None, None),
    (b"PROXY UNKNOWN whatever is here\r\n", False, None, None),
    (v2(block=ends()), False, CLIENT, HERE),
    (v2(block=ends() + TLVS), False, CLIENT, HERE),
    (v2(block=ends() + b"\xff" * (4096 - 12)), False, CLIENT, HERE),
    (v2(family=0x21, block=ends(socket.AF_INET6, *SIX)), False, *SIX),
    (v2(family=0x21, block=ends(socket.AF_INET6, ("::ffff:198.51.100.7", 1), SIX[1])), False,
     ("198.51.100.7", 1), SIX[1]),
    (v2(family=0x31, block=bytes(216)), False, None, None),
    (v2(family=0x00), False, None, None),
    (v2(family=0x00, block=b"whatever"), False, None, None),
    (v2(command=0x20, family=0x00), True, None, None),
    (v2(command=0x20, family=0x11, block=ends()), True, None, None),
    (v2(command=0x20, family=0xff, block=b"x"), True, None, None),
]  # fmt: skip

REFUSED = [
    b"GET / HTTP/1.1\r\n",
    b"\r\n\r\nGET / HTTP/1.1\r\n",
    b"proxy TCP4 198.51.100.7 192.0.2.9 35646 443\r\n",
    b"Proxy TCP4 198.51.100.7 192.0.2.9 35646 443\r\n",
    b"PROXY tcp4 198.51.100.7 192.0.2.9 35646 443\r\n",
    b"PROXY unknown\r\n",
    b"PROXY UNKNOWNX\r\n",
    b"PROXY UNKNOWN \x00\r\n",
    b"PROXY UNKNOWN a\nb\r\n",
    b" " + V1,
    b"\n" + V1,
    b"\x16\x03\x01\x02\x00",
    b"PROXY  TCP4 198.51.100.7 192.0.2.9 35646 443\r\n",
    b"PROXY TCP4  198.51.100.7 192.0.2.9 35646 443\r\n",
    b"PROXY TCP4 198.51.100.7 192.0.2.9 35646 443 \r\n",
    b"PROXY TCP4\t198.51.100.7 192.0.2.9 35646 443\r\n",
    b"PROXY TCP4 198.51.100.7 192.0.2.9 35646 443\n\r\n",
    b"PROXY TCP4 198.51.100.7 192.0.2.9 35646\r\n",
    b"PROXY TCP4 198.51.100.7 192.0.2.9 35646 443 1\r\n",
    b"PROXY TCP4 198.51.100.07 192.0.2.9 35646 443\r\n",
    b"PROXY TCP4 198.51.100.256 192.0.2.9 35646 443\r\n",
    b"PROXY TCP4 198.51.100 192.0.2.9 35646 443\r\n",
    b"PROXY TCP4 198.51.100.7 192.0.2.9 035646 443\r\n",
    b"PROXY TCP4 198.51.100.7 192.0.2.9 35646 0443\r\n",
    b"PROXY TCP4 198.51.100.7 192.0.2.9 65536 443\r\n",
    b"PROXY TCP4 198.51.100.7 192.0.2.9 -1 443\r\n",
    b"PROXY TCP4 198.51.100.7 192.0.2.9 \xb2 443\r\n",
    b"PROXY TCP4 2001:db8::7 2001:db8::9 35646 443\r\n",
    b"PROXY TCP6 198.51.100.7 192.0.2.9 35646 443\r\n",
    b"PROXY TCP6 2001:db8::7 192.0.2.9 35646 443\r\n",
    b"PROXY TCP6 2001:db8:::7 2001:db8::9 35646 443\r\n",
    b"PROXY TCP6 fe80::1%eth0 2001:db8::9 35646 443\r\n",
    b"PROXY UDP4 198.51.100.7 192.0.2.9 35646 443\r\n",
    b"PROXY TCP5 198.51.100.7 192.0.2.9 35646 443\r\n",
    b"PROXY \r\n",
    b"PROXY UNKNOWN " + b"x" * 92 + b"\r\n",  # 108 bytes
    b"PROXY TCP4 " + b"1" * 1000,
    SIGNATURE[:-1] + b"\r\x21\x11\x00\x0c" + ends(),
    v2(command=0x11, block=ends()),
    v2(command=0x31, block=ends()),
    v2(command=0x22, block=ends()),
    v2(command=0x2f, block=ends()),
    v2(family=0x12, block=ends()),
    v2(family=0x10, block=ends()),
    v2(family=0x22, block=ends(socket.AF_INET6, *SIX)),
    v2(family=0x32, block=bytes(216)),
    v2(family=0x41, block=ends()),
    v2(family=0x11, block=ends()[:-1]),
    v2(family=0x21, block=ends()),
    v2(family=0x31, block=bytes(215)),
    v2(block=ends() + b"\xff" * (4097 - 12)),
    v2(length=65535),
    v2(command=0x20, length=4097),
]  # fmt: skip


@pytest.mark.parametrize(("data", "is_local", "source", "destination"), TAKEN)
def test_a_header(data, is_local, source, destination, tally):
    preface = Preface(len(data), is_local, source, destination)
    assert parse_preface(data) == preface
    assert parse_preface(data + b"GET / HTTP/1.1\r\n\r\n") == preface
    assert parse_preface(data + data) == preface
    for size in range(len(data)):
        assert parse_preface(data[:size]) is None
    tally(served=3)


@pytest.mark.parametrize("data", REFUSED)
def test_no_header(data, tally):
    for trailing in (b"", V1):
        with pytest.raises(MalformedPreface) as refused:
            parse_preface(data + trailing)
        assert str(refused.value).isascii()
    tally(refused=2)


def test_a_line_without_an_end_is_refused_at_its_longest(tally):
    line = b"PROXY UNKNOWN " + b"x" * 200
    assert parse_preface(line[:106]) is None
    with pytest.raises(MalformedPreface):
        parse_preface(line[:107])
    tally(refused=1)


# --- the door ----------------------------------------------------------------------------------


class Wire:
    """A connection that begins at the door, and its client."""

    def __init__(self, site, door, *, is_unix=False):
        self.loop = site.loop
        self.kernel = Kernel()
        kind = FakeUnixSocket if is_unix else FakeSocket
        self.transport = FakeTransport(self.loop, kind(self.kernel))
        self.first = self.transport.protocol = door.new_protocol(site)
        self.first.connection_made(self.transport)

    def send(self, data):
        self.transport.incoming.append(data)
        self.transport.deliver()
        self.loop.run()


REQUEST = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.fixture
def site(make_site):
    return make_site(timeouts=Timeouts(head=10.0))


@pytest.fixture
def door():
    return ProxyProtocol(Networks(["203.0.113.0/24", "unix"]))


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_the_request_behind_it(site, door, application, size, tally):
    wire = Wire(site, door)
    assert site.connections == {wire.first}
    data = V1 + REQUEST
    for start in range(0, len(data), size):
        wire.send(data[start : start + size])
    (exchange,) = application
    connection = exchange.connection
    assert type(connection) is Connection
    assert (connection.peer, connection.local) == (CLIENT, HERE)
    assert connection.is_announced
    assert site.connections == {connection}
    wire.transport.reset()
    wire.loop.run()
    assert site.connections == set()
    tally(served=1)


@pytest.mark.parametrize(
    ("arrival", "found"),
    [
        ((v2(command=0x20, family=0), False), (PEER, ("192.0.2.1", 8000), False)),
        ((v2(command=0x20, family=0), True), (None, None, False)),
        ((b"PROXY UNKNOWN\r\n", False), (None, ("192.0.2.1", 8000), True)),
        ((b"PROXY UNKNOWN\r\n", True), (None, None, True)),
        ((V1, True), (CLIENT, HERE, True)),
    ],
)
def test_ends_of_other_headers(site, door, application, arrival, found, tally):
    header, is_unix = arrival
    wire = Wire(site, door, is_unix=is_unix)
    wire.send(header)
    wire.send(REQUEST)
    connection = application[0].connection
    assert (connection.peer, connection.local, connection.is_announced) == found
    tally(served=1)


def test_who_is_refused_keeps_the_announced_address(site, door, records, tally):
    wire = Wire(site, door)
    wire.send(V1 + b"BROKEN\r\n\r\n")
    (record,) = records
    assert record.connection.peer == CLIENT
    assert wire.kernel.taken.startswith(b"HTTP/1.1 400 ")
    tally(refused=1)


@pytest.mark.parametrize(
    ("trusted", "is_unix"), [(["10.0.0.0/8"], False), (["unix"], False), (["::/0"], True)]
)
def test_a_peer_that_is_not_listed(site, application, trusted, is_unix, caplog, tally):
    wire = Wire(site, ProxyProtocol(Networks(trusted)), is_unix=is_unix)
    wire.send(V1 + REQUEST)
    assert application == []
    assert wire.kernel.taken == b""
    assert wire.transport.is_lost
    assert site.connections == set()
    (record,) = caplog.records
    assert "(the last: it is no trusted proxy, from " in record.getMessage()
    tally(refused=1)


@pytest.mark.parametrize(
    "data", [REQUEST, b"PROXY TCP4 evil\r\n", b"\x16\x03\x01", V1[:-2] + b"x" * 99]
)
def test_no_header_at_the_door(site, door, application, data, caplog, tally):
    wire = Wire(site, door)
    wire.send(data)
    wire.send(V1 + REQUEST)
    assert application == []
    assert wire.kernel.taken == b""
    assert wire.transport.is_lost
    assert site.connections == set()
    (record,) = caplog.records
    assert record.getMessage().startswith(
        "1 connections were closed: they did not come from a trusted proxy with a PROXY header "
        "(the last: no PROXY header, "
    )
    assert ", from 203.0.113.9)" in record.getMessage()
    assert "evil" not in record.getMessage()
    tally(refused=1)


def test_an_end_within_the_header(site, door, caplog, tally):
    wire = Wire(site, door)
    wire.send(V1[:-1])
    wire.first.eof_received()
    wire.loop.run()
    assert wire.transport.is_lost
    assert "it ends before" in caplog.text
    tally(refused=1)


def test_who_only_looks_whether_somebody_is_there_is_not_worth_a_line(site, door, caplog, tally):
    wire = Wire(site, door)
    wire.first.eof_received()
    wire.loop.run()
    assert site.connections == set()
    assert caplog.records == []
    tally(refused=1)


@pytest.mark.parametrize("data", [b"", V1[:-1], SIGNATURE])
def test_a_header_that_does_not_come(site, door, data, caplog, tally):
    wire = Wire(site, door)
    if data:
        wire.send(data)
    (first,) = site.connections
    first.check_deadline(wire.loop.time() + 10.0)
    assert not wire.transport.is_closing()
    first.check_deadline(wire.loop.time() + 10.1)
    first.check_deadline(wire.loop.time() + 10.2)
    wire.loop.run()
    assert wire.transport.is_lost
    assert site.connections == set()
    (record,) = caplog.records
    assert "(the last: no PROXY header in time, from 203.0.113.9)" in record.getMessage()
    tally(refused=1)


def test_a_drain_does_not_wait_for_it_when_it_is_not_new(site, door, tally):
    wire = Wire(site, door)
    wire.send(V1[:5])
    (first,) = site.connections
    wire.loop.now += 0.9
    assert first.drain()
    assert not wire.transport.is_closing()
    wire.loop.now += 0.1
    assert not first.drain()
    wire.loop.run()
    assert wire.transport.is_lost
    first.cut()  # Of no effect any more.
    tally(faults=1)


def test_it_makes_room(site, door, tally):
    wire = Wire(site, door)
    began = wire.loop.time()
    wire.loop.now += 3.0
    wire.send(V1[:5])
    assert wire.first.waits_since == began
    assert wire.first.make_room()
    wire.loop.run()
    assert wire.transport.is_lost
    tally(faults=1)


def test_lines_are_few_whoever_knocks(site, door, caplog, tally):
    caplog.set_level(logging.WARNING)
    for _ in range(500):
        Wire(site, door).send(b"x")
    site.loop.now += 10.0
    Wire(site, door).send(b"x")
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 2
    assert lines[0].startswith("1 connections were closed: ")
    assert lines[1].startswith("500 connections were closed in the last 10 s: ")
    assert "(the last: no PROXY header, it begins with none, from 203.0.113.9)" in lines[1]
    tally(refused=501)


def test_repr_does_not_show_what_came(site, door):
    wire = Wire(site, door)
    wire.send(V1[:20])
    assert repr(wire.first) == "<PrefacedConnection ('203.0.113.9', 50123) 20 bytes>"


DATA = st.binary(max_size=40) | st.sampled_from([data for data, *_ in TAKEN] + REFUSED)


@given(
    st.lists(DATA | st.sampled_from([SIGNATURE, b"PROXY ", b"\x21\x11"]), max_size=4).map(b"".join)
)
def test_more_bytes_change_no_verdict(data):
    """What is refused stays so, what is a header stays that header, at any cut."""
    verdicts = []
    for size in range(min(len(data), 300) + 1):
        try:
            verdicts.append(parse_preface(data[:size]))
        except MalformedPreface:
            verdicts.append("refused")
    found = [verdict for verdict in verdicts if verdict is not None]
    assert verdicts == [None] * (len(verdicts) - len(found)) + found[:1] * len(found)
    if found and found[0] != "refused":
        assert found[0].size == len(verdicts) - len(found)
