"""The bound on answers that clients do not take."""

import pytest
from unit.http.wire import Wire

from gateway.http.connection.connection_warnings import ConnectionWarnings
from gateway.http.connection.write_backlog import WriteBacklog
from gateway.http.message.response import status_of
from gateway.http.message.response_head import ResponseHead

OK = ResponseHead.of(status_of(200), [])
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


class Client:
    def __init__(self):
        self.is_cut = False

    def cut(self):
        self.is_cut = True


@pytest.mark.parametrize(("size", "is_cut"), [(39, False), (40, False), (41, True)])
def test_the_bound(size, is_cut, caplog):
    troubles = ConnectionWarnings()
    backlog = WriteBacklog(100, troubles.unread)
    first, second = Client(), Client()
    backlog.hold(first, 60, 1.0)
    backlog.hold(second, size, 2.0)
    assert (first.is_cut, second.is_cut) == (is_cut, False)
    assert backlog.total == (size if is_cut else 60 + size)
    troubles.check(10.0)
    told = [record.getMessage().partition(":")[0] for record in caplog.records]
    assert told == ["1 clients were cut off"] * is_cut


def test_who_has_taken_nothing_for_the_longest_goes_first():
    backlog = WriteBacklog(100, ConnectionWarnings().unread)
    clients = [Client() for _ in range(4)]
    for number, client in enumerate(clients[:3]):
        backlog.hold(client, 30, float(number))
    backlog.note_progress(clients[0], 5.0)
    backlog.hold(clients[3], 40, 6.0)
    assert [client.is_cut for client in clients] == [False, True, False, False]
    assert backlog.total == 100
    backlog.release(clients[0])
    backlog.release(clients[0])
    backlog.note_progress(clients[0], 7.0)
    assert backlog.total == 70


def test_one_alone_may_be_larger():
    backlog = WriteBacklog(100, ConnectionWarnings().unread)
    backlog.hold(client := Client(), 1000, 1.0)
    backlog.hold(client, 2000, 2.0)
    assert not client.is_cut
    assert backlog.total == 2000


def deaf(site, application, size, request=GET):
    """A client with `size` bytes of its answer left in the gateway, head and all."""
    wire = Wire(site)
    wire.stop_reading()
    wire.send(request)
    application[-1].respond(OK, b"x" * size, size)
    wire.loop.run()
    return wire


def test_the_longest_deaf_is_cut(make_site, application, records):
    site = make_site(max_write_backlog=2500)
    first, second = [deaf(site, application, 1000) for _ in range(2)]
    site.loop.now += 1
    first.read_on(room=10)
    for connection in list(site.connections):
        connection.check_deadline(site.loop.now)
    third = deaf(site, application, 1000)
    assert second.transport.is_lost
    assert not first.transport.is_lost
    first.read_on()
    third.read_on()
    assert site.write_backlog.total == 0
    assert not third.is_closed
    assert len(records) == 3


@pytest.mark.parametrize("ends_by", ["reset", "reading"])
def test_what_is_left_behind_a_closed_connection_counts_too(make_site, application, ends_by):
    site = make_site(max_write_backlog=2500)
    closing = GET.replace(b"Host", b"Connection: close\r\nHost")
    wire = deaf(site, application, 1000, closing + b"more")
    assert wire.transport.has_ended
    assert site.write_backlog.total > 1000
    wire.reset() if ends_by == "reset" else wire.read_on()
    wire.end() if ends_by == "reading" else None
    assert site.write_backlog.total == 0
    assert site.connections == set()


def test_a_slow_refused_client_makes_room_too(make_site, application):
    site = make_site(max_write_backlog=1500)
    closing = GET.replace(b"Host", b"Connection: close\r\nHost")
    first = deaf(site, application, 1000, closing + b"more")
    second = deaf(site, application, 1000)
    assert first.transport.is_lost
    second.reset()
    assert site.write_backlog.total == 0


REFUSED = b"nonsense\r\n\r\n"


def test_a_refusal_that_has_been_sent_counts_no_more(site):
    wire = Wire(site)
    wire.stop_reading(10)
    wire.send(REFUSED)
    assert site.write_backlog.total == len(wire.transport.unsent) > 0
    wire.read_on()
    assert not wire.transport.is_lost, "it lingers"
    assert site.write_backlog.total == 0


def test_a_refusal_counts_once(make_site):
    of_another = Wire(make_site())
    of_another.send(REFUSED)
    size = len(of_another.take())
    site = make_site(max_write_backlog=size)
    wire = Wire(site)
    wire.stop_reading()
    wire.send(REFUSED)
    assert not wire.transport.is_closing()
    assert site.write_backlog.total == size
