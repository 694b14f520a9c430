"""A gate between head and body: what goes on, what is refused unread, and what waits."""

import pytest
from unit.http.response_reader import read_answers
from unit.http.wire import Wire, body_of

from gateway.errors import MethodNotAllowed, SignatureNotMatch
from gateway.http.message.response import status_of
from gateway.http.message.response_head import ResponseHead

OK = ResponseHead.of(status_of(200), [])
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
EXPECTS = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"
HUGE = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 30000000\r\n\r\n"


class FakeGate:
    """Says what it is told to, and notes what it is asked."""

    def __init__(self):
        self.verdicts = []
        """For the questions that come; when there are none, all goes on."""
        self.asked = []
        self.waiting = []

    def check(self, exchange, *, may_defer):
        self.asked.append((exchange.head.method, may_defer))
        verdict = self.verdicts.pop(0) if self.verdicts else None
        if verdict == REFUSED:
            raise SignatureNotMatch("no")
        if verdict == "not allowed":
            raise MethodNotAllowed("no")
        return self if verdict == "later" else verdict

    def when_over(self, callback):
        self.waiting.append(callback)

    def end(self, *verdicts):
        """What was waited for has come, and then it says so."""
        self.verdicts[:0] = verdicts
        waiting, self.waiting = self.waiting, []
        for callback in waiting:
            callback()


REFUSED = "refused"
"""A fresh refusal each time: one that was raised holds on to where."""


@pytest.fixture
def gate():
    return FakeGate()


@pytest.fixture
def gated(make_site, gate):
    return Wire(make_site(gate=gate))


def answer(exchange, body=b"ok"):
    exchange.respond(OK, body, len(body))
    exchange.release()


def answers(wire, count=1):
    return read_answers(wire.take(), ["POST"] * count, is_closed=wire.is_closed)


def test_what_is_let_in_goes_on(gated, gate, application):
    gated.send(POST + b"hello")
    assert gate.asked == [("POST", True)]
    assert body_of(application[0]) == b"hello"


def test_it_is_asked_before_the_body_and_for_every_request(gated, gate, application):
    gated.send(POST)
    assert len(gate.asked) == 1
    gated.send(b"hello")
    answer(application[0])
    for _ in range(3):
        gated.loop.run()
        gated.send(GET)  # Equal heads are parsed once, and looked at each time.
        answer(application[-1])
    assert len(gate.asked) == 4


def test_a_refusal_without_a_body_leaves_the_connection(gated, gate, application, records):
    gate.verdicts = [REFUSED, None, "not allowed"]
    gated.send(GET + GET + GET)
    answer(application[0])
    gated.loop.run()
    found = answers(gated, 3)
    assert [one.status for one in found] == [403, 200, 403]
    assert not gated.is_closed
    assert len(application) == 1
    assert [record.error for record in records] == ["SignatureNotMatch", "", "AccessDenied"]
    assert [record.status for record in records] == [403, 200, 403]


@pytest.mark.parametrize("head", [POST, CHUNKED, EXPECTS, HUGE])
@pytest.mark.parametrize("rest", [b"", b"5\r\nhello\r\n", b"hello" + GET])
def test_a_refusal_reads_no_body(gated, gate, application, head, rest):
    gate.verdicts = [REFUSED]
    gated.send(head + rest)
    (one,) = answers(gated)
    assert one.status == 403
    assert one.closes
    assert application == []
    assert len(gate.asked) == 1, "what is behind it is not understood"
    gated.send(GET)
    assert len(gate.asked) == 1


def test_it_may_answer_itself(gated, gate, application, records):
    gate.verdicts = [(OK, b"own"), (OK, b"own")]
    gated.send(GET + POST + b"hello")
    first, second = answers(gated, 2)
    assert first.status == second.status == 200
    assert not first.closes
    assert second.closes
    assert application == []
    assert [record.error for record in records] == ["", ""]


def test_a_request_that_waits_goes_on_with_all_of_it(gated, gate, application):
    gate.verdicts = ["later"]
    gated.send(POST + b"he")
    gated.send(b"llo" + GET)
    assert application == []
    assert " gate " in repr(gated.connection)
    gate.end()
    assert gate.asked == [("POST", True), ("POST", False)]
    assert body_of(application[0]) == b"hello"
    answer(application[0])
    gated.loop.run()
    assert len(application) == 2
    answer(application[1])
    assert [one.status for one in answers(gated, 2)] == [200, 200]


@pytest.mark.parametrize("head", [EXPECTS, POST])
def test_the_body_is_awaited_only_then(gated, gate, application, head):
    gate.verdicts = ["later"]
    gated.send(head)
    assert gated.take() == b""
    gate.end()
    assert gated.take() == (b"HTTP/1.1 100 Continue\r\n\r\n" if head is EXPECTS else b"")
    gated.send(b"hello")
    assert body_of(application[0]) == b"hello"


@pytest.mark.parametrize("head", [GET, POST])
def test_a_request_that_waits_and_is_refused(gated, gate, application, records, head):
    gate.verdicts = ["later"]
    gated.send(head)
    gated.send(GET)
    gate.end(REFUSED)
    gated.loop.run()
    # Behind a body that is not read nothing is understood; else the next request comes.
    assert len(application) == (head is GET)
    assert records[0].error == "SignatureNotMatch"
    assert records[0].status == 403


def test_what_arrives_meanwhile_is_bounded(gated, gate, application):
    gate.verdicts = ["later"]
    gated.send(HUGE)
    for _ in range(9):
        gated.send(b"x" * 10_000)
    assert not gated.transport.is_reading()
    gate.end()
    assert gated.transport.is_reading()
    assert application == []


def test_a_client_that_leaves_meanwhile(gated, gate, application, records):
    gate.verdicts = ["later"]
    gated.send(POST)
    gated.reset()
    assert [record.status for record in records] == [499]
    gate.end()
    assert application == []
    assert len(gate.asked) == 1


def test_a_client_that_half_closes_meanwhile(gated, gate, application, records):
    gate.verdicts = ["later"]
    gated.send(GET)
    gated.end()
    gate.end()
    answer(application[0])
    gated.loop.run()
    assert [one.status for one in answers(gated)] == [200]


def test_time_passes_meanwhile(gated, gate, application):
    gate.verdicts = ["later"]
    gated.send(GET)
    gated.loop.now += 10_000
    gated.connection.check_deadline(gated.loop.now)
    assert gated.connection.waits_since == 0
    gated.connection.drain()
    assert not gated.is_closed
    gate.end()
    assert len(application) == 1


def test_each_waits_for_itself(make_site, gate, application):
    site = make_site(gate=gate)
    one, other = Wire(site), Wire(site)
    gate.verdicts = ["later"]
    one.send(GET)
    other.send(GET)
    assert len(application) == 1


class Adds:
    def lines(self, request, response):
        return f"\r\nX-Asked: {request.method} {response.status.code}"


def test_lines_for_other_origins(make_site, gate, application):
    wire = Wire(make_site(gate=gate, cross_origin=Adds()))
    gate.verdicts = [None, REFUSED]
    wire.send(GET)
    answer(application[0])
    wire.loop.run()
    assert b"\r\nX-Asked: GET 200\r\n" in wire.take()
    wire.send(POST)
    assert b"\r\nX-Asked: POST 403\r\n" in wire.take()
    malformed = Wire(make_site(cross_origin=Adds()))
    malformed.send(b"GET\r\n\r\n")
    assert b"X-Asked" not in malformed.take()
