"""The life of a connection, on a transport and a clock that the test moves."""

import asyncio
import errno
import gc
import re
import weakref
from itertools import count

import pytest
from unit.http.response_reader import AnswerReader, read_answers
from unit.http.wire import FakeSocket, Wire, body_of

from gateway.errors import ClientDisconnected
from gateway.http.body import blocks
from gateway.http.body.body import BodyBudget
from gateway.http.connection import body_receiver as reception
from gateway.http.connection import lingering
from gateway.http.connection.read_backpressure import DirectBodyReader
from gateway.http.connection.shared_state import Timeouts
from gateway.http.message.response import status_of
from gateway.http.message.response_head import ResponseHead
from gateway.limits import Limits

OK = ResponseHead.of(status_of(200), [])
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
BAD = b"GET / HTTP/1.1\r\nHost a\r\n\r\n"


def answer(exchange, body=b"ok"):
    exchange.respond(OK, body, len(body))
    exchange.release()


def statuses(wire, methods=("GET",)):
    return [one.status for one in read_answers(wire.take(), methods, is_closed=wire.is_closed)]


# --- requests ----------------------------------------------------------------------------------


def test_addresses(wire, make_site):
    wire.send(GET)
    assert wire.connection.peer == ("203.0.113.9", 50123)
    assert wire.connection.local == ("192.0.2.1", 8000)
    unix = Wire(make_site(), is_unix=True)
    unix.send(GET)
    assert unix.connection.peer is unix.connection.local is None


def test_a_refused_client_has_an_address_where_there_is_a_log(make_site):
    for record, peer in ((lambda _: None, ("203.0.113.9", 50123)), (None, None)):
        wire = Wire(make_site(record=record))
        wire.send(BAD)
        assert wire.connection.peer == peer
        assert wire.transport.sock.duplicates == []
    unix = Wire(make_site(), is_unix=True)
    unix.send(BAD)
    assert unix.connection.peer is None


def test_a_client_that_has_reset_has_no_address(wire, application):
    wire.kernel.is_reset = True
    wire.send(GET)
    assert wire.connection.peer == ("", 0)
    assert len(application) == 1


def test_nothing_is_got_ready_before_the_first_request(wire):
    assert wire.transport.sock.duplicates == []
    wire.connection.cut()
    wire.loop.run()
    assert wire.transport.is_lost
    assert wire.transport.sock.duplicates == []


def test_repr_shows_the_state(wire, application):
    assert repr(wire.connection) == "<Connection None nothing None pending=0>"
    wire.send(GET + b"x")
    assert "GET / HTTP/1.1> open 0> pending=1" in repr(wire.connection)
    wire.reset()
    assert " lost " in repr(wire.connection)


def test_a_connection_is_listed_while_it_lives(site):
    wire = Wire(site)
    assert site.connections == {wire.connection}
    wire.reset()
    assert site.connections == set()
    assert wire.connection.is_lost


def test_a_body_in_pieces(wire, application):
    wire.send(POST + b"he")
    assert application == []
    wire.send(b"llo")
    (exchange,) = application
    assert exchange.body.length == 5
    assert body_of(exchange) == b"hello"


def test_pipelined_requests_run_one_after_the_other(wire, application, records):
    wire.send(GET + POST + b"hello" + CHUNKED + b"1\r\nx\r\n0\r\n\r\n" + GET)
    bodies = []
    for number in range(4):
        assert len(application) == number + 1
        bodies.append(body_of(application[number]))
        answer(application[number], str(number).encode())
        wire.loop.run()
    assert bodies == [b"", b"hello", b"x", b""]
    answers = read_answers(wire.take(), ["GET"] * 4, is_closed=wire.is_closed)
    assert [one.body for one in answers] == [b"0", b"1", b"2", b"3"]
    assert records == application


def test_thousands_of_pipelined_requests_are_no_deep_recursion(wire, application):
    application.handle = lambda exchange: exchange.respond_soon(OK, b"")
    wire.send(GET * 3000)
    assert statuses(wire, ["GET"] * 3000) == [200] * 3000


def test_what_is_behind_the_last_request_is_ignored(wire, application):
    wire.send(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" + GET)
    answer(application[0])
    wire.loop.run()
    wire.send(GET + BAD)
    assert len(application) == 1
    assert statuses(wire) == [200]
    assert wire.transport.has_ended


# --- 100 Continue ------------------------------------------------------------------------------

EXPECTING = b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"


def test_continue_is_sent_when_the_body_is_awaited(wire, application):
    wire.send(EXPECTING)
    assert wire.take() == b"HTTP/1.1 100 Continue\r\n\r\n"
    wire.send(b"hello")
    answer(application[0])
    assert statuses(wire) == [200]


@pytest.mark.parametrize(
    "request_bytes",
    [
        EXPECTING + b"h",
        EXPECTING.replace(b"HTTP/1.1", b"HTTP/1.0"),
        EXPECTING.replace(b": 5", b": 0"),
    ],
)
def test_continue_is_not_sent_where_it_is_of_no_use(wire, request_bytes):
    wire.send(request_bytes)
    assert wire.take() == b""


def test_continue_is_not_sent_for_a_body_that_is_refused(wire):
    wire.send(EXPECTING.replace(b": 5", b": 99999999999"))
    reader = AnswerReader(wire.take(), is_closed=wire.is_closed)
    assert [one.status for one in reader.read_all(["POST"])] == [400]
    assert reader.interims == 0


def test_a_request_is_dispatched_when_continue_has_left(wire, application):
    wire.stop_reading(room=10)
    wire.send(EXPECTING)
    wire.send(b"hello")
    assert application == [], "a thread could write into the middle of 100 Continue"
    wire.read_on()
    assert len(application) == 1
    answer(application[0])
    reader = AnswerReader(wire.take(), is_closed=wire.is_closed)
    assert len(reader.read_all(["POST"])) == reader.interims == 1


# --- refusals ----------------------------------------------------------------------------------


def test_a_refusal_is_the_last_word(wire, application, records):
    wire.send(GET + BAD + GET)
    answer(application[0])
    wire.loop.run()
    wire.send(GET)
    assert len(application) == 1
    assert statuses(wire, ["GET", None]) == [200, 400]
    assert wire.transport.has_ended
    assert not wire.transport.is_closing(), "the client may still be sending"
    assert [record.head is None for record in records] == [False, True]


def test_a_refused_body(wire, application, records, site):
    wire.send(CHUNKED + b"5\r\nhello\r\n")
    assert site.budget.used == 5
    wire.send(b"5\r\nhello\r\nZZ\r\n")
    assert statuses(wire, ["POST"]) == [400]
    assert application == []
    assert len(records) == 1
    site.budget.settle()
    assert site.budget.used == 0


def test_a_refusal_that_the_client_reads_late_is_not_dispatched(wire, application, records):
    wire.stop_reading(room=10)
    wire.send(BAD)
    wire.read_on()
    assert application == []
    assert len(records) == 1
    assert statuses(wire, [None]) == [400]


def test_a_refused_body_that_the_client_reads_late_is_released_once(
    wire, application, records, site
):
    wire.stop_reading(room=10)
    wire.send(CHUNKED + b"5\r\nhello\r\nZZ\r\n")
    wire.read_on()
    assert application == []
    wire.reset()
    site.budget.settle()
    assert site.budget.used == 0
    assert len(records) == 1


def test_lingering_ends_when_the_client_half_closes(wire):
    wire.send(BAD)
    wire.send(b"more")
    assert not wire.transport.is_closing()
    wire.end()
    assert wire.transport.is_lost


def test_no_lingering_behind_a_client_that_has_half_closed(wire, application):
    wire.send(b"GET / HT")
    wire.end()
    assert statuses(wire, [None]) == [400]
    assert wire.transport.is_lost


def test_lingering_is_bounded_in_bytes(wire, monkeypatch):
    monkeypatch.setattr(lingering, "_MAX_BYTES", 1000)
    wire.send(BAD)
    wire.send(b"x" * 1000)
    assert not wire.transport.is_lost
    wire.send(b"x")
    assert wire.transport.is_lost


def test_lingering_is_bounded_in_time(wire, site):
    wire.send(BAD)
    (client,) = site.connections
    client.check_deadline(wire.loop.now + site.timeouts.linger)
    wire.loop.run()
    assert not wire.transport.is_lost
    client.check_deadline(wire.loop.now + site.timeouts.linger + 0.1)
    wire.loop.run()
    assert wire.transport.is_lost
    assert site.connections == set()


def test_lingering_goes_on_while_the_client_takes_the_answer(wire, site):
    wire.stop_reading(room=10)
    wire.send(BAD)
    (client,) = site.connections
    late = wire.loop.now + site.timeouts.linger + 0.1
    wire.kernel.room = 10
    wire.transport.flush()
    client.check_deadline(late)
    client.check_deadline(late + site.timeouts.linger - 0.1)
    wire.loop.run()
    assert not wire.transport.is_lost
    client.check_deadline(late + 3 * site.timeouts.linger)
    client.check_deadline(late + 5 * site.timeouts.linger)
    wire.loop.run()
    assert wire.transport.is_lost


# --- back-pressure -----------------------------------------------------------------------------


def test_reading_pauses_behind_a_running_request(wire, application):
    wire.send(GET)
    wire.send(GET * 2000)
    assert not wire.transport.is_paused
    wire.send(GET * 2000)
    assert wire.transport.is_paused
    wire.send(GET)
    assert len(wire.transport.incoming) == 1
    for exchange in application:  # It grows while it is walked through.
        answer(exchange)
        wire.loop.run()
    assert len(application) == 4002
    assert not wire.transport.is_paused


def test_reading_pauses_behind_an_answer_that_the_client_does_not_read(wire, application):
    wire.send(GET)
    wire.stop_reading(room=100)
    answer(application[0], b"x" * 1000)
    wire.loop.run()
    for _ in range(100):
        wire.send(b"x" * 10_000)
    assert len(wire.connection._pending) < 100_000
    assert wire.transport.is_paused


def test_reading_goes_on_when_the_client_reads(wire, application):
    wire.send(GET)
    wire.stop_reading(room=100)
    answer(application[0], b"x" * 1000)
    wire.loop.run()
    for _ in range(20):
        wire.send(GET * 500)
    wire.read_on()
    for exchange in application[1:]:
        answer(exchange, b"x")
        wire.loop.run()
    for number in count(2):
        if number == len(application):
            break
        answer(application[number], b"x")
        wire.loop.run()
    assert len(application) == 10_001
    assert not wire.transport.is_paused


def test_the_next_request_waits_until_the_answer_before_has_left(wire, application):
    """Or a thread would write into the middle of it."""
    wire.send(GET)
    wire.stop_reading(room=100)
    answer(application[0], b"x" * 1000)
    wire.loop.run()
    wire.send(GET)
    assert len(application) == 1
    wire.read_on(room=500)
    assert len(application) == 1
    wire.read_on()
    assert len(application) == 2
    answer(application[1])
    assert statuses(wire, ["GET"] * 2) == [200, 200]


def test_a_full_body_budget_pauses_reading(make_site, application):
    site = make_site(budget=BodyBudget(8))
    first, second = Wire(site), Wire(site)
    long = POST.replace(b": 5", b": 10")
    first.send(long + b"12345")
    second.send(long + b"12345")
    assert second.transport.is_paused
    second.send(b"67890")
    first.send(b"67890")
    assert not first.transport.is_paused, "the oldest may always finish"
    answer(application[0])
    first.loop.run()
    assert not second.transport.is_paused
    assert body_of(application[1]) == b"1234567890"
    answer(application[1])
    site.budget.settle()
    assert site.budget.used == 0


def test_bodies_that_come_with_their_heads_are_counted(wire, application, site):
    wire.send(POST + b"hello" + POST + b"again")
    assert site.budget.used == 5
    assert body_of(application[0]) == b"hello"
    answer(application[0])
    wire.loop.run()
    assert body_of(application[1]) == b"again"
    answer(application[1])
    wire.loop.run()
    site.budget.settle()
    assert site.budget.used == 0
    assert statuses(wire, ["POST"] * 2) == [200, 200]


# --- bodies that are read straight to their place ----------------------------------------------

BIG = POST.replace(b": 5", b": 40")
BODY = bytes(range(65, 105))


@pytest.fixture
def direct_wire(monkeypatch, make_site):
    """Reads directly what lacks 8 bytes and more, behind the first 4."""
    monkeypatch.setattr(blocks, "BLOCK", 8)
    monkeypatch.setattr(reception, "BLOCK", 8)
    monkeypatch.setattr(reception, "_MIN_BYTES_FOR_BLOCKS", 4)
    return Wire(make_site(limits=Limits(body_buffer=1000)))


def is_direct(wire):
    return isinstance(wire.transport.protocol, DirectBodyReader)


def test_a_large_body_is_read_directly(direct_wire, application):
    wire = direct_wire
    for _ in range(3):
        wire.send(BIG + BODY[:3])
        assert not is_direct(wire), "too little has come"
        wire.send(BODY[3:4])
        assert is_direct(wire)
        wire.send(BODY[4:39])
        assert is_direct(wire)
        wire.send(BODY[39:] + GET)
        assert not is_direct(wire)
        exchange = application.pop()
        assert body_of(exchange) == BODY
        answer(exchange)
        wire.loop.run()
        answer(application.pop())
        wire.loop.run()
        assert statuses(wire, ["POST", "GET"]) == [200, 200]


def test_the_rest_of_a_body_is_not_worth_it(direct_wire, application):
    direct_wire.send(BIG + BODY[:33])
    assert not is_direct(direct_wire)
    direct_wire.send(BODY[33:])
    assert body_of(application[0]) == BODY


def test_nobody_keeps_a_body_that_was_read_directly(direct_wire, application, site):
    wire = direct_wire
    pool = wire.connection.site.blocks
    wire.send(BIG + BODY[:4])
    wire.send(BODY[4:])
    assert len(pool) == 0
    answer(application.pop())
    wire.loop.run()
    assert len(pool) == 5


@pytest.mark.parametrize("size", [4, 12, 30])
def test_a_body_that_ends_early_while_it_is_read_directly(direct_wire, application, size):
    wire = direct_wire
    wire.send(BIG + BODY[:4])
    if size > 4:
        wire.send(BODY[4:size])
    assert is_direct(wire)
    wire.end()
    assert statuses(wire) == [400]
    assert application == []
    assert not is_direct(wire)
    assert wire.transport.is_closing()


def test_a_client_that_leaves_while_its_body_is_read_directly(direct_wire, application, records):
    wire = direct_wire
    wire.send(BIG + BODY[:4])
    wire.send(BODY[4:20])
    wire.reset()
    assert [record.status for record in records] == [499]
    budget = wire.connection.site.budget
    budget.settle()
    assert budget.used == 0
    assert application == []


def test_a_body_that_is_late_while_it_is_read_directly(direct_wire, records):
    wire = direct_wire
    wire.send(BIG + BODY[:4])
    wire.send(BODY[4:20])
    wire.loop.now += 31
    wire.connection.check_deadline(wire.loop.now)
    assert statuses(wire) == [408]
    assert not is_direct(wire)
    wire.send(BODY[20:])
    assert len(records) == 1
    wire.end()
    assert wire.transport.is_lost


def test_a_body_read_directly_waits_for_the_budget(monkeypatch, direct_wire, application):
    wire = direct_wire
    site = wire.connection.site
    site.budget = BodyBudget(16)
    other = Wire(site)
    other.send(BIG)
    wire.send(BIG + BODY[:4])
    wire.send(BODY[4:])
    assert wire.transport.is_paused
    assert is_direct(wire)
    other.send(BODY)
    answer(application.pop())
    other.loop.run()
    assert not is_direct(wire)
    exchange = application.pop()
    assert body_of(exchange) == BODY
    answer(exchange)


def test_a_body_that_was_read_directly_and_is_then_streamed(direct_wire, application):
    wire = direct_wire
    object.__setattr__(wire.connection.site.limits, "body_buffer", 21)
    wire.send(BIG + BODY[:4])
    wire.send(BODY[4:20])
    assert is_direct(wire)
    wire.send(BODY[20:30])
    assert not is_direct(wire)
    (exchange,) = application
    assert exchange.body.take(100) == BODY[:21], "not a byte more was read"
    wire.loop.run()
    wire.send(BODY[30:])
    assert body_of(exchange) == BODY[21:]


def test_continue_leaves_late_while_the_body_is_read_directly(direct_wire, application):
    wire = direct_wire
    wire.stop_reading()
    wire.send(BIG.replace(b"Host: a", b"Host: a\r\nExpect: 100-continue"))
    wire.send(BODY[:4])
    wire.send(BODY[4:20])
    assert is_direct(wire)
    wire.read_on()
    wire.stop_reading()
    wire.send(BODY[20:])
    answer(application[0])


# --- streamed bodies ---------------------------------------------------------------------------


@pytest.fixture
def streaming_wire(make_site):
    return Wire(make_site(limits=Limits(body_buffer=8)))


LONG = POST.replace(b": 5", b": 20")


def test_a_body_beyond_the_buffer_is_streamed(streaming_wire, application, site):
    wire = streaming_wire
    wire.send(LONG + b"1234567")
    assert application == []
    wire.send(b"8")
    (exchange,) = application
    assert exchange.body.length is None
    assert wire.transport.is_paused
    assert exchange.body.take(6) == b"123456"
    wire.loop.run()
    assert not wire.transport.is_paused
    wire.send(b"9" * 12)
    assert not wire.transport.is_paused, "the whole body has come"
    assert body_of(exchange) == b"78" + b"9" * 12
    assert exchange.body.length == 20
    answer(exchange)
    wire.loop.run()
    assert statuses(wire) == [200]
    assert not wire.is_closed


def test_an_answer_before_the_body_has_come_closes(streaming_wire, application, records):
    wire = streaming_wire
    wire.send(LONG + b"12345678")
    body = application[0].body
    answer(application[0], b"enough")
    wire.loop.run()
    wire.send(b"9")
    (one,) = read_answers(wire.take(), is_closed=wire.is_closed)
    assert one.closes
    assert wire.transport.has_ended
    assert records == application
    with pytest.raises(ClientDisconnected):
        body.wait_and_take(99) and body.wait_and_take(99)


def test_the_body_of_an_asynchronous_invocation_is_never_streamed(streaming_wire, application):
    """Its answer comes before the handler has run, and nothing is read behind an early answer."""
    wire = streaming_wire
    wire.send(LONG.replace(b"Host: a", b"Host: a\r\nX-Fc-Invocation-Type: Async") + b"9" * 19)
    assert application == []
    wire.send(b"9")
    assert body_of(application[0]) == b"9" * 20


@pytest.mark.parametrize("is_claimed", [False, True])
def test_a_streamed_body_that_breaks_a_rule(make_site, application, records, is_claimed):
    site = make_site(limits=Limits(body_buffer=8))
    wire = Wire(site)
    wire.send(CHUNKED + b"8\r\n12345678\r\n")
    (exchange,) = application
    if is_claimed:
        exchange.start(OK, None)
        exchange.write(b"part")
    assert exchange.body.take(8) == b"12345678"
    wire.loop.run()
    wire.send(b"ZZ\r\n")
    with pytest.raises(Exception, match="chunk"):
        exchange.body.take(1)
    if is_claimed:
        assert wire.transport.is_lost
        assert records == []
        with pytest.raises(ClientDisconnected):
            exchange.write(b"more")
    else:
        assert statuses(wire) == [400]
    exchange.abandon()
    exchange.release()
    wire.reset()
    assert records == [exchange]
    site.budget.settle()
    assert site.budget.used == 0


# --- clients that leave ------------------------------------------------------------------------


def test_a_client_that_half_closes_gets_its_answers(wire, application):
    wire.send(GET + GET)
    wire.end()
    for exchange in application:
        answer(exchange)
        wire.loop.run()
    assert statuses(wire, ["GET"] * 2) == [200, 200]
    assert wire.transport.is_lost


@pytest.mark.parametrize("part", [b"", b"hel"])
def test_a_client_that_half_closes_within_a_body(wire, application, part):
    wire.send(POST + part)
    wire.end()
    assert application == []
    assert statuses(wire, ["POST"]) == [400]
    assert wire.transport.is_lost


def test_a_client_that_half_closes_between_requests(wire):
    wire.end()
    assert wire.transport.is_lost
    assert wire.take() == b""


@pytest.mark.parametrize("moment", ["body", "queued", "answered"])
def test_a_reset_gives_the_body_back_once(wire, application, records, site, moment):
    wire.send(POST + b"hel")
    assert site.budget.used == 3
    if moment != "body":
        wire.send(b"lo")
    if moment == "answered":
        answer(application[0])
    wire.reset()
    if moment == "queued":
        site.budget.settle()
        assert site.budget.used == 5, "it waits in the queue of the threads, with its body"
        application[0].release()
    site.budget.settle()
    assert site.budget.used == 0
    assert len(records) == 1
    assert wire.duplicate.times_closed


def test_an_idle_connection_keeps_no_body(wire, application):
    wire.send(POST + b"hello")
    (exchange,) = application
    body = exchange.body.open()
    answer(exchange)
    wire.loop.run()
    assert not wire.is_closed
    assert exchange.body is None
    assert body.read() == b"hello", "who has it may go on"


class Canary:
    """Lives as long as what refers to it."""


@pytest.mark.parametrize(
    "sent", [GET, BAD, POST + b"hel", POST + b"hello", LONG + b"12345678", LONG + b"1" * 20]
)
@pytest.mark.parametrize("is_answered", [True, False])
def test_a_connection_that_is_lost_is_freed_without_the_cycle_collector(
    streaming_wire, application, records, sent, is_answered
):
    wire = streaming_wire
    canary = Canary()
    is_alive = weakref.ref(canary)
    wire.connection.environ = {"canary": canary}
    gc.disable()
    try:
        wire.send(sent)
        if is_answered and application:
            answer(application[0])
        wire.reset()
        wire.loop.run()
        if not is_answered and application:
            application[0].release()
        wire.transport.protocol = None  # As uvloop does.
        wire.connection = None
        application.clear()
        records.clear()
        del canary
        assert is_alive() is None
    finally:
        gc.enable()


# --- deadlines ---------------------------------------------------------------------------------


def check(wire, seconds):
    """Let time pass and have the deadlines looked at."""
    wire.loop.now += seconds
    wire.connection.check_deadline(wire.loop.now)
    wire.loop.run()


def test_an_idle_connection_is_closed_without_a_word(wire, site):
    check(wire, 0)
    check(wire, site.timeouts.keep_alive)
    assert not wire.is_closed
    check(wire, 0.1)
    assert wire.transport.is_lost
    assert wire.take() == b""


def test_a_request_that_has_come_in_time_is_read_though_the_loop_is_late(wire, application, site):
    """As in a process that was frozen."""
    wire.send(GET)
    answer(application[0])
    check(wire, 1000)
    wire.connection.writer.duplicate.unread = GET
    check(wire, site.timeouts.keep_alive + 1)
    assert not wire.is_closed
    wire.connection.writer.duplicate.unread = b""
    wire.send(GET)
    assert len(application) == 2


def test_an_idle_connection_keeps_nothing_of_its_last_head(wire, application, site):
    """A client that repeats a head has it parsed once, until the connection has been idle."""
    heads = []
    for is_idle in (False, True, False):
        wire.send(GET)
        heads.append(application[-1].head)
        answer(application[-1])
        wire.loop.run()
        assert wire.connection._parser.size > 0
        if is_idle:
            check(wire, 0)
            assert wire.connection._parser.size == 0
    assert heads[0] is heads[1]
    assert heads[1] is not heads[2]


def test_idle_time_begins_behind_the_answer(wire, application, site):
    check(wire, 50)
    wire.send(GET)
    check(wire, 1000)
    assert not wire.is_closed, "a running handler has its own deadline"
    answer(application[0])
    check(wire, 1000)
    check(wire, site.timeouts.keep_alive - 1)
    assert not wire.is_closed
    check(wire, 1.1)
    assert wire.transport.is_lost


def test_a_slow_head(wire, records):
    wire.send(b"GET / HTTP/1.1\r\n")
    check(wire, 9)
    wire.send(b"Host:")
    check(wire, 1)
    assert not wire.is_closed
    check(wire, 0.1)
    assert statuses(wire, [None]) == [408]
    assert len(records) == 1


def test_a_slow_body(make_site, application, records):
    wire = Wire(make_site(timeouts=Timeouts(body=10, body_min_rate=1)))
    wire.send(POST)
    check(wire, 9)
    wire.send(b"hel")
    check(wire, 4)
    assert not wire.is_closed, "each byte has bought a second"
    check(wire, 0.1)
    assert statuses(wire, ["POST"]) == [408]
    assert application == []
    assert len(records) == 1


@pytest.mark.parametrize("drips", [False, True])
def test_a_body_that_stands_still(make_site, records, drips):
    """What it has sent buys no rest: it holds memory that others wait for."""
    wire = Wire(make_site(timeouts=Timeouts(body=10, body_min_rate=100)))
    wire.send(POST.replace(b": 5", b": 200000") + b"x" * 100_000)
    check(wire, 0.1)
    for _ in range(9):
        if drips:
            wire.send(b"x")
        check(wire, 1)
    assert not wire.is_closed
    check(wire, 1.2)
    assert statuses(wire, ["POST"]) == [408]
    assert len(records) == 1


@pytest.mark.parametrize(("end", "is_late"), [(19, False), (20, False), (20.1, True)])
def test_a_steady_body_has_an_end_too(make_site, application, end, is_late):
    wire = Wire(make_site(timeouts=Timeouts(body=10, body_min_rate=1, body_total=20)))
    wire.send(POST.replace(b": 5", b": 1000"))
    for _ in range(18):
        wire.send(b"x" * 9)
        check(wire, 1)
    check(wire, end - 18)
    assert wire.is_closed is is_late
    if is_late:
        assert statuses(wire, ["POST"]) == [408]
        assert application == []


def test_a_body_without_a_minimum_rate(make_site):
    wire = Wire(make_site(timeouts=Timeouts(body=10, body_min_rate=0)))
    wire.send(POST + b"hell")
    check(wire, 10)
    assert not wire.is_closed
    check(wire, 0.1)
    assert statuses(wire, ["POST"]) == [408]


def test_time_in_which_the_gateway_does_not_read_is_not_the_clients(make_site, application):
    site = make_site(budget=BodyBudget(4), timeouts=Timeouts(body=10, body_min_rate=0))
    first, second = Wire(site), Wire(site)
    first.send(POST + b"1234")
    second.send(POST + b"1")
    assert second.transport.is_paused
    check(second, 9)
    first.send(b"5")
    answer(application[0])
    first.loop.run()
    assert not second.transport.is_paused
    check(second, 9)
    assert not second.is_closed
    check(second, 1.1)
    assert statuses(second, ["POST"]) == [408]


def test_a_body_that_waits_too_long_for_memory(make_site, application):
    site = make_site(budget=BodyBudget(4), timeouts=Timeouts(body=10, body_min_rate=0))
    first, second = Wire(site), Wire(site)
    first.send(POST + b"1234")
    second.send(POST + b"1")
    check(second, 10)
    assert not second.is_closed
    check(second, 0.1)
    assert statuses(second, ["POST"]) == [503]
    first.send(b"5")
    answer(application[0])
    site.budget.settle()
    assert site.budget.used == 0


def test_a_client_that_takes_nothing(wire, application, site, records):
    wire.send(GET)
    wire.stop_reading()
    answer(application[0], b"x" * 1000)
    wire.loop.run()
    check(wire, site.timeouts.write)
    assert not wire.transport.is_lost
    wire.read_on(room=1)
    check(wire, 0.1)
    check(wire, site.timeouts.write)
    assert not wire.transport.is_lost, "one byte is progress"
    check(wire, 0.1)
    assert wire.transport.is_lost
    assert len(records) == 1


# --- draining ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("age", "is_left"), [(0.24, True), (0.25, True), (0.26, False)])
@pytest.mark.parametrize("is_swept", [False, True])
def test_draining_closes_what_is_idle_for_a_moment(wire, application, site, age, is_left, is_swept):
    """Its last answer may not have told that the connection ends, so one more may be coming."""
    wire.send(GET)
    answer(application[0])
    wire.loop.run()
    site.is_draining = True
    if is_swept:
        wire.connection.check_deadline(wire.loop.now)
    assert not wire.connection.drain()
    wire.loop.now += age
    assert not wire.connection.drain()
    wire.loop.run()
    assert wire.transport.is_lost != is_left
    if is_left:
        wire.take()
        wire.send(GET)
        answer(application[-1])
        wire.loop.run()
        (one,) = read_answers(wire.take(), is_closed=wire.is_closed)
        assert one.closes


def test_draining_does_not_close_behind_an_answer_that_has_not_said_so(wire, application, site):
    wire.send(GET)
    answer(application[0])
    site.is_draining = True
    wire.loop.run()
    (one,) = read_answers(wire.take(), is_closed=False)
    assert not one.closes
    assert not wire.is_closed
    wire.send(GET)
    answer(application[1])
    wire.loop.run()
    (other,) = read_answers(wire.take(), is_closed=wire.is_closed)
    assert other.closes


@pytest.mark.parametrize(("age", "is_left"), [(0, True), (0.99, True), (1, False), (1.01, False)])
@pytest.mark.parametrize("is_swept", [False, True])
def test_draining_gives_a_new_connection_time_for_its_first_request(
    wire, application, site, age, is_left, is_swept
):
    if is_swept:
        wire.connection.check_deadline(wire.loop.now)
    wire.loop.now += age
    site.is_draining = True
    assert wire.connection.drain() == is_left
    wire.loop.run()
    assert wire.transport.is_lost != is_left
    if is_left:
        wire.send(GET)
        answer(application[0])
        wire.loop.run()
        (one,) = read_answers(wire.take(), is_closed=wire.is_closed)
        assert one.closes


def test_draining_lets_a_request_end(wire, application, site):
    wire.send(GET)
    site.is_draining = True
    wire.connection.drain()
    assert not wire.is_closed
    answer(application[0])
    wire.loop.run()
    (one,) = read_answers(wire.take(), is_closed=wire.is_closed)
    assert one.closes


def test_draining_answers_what_was_pipelined(wire, application, site):
    wire.send(GET + GET)
    site.is_draining = True
    for exchange in application:
        answer(exchange)
        wire.loop.run()
    assert statuses(wire, ["GET"] * 2) == [200, 200]
    assert wire.transport.has_ended
    wire.send(GET)
    assert not wire.transport.is_lost, "a reset could overtake the answers"
    wire.end()
    assert wire.transport.is_lost
    assert len(application) == 2


def test_draining_waits_for_a_head_that_has_begun(wire, application, site):
    wire.send(GET[:10])
    site.is_draining = True
    wire.connection.drain()
    assert not wire.is_closed
    wire.send(GET[10:])
    answer(application[0])
    wire.loop.run()
    assert statuses(wire) == [200]
    assert wire.is_closed


def test_draining_does_not_wait_long_for_a_refused_client(wire, site):
    wire.send(BAD)
    site.is_draining = True
    (client,) = site.connections
    for _ in range(10):
        client.drain()
        wire.loop.now += 0.19
        client.check_deadline(wire.loop.now)
        wire.loop.run()
    assert not wire.transport.is_lost
    client.drain()
    client.check_deadline(wire.loop.now + 0.2)
    wire.loop.run()
    assert wire.transport.is_lost


# --- others ------------------------------------------------------------------------------------


def test_waiting_for_the_client(site, application):
    async def wait():
        wire = Wire(site)
        await wire.connection.drained()
        wire.stop_reading()
        wire.connection.write(b"x")
        waiting = asyncio.ensure_future(wire.connection.drained())
        await asyncio.sleep(0)
        assert not waiting.done()
        wire.read_on()
        await waiting
        wire.stop_reading()
        wire.connection.write(b"x")
        waiting = asyncio.ensure_future(wire.connection.drained())
        given_up = asyncio.ensure_future(wire.connection.drained())
        await asyncio.sleep(0)
        given_up.cancel()
        await asyncio.sleep(0)
        wire.reset()
        with pytest.raises(ClientDisconnected):
            await waiting
        with pytest.raises(ClientDisconnected):
            await wire.connection.drained()

    asyncio.run(wait())


def test_no_descriptor_for_the_duplicate(site, monkeypatch, caplog):
    """The worker has run out of descriptors: this connection ends, others go on."""

    def dup(_):
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(FakeSocket, "dup", dup)
    wire = Wire(site)
    wire.send(GET)
    wire.loop.run()
    assert wire.transport.is_lost
    assert site.connections == set()
    site.troubles.check(site.loop.now)
    assert [record.getMessage() for record in caplog.records] == [
        "1 connections were closed: the system had no descriptor for their responses "
        "(the last: Too many open files); raise the limit of open files, or lower "
        "--max-connections"
    ]


# --- refusals of HEAD --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "has_body"),
    [
        (b"HEAD /\0 HTTP/1.1\r\nHost: a\r\n\r\n", False),
        (b"HEAD / HTTP/9.9\r\nHost: a\r\n\r\n", False),
        (b"\r\n\r\nHEAD  / HTTP/1.1\r\nHost: a\r\n\r\n", False),
        (b"HEADS / HTTP/1.1\r\nHost: a\r\n\r\n", True),
        (b"GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n", True),
        (b"rubbish\r\n\r\n", True),
    ],
)
def test_a_refusal_of_head_has_no_body_however_it_comes(make_site, data, has_body):
    for size in (1, 3, 7, len(data)):
        wire = Wire(make_site())
        for start in range(0, len(data), size):
            wire.send(data[start : start + size])
        wire.end()
        head, _, body = bytes(wire.take()).partition(b"\r\n\r\n")
        assert int(re.search(rb"Content-Length: (\d+)", head)[1]) > 0
        assert bool(body) is has_body, size


def test_the_head_request_before_is_not_the_one_that_is_refused(wire, application):
    wire.send(b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n")
    application[0].respond(OK, b"", 0)
    wire.take()
    wire.send(b"rubbish\r\n\r\n")
    assert b"request line" in wire.take()
