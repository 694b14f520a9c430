"""The cap on connections: who gets in, who makes room, who is turned away."""

import json

import pytest
from unit.http.response_reader import read_answers
from unit.http.wire import FakeSocket, FakeTransport, Kernel, Wire

from gateway.http.answers.problem_details import ProblemDetails
from gateway.http.connection.admission import Admission, TurnedAway
from gateway.http.connection.connection import Connection
from gateway.http.connection.fc_fields import SilentExchange
from gateway.http.message.response import status_of
from gateway.http.message.response_head import ResponseHead

OK = ResponseHead.of(status_of(200), [])
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


class Newcomer:
    """A client that has just connected."""

    def __init__(self, admission, site):
        self.kernel = Kernel()
        self.transport = FakeTransport(site.loop, FakeSocket(self.kernel))
        self.protocol = self.transport.protocol = admission()
        self.protocol.connection_made(self.transport)
        self.loop = site.loop
        self.loop.run()

    @property
    def is_admitted(self):
        return isinstance(self.protocol, Connection)

    def send(self, data):
        self.transport.incoming.append(data)
        self.transport.deliver()
        self.loop.run()


@pytest.fixture
def admission(site):
    return Admission(site, 3, max_turned_away=2)


def sweep(site, admission, seconds=1):
    site.loop.now += seconds
    for connection in list(site.connections):
        connection.check_deadline(site.loop.now)
    admission.check(site.loop.now)
    site.loop.run()


def busy(admission, site, count):
    """Clients with a request under way."""
    clients = [Newcomer(admission, site) for _ in range(count)]
    for client in clients:
        client.send(GET)
    return clients


@pytest.mark.parametrize("present", [0, 1, 2])
def test_below_the_cap(site, admission, present):
    busy(admission, site, present)
    assert Newcomer(admission, site).is_admitted


def test_beyond_the_cap_is_503(site, admission, caplog):
    clients = busy(admission, site, 3)
    newcomer = Newcomer(admission, site)
    assert isinstance(newcomer.protocol, TurnedAway)
    (answer,) = read_answers(bytes(newcomer.kernel.taken), [None], is_closed=True)
    assert (answer.status, answer.fields["retry-after"]) == (503, "1")
    assert newcomer.transport.has_ended
    newcomer.send(GET)
    assert len(answer.body) + 1 < len(newcomer.kernel.taken), "nothing more is said"
    newcomer.send(b"")
    assert newcomer.transport.is_lost
    assert not any(client.transport.is_closing() for client in clients)
    for _ in range(2):
        site.troubles.check(site.loop.now)
    (record,) = caplog.records
    assert record.getMessage().startswith("1 connections were turned away: ")


def test_the_turned_away_are_few_at_a_time_and_not_for_long(site, admission):
    busy(admission, site, 3)
    newcomers = [Newcomer(admission, site) for _ in range(4)]
    assert all(each.kernel.taken for each in newcomers), "each is told"
    assert [each.transport.is_closing() for each in newcomers] == [True, True, False, False]
    sweep(site, admission, 1.9)
    assert not newcomers[3].transport.is_lost
    sweep(site, admission, 0.2)
    assert newcomers[3].transport.is_lost
    assert Newcomer(admission, site).kernel.taken


def test_who_waits_longest_makes_room(site, admission):
    first, second, third = [Newcomer(admission, site) for _ in range(3)]
    sweep(site, admission)
    first.send(GET)
    site.loop.now += 1
    second.send(b"G")
    sweep(site, admission)
    for evicted in (third, second):
        assert Newcomer(admission, site).is_admitted
        assert evicted.transport.is_lost
    assert not first.transport.is_closing()
    assert not Newcomer(admission, site).is_admitted, "the others are too new"
    sweep(site, admission)
    sweep(site, admission)
    assert Newcomer(admission, site).is_admitted


def test_who_has_just_asked_makes_no_room(site, admission):
    clients = [Newcomer(admission, site) for _ in range(3)]
    sweep(site, admission)
    sweep(site, admission)
    assert Newcomer(admission, site).is_admitted
    (lost,) = [client for client in clients if client.transport.is_lost]
    for client in clients:
        if client is not lost:
            client.send(GET)
    assert not Newcomer(admission, site).is_admitted


def test_a_request_on_its_way_is_not_cut(site, application):
    """It is in the system's buffer, and not read yet."""
    admission = Admission(site, 1, max_turned_away=1)
    wire = Wire(site)
    wire.send(GET)
    application[0].respond(OK, b"", 0)
    wire.loop.run()
    sweep(site, admission)
    wire.duplicate.unread = GET
    assert not Newcomer(admission, site).is_admitted
    wire.duplicate.unread = b""
    sweep(site, admission)
    assert Newcomer(admission, site).is_admitted
    assert wire.transport.is_lost


def test_who_is_there_already_is_admitted(site, admission):
    busy(admission, site, 3)
    assert isinstance(admission.admit(), Connection)


REFUSED = b"nonsense\r\n\r\n"


def test_who_was_told_the_last_makes_room(site, admission):
    """Else clients that are refused, and do not close, would keep others out for half a minute."""
    clients = busy(admission, site, 2)
    refused = Newcomer(admission, site)
    refused.send(REFUSED)
    assert refused.kernel.taken
    assert not refused.transport.is_lost
    assert Newcomer(admission, site).is_admitted
    assert refused.transport.is_lost
    assert not any(client.transport.is_closing() for client in clients)


def test_who_has_not_been_sent_all_of_a_refusal_makes_no_room(site, admission):
    busy(admission, site, 2)
    refused = Newcomer(admission, site)
    refused.kernel.room = 10
    refused.send(REFUSED)
    assert not Newcomer(admission, site).is_admitted
    assert not refused.transport.is_lost


def test_who_was_turned_away_makes_no_room(site, admission):
    """They stand beyond the cap, which whoever came in their place would exceed."""
    busy(admission, site, 3)
    newcomers = [Newcomer(admission, site) for _ in range(2)]
    sweep(site, admission)
    assert not Newcomer(admission, site).is_admitted
    assert not newcomers[1].transport.is_closing()


def test_who_is_turned_away_is_told_in_the_style_and_with_the_fields_that_are_wanted(make_site):
    site = make_site(error_style=ProblemDetails(), exchange_type=SilentExchange)
    admission = Admission(site, 1, max_turned_away=1)
    busy(admission, site, 1)
    newcomer = Newcomer(admission, site)
    (answer,) = read_answers(bytes(newcomer.kernel.taken), [None], names_request=False)
    assert (answer.status, answer.fields["retry-after"]) == (503, "1")
    assert answer.fields["content-type"] == "application/problem+json"
    assert json.loads(answer.body)["code"] == "ConnectionLimit"
    assert not [name for name in answer.fields if name.startswith("x-fc-")]


# Bodies that trickle.

POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n"


def bringing(admission, site, paces, seconds=3):
    """Clients that bring so many bytes in a second of a body."""
    clients = [Newcomer(admission, site) for _ in paces]
    for client in clients:
        client.send(POST)
    for _ in range(seconds):
        for client, pace in zip(clients, paces, strict=True):
            if pace:
                client.send(bytes(pace))
        sweep(site, admission)
    return clients


def test_the_slowest_of_those_that_trickle_makes_room(site, admission):
    clients = bringing(admission, site, [30, 10, 20])
    for evicted in (clients[1], clients[2], clients[0]):
        assert Newcomer(admission, site).is_admitted
        (answer,) = read_answers(bytes(evicted.kernel.taken), [None], is_closed=True)
        assert (answer.status, answer.closes) == (408, True)
        assert evicted.transport.is_lost
    assert not Newcomer(admission, site).is_admitted


@pytest.mark.parametrize(("pace", "makes_room"), [(4095, True), (4096, False), (4097, False)])
def test_a_body_that_comes_in_earnest_makes_no_room(site, admission, pace, makes_room):
    bringing(admission, site, [pace] * 3)
    assert Newcomer(admission, site).is_admitted == makes_room


def test_a_body_that_has_just_begun_makes_no_room(site, admission):
    bringing(admission, site, [0] * 3, seconds=0)
    assert not Newcomer(admission, site).is_admitted


def test_who_waits_for_a_request_goes_before_who_trickles(site, admission):
    trickling = bringing(admission, site, [0, 0])
    idle = Newcomer(admission, site)
    sweep(site, admission)
    assert Newcomer(admission, site).is_admitted
    assert idle.transport.is_lost
    assert not any(client.transport.is_closing() for client in trickling)


def test_who_made_room_is_told_in_the_log(site, admission, caplog):
    bringing(admission, site, [0] * 3)
    Newcomer(admission, site)
    site.troubles.check(site.loop.now)
    assert "1 connections were closed: they were idle" in caplog.text


@pytest.mark.parametrize(("present", "is_full"), [(1, False), (2, True), (3, True)])
def test_half_of_the_cap_is_much(site, admission, present, is_full):
    busy(admission, site, present)
    assert admission.is_full() is is_full


@pytest.mark.parametrize(("cap", "is_full"), [(3, True), (4, True), (5, False)])
def test_exactly_half_of_the_cap(site, cap, is_full):
    admission = Admission(site, cap, max_turned_away=2)
    busy(admission, site, 2)
    assert admission.is_full() is is_full


def test_those_that_arrive_take_room(site, admission):
    busy(admission, site, 1)
    assert admission.room() == 2
    admission.arriving = lambda: 2
    assert admission.room() == 0
    admission.arriving = lambda: 3
    assert admission.room() == -1


def test_the_refusal_in_full(site, admission):
    busy(admission, site, 3)
    newcomer = Newcomer(admission, site)
    head, _, body = bytes(newcomer.kernel.taken).partition(b"\r\n\r\n")
    fields = head.split(b"\r\n")
    assert f"Content-Length: {len(body)}".encode() in fields
    assert b"Connection: close" in fields
    assert b"the gateway has reached its maximum of connections" in body


@pytest.mark.parametrize("limit", [0, 1])
def test_one_that_is_turned_away_is_always_told(site, limit):
    admission = Admission(site, 1, max_turned_away=limit)
    busy(admission, site, 1)
    first = Newcomer(admission, site)
    assert not first.transport.is_closing()
    Newcomer(admission, site)
    site.loop.run()
    assert first.transport.is_closing()
