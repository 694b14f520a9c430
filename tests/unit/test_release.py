"""Whatever clients do, everything is given back: counted, on real sockets and threads."""

import asyncio
import gc
import logging
import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from itertools import count

import pytest
import uvloop

from gateway.http.body.body import BodyBudget
from gateway.http.connection import connection
from gateway.http.connection.admission import Admission
from gateway.http.connection.connection import Connection
from gateway.http.connection.deadlines import DeadlineSweep
from gateway.http.connection.exchange import Exchange
from gateway.http.connection.lingering import Lingering
from gateway.http.connection.shared_state import SharedState, Timeouts
from gateway.limits import Limits
from gateway.wsgi.runner import WsgiRunner

pytestmark = pytest.mark.family("vanishing-clients")

CLIENTS = 12
HEAD = b"POST /b HTTP/1.1\r\nHost: a\r\n"

STAGES = {
    "connected": b"",
    "in a head": b"GET / HTTP/1.1\r\nHo",
    "in a body": HEAD + b"Content-Length: 9\r\n\r\n1234",
    "in a large body": HEAD + b"Content-Length: 900000\r\n\r\n" + bytes(400_000),
    "in a chunk": HEAD + b"Transfer-Encoding: chunked\r\n\r\n10\r\nabc",
    "in a streamed body": HEAD + b"Content-Length: 3000000\r\n\r\n" + bytes(1_500_000),
    "before 100 Continue": HEAD + b"Content-Length: 9\r\nExpect: 100-continue\r\n\r\n",
    "with a request": b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n",
    "with pipelined requests": b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" * 50,
    "with an asynchronous request": HEAD + b"X-Fc-Invocation-Type: Async\r\n"
    b"Content-Length: 4\r\n\r\nabcd",
    "with an unread answer": b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n",
    "with an unread stream": b"GET /stream HTTP/1.1\r\nHost: a\r\n\r\n",
    "refused": b"GET / HTTP/1.1\r\n\r\n" + bytes(1000),
}


def handler(environ, start_response):
    start_response("200 OK", [])
    path = environ["PATH_INFO"]
    if path == "/slow":
        threading.Event().wait(0.2)
    if path == "/stream":
        return (b"x" * 65536 for _ in range(1000))
    if path == "/large":
        return [b"x" * 8_000_000]
    return [str(len(environ["wsgi.input"].read())).encode()]


def close(client: socket.socket) -> None:
    client.close()


def reset(client: socket.socket) -> None:
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


def stay(client: socket.socket) -> None:
    """Until the gateway ends it; nothing more is read or said."""


class Counted:
    """A gateway in the test's own process."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.bridge = WsgiRunner(handler, threads=4)
        numbers = count()
        self.records: list[str] = []
        self.site = SharedState(
            loop=loop,
            application=self.bridge,
            limits=Limits(max_body=4_000_000, body_buffer=1_000_000),
            timeouts=Timeouts(keep_alive=0.3, head=0.3, body=0.3, write=0.3, linger=0.3),
            budget=BodyBudget(3_000_000, overdraft=1_000_000),
            next_request_id=lambda: str(next(numbers)),
            record=lambda exchange: self.records.append(exchange.request_id),
        )
        self.sweep = DeadlineSweep(self.site, 0.02, [self.bridge.check_deadlines])

    def is_quiet(self) -> bool:
        return self.bridge.is_idle and not self.site.connections


async def visit(clients: list[socket.socket], sent: bytes) -> None:
    loop = asyncio.get_running_loop()

    async def say(client: socket.socket) -> None:
        with suppress(OSError):
            await loop.sock_sendall(client, sent)

    say_all = asyncio.gather(*[say(client) for client in clients])
    with suppress(TimeoutError):  # Where the gateway does not read on, nobody can.
        await asyncio.wait_for(say_all, 0.3)


@pytest.mark.parametrize("leave", [close, reset, stay])
@pytest.mark.parametrize("stage", STAGES)
def test_everything_is_given_back(
    stage: str,
    leave: Callable[[socket.socket], None],
    tally: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # pytest keeps what is logged, with the frames of its tracebacks.
    monkeypatch.setattr(logging.getLogger("gateway.function"), "disabled", True)
    monkeypatch.setattr(connection, "_LATE_LINGER_SECONDS", 0.2)
    kinds = (Connection, Exchange, Lingering)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        counted = Counted(loop)
        counted.bridge.start()
        counted.sweep.start()
        listener = await loop.create_server(Admission(counted.site, 100, 10), "127.0.0.1", 0)
        address = listener.sockets[0].getsockname()
        clients = []
        for _ in range(CLIENTS):
            client = socket.socket()
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.setblocking(False)
            await loop.sock_connect(client, address)
            clients.append(client)
        await visit(clients, STAGES[stage])
        for client in clients:
            leave(client)
        async with asyncio.timeout(15):
            while not counted.is_quiet():
                await asyncio.sleep(0.01)
        counted.site.budget.settle()
        assert counted.site.budget.used == 0
        assert not counted.site.budget.has_waiting
        assert counted.site.write_backlog.total == 0
        assert len(counted.records) == len({*counted.records})
        assert asyncio.all_tasks() == {asyncio.current_task()}
        counted.sweep.stop()
        counted.bridge.stop()
        listener.close()
        for client in clients:
            client.close()

    threads = {*threading.enumerate()}
    uvloop.run(main())
    for thread in {*threading.enumerate()} - threads:
        thread.join(5)
        assert not thread.is_alive()
    gc.collect()
    assert not [each for each in gc.get_objects() if type(each) in kinds]
    tally(faults=CLIENTS)
