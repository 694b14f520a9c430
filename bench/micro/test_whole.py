"""The whole way of a request, and crossing into a thread."""

import asyncio
from collections.abc import Callable, Iterator
from itertools import cycle
from threading import Lock
from typing import Any

import pytest
import uvloop
from asgiref.wsgi import WsgiToAsgi
from pytest_benchmark.fixture import BenchmarkFixture

from bench.fakes import Client
from bench.handlers import HELLO, hello
from bench.instructions_script import KINDS
from gateway.wsgi.bridge import WsgiBridge
from gateway.wsgi.pool import ThreadPool

BRIDGES: dict[str, Callable[[Callable[..., Any]], Any]] = {
    "gateway": WsgiBridge,
    "asgiref": WsgiToAsgi,
}
SCOPE = {
    "type": "http",
    "asgi": {"version": "3.0", "spec_version": "2.4"},
    "http_version": "1.1",
    "method": "GET",
    "scheme": "http",
    "path": "/",
    "raw_path": b"/",
    "query_string": b"",
    "root_path": "",
    "headers": [(b"host", b"127.0.0.1:9000")],
    "client": ("127.0.0.1", 50123),
    "server": ("127.0.0.1", 9000),
}


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = uvloop.new_event_loop()
    yield loop
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()


@pytest.mark.benchmark(group="connection and bridge in memory")
@pytest.mark.parametrize("kind", KINDS)
def test_in_memory(benchmark: BenchmarkFixture, kind: str) -> None:
    handler, requests = KINDS[kind]
    ask, following = Client(handler).ask, cycle(requests).__next__
    answer = benchmark(lambda: ask(*following()))
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")


class Release:
    """A job that opens a lock."""

    def __init__(self, lock: Lock) -> None:
        self._lock = lock

    def run(self, waited: float) -> None:  # noqa: ARG002
        self._lock.release()

    def expire(self) -> None:
        raise AssertionError("it has no deadline")

    def refuse(self, waited: float) -> None:
        raise AssertionError(f"it waited for {waited} s")

    def lose(self) -> None:
        raise AssertionError("its thread has ended")


@pytest.mark.benchmark(group="pool")
def test_submit_to_run(benchmark: BenchmarkFixture) -> None:
    """There and back: two changes of threads."""
    pool = ThreadPool(8, 1024)
    pool.start(None)
    lock = Lock()
    lock.acquire()
    job = Release(lock)

    def submit() -> bool:
        is_queued = pool.submit(job)
        return is_queued and lock.acquire(timeout=5)

    assert benchmark(submit)
    pool.stop()


@pytest.mark.benchmark(group="under ASGI")
@pytest.mark.parametrize("bridge", BRIDGES.values(), ids=BRIDGES)
def test_asgi(
    benchmark: BenchmarkFixture,
    loop: asyncio.AbstractEventLoop,
    bridge: Callable[[Callable[..., Any]], Any],
) -> None:
    """A request through the bridge as an ASGI application, its thread included."""
    application = bridge(hello)

    async def ask() -> list[dict[str, Any]]:
        events = [{"type": "http.request", "body": b"", "more_body": False}]
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            if events:
                return events.pop()
            await loop.create_future()  # Until the server would see the client leave.
            raise AssertionError

        async def send(event: dict[str, Any]) -> None:
            sent.append(event)

        await application(SCOPE, receive, send)
        return sent

    start, *bodies = benchmark(lambda: loop.run_until_complete(ask()))
    if isinstance(application, WsgiBridge):
        application.stop()
    assert start["status"] == 200
    assert b"".join(event.get("body", b"") for event in bodies) == HELLO
