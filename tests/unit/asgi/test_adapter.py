"""ASGI applications on the gateway's own connections: real sockets, real loop."""

import asyncio
import functools
import json
import logging
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route
from unit.asgi.serving import CONTEXTS, TIMEOUT, Client, run, served

from gateway.asgi.adapter import AsgiApplication
from gateway.http.answers.error_style import FunctionCompute2
from gateway.limits import Limits

START = {"type": "http.response.start", "status": 200, "headers": []}
LIMITS = Limits()


def body(data: bytes = b"", *, more: bool = False) -> dict[str, Any]:
    return {"type": "http.response.body", "body": data, "more_body": more}


def start(*headers: tuple[bytes, bytes], status: int = 200) -> dict[str, Any]:
    return {"type": "http.response.start", "status": status, "headers": headers}


def says(*events: Any) -> Callable[..., Any]:
    """An application that sends these events."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        for event in events:
            await send(event)

    return app


def asyncio_test(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    @functools.wraps(test)
    def wrapped(**fixtures: Any) -> None:
        run(lambda: test(**fixtures))

    return wrapped


async def echo(scope: Any, receive: Any, send: Any) -> None:
    pieces = []
    while True:
        event = await receive()
        pieces.append(event["body"])
        if not event["more_body"]:
            break
    await send(start((b"x-pieces", str(len(pieces)).encode())))
    await send(body(b"".join(pieces)))


# The scope.


async def scope_of(*request: str, **options: Any) -> dict[str, Any]:
    scopes: list[dict[str, Any]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        scopes.append(scope)
        await send(START)
        await send(body())

    async with served(app, **options) as gateway:
        client = await gateway.connect()
        await client.ask(*request)
        scopes[0]["sockname"] = client.writer.get_extra_info("sockname")
        scopes[0]["port"] = gateway.port
    return scopes[0]


@asyncio_test
async def test_scope() -> None:
    scope = await scope_of("/a%20b/%C3%A9?x=%20&y", "PUT", "X-Two: 1", "x-two: 2", "Bad_Name: 3")
    assert scope["type"] == "http"
    assert scope["asgi"]["version"] == "3.0"
    assert scope["http_version"] == "1.1"
    assert scope["method"] == "PUT"
    assert scope["scheme"] == "http"
    assert scope["path"] == "/a b/é"
    assert scope["raw_path"] == b"/a%20b/%C3%A9"
    assert scope["query_string"] == b"x=%20&y"
    assert scope["root_path"] == ""
    assert scope["headers"] == [(b"host", b"test"), (b"x-two", b"1"), (b"x-two", b"2")]
    assert scope["client"] == scope["sockname"]
    assert scope["server"] == ("127.0.0.1", scope["port"])
    assert "state" not in scope
    extension = scope["extensions"]["gateway.fc"]
    assert extension["request_id"] == extension["context"].request_id == "request-1"
    assert extension["request_uri"] == "/a%20b/%C3%A9?x=%20&y"


@asyncio_test
async def test_what_is_no_utf_8_is_replaced_in_path_and_kept_in_raw_path() -> None:
    scope = await scope_of("/%FF/%2F")
    assert scope["path"] == "/\ufffd//"
    assert scope["raw_path"] == b"/%FF/%2F"


@asyncio_test
async def test_default_url_is_taken_off() -> None:
    scope = await scope_of("/2016-08-15/proxy/shop.prod/cart/a%20b?c")
    assert scope["path"] == "/a b"
    assert scope["raw_path"] == b"/a%20b"
    assert scope["root_path"] == ""
    extension = scope["extensions"]["gateway.fc"]
    assert extension["request_uri"] == "/2016-08-15/proxy/shop.prod/cart/a%20b?c"
    context = extension["context"]
    assert (context.service.name, context.service.qualifier) == ("shop", "prod")
    assert context.function.name == "cart"


@asyncio_test
async def test_absolute_target_wins_over_host() -> None:
    scope = await scope_of("http://elsewhere:81/x")
    assert scope["path"] == "/x"
    assert scope["headers"] == [(b"host", b"elsewhere:81")]


@asyncio_test
async def test_state_is_copied_for_each_request() -> None:
    state = {"pool": object()}

    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert scope["state"] == state
        scope["state"]["mine"] = 1
        await send(START)
        await send(body())

    async with served(app, state=state) as gateway:
        assert (await gateway.ask()).status == 200
        assert (await gateway.ask()).status == 200
    assert [*state] == ["pool"]


@asyncio_test
async def test_asgi_2_application() -> None:
    class App:
        def __init__(self, scope: Any) -> None:
            self.scope = scope

        async def __call__(self, receive: Any, send: Any) -> None:
            await send(START)
            await send(body(self.scope["path"].encode()))

    async with served(App) as gateway:
        assert (await gateway.ask("/old")).body == b"/old"


# The request's body.


@asyncio_test
async def test_body_comes_whole() -> None:
    async with served(echo) as gateway:
        assert (await gateway.ask("/", "POST")).body == b""
        reply = await gateway.ask("/", "POST", body=b"12345" * 1000)
        assert reply.body == b"12345" * 1000
        assert reply.fields["x-pieces"] == "1"


@asyncio_test
async def test_large_body_is_streamed_as_it_comes() -> None:
    limits = replace(LIMITS, body_buffer=1024)
    received = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        size, has_more = 0, True
        while has_more:
            event = await receive()
            size += len(event["body"])
            has_more = event["more_body"]
            received.set()
        await send(START)
        await send(body(str(size).encode()))

    async with served(app, limits=limits) as gateway:
        client = await gateway.connect()
        client.send("/", "POST", "Content-Length: 500000")
        client.writer.write(bytes(2000))
        await received.wait()
        client.writer.write(bytes(498_000))
        assert (await client.read()).body == b"500000"
        assert (await client.ask("/again", "POST", body=bytes(2000))).body == b"2000"


@asyncio_test
async def test_streamed_body_that_is_refused_ends_with_a_disconnect() -> None:
    limits = replace(LIMITS, body_buffer=1024, max_body=4096)
    events: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        while (event := await receive())["type"] == "http.request":
            events.append("piece")
        events.append(event["type"])
        with pytest.raises(OSError, match="left"):
            await send(START)
        events.append("told")

    async with served(app, limits=limits) as gateway:
        client = await gateway.connect()
        client.send("/", "POST", "Transfer-Encoding: chunked")
        client.writer.write(b"800\r\n" + bytes(2048) + b"\r\n")
        await gateway.until(lambda: events)
        client.writer.write(b"FFFF\r\n")
        assert (await client.read()).status == 400
        await gateway.until(lambda: "told" in events)
    assert events[-2:] == ["http.disconnect", "told"]


@asyncio_test
async def test_receive_after_the_response_is_a_disconnect() -> None:
    events = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        waiting = asyncio.create_task(receive())  # Already waiting when the response completes.
        await asyncio.sleep(0)
        await send(START)
        await send(body())
        events.extend([(await waiting)["type"], (await receive())["type"]])

    async with served(app) as gateway:
        client = await gateway.connect()
        await client.ask()
        await gateway.until(lambda: events)
    assert events == ["http.disconnect"] * 2


@asyncio_test
async def test_receive_of_a_task_that_outlives_the_application_is_a_disconnect() -> None:
    """Also where nobody has read the body: it is gone, which must not look like an empty one."""
    events = []
    may_receive = asyncio.Event()

    async def receive_late(receive: Any) -> None:
        await may_receive.wait()
        events.append((await receive())["type"])

    async def app(scope: Any, receive: Any, send: Any) -> None:
        late.append(asyncio.create_task(receive_late(receive)))
        await send(START)
        await send(body())

    late: list[asyncio.Task[None]] = []
    async with served(app) as gateway:
        await gateway.ask("/", "POST", body=b"unread")
        await gateway.until(lambda: gateway.adapter.is_idle)
        may_receive.set()
        await late[0]
    assert events == ["http.disconnect"]


# The response.


@asyncio_test
async def test_complete_response_has_a_length_and_the_request_id() -> None:
    async with served(says(start((b"x-Y", b"\xe9")), body(b"hello"))) as gateway:
        reply = await gateway.ask()
        assert reply.body == b"hello"
        assert reply.fields["content-length"] == "5"
        assert reply.fields["x-fc-request-id"] == "request-1"
        assert reply.fields["x-y"] == "é"
        assert "transfer-encoding" not in reply.fields


@asyncio_test
async def test_parts_are_chunked_and_leave_at_once() -> None:
    go_on = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        await send(body(b"one", more=True))
        await go_on.wait()
        await send(body(b"", more=True))
        await send(body(bytearray(b"two"), more=True))  # type: ignore[arg-type]
        await send({"type": "http.response.body"})

    async with served(app) as gateway:
        client = await gateway.connect()
        client.send()
        _, fields = await client.read_head()
        assert fields["transfer-encoding"] == "chunked"
        assert await client.read_chunk() == b"one"
        go_on.set()
        assert await client.read_chunk() == b"two"
        assert await client.read_chunk() == b""
        assert (await client.ask()).body == b"onetwo"


@asyncio_test
async def test_parts_with_a_length() -> None:
    app = says(start((b"content-length", b"6")), body(b"one", more=True), body(b"two"))
    async with served(app) as gateway:
        client = await gateway.connect()
        for _ in range(2):
            reply = await client.ask()
            assert (reply.body, reply.fields["content-length"]) == (b"onetwo", "6")


@pytest.mark.parametrize("status", [204, 304])
@asyncio_test
async def test_statuses_without_a_body(status: int) -> None:
    async with served(says(start(status=status), body(b"dropped"))) as gateway:
        client = await gateway.connect()
        for _ in range(2):
            reply = await client.ask()
            assert reply.status == status
            assert "content-length" not in reply.fields


@pytest.mark.parametrize(
    ("events", "length"),
    [
        ((start(), body(b"hello")), "5"),
        ((start((b"content-length", b"9")), body()), "9"),
        ((start((b"content-length", b"9")), body(b"123456789")), "9"),
        ((start((b"content-length", b"9")), body(b"1234", more=True), body(b"56789")), "9"),
    ],
)
@asyncio_test
async def test_head_tells_the_length_of_get(events: tuple[Any, ...], length: str) -> None:
    async with served(says(*events)) as gateway:
        client = await gateway.connect()
        for _ in range(2):
            assert (await client.ask("/", "HEAD")).fields["content-length"] == length


@asyncio_test
async def test_headers_of_the_gateway_are_dropped(caplog: pytest.LogCaptureFixture) -> None:
    headers = [
        (b"connection", b"close"),
        (b"Date", b"never"),
        (b"x-fc-request-id", b"mine"),
        (b"Transfer-Encoding", b"chunked"),
    ]
    async with served(says(start(*headers), body(b"x"))) as gateway:
        client = await gateway.connect()
        for number in (1, 2):
            reply = await client.ask()
            assert reply.fields["x-fc-request-id"] == f"request-{number}"
            assert reply.fields["date"] != "never"
            assert "connection" not in reply.fields
            assert "transfer-encoding" not in reply.fields
    assert caplog.text.count("is reserved: dropped") == 3


@asyncio_test
async def test_slow_client_holds_the_application_up() -> None:
    sent = 0

    async def app(scope: Any, receive: Any, send: Any) -> None:
        nonlocal sent
        await send(START)
        for _ in range(200):
            await send(body(bytes(100_000), more=True))
            sent += 1
        await send(body())

    async with served(app) as gateway:
        client = await gateway.connect()
        client.send()
        await gateway.until(lambda: sent)
        before = -1
        while before != sent:  # Until nothing moves for a while.
            before = sent
            await asyncio.sleep(0.1)
        assert sent < 200
        assert len((await client.read()).body) == 20_000_000


# Faults.


async def raises(scope: Any, receive: Any, send: Any) -> None:
    raise LookupError("nothing there")


async def exits(scope: Any, receive: Any, send: Any) -> None:
    raise SystemExit(3)


async def is_cancelled(scope: Any, receive: Any, send: Any) -> None:
    raise asyncio.CancelledError


class Odd(BaseException):
    pass


def raises_at_once(kind: type[BaseException]) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise kind("odd")

    return app


async def raises_behind_start(scope: Any, receive: Any, send: Any) -> None:
    await send(START)
    raise LookupError("nothing there")


@pytest.mark.parametrize(
    ("app", "error_type", "message"),
    [
        (raises, "LookupError", "nothing there"),
        (raises_behind_start, "LookupError", "nothing there"),
        (exits, "SystemExit", "3"),
        (is_cancelled, "CancelledError", ""),
        (raises_at_once(KeyboardInterrupt), "KeyboardInterrupt", "odd"),
        (raises_at_once(GeneratorExit), "GeneratorExit", "odd"),
        (raises_at_once(StopAsyncIteration), "StopAsyncIteration", "odd"),
        (raises_at_once(Odd), "Odd", "odd"),
        (says(), "RuntimeError", "without completing"),
        (says(START), "RuntimeError", "without completing"),
        (says(body(b"x")), "RuntimeError", "before http.response.start"),
        (says(START, START), "RuntimeError", "second time"),
        (says({"type": "websocket.accept"}), "ValueError", "websocket.accept"),
        (says(START, {"type": "http.response.trailers"}), "ValueError", "trailers"),
        (says({}), "KeyError", "type"),
        (says(start(status=100)), "ValueError", "status 100 is refused: 1xx is interim"),
        (says(start(status=199)), "ValueError", "status 199 is refused: 1xx is interim"),
        (says(start(status=99)), "ValueError", "a status is a number from 200 on, not 99"),
        (says(start((b"a b", b""))), "ValueError", "token"),
        (says(start((b"a", b"b\r\nc: d"))), "ValueError", "forbidden"),
        (says(start((b"te", b"gzip"))), "ValueError", "hop-by-hop"),
        (says(start(("a", "b"))), "TypeError", "bytes"),  # type: ignore[arg-type]
        (says(start((b"content-length", b"-1"))), "ValueError", "Content-Length"),
        (says(START, body("text")), "TypeError", "bytes"),  # type: ignore[arg-type]
    ],
)
@asyncio_test
async def test_fault_before_anything_is_sent(
    app: Any, error_type: str, message: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with served(app) as gateway:
        client = await gateway.connect()
        reply = await client.ask()
        assert reply.status == 502
        assert reply.fields["x-fc-error-type"] == "UnhandledInvocationError"
        answer = json.loads(reply.body)
        assert answer["errorType"] == error_type
        assert message in answer["errorMessage"]
        assert all("gateway/asgi" not in where for where, _ in answer["stackTrace"])
        assert "request-1" in caplog.text
        assert (await client.ask()).status == 502, "the connection is still good"


@asyncio_test
async def test_stack_is_shown_only_where_wanted() -> None:
    for shows_stack in (True, False):
        async with served(raises, error_style=FunctionCompute2(shows_stack=shows_stack)) as gateway:
            stack = json.loads((await gateway.ask()).body)["stackTrace"]
            assert bool(stack) is shows_stack
            assert not stack or stack[0][0].endswith("in raises")


@asyncio_test
async def test_header_limit() -> None:
    limits = replace(LIMITS, max_response_header_bytes=100)
    for size, status in ((99, 200), (100, 502)):
        app = says(start((b"a", b"x" * size)), body())
        async with served(app, limits=limits) as gateway:
            reply = await gateway.ask()
            assert reply.status == status
            assert (b"BadResponse" in reply.body) is (status == 502)


@pytest.mark.parametrize(
    "events",
    [
        (START, body(b"part", more=True)),
        (START, body(b"part", more=True), START),
        (start((b"content-length", b"10")), body(b"part", more=True)),
    ],
)
@asyncio_test
async def test_fault_within_a_response_cuts_it(
    events: tuple[Any, ...], caplog: pytest.LogCaptureFixture
) -> None:
    async with served(says(*events)) as gateway:
        reply = await gateway.ask()
        assert reply.status == 200
        assert not reply.is_complete
        await gateway.until(lambda: gateway.records)
    assert "request-1" in caplog.text


@asyncio_test
async def test_body_shorter_than_its_length_is_cut(caplog: pytest.LogCaptureFixture) -> None:
    app = says(start((b"content-length", b"10")), body(b"part", more=True), body(b"!"))
    async with served(app) as gateway:
        reply = await gateway.ask()
        assert (reply.body, reply.is_complete) == (b"part!", False)
    assert "the body has 5 bytes, its Content-Length says 10" in caplog.text


@asyncio_test
async def test_body_longer_than_its_length(caplog: pytest.LogCaptureFixture) -> None:
    app = says(start((b"content-length", b"4")), body(b"part", more=True), body(b"more"))
    async with served(app) as gateway:
        client = await gateway.connect()
        for _ in range(2):
            assert (await client.ask()).body == b"part"
    assert "the body has 8 bytes, its Content-Length says 4" in caplog.text


@asyncio_test
async def test_event_behind_the_end(caplog: pytest.LogCaptureFixture) -> None:
    async with served(says(START, body(b"x"), body(b"y"))) as gateway:
        client = await gateway.connect()
        for _ in range(2):
            assert (await client.ask()).body == b"x"
    assert "after the end" in caplog.text


# Clients that leave.


@asyncio_test
async def test_disconnect_is_told_by_receive_and_send(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "gateway")
    notes: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send(START)
        await send(body(b"first", more=True))
        notes.append((await receive())["type"])
        try:
            await send(body(b"second", more=True))
        except OSError as error:
            notes.append(error)
            raise

    async with served(app) as gateway:
        client = await gateway.connect()
        client.send()
        await client.read_head()
        client.reset()
        await gateway.until(lambda: gateway.adapter.is_idle)
        assert [record.status for record in gateway.records] == [499]
    assert notes[0] == "http.disconnect"
    assert isinstance(notes[1], OSError)
    assert "failed" not in caplog.text


@asyncio_test
async def test_disconnect_wakes_who_waits_for_a_slow_client() -> None:
    errors: list[Exception] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        try:
            while True:
                await send(body(bytes(1_000_000), more=True))
        except OSError as error:
            errors.append(error)
            raise RuntimeError("of the framework's own") from error

    async with served(app) as gateway:
        client = await gateway.connect()
        client.send()
        await client.read_head()
        client.reset()
        await gateway.until(lambda: gateway.adapter.is_idle)
    assert errors


@asyncio_test
async def test_client_that_leaves_before_the_answer() -> None:
    told = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        assert (await receive())["type"] == "http.disconnect"
        told.set()

    async with served(app) as gateway:
        client = await gateway.connect()
        client.send("/", "POST", body=b"some")
        await gateway.until(lambda: not gateway.adapter.is_idle)
        client.reset()
        await told.wait()
        await gateway.until(lambda: gateway.records)


# Limits.


@asyncio_test
async def test_timeout_before_the_answer(caplog: pytest.LogCaptureFixture) -> None:
    cancelled = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        try:
            await asyncio.sleep(TIMEOUT)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    async with served(app, handler_timeout=0.05) as gateway:
        client = await gateway.connect()
        for _ in range(2):
            reply = await client.ask()
            assert reply.status == 502
            assert json.loads(reply.body) == {
                "errorMessage": "Function time out after 0.05 seconds"
            }
        assert cancelled.is_set()
    assert "request-1: application runs for more than 0.05 s" in caplog.text


@asyncio_test
async def test_timeout_within_the_answer_cuts_it() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        await send(body(b"part", more=True))
        await asyncio.sleep(TIMEOUT)

    async with served(app, handler_timeout=0.05) as gateway:
        reply = await gateway.ask()
        assert reply.body == b"part"
        assert not reply.is_complete


@asyncio_test
async def test_timeout_of_an_application_that_is_not_to_be_cancelled() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        with pytest.raises(asyncio.CancelledError):
            await asyncio.sleep(TIMEOUT)
        with pytest.raises(OSError, match="left"):
            await send(START)

    async with served(app, handler_timeout=0.05) as gateway:
        assert (await gateway.ask()).status == 502


async def swallows(scope: Any, receive: Any, send: Any) -> None:
    """Goes on until it is asked at /end, whoever cancels it."""
    if scope["path"] == "/plain":
        await send(START)
        await send(body(b"plain"))
        return
    while not go_on.is_set():
        with suppress(asyncio.CancelledError):
            await go_on.wait()
    with pytest.raises(OSError, match="left"):
        await send(START)


go_on = asyncio.Event()


@asyncio_test
async def test_runs_that_swallow_cancellation(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They do not take the slots of others, and enough of them have the worker replaced."""
    monkeypatch.setattr("gateway.asgi.adapter._CANCEL_SECONDS", 0.1)
    go_on.clear()
    async with served(swallows, handler_timeout=0.05, limit_concurrency=2) as gateway:
        adapter = gateway.adapter
        for lost in range(1, 5):
            assert not adapter.needs_replacement
            assert (await gateway.ask()).status == 502
            await gateway.until(lambda expected=lost: len(adapter._lost) == expected)
            assert adapter.is_idle
            assert (await gateway.ask("/plain")).body == b"plain"
        assert adapter.needs_replacement
        assert repr(adapter).endswith("0 running, 4 lost>")
        go_on.set()
        await gateway.until(lambda: not adapter._lost)
        assert not adapter.needs_replacement
    assert "its slot is given to others" in caplog.text
    assert "swallows" in caplog.text


@asyncio_test
async def test_a_run_that_waits_for_a_thread_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.asgi.adapter._CANCEL_SECONDS", 0.1)
    may_end = threading.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.shield(asyncio.to_thread(may_end.wait, TIMEOUT))

    async def patient(scope: Any, receive: Any, send: Any) -> None:
        waiting = asyncio.ensure_future(app(scope, receive, send))
        while not waiting.done():
            with suppress(asyncio.CancelledError):
                await asyncio.shield(waiting)

    async with served(patient, handler_timeout=0.05, limit_concurrency=1) as gateway:
        assert (await gateway.ask()).status == 502
        await gateway.until(lambda: gateway.adapter._lost)
        assert gateway.adapter.is_idle
        may_end.set()
        await gateway.until(lambda: not gateway.adapter._lost)


@asyncio_test
async def test_a_run_that_ends_within_the_grace_is_not_lost() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(TIMEOUT)
        await asyncio.sleep(0.1)

    async with served(app, handler_timeout=0.05) as gateway:
        assert (await gateway.ask()).status == 502
        await gateway.until(lambda: gateway.adapter.is_idle)
        assert not gateway.adapter._lost


@asyncio_test
async def test_concurrency_limit() -> None:
    go_on = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await go_on.wait()
        await send(START)
        await send(body())

    async with served(app, limit_concurrency=2) as gateway:
        clients = [await gateway.connect() for _ in range(2)]
        for client in clients:
            client.send()
        await gateway.until(lambda: len(gateway.adapter._runs) == 2)
        refused = await gateway.ask("/", "POST", body=b"some")
        assert refused.status == 429
        assert json.loads(refused.body)["ErrorCode"] == "ResourceExhausted"
        go_on.set()
        assert [(await client.read()).status for client in clients] == [200, 200]
        assert (await gateway.ask()).status == 200


@asyncio_test
async def test_stop_cancels_what_runs_even_before_its_first_step() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(TIMEOUT)

    async with served(app) as gateway:
        client = await gateway.connect()
        client.send("/", "POST", body=b"some")
        await gateway.until(lambda: not gateway.adapter.is_idle)
        gateway.adapter.stop()
        assert await client.is_closed()
        await gateway.until(lambda: gateway.adapter.is_idle)
        # At once, before the task has run.
        handle = gateway.adapter.handle
        gateway.adapter.handle = lambda exchange: (  # type: ignore[method-assign]
            handle(exchange),
            gateway.adapter.stop(),
        )[0]
        client = await gateway.connect()
        client.send("/", "POST", body=b"some")
        assert await client.is_closed()


# Asynchronous invocations.


@asyncio_test
async def test_asynchronous_invocation(caplog: pytest.LogCaptureFixture) -> None:
    go_on = asyncio.Event()
    bodies = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        bodies.append((await receive())["body"])
        await go_on.wait()
        await send(start(status=500))
        await send(body(b"part", more=True))
        await send(body(b"nobody reads"))
        assert (await receive())["type"] == "http.disconnect"

    async with served(app) as gateway:
        client = await gateway.connect()
        reply = await client.ask("/", "POST", "X-Fc-Invocation-Type: Async", body=b"job")
        assert (reply.status, reply.body) == (202, b"")
        assert reply.fields["x-fc-request-id"] == "request-1"
        client.reset()
        await gateway.until(lambda: not gateway.site.connections)
        assert not gateway.adapter.is_idle
        go_on.set()
        await gateway.until(lambda: gateway.adapter.is_idle)
    assert bodies == [b"job"]
    assert "request-1: asynchronous invocation failed: 500" in caplog.text


@asyncio_test
async def test_asynchronous_invocation_that_raises(caplog: pytest.LogCaptureFixture) -> None:
    async with served(raises) as gateway:
        assert (await gateway.ask("/", "GET", "X-Fc-Invocation-Type: Async")).status == 202
        await gateway.until(lambda: gateway.adapter.is_idle)
    assert "nothing there" in caplog.text


# A framework.


async def count_down(request: Request) -> StreamingResponse:
    async def numbers() -> Any:
        for number in range(3):
            yield f"{number}\n"

    return StreamingResponse(numbers())


def with_background(notes: list[str]) -> Callable[[Request], Coroutine[Any, Any, Any]]:
    async def answer(request: Request) -> PlainTextResponse:
        text = (await request.body()).decode()
        return PlainTextResponse(text, background=BackgroundTask(notes.append, text))

    return answer


@asyncio_test
async def test_starlette() -> None:
    notes: list[str] = []
    routes = [
        Route("/stream", count_down),
        Route("/background", with_background(notes), methods=["POST"]),
    ]
    async with served(Starlette(routes=routes)) as gateway:
        client: Client = await gateway.connect()
        assert (await client.ask("/stream")).body == b"0\n1\n2\n"
        assert (await client.ask("/background", "POST", body=b"later")).body == b"later"
        assert (await client.ask("/none")).status == 404
        await gateway.until(lambda: notes)
    assert notes == ["later"]


def test_repr() -> None:
    application = AsgiApplication(echo, contexts=CONTEXTS, max_response_header_bytes=100)
    assert "0 running" in repr(application)
    application.start()
    assert application.is_idle
