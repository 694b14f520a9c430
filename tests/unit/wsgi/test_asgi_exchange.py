"""The WSGI bridge as an ASGI 3 application, driven event by event."""

import asyncio
import functools
import json
import threading
import time
from base64 import b64decode
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from asgiref.testing import ApplicationCommunicator

from gateway import Limits, WsgiBridge
from gateway.errors import ClientDisconnected, QueueFull
from gateway.fc.context import ContextTemplate, Function, Service
from gateway.fc.metadata import InvocationMetadata
from gateway.http.answers.error_style import FunctionCompute2
from gateway.logs.function_log import FunctionLog
from gateway.wsgi.asgi_exchange import AsgiExchange, IncompleteResponse

TIMEOUT = 10.0
DISCONNECT = {"type": "http.disconnect"}


def asyncio_test(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    @functools.wraps(test)
    def wrapped(**fixtures: Any) -> None:
        async def bounded() -> None:
            async with asyncio.timeout(2 * TIMEOUT):
                await test(**fixtures)

        asyncio.run(bounded())

    return wrapped


def scope_of(path: str = "/", method: str = "GET", *headers: Any, **more: Any) -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"test"), *headers],
        "client": ("10.0.0.1", 4711),
        "server": ("10.0.0.2", 8080),
        **more,
    }


def request(data: bytes = b"", *, more: bool = False) -> dict[str, Any]:
    return {"type": "http.request", "body": data, "more_body": more}


class Call(ApplicationCommunicator):
    """One request to a bridge."""

    def __init__(self, bridge: WsgiBridge, *path: Any, **more: Any) -> None:
        super().__init__(bridge, path[0] if isinstance(path[0], dict) else scope_of(*path, **more))

    async def event(self) -> dict[str, Any]:
        if not self.output_queue.empty():  # Also of an application that has failed since.
            return self.output_queue.get_nowait()
        return await self.receive_output(TIMEOUT)

    async def answer(self) -> tuple[int, dict[bytes, bytes], bytes]:
        """The whole response; the application has then ended."""
        start = await self.event()
        assert start["type"] == "http.response.start"
        body, has_more = b"", True
        while has_more:
            event = await self.event()
            assert event["type"] == "http.response.body"
            body += event["body"]
            has_more = event["more_body"]
        await self.wait(TIMEOUT)
        assert self.output_queue.empty()
        fields = dict(start["headers"])
        assert len(fields) == len(start["headers"])
        return start["status"], fields, body


@asynccontextmanager
async def bridge_of(handler: Callable[..., Any], **options: Any) -> AsyncIterator[WsgiBridge]:
    """A bridge whose threads are all done in the end."""
    bridge = WsgiBridge(handler, **{"threads": 2, **options})
    yield bridge
    await until(lambda: bridge.is_idle)
    bridge.stop()


async def until(is_so: Callable[[], object]) -> None:
    async with asyncio.timeout(TIMEOUT):
        while not is_so():
            await asyncio.sleep(0.005)


async def ask(
    bridge: WsgiBridge, *path: Any, body: bytes = b"", **more: Any
) -> tuple[int, dict[bytes, bytes], bytes]:
    call = Call(bridge, *path, **more)
    await call.send_input(request(body))
    return await call.answer()


def hello(environ: Any, start_response: Any) -> list[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain"), ("X-Name", "é")])
    return [b"hello"]


def echo(environ: Any, start_response: Any) -> list[bytes]:
    start_response("200 OK", [("X-Length", environ.get("CONTENT_LENGTH", "none"))])
    return [environ["wsgi.input"].read()]


# Requests.


@asyncio_test
async def test_further_fields_of_the_answer() -> None:
    """Those that are made beside the handler's."""
    log = FunctionLog(None, print, memory=1, tail_readers="everybody")
    async with bridge_of(hello, function_log=log) as bridge:
        tail = (b"x-fc-log-type", b"Tail")
        _, fields, body = await ask(bridge, scope_of("/", "GET", tail))
        assert body == b"hello"
        assert b64decode(fields[b"x-fc-log-result"]).startswith(b"FC Invoke Start RequestId: ")
        _, fields, _ = await ask(bridge, scope_of())
        assert b"x-fc-log-result" not in fields


async def environ_of(scope: dict[str, Any], **options: Any) -> dict[str, Any]:
    environs: list[dict[str, Any]] = []

    def handler(environ: Any, start_response: Any) -> list[bytes]:
        environs.append(environ)
        start_response("200 OK", [])
        return []

    async with bridge_of(handler, **options) as bridge:
        status, _, body = await ask(bridge, scope)
        assert status == 200, body
    return environs[0]


@asyncio_test
async def test_environ() -> None:
    environ = await environ_of(
        scope_of(
            "/a b/é",
            "PUT",
            (b"content-type", b"text/plain"),
            (b"x-two", b"1"),
            (b"x-two", b"2"),
            (b"cookie", b"a=1"),
            (b"cookie", b"b=2"),
            (b"bad_name", b"1"),
            (b"x-fc-request-id", b"forged"),
            (b"x-fc-log-type", b"Tail"),
            raw_path=b"/a%20b/%C3%A9",
            query_string=b"x=%20&y",
            scheme="https",
        ),
        contexts=ContextTemplate(Function("mine", "index.handler", 128, 3), Service("service")),
    )
    assert environ["REQUEST_METHOD"] == "PUT"
    assert environ["SCRIPT_NAME"] == ""
    assert environ["PATH_INFO"] == "/a b/é".encode().decode("latin-1")
    assert environ["QUERY_STRING"] == "x=%20&y"
    assert environ["SERVER_PROTOCOL"] == "HTTP/1.1"
    assert (environ["SERVER_NAME"], environ["SERVER_PORT"]) == ("10.0.0.2", "8080")
    assert (environ["REMOTE_ADDR"], environ["REMOTE_PORT"]) == ("10.0.0.1", "4711")
    assert environ["wsgi.url_scheme"] == "https"
    assert environ["wsgi.multithread"] is True
    assert environ["CONTENT_TYPE"] == "text/plain"
    assert environ["CONTENT_LENGTH"] == "0"
    assert environ["HTTP_HOST"] == "test"
    assert environ["HTTP_X_TWO"] == "1,2"
    assert environ["HTTP_COOKIE"] == "a=1; b=2"
    assert environ["HTTP_X_FC_LOG_TYPE"] == "Tail"
    assert not {"HTTP_BAD_NAME", "HTTP_X_FC_REQUEST_ID"} & {*environ}
    assert environ["fc.request_uri"] == "/a%20b/%C3%A9?x=%20&y"
    assert environ["fc.context"].function.name == "mine"


@pytest.mark.parametrize(
    ("path", "raw_path", "root_path", "script_name", "path_info"),
    [
        ("/app/x", b"/app/x", "/app", "/app", "/x"),
        ("/app", b"/app", "/app", "/app", ""),
        ("/app/", b"/app/", "/app/", "/app", "/"),
        ("/apple", b"/apple", "/app", "/app", "/apple"),
        ("/x", b"/x", "/app", "/app", "/x"),
        ("/é/x y", b"/%C3%A9/x%20y", "/é", "/Ã©", "/x y"),
        ("/é", None, "", "", "/Ã©"),
        ("/a?b#c%41", None, "", "", "/a?b#c%41"),
        # What is no UTF-8 is lost in `path` but not in `raw_path`.
        ("/\ufffd", b"/%FF", "", "", "/\xff"),
        # A middleware has changed the path.
        ("/inner", b"/outer/inner", "", "", "/inner"),
        ("", b"", "", "", "/"),
        ("/x", b"/x?query", "", "", "/x"),
    ],
)
@asyncio_test
async def test_path(
    path: str, raw_path: bytes | None, root_path: str, script_name: str, path_info: str
) -> None:
    environ = await environ_of(scope_of(path, raw_path=raw_path, root_path=root_path))
    assert (environ["SCRIPT_NAME"], environ["PATH_INFO"]) == (script_name, path_info)


@asyncio_test
async def test_scope_with_what_is_necessary_only() -> None:
    scope = scope_of("/x", headers=[], http_version="1.0", client=None, server=None)
    for key in ("raw_path", "query_string", "root_path", "scheme"):
        del scope[key]
    environ = await environ_of(scope)
    assert environ["PATH_INFO"] == "/x"
    assert environ["QUERY_STRING"] == ""
    assert environ["SERVER_PROTOCOL"] == "HTTP/1.0"
    assert (environ["SERVER_NAME"], environ["SERVER_PORT"]) == ("localhost", "80")
    assert environ["REMOTE_ADDR"] == ""
    assert "HTTP_HOST" not in environ
    environ = await environ_of(scope_of(server=("/run/socket", None)))
    assert environ["SERVER_NAME"] == "localhost"


@asyncio_test
async def test_default_url() -> None:
    environ = await environ_of(scope_of("/2016-08-15/proxy/shop.prod/cart/x"))
    assert environ["PATH_INFO"] == "/x"
    assert environ["fc.request_uri"] == "/2016-08-15/proxy/shop.prod/cart/x"
    assert environ["fc.context"].service.name == "shop"
    assert environ["fc.context"].function.name == "cart"


@asyncio_test
async def test_default_context_names_the_handler() -> None:
    environ = await environ_of(scope_of())
    context = environ["fc.context"]
    assert context.function.name == "handler"
    assert context.function.handler.endswith("test_asgi_exchange.handler")
    assert context.function.timeout == 60


@asyncio_test
async def test_body_in_pieces() -> None:
    async with bridge_of(echo) as bridge:
        call = Call(bridge, "/", "POST", (b"transfer-encoding", b"chunked"))
        for _ in range(3):
            await call.send_input(request(b"12345", more=True))
        await call.send_input({"type": "http.request"})
        status, fields, body = await call.answer()
        assert (status, body, fields[b"x-length"]) == (200, b"12345" * 3, b"15")


@asyncio_test
async def test_disconnect_within_the_body() -> None:
    async with bridge_of(hello) as bridge:
        call = Call(bridge, "/", "POST")
        await call.send_input(request(b"12345", more=True))
        await call.send_input(DISCONNECT)
        await call.wait(TIMEOUT)
        assert call.output_queue.empty()


LIMITS = Limits(max_header_bytes=100, max_path_bytes=10, max_body=10, max_async_body=5)


@pytest.mark.parametrize(
    ("scope", "told"),
    [
        (scope_of("/12345678901"), "longer than 10"),
        (scope_of("/12345", query_string=b"7890"), "longer than 10"),
        (scope_of("/", "GET", (b"x", b"x" * 92)), "larger than 100"),
        (scope_of("/", "POST", (b"content-length", b"11")), "larger than 10"),
        (scope_of("/", "POST", (b"content-length", b"1x")), "not a number"),
        (scope_of("/", "POST", (b"content-length", b"9" * 19)), "not a number"),
        (
            scope_of("/", "POST", (b"content-length", b"6"), (b"x-fc-invocation-type", b"async")),
            "larger than 5",
        ),
        (scope_of("/", "GET", (b"host", b"other")), "more than one Host"),
    ],
)
@asyncio_test
async def test_request_that_is_refused_unread(scope: dict[str, Any], told: str) -> None:
    async with bridge_of(hello, limits=LIMITS) as bridge:
        call = Call(bridge, scope)
        status, fields, body = await call.answer()
        answer = json.loads(body)
        assert status == 400
        assert answer["ErrorCode"] == "InvalidArgument"
        assert told in answer["ErrorMessage"]
        assert fields[b"x-fc-error-type"] == b"FcCommonError"
        assert fields[b"content-length"] == str(len(body)).encode()
        assert fields[b"x-fc-request-id"]


@asyncio_test
async def test_limits_are_inclusive() -> None:
    async with bridge_of(echo, limits=LIMITS) as bridge:
        scope = scope_of("/1234", "POST", (b"x", b"x" * 91), query_string=b"6789")
        assert (await ask(bridge, scope, body=bytes(10)))[0] == 200
        status, _, body = await ask(bridge, "/", "POST", body=bytes(11))
        assert (status, b"larger than 10" in body) == (400, True)


# Responses.


@asyncio_test
async def test_complete_response() -> None:
    async with bridge_of(hello) as bridge:
        ids = set()
        for _ in range(3):
            status, fields, body = await ask(bridge, "/")
            assert (status, body) == (200, b"hello")
            ids.add(fields.pop(b"x-fc-request-id"))
            assert fields == {
                b"content-type": b"text/plain",
                b"x-name": b"\xe9",
                b"content-length": b"5",
            }
        assert len(ids) == 3


@pytest.mark.parametrize(
    ("status", "method", "length"),
    [("204 No Content", "GET", None), ("304 Not Modified", "GET", None), ("200 OK", "HEAD", b"5")],
)
@asyncio_test
async def test_responses_without_a_body(status: str, method: str, length: bytes | None) -> None:
    def handler(environ: Any, start_response: Any) -> list[bytes]:
        start_response(status, [])
        return [b"hello"]

    async with bridge_of(handler) as bridge:
        code, fields, body = await ask(bridge, "/", method)
        assert (code, body) == (int(status[:3]), b"")
        assert fields.get(b"content-length") == length


@asyncio_test
async def test_stream_with_head_request() -> None:
    def handler(environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [("Content-Length", "6")])
        yield b"one"
        yield b"two"

    async with bridge_of(handler) as bridge:
        status, fields, body = await ask(bridge, "/", "HEAD")
        assert (status, fields[b"content-length"], body) == (200, b"6", b"")


class Steps:
    """A streaming handler that goes on when it may, and notes how far it came."""

    def __init__(self, *chunks: bytes, length: int | None = None) -> None:
        self.chunks = chunks
        self.headers = [] if length is None else [("Content-Length", str(length))]
        self.turns = threading.Semaphore(0)
        self.made: list[bytes] = []
        self.is_closed = threading.Event()
        self.error: BaseException | None = None

    def __call__(self, environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", self.headers)
        try:
            for chunk in self.chunks:
                assert self.turns.acquire(timeout=TIMEOUT)
                self.made.append(chunk)
                yield chunk
        except GeneratorExit:
            raise
        finally:
            self.is_closed.set()

    def go_on(self, turns: int = 1) -> None:
        self.turns.release(turns)


@asyncio_test
async def test_chunks_leave_one_by_one() -> None:
    handler = Steps(b"one", b"", b"two")
    async with bridge_of(handler) as bridge:
        call = Call(bridge, "/")
        await call.send_input(request())
        handler.go_on()
        start = await call.event()
        assert b"content-length" not in dict(start["headers"])
        assert (await call.event())["body"] == b"one"
        handler.go_on(2)
        assert await call.event() == {
            "type": "http.response.body",
            "body": b"two",
            "more_body": True,
        }
        assert (await call.event())["more_body"] is False
        await call.wait(TIMEOUT)


@asyncio_test
async def test_chunk_that_completes_the_length_is_the_last() -> None:
    handler = Steps(b"one", b"two!", b"beyond", length=6)
    async with bridge_of(handler) as bridge:
        call = Call(bridge, "/")
        await call.send_input(request())
        handler.go_on(2)
        status, fields, body = await call.answer()
        assert (status, fields[b"content-length"], body) == (200, b"6", b"onetwo")
        handler.go_on()


@asyncio_test
async def test_slow_server_holds_the_handler_up() -> None:
    handler = Steps(*[b"x"] * 10)
    handler.go_on(10)
    may_send = asyncio.Event()
    sent = []

    async def receive() -> Any:
        return request() if not sent else await asyncio.sleep(TIMEOUT)

    async def send(event: Any) -> None:
        sent.append(event)
        await may_send.wait()

    async with bridge_of(handler) as bridge:
        serving = asyncio.create_task(bridge(scope_of(), receive, send))  # type: ignore[arg-type]
        await until(lambda: sent)
        assert not handler.is_closed.wait(0.1)
        assert len(handler.made) <= 2
        may_send.set()
        await serving
        assert len(sent) == 12


# Clients that leave.


@asyncio_test
async def test_disconnect_closes_the_generator() -> None:
    handler = Steps(*[b"x"] * 100)
    async with bridge_of(handler) as bridge:
        call = Call(bridge, "/")
        await call.send_input(request())
        handler.go_on(2)
        for _ in range(3):
            await call.event()
        await call.send_input(DISCONNECT)
        await call.wait(TIMEOUT)
        assert not handler.is_closed.is_set()
        handler.go_on(100)
        assert await asyncio.to_thread(handler.is_closed.wait, TIMEOUT)
        assert len(handler.made) < 5


@asyncio_test
async def test_disconnect_wakes_a_thread_that_waits_for_room() -> None:
    handler = Steps(*[b"x"] * 100)
    handler.go_on(100)
    gone = asyncio.Event()
    calls = 0

    async def receive() -> Any:
        nonlocal calls
        calls += 1
        if calls == 1:
            return request()
        await gone.wait()
        return DISCONNECT

    async def send(event: Any) -> None:
        await asyncio.sleep(TIMEOUT)

    async with bridge_of(handler) as bridge:
        serving = asyncio.create_task(bridge(scope_of(), receive, send))  # type: ignore[arg-type]
        await until(lambda: len(handler.made) == 2)
        gone.set()
        await serving
        assert await asyncio.to_thread(handler.is_closed.wait, TIMEOUT)
        assert len(handler.made) == 2


@asyncio_test
async def test_send_that_raises_oserror_is_a_disconnect() -> None:
    handler = Steps(*[b"x"] * 100)
    handler.go_on(100)

    async def receive() -> Any:
        return request() if not handler.made else await asyncio.sleep(TIMEOUT)

    async def send(event: Any) -> None:
        raise ClientDisconnected("gone")

    async with bridge_of(handler) as bridge:
        await bridge(scope_of(), receive, send)  # type: ignore[arg-type]
        assert await asyncio.to_thread(handler.is_closed.wait, TIMEOUT)


@asyncio_test
async def test_cancelled_by_the_server() -> None:
    handler = Steps(*[b"x"] * 100)
    async with bridge_of(handler) as bridge:
        call = Call(bridge, "/")
        await call.send_input(request())
        handler.go_on()
        await call.event()
        call.future.cancel()
        await call.wait(TIMEOUT)
        handler.go_on(100)
        assert await asyncio.to_thread(handler.is_closed.wait, TIMEOUT)


@asyncio_test
async def test_request_whose_client_left_in_the_queue_is_not_run() -> None:
    handler = Steps(b"x")
    async with bridge_of(handler, threads=1) as bridge:
        first, second = Call(bridge, "/"), Call(bridge, "/")
        await first.send_input(request())
        await until(lambda: bridge._runner._pool.busy)
        await second.send_input(request())
        await until(lambda: len(bridge._runner._pool.queue))
        await second.send_input(DISCONNECT)
        await second.wait(TIMEOUT)
        handler.go_on()
        await first.answer()
        await until(lambda: bridge.is_idle)
    assert handler.made == [b"x"]


# Faults.


@asyncio_test
async def test_fault_before_the_answer() -> None:
    def handler(environ: Any, start_response: Any) -> Any:
        raise LookupError("nothing there")

    async with bridge_of(handler, error_style=FunctionCompute2(shows_stack=True)) as bridge:
        status, fields, body = await ask(bridge, "/")
        answer = json.loads(body)
        assert status == 502
        assert fields[b"x-fc-error-type"] == b"UnhandledInvocationError"
        assert (answer["errorType"], answer["errorMessage"]) == ("LookupError", "nothing there")
        assert answer["stackTrace"][0][0].endswith("in handler")
    async with bridge_of(handler) as bridge:
        assert json.loads((await ask(bridge, "/"))[2])["stackTrace"] == []


@pytest.mark.parametrize("length", [None, 100])
@asyncio_test
async def test_fault_within_the_answer_ends_the_application(length: int | None) -> None:
    def handler(environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [("Content-Length", str(length))] if length else [])
        yield b"part"
        if not length:
            raise LookupError("nothing there")

    async with bridge_of(handler) as bridge:
        call = Call(bridge, "/")
        await call.send_input(request())
        assert (await call.event())["status"] == 200
        assert (await call.event())["body"] == b"part"
        with pytest.raises(IncompleteResponse):
            await call.wait(TIMEOUT)


@asyncio_test
async def test_response_header_limit() -> None:
    async with bridge_of(hello, limits=Limits(max_response_header_bytes=20)) as bridge:
        status, _, body = await ask(bridge, "/")
        assert (status, json.loads(body)["ErrorCode"]) == (502, "BadResponse")


# Bounds of time and number.


@asyncio_test
async def test_handler_timeout_before_the_answer() -> None:
    is_released = threading.Event()

    def handler(environ: Any, start_response: Any) -> list[bytes]:
        is_released.wait(TIMEOUT)
        return hello(environ, start_response)

    async with bridge_of(handler, threads=1, handler_timeout=0.05) as bridge:
        for _ in range(2):  # The thread is replaced.
            status, _, body = await ask(bridge, "/")
            assert status == 502
            assert json.loads(body) == {"errorMessage": "Function time out after 0.05 seconds"}
        is_released.set()
        await asyncio.sleep(0)
        assert (await ask(bridge, "/"))[0] == 200


@asyncio_test
async def test_handler_timeout_within_the_answer() -> None:
    handler = Steps(b"one", b"two")
    async with bridge_of(handler, handler_timeout=0.05) as bridge:
        call = Call(bridge, "/")
        await call.send_input(request())
        handler.go_on()
        await call.event()
        await call.event()
        with pytest.raises(IncompleteResponse):
            await call.wait(TIMEOUT)
        handler.go_on()
        assert await asyncio.to_thread(handler.is_closed.wait, TIMEOUT)


@asyncio_test
async def test_handler_timeout_frees_a_thread_that_waits_for_the_server() -> None:
    handler = Steps(*[b"x"] * 100)
    handler.go_on(100)

    async def receive() -> Any:
        return request() if not handler.made else await asyncio.sleep(TIMEOUT)

    async def send(event: Any) -> None:
        await asyncio.sleep(TIMEOUT)

    async with bridge_of(handler, handler_timeout=0.05) as bridge:
        with pytest.raises(IncompleteResponse):
            await bridge(scope_of(), receive, send)  # type: ignore[arg-type]
        assert await asyncio.to_thread(handler.is_closed.wait, TIMEOUT)


@asyncio_test
async def test_full_queue_and_queue_timeout() -> None:
    handler = Steps(b"x")
    async with bridge_of(handler, threads=1, limit_queue=1, queue_timeout=0.01) as bridge:
        running, queued, refused = (Call(bridge, "/") for _ in range(3))
        await running.send_input(request())
        await until(lambda: bridge._runner._pool.busy)
        await queued.send_input(request())
        await until(lambda: len(bridge._runner._pool.queue))
        await refused.send_input(request())
        status, fields, body = await refused.answer()
        assert (status, json.loads(body)["ErrorCode"]) == (429, "ResourceExhausted")
        assert fields[b"retry-after"] == b"1"
        await asyncio.sleep(0.02)
        handler.go_on()
        assert (await running.answer())[0] == 200
        status, _, body = await queued.answer()
        assert (status, json.loads(body)["ErrorCode"]) == (503, "ResourceThrottled")


@asyncio_test
async def test_asynchronous_invocation() -> None:
    handler = Steps(b"x")
    async with bridge_of(handler) as bridge:
        status, _, body = await ask(bridge, "/", "POST", (b"x-fc-invocation-type", b"Async"))
        assert (status, body) == (202, b"")
        assert not bridge.is_idle
        handler.go_on()
        assert await asyncio.to_thread(handler.is_closed.wait, TIMEOUT)


# Other scopes, and the life cycle.


@asyncio_test
async def test_lifespan_starts_and_stops_the_threads() -> None:
    handler = Steps(b"x")
    bridge = WsgiBridge(handler, threads=2)
    for _ in range(2):  # Test clients start the same application again.
        before = set(threading.enumerate())
        call = Call(bridge, {"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}})
        await call.send_input({"type": "lifespan.startup"})
        assert await call.event() == {"type": "lifespan.startup.complete"}
        assert len(started_since(before)) == 2
        await ask(bridge, "/", "POST", (b"x-fc-invocation-type", b"Async"))
        await call.send_input({"type": "lifespan.shutdown"})
        assert await call.receive_nothing(0.05), "it waits for what still runs"
        handler.go_on()
        assert await call.event() == {"type": "lifespan.shutdown.complete"}
        await call.wait(TIMEOUT)
        await until(lambda before=before: not started_since(before))


def started_since(before: set[threading.Thread]) -> set[threading.Thread]:
    """Threads that run now and did not then; those of other tests may be ending meanwhile."""
    return set(threading.enumerate()) - before


def test_threads_start_with_the_first_request_and_serve_several_loops() -> None:
    bridge = WsgiBridge(hello, threads=1, handler_timeout=0.2)
    before = set(threading.enumerate())

    async def test() -> None:
        assert (await ask(bridge, "/"))[0] == 200

    for _ in range(3):
        asyncio.run(test())
    assert len(started_since(before)) == 1
    bridge.stop()
    deadline = time.monotonic() + TIMEOUT
    while started_since(before):
        assert time.monotonic() < deadline
        time.sleep(0.005)


@asyncio_test
async def test_websocket_is_denied() -> None:
    async with bridge_of(hello) as bridge:
        call = Call(bridge, {**scope_of(), "type": "websocket"})
        await call.send_input({"type": "websocket.connect"})
        assert (await call.event())["type"] == "websocket.close"
        await call.wait(TIMEOUT)


@asyncio_test
async def test_unknown_scope() -> None:
    async with bridge_of(hello) as bridge:
        with pytest.raises(ValueError, match="telnet"):
            await Call(bridge, {"type": "telnet"}).wait(TIMEOUT)


def test_end_of_the_loop_closes_the_generator() -> None:
    handler = Steps(*[b"x"] * 100)
    bridge = WsgiBridge(handler, threads=1)

    async def test() -> None:
        call = Call(bridge, "/")
        await call.send_input(request())
        handler.go_on()
        await call.event()
        call.future.cancel()

    asyncio.run(test())
    handler.go_on(100)
    assert handler.is_closed.wait(TIMEOUT)
    bridge.stop()


# Fields of Function Compute.

METADATA = InvocationMetadata("c-1", "2", lambda: 1 << 20)


async def answer_with(extra_fields: str, **options: Any) -> dict[bytes, bytes]:
    """The fields of an answer to an exchange that somebody has given `extra_fields`."""
    loop = asyncio.get_running_loop()
    style = FunctionCompute2()
    exchange = AsgiExchange("request-1", loop, lambda: None, style, **options)
    exchange.begin_invocation(Service("shop"))
    exchange.extra_fields = extra_fields
    exchange.refuse(QueueFull("full"))
    sent: list[Any] = []

    async def send(event: Any) -> None:
        sent.append(event)

    async def receive() -> Any:
        await asyncio.Event().wait()

    await exchange.run(receive, send)
    headers = sent[0]["headers"]
    assert len(dict(headers)) == len(headers)
    return dict(headers)


@asyncio_test
async def test_fields_that_others_have_given() -> None:
    more = "\r\nAccess-Control-Allow-Origin: *\r\nX-Fc-Log-Result: AA: A==\r\nX-Empty: "
    fields = await answer_with(more)
    assert fields[b"access-control-allow-origin"] == b"*"
    assert fields[b"x-fc-log-result"] == b"AA: A=="
    assert fields[b"x-empty"] == b""
    assert fields[b"x-fc-request-id"] == b"request-1"
    assert fields[b"x-fc-error-type"] == b"FcCommonError"
    assert b"x-fc-instance-id" not in fields


@asyncio_test
async def test_fields_that_tell_of_the_invocation() -> None:
    fields = await answer_with("", metadata=METADATA)
    assert fields[b"x-fc-instance-id"] == b"c-1"
    assert fields[b"x-fc-max-memory-usage"] == b"1.00"
    assert int(fields[b"x-fc-invocation-duration"]) >= 1


@asyncio_test
async def test_no_fields_of_function_compute() -> None:
    more = "\r\nVary: Origin\r\nX-Fc-Log-Result: AAAA\r\nX-Fc-Status: 404"
    fields = await answer_with(more, metadata=METADATA, has_fc_fields=False)
    told = {name for name in fields if name.startswith(b"x-fc-")}
    assert told == {b"x-fc-status"}
    assert fields[b"vary"] == b"Origin"
