"""What connections hold of requests that cannot run yet."""

import pytest
from unit.http.wire import body_of

from gateway.http.connection.connection_warnings import ConnectionWarnings
from gateway.http.connection.pending_input import PendingInput
from gateway.http.message.response import status_of
from gateway.http.message.response_head import ResponseHead

OK = ResponseHead.of(status_of(200), [])

HEAD = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n"


class Holder:
    def __init__(self):
        self.times_shed = 0

    def shed(self):
        self.times_shed += 1


@pytest.mark.parametrize(("size", "shed"), [(49, 0), (50, 0), (51, 1)])
def test_the_oldest_gives_up(size, shed, caplog):
    troubles = ConnectionWarnings()
    backlog = PendingInput(100, troubles.shed)
    first, second = Holder(), Holder()
    backlog.hold(first, 10)
    backlog.hold(second, 50)
    backlog.hold(first, size)
    assert (first.times_shed, second.times_shed) == (shed, 0)
    assert backlog.total == 50 + (0 if shed else size)
    troubles.check(0.0)
    troubles.check(0.1)
    assert [record.getMessage() for record in caplog.records] == [
        "1 connections dropped requests: incomplete requests took too much memory; "
        "raise --workers, unless this is an attack"
    ] * shed
    backlog.release(first)
    backlog.release(second)
    backlog.release(second)
    assert backlog.total == 0


def backlog_of(site, limit):
    site.pending_input = PendingInput(limit, site.troubles.shed)
    return site.pending_input


def test_an_open_head_is_counted_until_it_is_whole(wire, application, site):
    backlog = backlog_of(site, 10_000)
    wire.send(HEAD[:20])
    assert backlog.total == 4 * 20
    wire.send(HEAD[20:30])
    assert backlog.total == 4 * 30
    wire.send(HEAD[30:] + b"body")
    assert backlog.total == 0
    assert body_of(application[0]) == b"body"


LONG = HEAD.replace(b"Host: a", b"Host: a\r\nX-A: " + b"b" * 1000)


def test_a_head_is_counted_while_its_body_is_on_its_way(wire, application, site):
    backlog = backlog_of(site, 10_000)
    wire.send(LONG + b"bo")
    assert backlog.total == 4 * len(LONG)
    wire.send(b"dy")
    assert backlog.total == 0
    assert len(application) == 1


def test_what_waits_behind_a_running_request_is_counted(wire, application, site):
    backlog = backlog_of(site, 10_000)
    wire.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" + HEAD)
    assert backlog.total == len(HEAD)
    wire.reset()
    site.loop.run()
    assert backlog.total == 0


@pytest.mark.parametrize("sent", [LONG[:30], LONG, LONG + b"bo"])
def test_what_cannot_run_yet_is_refused_when_there_is_no_memory(wire, application, site, sent):
    backlog = backlog_of(site, 10)
    wire.send(sent)
    assert wire.take().startswith(b"HTTP/1.1 503 ")
    assert backlog.total == 0
    wire.send(LONG[len(sent) :] + b"body" + HEAD + b"body")
    assert not application


@pytest.mark.parametrize("method", [b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", HEAD + b"body"])
def test_a_running_request_is_answered_and_the_next_dropped(wire, application, site, method):
    backlog = backlog_of(site, 10)
    wire.send(method + HEAD + b"body")
    assert backlog.total == 0
    assert len(application) == 1
    application[0].respond(OK, b"x", 1)
    site.loop.run()
    assert wire.take().startswith(b"HTTP/1.1 200 ")
    assert len(application) == 1
