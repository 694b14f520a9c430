"""A worker from its first connection to its last: real sockets, a real loop, a real pool."""

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from itertools import count
from threading import Event

import pytest
import uvloop

from gateway.http.body.body import BodyBudget
from gateway.http.connection.admission import Admission
from gateway.http.connection.connection import Connection
from gateway.http.connection.deadlines import DeadlineSweep
from gateway.http.connection.shared_state import Application, SharedState, Timeouts
from gateway.limits import Limits
from gateway.sockets import accepting
from gateway.worker.liveness import MAX_FAILED_LOOKS, Liveness, ProbeApplication
from gateway.worker.server import Server
from gateway.wsgi.runner import WsgiRunner

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


def handler(environ, start_response):
    start_response("200 OK", [])
    return [b"hello"]


def site_of(application: Application, records: list[str] | None = None) -> SharedState:
    numbers = count()
    return SharedState(
        loop=asyncio.get_running_loop(),
        application=application,
        limits=Limits(),
        timeouts=Timeouts(),
        budget=BodyBudget(1 << 20),
        next_request_id=lambda: str(next(numbers)),
        record=None if records is None else lambda each: records.append(each.request_id),
    )


class Worker:
    """A server of this process."""

    def __init__(
        self, sock: socket.socket, application: Callable[..., list[bytes]] = handler
    ) -> None:
        self.records: list[str] = []
        bridge = WsgiRunner(application, threads=2)
        self.site = site_of(bridge, self.records)
        self.admission = Admission(self.site, 100, 10)
        sweep = DeadlineSweep(self.site, 0.02, [bridge.check_deadlines])
        self.stopped = 0
        self.server = Server(
            self.site,
            bridge,
            sweep,
            self.admission,
            drain_timeout=10.0,
            probe=site_of(ProbeApplication()),
            stop_listening=self._note_stop,
            on_closed=lambda: self.closed.append(len(self.site.connections)),
        )
        self.closed: list[int] = []
        """How many connections there were each time that the listener was said to be closed."""
        self._ready = asyncio.Event()
        self._sock = sock

    def _note_stop(self) -> None:
        self.stopped += 1

    async def __aenter__(self) -> "Worker":
        self.running = asyncio.ensure_future(self.server.run(self._sock, self._ready.set, ()))
        await self._ready.wait()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.server.drain("over")
        await self.running


@pytest.fixture
def sock():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


def run(body: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        await asyncio.wait_for(body(), 20)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(bounded())


async def ask(client: socket.socket) -> bytes:
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(client, GET)
    said = b""
    while not said.endswith(b"hello"):
        data = await loop.sock_recv(client, 65536)
        if not data:
            break
        said += data
    return said


def connect(sock: socket.socket) -> socket.socket:
    client = socket.create_connection(sock.getsockname())
    client.setblocking(False)
    return client


@pytest.mark.parametrize("takes_queue", [False, True])
def test_a_connection_that_is_just_being_accepted_is_served(sock, monkeypatch, takes_queue):
    """It is nowhere yet when the worker is told to end, and nothing else is under way."""

    async def body() -> None:
        async with Worker(sock) as worker:
            made = Connection.connection_made
            told = []

            def connection_made(connection, transport):
                told.append(not worker.site.connections)
                made(connection, transport)

            monkeypatch.setattr(Connection, "connection_made", connection_made)
            accept = accepting.Listener._accept

            def accept_and_end(listener):
                was_accepted = accept(listener)
                if was_accepted:
                    worker.server.drain("now", takes_queue=takes_queue)
                return was_accepted

            monkeypatch.setattr(accepting.Listener, "_accept", accept_and_end)
            with connect(sock.dup()) as client:
                await asyncio.sleep(0.1)
                assert told == [True]
                said = await ask(client)
            assert said.startswith(b"HTTP/1.1 200 "), said
            assert b"\r\nConnection: close\r\n" in said
        assert worker.stopped == 1
        assert worker.records == ["0"]

    run(body)


def test_a_handshake_that_ends_late_is_served(sock):
    """The listener stays open for a moment: who connects in it is not reset."""

    async def body() -> None:
        async with Worker(sock.dup()) as worker:
            worker.server.drain("now")
            await asyncio.sleep(0.03)
            with connect(sock) as client:
                said = await ask(client)
            assert said.startswith(b"HTTP/1.1 200 "), said

    run(body)


def test_the_closed_listener_is_announced_while_a_request_runs(sock):
    """The supervisor replaces the worker then: it must not wait for the last handler."""

    async def body() -> None:
        begun, may_end = Event(), Event()

        def held(environ, start_response):
            begun.set()
            may_end.wait(15)
            return handler(environ, start_response)

        async with Worker(sock.dup(), held) as worker:
            with connect(sock) as client:
                asking = asyncio.ensure_future(ask(client))
                while not begun.is_set():
                    await asyncio.sleep(0.01)
                worker.server.drain("now")
                try:
                    async with asyncio.timeout(10):
                        while not worker.closed:
                            await asyncio.sleep(0.01)
                    assert worker.closed[0] == 1, "the connection is still there"
                    assert not asking.done()
                finally:
                    may_end.set()
                assert (await asking).startswith(b"HTTP/1.1 200 ")

    run(body)


def test_the_cap_holds_for_those_that_arrive_together(sock):
    async def body() -> None:
        async with Worker(sock) as worker:
            worker.admission._max_connections = 5
            clients = [connect(sock) for _ in range(20)]
            await asyncio.sleep(0.1)
            for client in clients:
                with suppress(OSError):
                    await asyncio.wait_for(
                        asyncio.get_running_loop().sock_sendall(client, b"GET / HTTP/1.1\r\n"), 1
                    )
            await asyncio.sleep(0.1)
            open_ones = [each for each in worker.site.connections if type(each) is Connection]
            assert len(open_ones) == 5
            for client in clients:
                client.close()

    run(body)


# Whether new connections can be served.


class Looking:
    def __init__(self, sock: socket.socket, *, is_full: bool = False) -> None:
        loop = asyncio.get_running_loop()
        self.listener = accepting.Listener(loop, sock, asyncio.Protocol, lambda: 0)
        self.site = site_of(ProbeApplication())
        self.liveness = Liveness(self.site, self.listener, is_full=lambda: is_full)

    async def look(self, times: int = 1) -> list[bool]:
        seen = []
        for _ in range(times):
            seen.append(self.liveness.look())
            await asyncio.sleep(0.01)
        return seen

    def close(self) -> None:
        self.liveness.close()
        self.listener.close()


def test_looks_at_a_worker_that_can(sock):
    async def body() -> None:
        looking = Looking(sock)
        before = len(os.listdir("/dev/fd"))
        assert await looking.look(20) == [True] * 20
        await asyncio.sleep(0.01)
        assert len(os.listdir("/dev/fd")) <= before + 3  # A probe that is yet to be answered.
        assert not looking.site.connections
        looking.close()

    run(body)


def test_a_listening_socket_that_is_gone_counts_at_once(sock):
    async def body() -> None:
        looking = Looking(sock)
        assert await looking.look() == [True]
        os.close(sock.fileno())
        assert await looking.look(2) == [False, False]
        assert looking.liveness.reason == "the listening socket is gone"
        looking.close()

    run(body)


@pytest.mark.parametrize("fault", [MemoryError, RuntimeError, RecursionError])
def test_what_may_pass_counts_in_a_row(sock, monkeypatch, fault):
    async def body() -> None:
        looking = Looking(sock)

        def fail(*_):
            raise fault

        for _ in range(2):  # Not quite.
            with monkeypatch.context() as patch:
                patch.setattr(looking.liveness, "_new_protocol", fail)
                assert await looking.look(MAX_FAILED_LOOKS - 1) == [True] * (MAX_FAILED_LOOKS - 1)
            assert await looking.look(2) == [True] * 2
        monkeypatch.setattr(looking.liveness, "_new_protocol", fail)
        assert (
            await looking.look(MAX_FAILED_LOOKS + 1)
            == [True] * (MAX_FAILED_LOOKS - 1) + [False] * 2
        )
        looking.close()

    run(body)


def test_a_request_that_is_not_answered_counts(sock, monkeypatch):
    async def body() -> None:
        looking = Looking(sock)
        monkeypatch.setattr(ProbeApplication, "handle", lambda *_: None)
        assert await looking.look(MAX_FAILED_LOOKS + 1) == [True] * MAX_FAILED_LOOKS + [False]
        assert looking.liveness.reason == "a connection of its own is not answered"
        looking.close()

    run(body)


@pytest.mark.parametrize(
    ("error", "is_full", "counts"),
    [
        (OSError(24, "Too many open files"), False, True),
        (OSError(24, "Too many open files"), True, False),
        (OSError(23, "Too many open files in system"), False, False),
        (MemoryError(), True, True),
    ],
)
def test_a_shortage_that_another_worker_would_have_too(sock, error, is_full, counts):
    async def body() -> None:
        looking = Looking(sock, is_full=is_full)
        looking.listener.failure = error
        assert (await looking.look(MAX_FAILED_LOOKS))[-1] is not counts
        looking.close()

    run(body)


def test_a_loop_that_stands_fails_by_no_look(sock):
    """Looks without a turn between them say nothing of new connections but for once."""

    async def body() -> None:
        looking = Looking(sock)
        assert await looking.look() == [True]
        looking.liveness.look()
        looking.liveness.look()
        assert await looking.look(3) == [True] * 3
        looking.close()

    run(body)
