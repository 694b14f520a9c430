"""The runner behind the gateway's own connections."""

import json
from threading import Event

import pytest
from unit.http.response_reader import read_answers
from unit.http.wire import Wire

from gateway.http.body.body import BodyBudget
from gateway.limits import Limits
from gateway.wsgi.runner import WsgiRunner

PATIENCE = 10.0
GET = b"GET /a?b HTTP/1.1\r\nHost: h\r\n\r\n"
ASYNC = (
    b"POST / HTTP/1.1\r\nHost: h\r\nX-Fc-Invocation-Type: Async\r\nContent-Length: 5\r\n\r\nhello"
)


class HeldHandler:
    """A handler that notes its environ, and waits where it is told to."""

    def __init__(self):
        self.environs = []
        self.bodies = []
        self.begun = Event()
        self.go = Event()
        self.go.set()
        self.fault = None

    def __call__(self, environ, start_response):
        self.environs.append(environ)
        self.bodies.append(environ["wsgi.input"].read())
        self.begun.set()
        self.go.wait(PATIENCE)
        if self.fault is not None:
            raise self.fault
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"answer"]


class Stage:
    """A runner with a handler, and connections to it."""

    def __init__(self, make_site, **options):
        self.handler = HeldHandler()
        self.bridge = WsgiRunner(self.handler, **({"threads": 1} | options))
        self.site = make_site(application=self.bridge, budget=BodyBudget(1 << 20))
        self.bridge._pool.start(self.site.loop.call_soon)

    def connect(self, **more):
        return Wire(self.site, **more)

    def settle(self):
        """Wait until every queued invocation has ended, and the loop has heard of it."""
        pool = self.bridge._pool
        threads = list(pool._threads)
        pool.stop()
        for thread in threads:
            thread.join(PATIENCE)
            assert not thread.is_alive()
        self.site.loop.run()
        self.site.budget.settle()
        pool._threads.clear()
        pool.start(self.site.loop.call_soon)


@pytest.fixture
def make_stage(make_site):
    stages = []

    def make(**options):
        stages.append(Stage(make_site, **options))
        return stages[-1]

    yield make
    for stage in stages:
        stage.handler.go.set()
        stage.settle()
        stage.bridge.stop()


@pytest.fixture
def stage(make_stage):
    return make_stage()


def test_a_request(stage, records):
    wire = stage.connect()
    wire.send(GET)
    stage.settle()
    (answer,) = read_answers(wire.take(), is_closed=wire.is_closed)
    assert (answer.status, answer.body) == (200, b"answer")
    (environ,) = stage.handler.environs
    assert environ["PATH_INFO"] == "/a"
    assert environ["REMOTE_ADDR"] == "203.0.113.9"
    assert environ["fc.context"].request_id == answer.fields["x-fc-request-id"] == "request-1"
    assert len(records) == 1


def test_a_body_is_given_back_behind_the_handler(stage):
    wire = stage.connect()
    stage.handler.go.clear()
    wire.send(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello")
    assert stage.handler.begun.wait(PATIENCE)
    assert stage.site.budget.used == 5
    stage.handler.go.set()
    stage.settle()
    assert stage.handler.bodies == [b"hello"]
    assert stage.site.budget.used == 0


def test_requests_of_a_connection_share_what_they_may(stage):
    wire = stage.connect()
    for _ in range(2):
        wire.send(GET)
        stage.settle()
    first, second = stage.handler.environs
    assert first is not second
    assert wire.connection.environ["SERVER_PORT"] == "8000"
    assert "PATH_INFO" not in wire.connection.environ


@pytest.mark.parametrize(("threads", "is_multithread"), [(1, False), (2, True)])
def test_multithread(make_stage, threads, is_multithread):
    stage = make_stage(threads=threads)
    stage.connect().send(GET)
    stage.settle()
    assert stage.handler.environs[0]["wsgi.multithread"] == is_multithread


def test_the_default_url(stage):
    wire = stage.connect()
    wire.send(b"GET /2016-08-15/proxy/svc.prod/fn/x%20y?q HTTP/1.1\r\nHost: h\r\n\r\n")
    stage.settle()
    (environ,) = stage.handler.environs
    context = environ["fc.context"]
    assert (context.service.name, context.service.qualifier) == ("svc", "prod")
    assert context.function.name == "fn"
    assert environ["PATH_INFO"] == "/x y"
    assert environ["SCRIPT_NAME"] == ""
    assert environ["fc.request_uri"] == "/2016-08-15/proxy/svc.prod/fn/x%20y?q"


def test_a_full_queue_is_told_at_once(make_stage, records):
    stage = make_stage(limit_queue=1)
    stage.handler.go.clear()
    first, second, third = (stage.connect() for _ in range(3))
    first.send(GET)
    assert stage.handler.begun.wait(PATIENCE)
    second.send(GET)
    third.send(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello")
    (answer,) = read_answers(third.take(), is_closed=third.is_closed)
    assert answer.status == 429
    assert answer.fields["retry-after"] == "1"
    assert json.loads(answer.body)["ErrorCode"] == "ResourceExhausted"
    assert not third.is_closed
    stage.site.budget.settle()
    assert stage.site.budget.used == 0, "its body is not kept"
    stage.handler.go.set()
    stage.settle()
    third.send(GET)
    stage.settle()
    for wire in (first, second, third):
        assert read_answers(wire.take(), is_closed=wire.is_closed)[0].status == 200
    assert len(records) == 4


def test_waiting_too_long(make_stage):
    stage = make_stage(queue_timeout=-1.0)
    wire = stage.connect()
    wire.send(GET)
    stage.settle()
    (answer,) = read_answers(wire.take(), is_closed=wire.is_closed)
    assert answer.status == 503
    assert stage.handler.environs == []


def test_a_handler_past_its_time(make_stage, records):
    stage = make_stage(handler_timeout=5.0)
    stage.handler.go.clear()
    wire = stage.connect()
    wire.send(GET)
    assert stage.handler.begun.wait(PATIENCE)
    thread = stage.bridge._pool._threads[0]
    stage.bridge.check_deadlines(thread.started_at + 6)
    stage.site.loop.run()
    (answer,) = read_answers(wire.take(), is_closed=wire.is_closed)
    assert answer.status == 502
    assert json.loads(answer.body) == {"errorMessage": "Function time out after 5 seconds"}
    stage.handler.go.set()
    thread.join(PATIENCE)
    stage.site.loop.run()
    assert wire.take() == b"", "the handler's own answer comes too late"
    assert len(records) == 1


# --- asynchronous invocations ------------------------------------------------------------------


def test_an_asynchronous_invocation_is_answered_before_it_runs(stage, records):
    stage.handler.go.clear()
    wire = stage.connect()
    wire.send(ASYNC)
    (answer,) = read_answers(wire.take(), ["POST"], is_closed=wire.is_closed)
    assert (answer.status, answer.body) == (202, b"")
    assert answer.fields["x-fc-request-id"] == "request-1"
    assert stage.handler.begun.wait(PATIENCE)
    wire.reset()
    assert stage.site.budget.used == 5, "the handler reads it still"
    stage.handler.go.set()
    stage.settle()
    assert stage.handler.bodies == [b"hello"]
    assert stage.handler.environs[0]["fc.context"].request_id == "request-1"
    assert stage.site.budget.used == 0
    assert len(records) == 1
    assert records[0].status == 202


def test_a_synchronous_request_may_follow(stage):
    wire = stage.connect()
    wire.send(ASYNC + GET)
    stage.settle()
    stage.settle()
    answers = read_answers(wire.take(), ["POST", "GET"], is_closed=wire.is_closed)
    assert [answer.status for answer in answers] == [202, 200]


def test_a_failing_asynchronous_invocation_is_logged(stage, caplog):
    stage.handler.fault = ValueError("lost")
    wire = stage.connect()
    wire.send(ASYNC)
    stage.settle()
    assert read_answers(wire.take(), ["POST"], is_closed=wire.is_closed)[0].status == 202
    assert "request-1: asynchronous invocation failed: 502" in caplog.text


@pytest.mark.parametrize("bound", [{"limit_queue": 0}, {"async_memory": 16_000}])
def test_asynchronous_invocations_are_bounded_before_they_are_accepted(make_stage, bound):
    stage = make_stage(**bound)
    stage.handler.go.clear()
    wire = stage.connect()
    wire.send(ASYNC)
    assert stage.handler.begun.wait(PATIENCE)
    wire.send(ASYNC)
    answers = read_answers(wire.take(), ["POST"] * 2, is_closed=wire.is_closed)
    assert [answer.status for answer in answers] == [202, 429]


def test_limits_of_the_response(make_stage):
    stage = make_stage(limits=Limits(max_response_header_bytes=10))
    wire = stage.connect()
    wire.send(GET)
    stage.settle()
    (answer,) = read_answers(wire.take(), is_closed=wire.is_closed)
    assert answer.status == 502
    assert json.loads(answer.body)["ErrorCode"] == "BadResponse"


def test_repr(stage):
    assert "HeldHandler object" in repr(stage.bridge)
    assert "0/1 busy" in repr(stage.bridge)
