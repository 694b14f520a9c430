"""One run of a handler: each way to answer, and each way to go wrong."""

import json
import logging
import sys
from collections.abc import Iterator

import pytest
from unit.wsgi.responder import RecordingResponder, in_pool_thread

from gateway.errors import BadResponse, ClientDisconnected
from gateway.http.answers.error_style import FunctionCompute2
from gateway.http.message.response import Status
from gateway.http.message.response_head import ResponseHead
from gateway.wsgi.invocation import Invocation, Rules

TEXT = [("Content-Type", "text/plain")]


def rules_of(handler, **changes):
    values = {
        "queue_timeout": 30.0,
        "handler_timeout": 60.0,
        "max_response_header_bytes": 1000,
        "error_style": FunctionCompute2(shows_stack=True),
    }
    return Rules(handler, **(values | changes))


def run(handler, responder=None, waited=0.0, **changes):
    """What the handler's invocation answered."""
    responder = responder or RecordingResponder()
    invocation = Invocation(rules_of(handler, **changes), responder, lambda _: {"a": "b"})
    assert str(invocation) == "request-1"
    with in_pool_thread(invocation):
        invocation.run(waited)
    assert responder.times_released == 1
    return responder


def answering(result, status="200 OK", headers=TEXT):
    """A handler that returns `result`."""

    def handler(environ, start_response):
        start_response(status, list(headers))
        return result

    return handler


def error_of(responder):
    """The body of FC's error answer."""
    assert responder.status.code == 502
    assert responder.fields["X-Fc-Error-Type"] == "UnhandledInvocationError"
    return json.loads(responder.body)


class Result:
    """An iterable that counts how often it is closed."""

    def __init__(self, *items, fault=None, close_fault=None):
        self.items = items
        self.fault = fault
        self.close_fault = close_fault
        self.times_closed = 0

    def __iter__(self) -> Iterator[object]:
        yield from self.items
        if self.fault is not None:
            raise self.fault

    def close(self):
        self.times_closed += 1
        if self.close_fault is not None:
            raise self.close_fault


# --- answers -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("result", "body"),
    [
        ([], b""),
        ([b""], b""),
        ([b"one"], b"one"),
        ([b"one", b"", b"two"], b"onetwo"),
        ((), b""),
        ((b"one",), b"one"),
        ((b"one", b"two"), b"onetwo"),
    ],
)
def test_lists_are_one_answer_of_known_length(result, body):
    responder = run(answering(result))
    assert responder.calls == ["respond"]
    assert (responder.status.code, responder.body, responder.length) == (200, body, len(body))
    assert responder.fields == dict(TEXT)


@pytest.mark.parametrize("kind", [iter, lambda items: (item for item in items)])
def test_iterators_are_streamed(kind):
    responder = run(answering(kind([b"", b"one", b"", b"two"])))
    assert responder.calls == ["start", "write", "write", "finish"]
    assert responder.parts == [b"one", b"two"]
    assert responder.length is None


@pytest.mark.parametrize("items", [[], [b"", b""]])
def test_an_iterator_without_content_is_one_answer(items):
    responder = run(answering(iter(items)))
    assert responder.calls == ["respond"]
    assert responder.length == 0


def test_a_generator_may_start_its_response_with_the_first_item():
    def handler(environ, start_response):
        start_response("200 OK", [])
        yield b"one"

    assert run(handler).body == b"one"


@pytest.mark.parametrize(
    ("item", "part"),
    [(bytearray(b"one"), b"one"), (memoryview(b"one"), b"one"), ("ä", b"\xc3\xa4")],
)
def test_items_that_are_not_quite_bytes(item, part):
    assert run(answering([item])).body == part
    assert run(answering([item, item])).body == part * 2
    assert run(answering(iter([item]))).parts == [part]


@pytest.mark.parametrize(("result", "body"), [(b"bare", b"bare"), ("text", b"text"), (b"", b"")])
def test_a_bare_body_is_forgiven_with_one_warning(result, body, caplog):
    rules = rules_of(answering(result))
    for _ in range(2):
        responder = RecordingResponder()
        Invocation(rules, responder, lambda _: {}).run(0.0)
        assert responder.body == body
    messages = [record.message for record in caplog.records]
    assert len(messages) == len(set(messages)) == (2 if isinstance(result, str) else 1)


def test_reserved_headers_are_dropped_with_a_warning(caplog):
    headers = [("X-Fc-Thing", "1"), ("Date", "now"), ("X-A", "b")]
    assert run(answering([b""], headers=headers)).fields == {"X-A": "b"}
    assert [record.message for record in caplog.records] == [
        "response header X-Fc-Thing is reserved: dropped",
        "response header Date is reserved: dropped",
    ]


def test_the_environ_is_made_in_the_thread_for_this_exchange():
    responder = RecordingResponder()
    made = []

    def handler(environ, start_response):
        start_response("200 OK", [])
        return [environ["a"].encode()]

    def make_environ(exchange):
        made.append(exchange)
        return {"a": "b"}

    Invocation(rules_of(handler), responder, make_environ).run(0.0)
    assert made == [responder]
    assert responder.body == b"b"


# --- lengths -----------------------------------------------------------------------------------


def with_length(length, result):
    return answering(result, headers=[("Content-Length", str(length))])


def test_a_length_that_is_right(caplog):
    assert run(with_length(3, [b"one"])).length == 3
    streamed = run(with_length(6, iter([b"one", b"two"])))
    assert streamed.calls == ["start", "write", "write", "finish"]
    assert caplog.records == []


@pytest.mark.parametrize(("length", "word"), [(2, "longer"), (4, "shorter")])
def test_a_list_of_another_length_is_sent_as_it_is(length, word, caplog):
    responder = run(with_length(length, [b"one"]))
    assert (responder.body, responder.length) == (b"one", 3)
    assert f"the body is {word} than its Content-Length" in caplog.text


def test_a_stream_longer_than_its_length_is_cut(caplog):
    result = Result(b"one", b"two", b"three")
    responder = run(with_length(3, result))
    assert responder.body == b"one"
    assert "longer" in caplog.text
    assert result.times_closed == 1


def test_a_stream_shorter_than_its_length(caplog):
    responder = run(with_length(6, iter([b"one"])))
    assert responder.calls == ["start", "write", "finish"]
    assert "shorter" in caplog.text


@pytest.mark.parametrize(
    ("result", "length"), [([], 10), ([b""], 10), (iter([]), 10), ([b"0123456789"], 10)]
)
def test_head_keeps_the_length_of_get(result, length, caplog):
    responder = run(with_length(10, result), RecordingResponder("HEAD"))
    assert responder.length == length
    assert caplog.records == []


def test_head_does_not_run_through_the_whole_stream():
    result = Result(b"one", b"two", fault=AssertionError("iterated on"))
    responder = run(answering(result), RecordingResponder("HEAD"))
    assert responder.calls == ["start", "write", "finish"]
    assert result.times_closed == 1


@pytest.mark.parametrize("result", [[], (), [b""], iter([])])
def test_an_empty_answer_to_head_does_not_tell_the_length_of_get(result, caplog):
    responder = run(answering(result), RecordingResponder("HEAD"))
    assert responder.status.code == 200
    assert responder.length is None
    assert responder.body == b""
    assert responder.is_done
    assert caplog.records == []


def test_a_bodiless_status_with_a_length_is_no_fault(caplog):
    run(answering([b""], "304 Not Modified", [("Content-Length", "5")]))
    assert caplog.records == []


# --- write() -----------------------------------------------------------------------------------


def test_write_comes_before_the_result():
    def handler(environ, start_response):
        write = start_response("200 OK", [])
        write(b"one")
        write("two")
        return [b"three"]

    responder = run(handler)
    assert responder.calls == ["start", "write", "write", "write", "finish"]
    assert responder.body == b"onetwothree"


def test_write_alone_and_empty():
    def handler(environ, start_response):
        start_response("200 OK", [])(b"")
        return []

    assert run(handler).calls == ["start", "finish"]


def test_write_beyond_the_length_is_dropped():
    def handler(environ, start_response):
        write = start_response("200 OK", [("Content-Length", "3")])
        write(b"one")
        write(b"two")
        return []

    assert run(handler).body == b"one"


# --- start_response ----------------------------------------------------------------------------


def test_no_start_response(caplog):
    with caplog.at_level("ERROR"):
        error = error_of(run(lambda environ, start_response: [b"x"]))
    assert error["errorMessage"] == "the handler did not call start_response"
    assert error["errorType"] == "RuntimeError"
    assert "calls start_response(status, headers) before" in caplog.text
    assert "--interface" not in caplog.text, "its parameters tell that it is a WSGI handler"


@pytest.mark.parametrize(
    ("result", "hint"),
    [
        ({"statusCode": 200}, "It returned an object of type 'dict': one that takes (event, "),
        (None, "It returned None: one that takes (event, context) needs --interface fc-event"),
        (b"text", "It returned an object of type 'bytes': one that takes (event, context) needs"),
        (len, "It returned an object of type 'builtin_function_or_method', which can be called: "
              "one that makes the application is named with its call, as in handler()"),
    ],
)  # fmt: skip
def test_the_log_says_what_else_a_handler_may_be(result, hint, caplog):
    def handler(*args):
        return result

    with caplog.at_level("ERROR"):
        error = error_of(run(handler))
    assert "--interface" not in json.dumps(error), "the client hears nothing of options"
    assert hint in caplog.text
    for other in ("--interface fc-event", "--interface asgi", "as in handler()"):
        assert caplog.text.count(other) == 1


def test_the_log_says_of_a_coroutine_that_it_is_asgi_s(caplog):
    async def asynchronous(): ...

    def handler(*args):
        return asynchronous()

    with caplog.at_level("ERROR"):
        error_of(run(handler))
    assert (
        "It is async: one that takes (scope, receive, send) needs --interface asgi" in caplog.text
    )


def test_a_failure_of_the_handler_s_own_has_no_hint(caplog):
    def late(*args):
        yield b""
        raise TypeError("own")

    with caplog.at_level("ERROR"):
        error_of(run(late))
    assert "A WSGI handler is called with" not in caplog.text


def test_start_response_takes_the_names_of_fc_s_signature():
    def handler(environ, start_response):
        start_response(status="200 OK", response_headers=list(TEXT), exc_info=None)
        return [b"x"]

    responder = run(handler)
    assert responder.status.code == 200
    assert responder.fields == dict(TEXT)


def test_start_response_twice():
    def handler(environ, start_response):
        start_response("200 OK", [])
        start_response("201 Created", [])
        return []

    assert "second time without exc_info" in error_of(run(handler))["errorMessage"]


def test_exc_info_replaces_a_head_that_was_not_sent():
    def handler(environ, start_response):
        start_response("200 OK", [("X-A", "b")])
        try:
            raise KeyError("x")
        except KeyError:
            start_response("500 Oops", [("X-C", "d")], sys.exc_info())
        return [b"sorry"]

    responder = run(handler)
    assert (responder.status.line, responder.body) == ("500 Oops", b"sorry")
    assert responder.fields == {"X-C": "d"}


def test_exc_info_replaces_even_behind_empty_chunks():
    def handler(environ, start_response):
        start_response("200 OK", [])
        yield b""
        try:
            raise KeyError("x")
        except KeyError:
            start_response("500 Oops", [], sys.exc_info())
        yield b"sorry"

    assert run(handler).status.line == "500 Oops"


def test_exc_info_is_raised_when_the_head_has_left(caplog):
    def handler(environ, start_response):
        start_response("200 OK", [])
        yield b"one"
        try:
            raise KeyError("too late")
        except KeyError:
            start_response("500 Oops", [], sys.exc_info())
        yield b"unreached"

    responder = run(handler)
    assert responder.calls == ["start", "write", "abandon"]
    assert "KeyError: 'too late'" in caplog.text


@pytest.mark.parametrize("arguments", [("x", []), ("200 OK", [("A:", "b")]), (200, []), ()])
def test_faulty_arguments_raise_in_the_handler(arguments):
    caught = []

    def handler(environ, start_response):
        try:
            start_response(*arguments)
        except (TypeError, ValueError) as error:
            caught.append(error)
        start_response("200 OK", [])
        return [b"mended"]

    assert run(handler).body == b"mended"
    assert len(caught) == 1


def test_headers_beyond_fc_s_limit(caplog):
    headers = [("X-A", "b" * 497), ("X-B", "c" * 497)]
    assert run(answering([b""], headers=headers)).status.code == 200
    responder = run(answering([b"x"], headers=[*headers, ("Y", "")]))
    assert responder.status.code == 502
    assert json.loads(responder.body)["ErrorCode"] == "BadResponse"
    assert "larger than 1000 bytes" in caplog.text


def test_headers_beyond_the_limit_of_a_stream():
    result = Result(b"one")
    responder = run(answering(result, headers=[("X-A", "b" * 998)]))
    assert responder.status.code == 502
    assert result.times_closed == 1


# --- faults ------------------------------------------------------------------------------------


class Unspeakable(Exception):
    def __str__(self):
        raise ValueError("no words")


@pytest.mark.parametrize(
    ("fault", "kind", "message"),
    [
        (ValueError("bad"), "ValueError", "bad"),
        (SystemExit(3), "SystemExit", "3"),
        (KeyboardInterrupt(), "KeyboardInterrupt", ""),
        (ConnectionResetError("its own"), "ConnectionResetError", "its own"),
        (Unspeakable(), "Unspeakable", "<ValueError in str() of the exception>"),
    ],
)
def test_an_exception_is_fc_s_error(fault, kind, message, caplog):
    def handler(environ, start_response):
        raise fault

    error = error_of(run(handler))
    assert (error["errorType"], error["errorMessage"]) == (kind, message)
    assert "request-1: the handler failed" in caplog.text


def test_the_stack_shows_the_handler_and_not_the_gateway():
    def handler(environ, start_response):
        raise ValueError("bad")

    ((where, line),) = error_of(run(handler))["stackTrace"]
    assert __file__ in where
    assert "in handler" in where
    assert line == 'raise ValueError("bad")'
    assert error_of(run(handler, error_style=FunctionCompute2()))["stackTrace"] == []


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (None, "the handler returned NoneType, not an iterable"),
        (5, "the handler returned int, not an iterable"),
        ([1], "the handler's result has an item of int, not of bytes"),
        ([b"a", None], "the handler's result has an item of NoneType, not of bytes"),
        (iter([{}]), "the handler's result has an item of dict, not of bytes"),
    ],
)
def test_results_that_are_none(result, message):
    error = error_of(run(answering(result)))
    assert (error["errorType"], error["errorMessage"]) == ("TypeError", message)


def test_text_that_is_no_unicode():
    assert error_of(run(answering(["\udc80"])))["errorType"] == "UnicodeEncodeError"


def test_a_fault_behind_the_head_cuts_the_answer():
    result = Result(b"one", fault=ValueError("late"))
    responder = run(answering(result))
    assert responder.calls == ["start", "write", "abandon"]
    assert result.times_closed == 1


def test_a_fault_behind_a_complete_answer_changes_nothing(caplog):
    result = Result(b"one", fault=ValueError("late"))
    responder = run(with_length(3, result))
    assert responder.body == b"one"
    assert "late" in caplog.text


def test_a_fault_of_the_gateway_itself(monkeypatch, caplog):
    responder = RecordingResponder()
    rules = rules_of(answering([b"x"]))
    monkeypatch.setattr(responder, "respond", lambda *_: 1 / 0)
    Invocation(rules, responder, lambda _: {}).run(0.0)
    assert responder.calls[-1] == "abandon"
    assert responder.times_released == 1
    assert "ZeroDivisionError" in caplog.text


def test_a_failing_environ_is_answered(caplog):
    responder = RecordingResponder()
    Invocation(rules_of(None), responder, lambda _: {}["x"]).run(0.0)
    assert responder.status.code == 502
    assert responder.times_released == 1


# --- close() -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "result",
    [
        Result(),
        Result(b"one"),
        Result(b"one", fault=ValueError()),
        Result(fault=SystemExit()),
        Result(1),
        Result(b"one", close_fault=ValueError("close")),
        Result(b"one", close_fault=SystemExit()),
    ],
)
def test_close_is_always_called_once(result):
    run(answering(result))
    assert result.times_closed == 1


def test_close_is_called_without_start_response():
    result = Result(b"one")
    run(lambda environ, start_response: result)
    assert result.times_closed == 1


@pytest.mark.parametrize("call", ["start", "write", "finish"])
def test_close_is_called_when_the_client_has_left(call):
    responder = RecordingResponder()
    responder.leaves_before = call
    result = Result(b"one")
    run(answering(result), responder)
    assert result.times_closed == 1
    assert responder.calls[-1] == "abandon"


def test_close_of_a_list_of_one_s_own():
    class Page(list):
        times_closed = 0

        def close(self):
            self.times_closed += 1

    page = Page([b"one"])
    assert run(answering(page)).body == b"one"
    assert page.times_closed == 1


def test_close_that_fails_is_logged(caplog):
    responder = run(answering(Result(b"one", close_fault=ValueError("unclosed"))))
    assert responder.calls == ["start", "write", "finish"]
    assert "close() of the result failed" in caplog.text


def test_a_generator_is_closed_when_the_client_leaves():
    ended = []

    def handler(environ, start_response):
        start_response("200 OK", [])
        try:
            yield b"one"
            yield b"two"
        finally:
            ended.append(1)

    responder = RecordingResponder()
    responder.leaves_before = "write"
    run(handler, responder)
    assert ended == [1]


# --- too late ----------------------------------------------------------------------------------


def untouched(environ, start_response):
    raise AssertionError("the handler was run")


def test_a_client_that_left_while_it_waited():
    responder = RecordingResponder()
    responder.is_done = True
    run(untouched, responder)
    assert responder.calls == []


@pytest.mark.parametrize(("waited", "code"), [(30.0, 200), (30.1, 503)])
def test_waiting_for_a_thread_is_bounded(waited, code):
    handler = untouched if code == 503 else answering([b""])
    responder = run(handler, waited=waited)
    assert responder.status.code == code
    if code == 503:
        assert responder.fields["Retry-After"] == "1"
        assert json.loads(responder.body)["ErrorCode"] == "ResourceThrottled"


@pytest.mark.parametrize("has_left", [False, True])
@pytest.mark.parametrize(("waited", "is_asked"), [(0.25, False), (0.26, True)])
def test_the_handler_is_not_run_for_a_client_that_left_the_queue(waited, is_asked, has_left):
    responder = RecordingResponder()
    responder.has_left = lambda: has_left
    is_run = not (is_asked and has_left)
    run(answering([b""]) if is_run else untouched, responder, waited=waited)
    assert responder.calls == (["respond"] if is_run else ["abandon"])
    assert responder.times_released == 1


def test_somebody_else_has_answered():
    responder = RecordingResponder()
    responder.leaves_before = "respond"
    run(answering([b"late"]), responder)
    assert responder.calls == ["respond", "abandon"]


def test_somebody_else_has_answered_before_the_fault():
    def handler(environ, start_response):
        raise ValueError

    responder = RecordingResponder()
    responder.leaves_before = "respond"
    run(handler, responder)
    assert responder.calls == ["respond", "abandon"]


def test_a_body_that_breaks_off():
    def handler(environ, start_response):
        raise ClientDisconnected("the rest of the body does not come")

    assert run(handler).calls == ["abandon"]


def test_a_refusal_from_within():
    def handler(environ, start_response):
        raise BadResponse("no")

    assert run(handler).status.code == 502


def test_the_answer_in_place_of_a_handler_past_its_time():
    responder = RecordingResponder()
    Invocation(rules_of(None, handler_timeout=1.5), responder, lambda _: {}).expire()
    assert responder.calls == ["expire"]
    assert error_of(responder) == {"errorMessage": "Function time out after 1.5 seconds"}


@pytest.mark.parametrize("is_done", [False, True])
def test_a_refusal_of_what_no_thread_came_for(is_done):
    responder = RecordingResponder()
    responder.is_done = is_done
    Invocation(rules_of(None), responder, lambda _: {}).refuse(31.25)
    assert responder.calls == ([] if is_done else ["respond"])
    assert responder.times_released == 1
    if not is_done:
        assert responder.status.code == 503
        assert json.loads(responder.body)["ErrorMessage"] == "no thread was free for 31.2 seconds"


def test_the_answer_in_place_of_a_thread_that_has_ended():
    responder = RecordingResponder()
    Invocation(rules_of(None), responder, lambda _: {}).lose()
    assert error_of(responder) == {"errorMessage": "The thread of the handler was ended"}
    assert responder.times_released == 1


def test_an_answer_that_was_begun_is_given_up_with_its_thread():
    kept = []

    def handler(environ, start_response):
        start_response("200 OK", TEXT)(b"begun")
        raise SystemExit

    responder = RecordingResponder()
    responder.abandon = lambda: kept.append("abandoned")
    invocation = Invocation(rules_of(handler), responder, lambda _: {})
    with in_pool_thread(invocation):
        invocation.run(0.0)
    invocation.exchange.times_released = 0
    invocation.lose()
    assert kept == ["abandoned", "abandoned"]


@pytest.mark.parametrize("job", [None, "another invocation"])
def test_write_is_for_the_thread_that_runs_the_handler(job):
    responder = RecordingResponder()
    invocation = Invocation(rules_of(None), responder, lambda _: {})
    write = invocation.start_response("200 OK", TEXT)
    with (
        in_pool_thread(job),
        pytest.raises(RuntimeError, match="outside of the thread"),
    ):
        write(b"evil")
    assert responder.calls == []


def test_a_broken_log_is_no_reason_not_to_answer(monkeypatch):
    def fail(*arguments, **more):
        raise ValueError("the log is broken")

    for name in ("log", "warning"):
        monkeypatch.setattr(logging.getLogger("gateway.function"), name, fail)

    def failing(environ, start_response):
        raise KeyError("x")

    assert error_of(run(failing))["errorType"] == "KeyError"
    assert run(answering("text")).body == b"text"


def test_context_variables_of_one_run_do_not_reach_the_next():
    from contextvars import ContextVar  # noqa: PLC0415 - the subject of this test

    variable: ContextVar[int] = ContextVar("variable", default=0)
    seen = []

    def handler(environ, start_response):
        seen.append(variable.get())
        variable.set(1)
        start_response("200 OK", [])
        return []

    run(handler)
    run(handler)
    assert seen == [0, 0]


@pytest.fixture(autouse=True)
def quiet(caplog):
    caplog.set_level(logging.WARNING)


class _NamedStyle(FunctionCompute2):
    """Fails like its elder, with a status of its own."""

    def failure(self, error, request_id):
        return ResponseHead.of(Status(299, "299 failed"), []), b""

    def timeout(self, seconds, request_id):
        return ResponseHead.of(Status(298, "298 late"), []), b""

    def lost(self, request_id):
        return ResponseHead.of(Status(297, "297 lost"), []), b""

    def refusal(self, refusal, request_id):
        return ResponseHead.of(Status(296, "296 refused"), []), b""


def test_the_request_may_choose_the_style_of_its_errors():
    heads = []

    def style_of(head):
        heads.append(head)
        return _NamedStyle()

    def handler(environ, start_response):
        raise ValueError("bad")

    responder = run(handler, style_of=style_of)
    assert (responder.status.code, heads) == (299, [responder.head])
    assert run(handler, waited=31.0, style_of=style_of).status.code == 296
    for act, code in (("expire", 298), ("lose", 297)):
        responder = RecordingResponder()
        invocation = Invocation(rules_of(handler, style_of=style_of), responder, lambda _: {})
        getattr(invocation, act)()
        assert responder.status.code == code
    assert heads[-1] is responder.head


class _FailingStyle(FunctionCompute2):
    def __init__(self, *methods):
        super().__init__()
        for name in methods:
            setattr(self, name, self._fail)

    def _fail(self, *_):
        raise MemoryError("no more")


def test_a_fault_of_the_gateway_is_answered_as_its_own(caplog):
    def handler(environ, start_response):
        raise ValueError("bad")

    responder = run(handler, error_style=_FailingStyle("failure"))
    assert responder.status.code == 500
    assert json.loads(responder.body)["ErrorCode"] == "InternalServerError"
    assert "fault of the gateway" in caplog.text
    assert run(handler, error_style=_FailingStyle("failure", "refusal")).calls == ["abandon"]
