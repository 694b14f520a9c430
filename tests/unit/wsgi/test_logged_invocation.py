"""Invocations that somebody listens to, and answers that wait for their end."""

import io
import sys
from base64 import b64decode
from contextlib import ExitStack

import pytest
from unit.wsgi.responder import RecordingResponder, in_pool_thread

from gateway.fc import names
from gateway.http.answers.error_style import FunctionCompute2
from gateway.logs.function_log import FunctionLog
from gateway.logs.line_forms import TextForm
from gateway.wsgi.deferred_response import DeferredResponse
from gateway.wsgi.invocation import Rules
from gateway.wsgi.logged_invocation import invocation as new_invocation

TEXT_FORM = TextForm()

PREFIX = f"\r\n{names.LOG_RESULT}: "


class Responder(RecordingResponder):
    def __init__(self, method="GET", *, wants_tail=True):
        super().__init__(method)
        self.head.wants_tail = wants_tail
        self.extra_fields = ""

    @property
    def tail(self):
        assert self.extra_fields.startswith(PREFIX), self.extra_fields
        return b64decode(self.extra_fields.removeprefix(PREFIX)).decode().splitlines()


@pytest.fixture
def lines():
    return []


@pytest.fixture
def rig(monkeypatch, lines):
    """Runs a handler for a responder, with a log that is written."""

    def start(handler, responder, form=TEXT_FORM):
        log = FunctionLog(form, lines.append, memory=1, tail_readers="everybody")
        stream = log._stream(io.TextIOWrapper(io.BytesIO()), "stdout")
        monkeypatch.setattr(sys, "stdout", stream)
        rules = Rules(
            handler,
            queue_timeout=30.0,
            handler_timeout=1.0,
            max_response_header_bytes=1000,
            error_style=FunctionCompute2(),
            function_log=log,
        )
        job = new_invocation(rules, responder, lambda exchange: {"exchange": exchange})
        stack.enter_context(in_pool_thread(job))
        return job

    with ExitStack() as stack:
        yield start


class Result:
    """Notes in its log how it is iterated and closed."""

    def __init__(self, *items):
        self.items = items

    def __iter__(self):
        for item in self.items:
            print("item")
            yield item

    def close(self):
        print("closed")


def answering(result, *headers):
    def handler(environ, start_response):
        assert type(environ["exchange"]) is Responder, "environ is made of the exchange itself"
        print("called")
        start_response("200 OK", list(headers))
        return result

    return handler


LENGTH = ("Content-Length", "4")


@pytest.mark.parametrize(
    ("handler", "said"),
    [
        (answering([b"body"]), ["called"]),
        (answering((b"bo", b"dy")), ["called"]),
        (answering(Result(b"body"), LENGTH), ["called", "item", "closed"]),
        (answering(Result()), ["called", "closed"]),
    ],
)
def test_a_whole_answer_waits_for_the_end(rig, handler, said):
    responder = Responder()
    rig(handler, responder).run(0.0)
    assert responder.calls == ["respond"]
    assert responder.tail[1:-3] == said
    assert responder.tail[-3].startswith("FC Invoke End")


def test_one_in_parts_does_not(rig, lines):
    responder = Responder()
    rig(answering(Result(b"bo", b"dy")), responder).run(0.0)
    assert responder.calls == ["start", "write", "write", "finish"]
    assert responder.body == b"body"
    assert responder.tail[1:] == ["called", "item"]
    assert lines[-1].startswith("FC Invoke End")


def test_write(rig):
    def handler(environ, start_response):
        write = start_response("200 OK", [])
        write(b"")
        print("before")
        write(b"a")
        print("behind")
        return []

    responder = Responder()
    rig(handler, responder).run(0.0)
    assert (responder.body, responder.tail[1:]) == (b"a", ["before"])


@pytest.mark.parametrize("items", [[], [b"body"]])
def test_head_waits_too(rig, items):
    responder = Responder("HEAD")
    rig(answering(Result(*items), *([LENGTH] if items else [])), responder).run(0.0)
    assert responder.tail[-4] == "closed"
    assert responder.status.code == 200


def test_write_of_nothing_ends_as_a_short_answer(rig, lines):
    """What it does without a tail."""

    def handler(environ, start_response):
        start_response("200 OK", [LENGTH])(b"")
        return []

    responder = Responder()
    rig(handler, responder).run(0.0)
    assert responder.calls == ["start", "finish"]
    assert any("the body is shorter than its Content-Length" in line for line in lines)


@pytest.mark.parametrize("wants_tail", [False, True])
def test_faults(rig, lines, wants_tail):
    def handler(environ, start_response):
        raise ValueError("no")

    responder = Responder(wants_tail=wants_tail)
    rig(handler, responder).run(0.0)
    assert responder.status.code == 502
    assert lines[-1] == ("FC Invoke End RequestId: request-1, Error: Unhandled function error\n")
    assert "ValueError: no" in "".join(lines)
    if wants_tail:
        assert "ValueError: no" in responder.tail[2]
    else:
        assert responder.extra_fields == ""


def test_a_fault_behind_a_whole_answer(rig, lines):
    class Failing(Result):
        def __iter__(self):
            yield b"body"
            raise ValueError("late")

    responder = Responder()
    rig(answering(Failing(), LENGTH), responder).run(0.0)
    assert (responder.calls, responder.status.code) == (["respond"], 200)
    assert responder.tail[-3].endswith(", Error: Unhandled function error")


def test_a_fault_behind_the_first_part_cuts(rig):
    class Failing(Result):
        def __iter__(self):
            yield b"bo"
            raise ValueError("late")

    responder = Responder()
    rig(answering(Failing()), responder).run(0.0)
    assert responder.calls == ["start", "write", "abandon"]


def test_headers_that_are_too_large(rig, lines):
    responder = Responder()
    rig(answering([b""], ("X", "x" * 1000)), responder).run(0.0)
    assert responder.status.code == 502
    assert lines[-1].endswith(", Error: the response headers are larger than 1000 bytes\n")
    assert responder.tail[-3] == lines[-1][:-1]


def test_a_client_that_leaves(rig, lines):
    responder = Responder()
    responder.leaves_before = "write"
    rig(answering(Result(b"bo", b"dy")), responder).run(0.0)
    assert responder.calls == ["start", "write", "abandon"]
    assert lines[-1].endswith(", Error: Invocation canceled by client\n")


def test_who_is_answered_for_is_not_answered_again(rig):
    """The handler's own answer comes too late."""
    responder = Responder()
    responder.leaves_before = "respond"
    rig(answering([b"body"]), responder).run(0.0)
    assert responder.calls == ["respond", "abandon"]


def test_the_loop_answers_for_one_past_its_time(rig, lines):
    responder = Responder()
    expired = []
    responder.expire = lambda head, body: expired.append((head.status.code, responder.tail))

    def handler(environ, start_response):
        print("begun")
        invocation.expire()
        print("late")
        start_response("200 OK", [])
        return [b"body"]

    invocation = rig(handler, responder)
    invocation.run(0.0)
    ((status, tail),) = expired
    assert status == 502
    assert tail[1:-2] == [
        "begun",
        "FC Invoke End RequestId: request-1, Error: Function time out after 1 seconds",
    ]
    assert responder.extra_fields.count(PREFIX) == 1
    assert lines[-1].endswith("[STDOUT] late\n")


def test_the_loop_answers_for_one_whose_thread_has_ended(rig, lines):
    responder = Responder()

    def handler(environ, start_response):
        print("begun")
        invocation.lose()
        responder.times_released = 0
        return []

    invocation = rig(handler, responder)
    invocation.run(0.0)
    assert responder.calls[0] == "respond"
    assert responder.tail[1] == "begun"
    assert responder.tail[-3].endswith(", Error: The thread of the handler was ended")


def test_without_a_form_only_clients_that_ask_get_a_log(rig, lines):
    for wants_tail in (False, True):
        responder = Responder(wants_tail=wants_tail)
        invocation = rig(answering([b"body"]), responder, form=None)
        invocation.run(0.0)
        assert bool(responder.extra_fields) is wants_tail
        assert (invocation._invocation_log is not None) is wants_tail
    assert lines == []


def test_asynchronous_invocations_have_no_tail(rig, lines):
    responder = Responder()
    responder.head.is_async = True
    rig(answering([b"body"]), responder).run(0.0)
    assert responder.extra_fields == ""
    assert lines[0].startswith("FC Invoke Start")


def test_a_held_answer_is_an_exchange():
    responder = Responder()
    log = FunctionLog(None, print, memory=1, tail_readers="everybody")
    held = DeferredResponse(responder, log.attend("Invoke", "request-1", True))
    held.extra_fields += "\r\nX: y"
    assert responder.extra_fields == held.extra_fields == "\r\nX: y"
    assert (held.head, held.request_id) == (responder.head, "request-1")
    assert not held.has_left()
    assert not held.is_done
    assert repr(held).startswith("<DeferredResponse open <")
    held.let_go()
    assert responder.calls == []
    held.abandon()
    assert responder.calls == ["abandon"]
    assert held.is_done
    held.release()
    assert responder.times_released == 1


def test_an_abandoned_beginning_is_never_sent():
    responder = Responder()
    log = FunctionLog(None, print, memory=1, tail_readers="everybody")
    held = DeferredResponse(responder, log.attend("Invoke", "request-1", True))
    held.start(None, None)
    held.abandon()
    held.let_go()
    assert responder.calls == ["abandon"]


def test_a_client_that_has_left_before_a_held_beginning_is_sent():
    responder = Responder("HEAD")
    responder.leaves_before = "start"
    log = FunctionLog(None, print, memory=1, tail_readers="everybody")
    held = DeferredResponse(responder, log.attend("Invoke", "request-1", True))
    held.start(None, None)
    assert held.finish()
    held.abandon()
    held.let_go()
    assert responder.calls == ["start", "abandon"]
