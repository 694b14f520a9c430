"""One exchange: who may answer, who wakes whom, and what is left of it."""

import pytest
from unit.http.response_reader import read_answers
from unit.http.wire import Wire

from gateway.errors import ClientDisconnected, MalformedRequest, QueueFull
from gateway.http.connection.shared_state import Timeouts
from gateway.http.connection.socket_writer import SocketWriter
from gateway.http.message.response import status_of
from gateway.http.message.response_head import FAULT, ResponseHead

OK = ResponseHead.of(status_of(200), [])
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
HEAD = b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"
OLD = b"GET / HTTP/1.0\r\n\r\n"


@pytest.fixture
def exchange(wire, application):
    """An exchange that waits for its answer, to GET on HTTP/1.1."""
    wire.send(GET)
    (exchange,) = application
    return exchange


# --- from a pool thread ------------------------------------------------------------------------


def test_a_whole_answer(wire, exchange, records):
    exchange.respond(ResponseHead.of(status_of(200), [("X-A", "b")]), b"hello", 5)
    assert exchange.is_done
    (answer,) = read_answers(wire.take(), is_closed=wire.is_closed)
    assert (answer.status, answer.body, answer.fields["x-a"]) == (200, b"hello", "b")
    assert answer.fields["x-fc-request-id"] == "request-1"
    assert records == [exchange]
    assert (exchange.status, exchange.bytes_sent) == (200, 5)


def test_an_answer_in_parts_of_unknown_length(wire, exchange, records):
    exchange.start(OK, None)
    assert wire.take() == b"", "the head leaves with the first part"
    exchange.write(b"one")
    first = wire.take()
    assert first.endswith(b"\r\n\r\n3\r\none\r\n")
    exchange.write(b"")
    assert wire.take() == b"", "an empty part would be the last chunk"
    exchange.write(b"two")
    assert records == []
    assert exchange.finish()
    (answer,) = read_answers(first + wire.take(), is_closed=wire.is_closed)
    assert answer.body == b"onetwo"
    assert records == [exchange]
    assert exchange.bytes_sent == 6


def test_an_answer_in_parts_ends_with_its_length(wire, exchange, records):
    exchange.start(OK, 6)
    exchange.write(b"one")
    assert not exchange.is_done
    exchange.write(b"twothree")
    assert exchange.is_done, "the part that completes the length ends the exchange"
    exchange.write(b"four")
    assert exchange.finish()
    (answer,) = read_answers(wire.take(), is_closed=wire.is_closed)
    assert answer.body == b"onetwo"
    assert records == [exchange]


def test_an_answer_shorter_than_announced_is_cut_visibly(wire, exchange, records):
    exchange.start(OK, 6)
    exchange.write(b"one")
    assert not exchange.finish()
    wire.loop.run()
    assert wire.is_closed
    assert wire.take().endswith(b"\r\n\r\none")
    assert records == [exchange]


@pytest.mark.parametrize("length", [None, 4])
def test_head_has_no_body_in_parts(wire, application, length):
    wire.send(HEAD)
    (exchange,) = application
    exchange.start(OK, length)
    exchange.write(b"body")
    assert exchange.finish()
    (answer,) = read_answers(wire.take(), ["HEAD"], is_closed=wire.is_closed)
    assert answer.body == b""
    assert exchange.bytes_sent == 0
    assert not wire.is_closed


def test_head_tells_the_length_that_get_would_have(wire, application):
    wire.send(HEAD)
    application[0].respond(OK, b"", 1234)
    (answer,) = read_answers(wire.take(), ["HEAD"], is_closed=wire.is_closed)
    assert answer.fields["content-length"] == "1234"


def test_http_1_0_gets_an_unknown_length_until_close(wire, application):
    wire.send(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
    exchange = application[0]
    exchange.start(OK, None)
    exchange.write(b"one")
    exchange.write(b"two")
    assert exchange.finish()
    wire.loop.run()
    assert wire.is_closed
    assert read_answers(wire.take())[0].body == b"onetwo"


@pytest.mark.parametrize("code", [204, 304])
def test_a_status_without_body_keeps_none(wire, exchange, code):
    exchange.respond(ResponseHead.of(status_of(code), []), b"body", 4)
    (answer,) = read_answers(wire.take(), is_closed=wire.is_closed)
    assert answer.body == b""
    assert exchange.bytes_sent == 0


# --- what the kernel does not take --------------------------------------------------------------


def test_the_loop_sends_what_the_kernel_did_not_take(wire, exchange, records):
    wire.stop_reading(room=100)
    exchange.respond(OK, b"x" * 1000, 1000)
    assert not exchange.is_done, "the rest is not with the transport yet"
    assert records == []
    wire.loop.run()
    assert exchange.is_done
    assert records == [exchange]
    wire.read_on()
    assert read_answers(wire.take(), is_closed=wire.is_closed)[0].body == b"x" * 1000


@pytest.mark.parametrize("room", [0, 1, 50, 200, 70_000])
def test_a_large_answer_is_not_copied_and_not_torn(wire, exchange, room):
    body = bytes(range(256)) * 400
    wire.stop_reading(room)
    exchange.respond(OK, body, len(body))
    wire.loop.run()
    wire.read_on()
    assert read_answers(wire.take(), is_closed=wire.is_closed)[0].body == body


@pytest.mark.parametrize("ending", ["finish", "abandon", "write", "expire"])
def test_a_thread_that_goes_on_behind_its_last_part_ends_nothing_twice(
    wire, application, records, ending
):
    """The last part of a known length did not fit: it is the loop's, and so is the end."""
    wire.send(GET)
    exchange = application[0]
    exchange.start(OK, 1000)
    wire.stop_reading(room=300)
    exchange.write(b"x" * 1000)
    if ending == "finish":
        assert exchange.finish()
    elif ending == "write":
        exchange.write(b"more")
        assert exchange.finish()
    elif ending == "abandon":
        exchange.abandon()
    assert not exchange.is_done, "or the next request would be answered into this answer"
    assert records == []
    wire.loop.run()
    assert records == [exchange]
    wire.read_on()
    assert read_answers(wire.take(), is_closed=wire.is_closed)[0].body == b"x" * 1000


# --- the claim ----------------------------------------------------------------------------------


def test_only_one_claims(exchange):
    assert exchange.claim()
    assert not exchange.claim()
    assert not exchange.respond_soon(OK, b"")
    assert not exchange.start_soon(OK, None)
    with pytest.raises(ClientDisconnected):
        exchange.respond(OK, b"", 0)
    with pytest.raises(ClientDisconnected):
        exchange.start(OK, None)


def test_the_loop_answers_first(wire, exchange, records):
    assert exchange.refuse(QueueFull("full"))
    with pytest.raises(ClientDisconnected):
        exchange.respond(OK, b"late", 4)
    exchange.abandon()
    wire.loop.run()
    (answer,) = read_answers(wire.take(), is_closed=wire.is_closed)
    assert answer.status == 429
    assert not wire.is_closed, "a full queue says nothing against the connection"
    assert records == [exchange]


def test_a_timeout_answers_for_a_thread_that_has_not_begun(wire, exchange, records):
    exchange.expire(FAULT, b"late")
    wire.loop.run()
    assert read_answers(wire.take(), is_closed=wire.is_closed)[0].body == b"late"
    with pytest.raises(ClientDisconnected):
        exchange.respond(OK, b"", 0)
    assert records == [exchange]


def test_a_timeout_cuts_a_thread_that_has_begun(wire, exchange, records):
    exchange.start(OK, None)
    exchange.write(b"part")
    exchange.expire(FAULT, b"late")
    wire.loop.run()
    assert wire.transport.is_lost
    with pytest.raises(ClientDisconnected):
        exchange.write(b"more")
    exchange.abandon()
    wire.loop.run()
    assert records == [exchange]
    assert exchange.status == 200, "it was not the client who left"
    assert wire.duplicate.times_closed
    assert b"late" not in wire.take()


def test_a_timeout_behind_the_answer_does_nothing(wire, exchange, records):
    exchange.respond(OK, b"", 0)
    exchange.expire(FAULT, b"late")
    wire.loop.run()
    assert not wire.is_closed
    assert records == [exchange]


# --- the turn: who wakes whom ------------------------------------------------------------------


def test_a_kept_connection_is_not_woken_for_nothing(wire, exchange):
    exchange.respond(OK, b"", 0)
    assert not wire.loop._ready


@pytest.mark.parametrize("first", ["thread", "loop"])
def test_the_next_request_is_found_in_either_order(wire, application, records, first):
    wire.send(GET)
    if first == "thread":
        application[0].respond(OK, b"1", 1)
        wire.send(GET)
    else:
        wire.send(GET)
        assert len(application) == 1
        application[0].respond(OK, b"1", 1)
        wire.loop.run()
    assert len(application) == 2
    application[1].respond(OK, b"2", 1)
    answers = read_answers(wire.take(), ["GET"] * 2, is_closed=wire.is_closed)
    assert [answer.body for answer in answers] == [b"1", b"2"]
    assert records == application


def test_wait_for_end_before_and_behind_the_end(exchange):
    assert not exchange.wait_for_end(), "the thread will wake the loop"
    assert not exchange.wait_for_end(), "still so"
    exchange.respond(OK, b"", 0)
    assert exchange.wait_for_end(), "nobody will wake the loop any more"


def test_a_connection_not_to_be_kept_is_woken_to_close(wire, application):
    wire.send(OLD)
    application[0].respond(OK, b"x", 1)
    assert not wire.is_closed
    wire.loop.run()
    assert wire.is_closed


# --- from the loop -----------------------------------------------------------------------------


def test_parts_from_the_loop(wire, exchange, records):
    assert exchange.start_soon(OK, None)
    exchange.write_soon(b"one")
    exchange.write_soon(b"")
    exchange.write_soon(b"two")
    assert exchange.finish_soon()
    assert read_answers(wire.take(), is_closed=wire.is_closed)[0].body == b"onetwo"
    assert records == [exchange]
    assert exchange.finish_soon()
    assert records == [exchange]


def test_parts_from_the_loop_shorter_than_announced(wire, exchange):
    exchange.start_soon(OK, 6)
    exchange.write_soon(b"one")
    assert not exchange.finish_soon()
    wire.loop.run()
    assert wire.is_closed


def test_a_refusal_that_closes(wire, exchange):
    exchange.refuse(MalformedRequest("bad"))
    wire.loop.run()
    (answer,) = read_answers(wire.take(), is_closed=wire.is_closed)
    assert (answer.status, answer.closes) == (400, True)


# --- lost clients ------------------------------------------------------------------------------


def test_a_client_that_leaves_while_the_request_waits(wire, exchange, records):
    gone = []
    exchange.on_disconnect = lambda: gone.append(1)
    wire.reset()
    assert exchange.is_done
    assert (records, exchange.status, gone) == ([exchange], 499, [1])
    assert wire.duplicate.times_closed
    with pytest.raises(ClientDisconnected):
        exchange.respond(OK, b"", 0)
    exchange.abandon()
    wire.loop.run()
    assert records == [exchange]


def test_a_client_that_leaves_while_a_thread_writes(wire, exchange, records):
    exchange.start(OK, None)
    exchange.write(b"one")
    wire.reset()
    assert not wire.duplicate.times_closed, "the thread may be writing to it"
    assert records == []
    with pytest.raises(ClientDisconnected):
        exchange.write(b"two")
    exchange.abandon()
    wire.loop.run()
    assert wire.duplicate.times_closed
    assert (records, exchange.status) == ([exchange], 499)


def test_a_client_that_leaves_before_the_loop_sends_the_rest(wire, exchange, records):
    wire.stop_reading(room=10)
    exchange.respond(OK, b"x" * 100, 100)
    wire.transport._lose(None)
    assert not wire.duplicate.times_closed
    wire.loop.run()
    assert wire.duplicate.times_closed
    assert records == [exchange]


def test_a_thread_that_gives_up_before_it_claimed(wire, exchange, records):
    exchange.abandon()
    wire.loop.run()
    assert wire.transport.is_lost
    assert records == [exchange]
    assert wire.take() == b""


def test_no_wake_up_reaches_a_closed_loop(wire, exchange, monkeypatch):
    def closed(*_):
        raise RuntimeError("Event loop is closed")

    monkeypatch.setattr(wire.loop, "call_soon_threadsafe", closed)
    exchange.keep_alive = False
    exchange.respond(OK, b"", 0)
    assert exchange.is_done


@pytest.mark.parametrize("keep_alive", [0, 75])
def test_connections_are_not_kept_without_a_keep_alive_timeout(make_site, application, keep_alive):
    wire = Wire(make_site(timeouts=Timeouts(keep_alive=keep_alive)))
    wire.send(GET)
    application[0].respond(OK, b"", 0)
    wire.loop.run()
    assert wire.is_closed == (keep_alive == 0)


def test_what_is_cut_is_not_closed_in_order(make_site, application):
    """Found by the state machine: bytes that came in between had the end of it look like a whole.

    An answer to HTTP/1.0 ends with its connection, so only a reset can tell.
    """
    wire = Wire(make_site())
    wire.send(b"GET / HTTP/1.0\r\n\r\n")
    (exchange,) = application
    exchange.start(OK, None)
    exchange.write(b"part")
    exchange.abandon()
    wire.send(b"GET /next HTTP/1.0\r\n\r\n")  # Before the loop looks at what the thread has left.
    assert wire.transport.is_aborted
    assert not wire.transport.has_ended


@pytest.mark.parametrize("has_left", [False, True])
def test_nobody_else_writes_while_it_is_asked_whether_the_client_reads(
    wire, exchange, records, monkeypatch, has_left
):
    """Nor is the socket closed, whose number another client's might have then."""

    def is_reset_by(_, interim):
        assert interim == b"HTTP/1.1 100 Continue\r\n\r\n"
        exchange.expire(FAULT, b"late")
        wire.reset()
        assert wire.take() == b""
        assert not wire.duplicate.times_closed
        return has_left

    monkeypatch.setattr(SocketWriter, "is_reset_by", is_reset_by)
    wire.end()
    assert exchange.has_left() is has_left
    if not has_left:
        with pytest.raises(ClientDisconnected):
            exchange.respond(OK, b"", 0)
    exchange.abandon()
    wire.loop.run()
    assert records == [exchange]
    assert wire.duplicate.times_closed == 1


def test_who_reads_on_is_answered_behind_the_question(wire, exchange, monkeypatch):
    monkeypatch.setattr(SocketWriter, "is_reset_by", lambda *_: False)
    wire.end()
    assert not exchange.has_left()
    exchange.respond(OK, b"here", 4)
    wire.loop.run()
    (answer,) = read_answers(wire.take(), is_closed=wire.is_closed)
    assert answer.body == b"here"


def test_it_is_not_asked_behind_an_answer(wire, exchange, monkeypatch):
    monkeypatch.delattr(SocketWriter, "is_reset_by")
    wire.end()
    exchange.expire(FAULT, b"late")
    assert exchange.has_left()


@pytest.mark.parametrize("abandon", ["abandon", "abandon_soon"])
def test_an_answer_given_up_is_not_the_client_s_doing(wire, exchange, records, abandon):
    """It has half-closed, and reads what it gets."""
    wire.end()
    exchange.start(OK, None)
    exchange.write(b"part")
    getattr(exchange, abandon)()
    wire.loop.run()
    assert records == [exchange]
    assert exchange.status == 200
    assert wire.transport.is_aborted
