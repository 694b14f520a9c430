"""Whether an answer was taken: on real sockets, with a clock that the test moves."""

import os
import socket
import time
from contextlib import suppress

import pytest

from gateway.http.connection.ack_watch import AckWatch, unacknowledged, watch_acknowledgements


class Answered:
    """An exchange whose record is held back."""

    def __init__(self):
        self.is_taken = None

    def confirm(self, *, is_taken):
        assert self.is_taken is None, "one record for an exchange"
        self.is_taken = is_taken


def begin(site, sock, exchange):
    """A delivery of one answer, as a connection begins it."""
    delivery = AckWatch(site, sock.dup())
    delivery.add(exchange, is_last=False)
    return delivery


@pytest.fixture
def ends():
    """Both ends of a TCP connection, the gateway's first."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        server = listener.accept()[0]
        server.setblocking(False)
        with client, server:
            yield server, client


def look_until_known(delivery, exchange, now):
    """As the sweep does, at one moment of the loop's clock; the system may take its own time."""
    for _ in range(500):
        if exchange.is_taken is not None:
            return
        delivery.check_deadline(now)
        time.sleep(0.01)


def test_an_acknowledged_answer_is_taken(site, ends):
    server, client = ends
    client.shutdown(socket.SHUT_WR)
    server.send(b"answer")
    delivery = begin(site, server, exchange := Answered())
    look_until_known(delivery, exchange, site.loop.time())
    assert exchange.is_taken is True
    assert site.connections == set()
    assert delivery.is_over


def test_a_client_that_has_left_took_nothing(site, ends):
    server, client = ends
    client.close()
    server.send(b"answer")
    delivery = begin(site, server, exchange := Answered())
    look_until_known(delivery, exchange, site.loop.time())
    assert exchange.is_taken is False


def test_several_answers_to_a_client_that_has_left(site, ends):
    """The system tells an error once, of all duplicates together."""
    server, client = ends
    client.close()
    server.send(b"answer")
    exchanges = [Answered() for _ in range(3)]
    for exchange in exchanges:
        look_until_known(begin(site, server, exchange), exchange, site.loop.time())
    assert [exchange.is_taken for exchange in exchanges] == [False] * 3


@pytest.fixture
def stuck(site, ends):
    """A delivery to a client that reads nothing, its exchange, and the client."""
    server, client = ends
    client.shutdown(socket.SHUT_WR)
    for _ in range(1000):
        try:
            server.send(bytes(65536))
        except BlockingIOError:
            break
    exchange = Answered()
    return begin(site, server, exchange), exchange, client


def test_patience_ends_when_nothing_more_is_acknowledged(site, stuck):
    delivery, exchange, _client = stuck
    now = site.loop.time()
    delivery.check_deadline(now)
    delivery.check_deadline(now + 30)
    assert exchange.is_taken is None
    assert site.connections == {delivery}
    for late in (61, 92):  # Segments that were on their way may have been confirmed meanwhile.
        if exchange.is_taken is None:
            delivery.check_deadline(now + late)
    assert exchange.is_taken is False


def test_each_acknowledgement_extends_the_deadline(site, stuck):
    """One that takes a little every 20 s is waited for, for as long as it does."""
    delivery, exchange, client = stuck
    client.setblocking(False)
    now = site.loop.time()
    for _ in range(5):
        missing = delivery._missing
        for _ in range(1000):
            with suppress(BlockingIOError):
                client.recv(1 << 17)
            if unacknowledged(delivery._socket) != missing:
                break
            time.sleep(0.001)
        now += 20
        delivery.check_deadline(now)
        assert exchange.is_taken is None
        assert delivery.waits_since == now
    left = delivery._missing
    for _ in range(100):  # What was on its way arrives: no progress comes any more.
        time.sleep(0.005)
        delivery.check_deadline(now)
        if left == (left := delivery._missing):
            break
    delivery.check_deadline(now + 30)
    assert exchange.is_taken is None
    delivery.check_deadline(now + 30.001)
    assert exchange.is_taken is False


def test_the_answers_of_a_connection_are_waited_for_together(site, stuck):
    delivery, exchange, _client = stuck
    delivery.add(another := Answered(), is_last=False)
    assert not delivery.is_over
    assert site.connections == {delivery}
    delivery.cut()
    assert [exchange.is_taken, another.is_taken] == [False, False]
    assert delivery.is_over
    assert site.connections == set()


def test_who_acknowledges_nothing_makes_room(site, stuck):
    delivery, exchange, _client = stuck
    assert delivery.waits_since == site.loop.time()
    assert delivery.make_room()
    assert exchange.is_taken is False
    assert site.connections == set()


def test_a_slow_client_that_reads_is_waited_for(site, stuck):
    delivery, exchange, client = stuck
    now = site.loop.time()
    for _ in range(2000):
        client.setblocking(False)
        try:
            while client.recv(1 << 20):
                pass
        except BlockingIOError:
            time.sleep(0.001)
        now += 0.1
        delivery.check_deadline(now)
        if exchange.is_taken is not None:
            break
    assert exchange.is_taken is True


def test_the_end_of_the_worker_is_waited_for_a_little(site, stuck):
    delivery, exchange, _client = stuck
    now = site.loop.time()
    delivery.check_deadline(now)
    assert delivery.drain() is False, "nothing else is expected of this client"
    delivery.check_deadline(now + 1.9)
    assert exchange.is_taken is None
    delivery.check_deadline(now + 2.1)
    assert exchange.is_taken is False


def test_cut(site, stuck):
    delivery, exchange, _client = stuck
    delivery.cut()
    assert exchange.is_taken is False
    assert site.connections == set()


def test_where_it_cannot_be_known_nothing_is_watched(site):
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert watch_acknowledgements(site, ours) is None
    with socket.socket() as closed:
        pass
    assert watch_acknowledgements(site, closed) is None, "as without a descriptor"
    assert site.connections == set()


def test_it_has_a_descriptor_of_its_own(site, ends):
    server, _ = ends
    delivery = watch_acknowledgements(site, server)
    assert site.connections == {delivery}
    assert delivery.descriptor not in (-1, server.fileno())
    delivery.cut()
    assert delivery.descriptor == -1
    assert server.fileno() >= 0
    assert site.connections == set()


def test_of_what_is_no_socket_nothing_is_missing():
    """As on a system that does not tell."""
    reader, writer = os.pipe()
    os.write(writer, b"x")
    assert unacknowledged(_Numbered(reader)) == 0
    os.close(reader)
    os.close(writer)


class _Numbered:
    def __init__(self, number):
        self._number = number

    def fileno(self):
        return self._number


def test_what_was_acknowledged_is_not_missing(ends):
    server, client = ends
    assert unacknowledged(server) == 0
    server.send(b"answer")
    client.recv(100)
    for _ in range(500):
        if not unacknowledged(server):
            return
        time.sleep(0.01)
    raise AssertionError("it was read")
