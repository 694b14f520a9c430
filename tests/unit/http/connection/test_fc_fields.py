"""Which X-Fc-* fields answers have, by the type of their exchanges."""

import pytest
from unit.http.response_reader import read_answers
from unit.http.wire import Wire

from gateway.errors import QueueFull
from gateway.fc.context import Service
from gateway.fc.metadata import InvocationMetadata
from gateway.http.connection import fc_fields
from gateway.http.connection.fc_fields import SilentExchange, TellingExchange, is_for_clients
from gateway.http.message.response import status_of
from gateway.http.message.response_head import ResponseHead

OK = ResponseHead.of(status_of(200), [("X-A", "b")])
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
METADATA = InvocationMetadata("c-1", "2", lambda: 1 << 20)
TOLD = {
    "x-fc-request-id": "request-1",
    "x-fc-invocation-duration": "1500",
    "x-fc-max-memory-usage": "1.00",
    "x-fc-instance-id": "c-1",
    "x-fc-invocation-service-version": "LATEST",
    "x-fc-code-checksum": "2",
}
MORE = "\r\nAccess-Control-Allow-Origin: *\r\nX-Fc-Log-Result: AAAA\r\nx-fc-status: 404"


def answer_of(wire, *, names_request=True):
    is_closed = wire.is_closed
    (answer,) = read_answers(wire.take(), is_closed=is_closed, names_request=names_request)
    return answer


def fc_fields_of(answer):
    return {name: text for name, text in answer.fields.items() if name.startswith("x-fc-")}


@pytest.fixture
def telling(make_site, application, monkeypatch):
    wire = Wire(make_site(exchange_type=TellingExchange, metadata=METADATA))
    wire.send(GET)
    clock = iter([10.0, 11.5])
    monkeypatch.setattr(fc_fields, "monotonic", lambda: next(clock))
    return wire, application[0]


@pytest.fixture
def silent(make_site, application):
    wire = Wire(make_site(exchange_type=SilentExchange))
    wire.send(GET)
    return wire, application[0]


def in_one(exchange):
    exchange.respond(OK, b"body", 4)


def in_parts(exchange):
    exchange.start(OK, None)
    exchange.write(b"bo")
    exchange.write(b"dy")
    exchange.finish()


def from_the_loop(exchange):
    exchange.respond_soon(OK, b"body")


def in_parts_from_the_loop(exchange):
    exchange.start_soon(OK, 4)
    exchange.write_soon(b"body")
    exchange.finish_soon()


def past_its_time(exchange):
    exchange.expire(OK, b"body")


WAYS = [in_one, in_parts, from_the_loop, in_parts_from_the_loop, past_its_time]


@pytest.mark.parametrize("way", WAYS)
def test_an_invocation_is_told_of(telling, way):
    wire, exchange = telling
    exchange.begin_invocation(Service("shop"))
    way(exchange)
    answer = answer_of(wire)
    assert fc_fields_of(answer) == TOLD
    assert (answer.fields["x-a"], answer.body) == ("b", b"body")


def test_what_others_tell_stays(telling):
    wire, exchange = telling
    exchange.begin_invocation(Service("shop"))
    exchange.extra_fields = MORE
    in_one(exchange)
    answer = answer_of(wire)
    told = {"x-fc-log-result": "AAAA", "x-fc-status": "404"}
    assert fc_fields_of(answer) == TOLD | told
    assert answer.fields["access-control-allow-origin"] == "*"


def test_what_has_not_begun_is_not_told_of(telling):
    wire, exchange = telling
    exchange.refuse(QueueFull("full"))
    assert fc_fields_of(answer_of(wire)) == {
        "x-fc-request-id": "request-1",
        "x-fc-error-type": "FcCommonError",
    }


@pytest.mark.parametrize("way", WAYS)
def test_silence(silent, way):
    wire, exchange = silent
    exchange.begin_invocation(Service("shop"))
    exchange.extra_fields = MORE
    way(exchange)
    answer = answer_of(wire, names_request=False)
    assert fc_fields_of(answer) == {"x-fc-status": "404"}  # That is said to the platform.
    assert answer.fields["access-control-allow-origin"] == "*"
    assert answer.fields["date"]
    assert answer.body == b"body"


def test_silence_in_refusals(silent):
    wire, exchange = silent
    exchange.refuse(QueueFull("full"))
    answer = answer_of(wire, names_request=False)
    assert (answer.status, fc_fields_of(answer)) == (429, {})
    wire.send(b"rubbish\r\n\r\n")
    answer = answer_of(wire, names_request=False)
    assert (answer.status, fc_fields_of(answer)) == (400, {})


@pytest.mark.parametrize(
    ("head", "sealed"),
    [
        (b"HTTP/1.1 200 OK\r\nX-Fc-A: 1\r\nB: 2\r\nX-FC-C:3\r\n\r\n",
         b"HTTP/1.1 200 OK\r\nB: 2\r\n\r\n"),
        (b"HTTP/1.1 200 OK\r\nA: X-Fc-A: 1\r\nMy-X-Fc-B: 2\r\n\r\n",
         b"HTTP/1.1 200 OK\r\nA: X-Fc-A: 1\r\nMy-X-Fc-B: 2\r\n\r\n"),
        (b"HTTP/1.1 200 OK\r\nX-Fc-Status: 404\r\nX-Fc-Statuses: 1\r\n\r\n",
         b"HTTP/1.1 200 OK\r\nX-Fc-Status: 404\r\n\r\n"),
        (b"HTTP/1.1 200 OK\r\nX-Fc-Empty: \r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n"),
    ],
)  # fmt: skip
def test_whole_lines_are_taken_out(head, sealed):
    assert SilentExchange.seal(head) == sealed
    assert TellingExchange.seal(head) == head


@pytest.mark.parametrize(
    ("name", "is_so"),
    [(b"x-fc-request-id", True), (b"x-fc-status", False), (b"x-fcx", False), (b"date", False)],
)
def test_which_fields_are_for_clients(name, is_so):
    assert is_for_clients(name) is is_so
