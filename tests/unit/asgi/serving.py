"""An ASGI application behind real connections, in the test's own loop."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from itertools import count
from typing import Any, NamedTuple

from gateway.asgi.adapter import AsgiApplication
from gateway.fc.context import ContextTemplate, Function, Service
from gateway.http.body.body import BodyBudget
from gateway.http.connection.connection import Connection
from gateway.http.connection.deadlines import DeadlineSweep
from gateway.http.connection.exchange import Exchange
from gateway.http.connection.shared_state import SharedState, Timeouts
from gateway.limits import Limits

CONTEXTS = ContextTemplate(Function("hello", "index.app", 512, 60), Service("service"))
TIMEOUT = 10.0


class Reply(NamedTuple):
    status: int
    fields: dict[str, str]
    body: bytes
    is_complete: bool


class Client:
    """One connection; understands just enough."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def send(self, target: str = "/", method: str = "GET", *lines: str, body: bytes = b"") -> None:
        if body:
            lines = (*lines, f"Content-Length: {len(body)}")
        head = "\r\n".join([f"{method} {target} HTTP/1.1", "Host: test", *lines, "", ""])
        self.writer.write(head.encode("latin-1") + body)

    async def ask(self, target: str = "/", method: str = "GET", *lines: str, **more: Any) -> Reply:
        self.send(target, method, *lines, **more)
        return await self.read(has_body=method != "HEAD")

    async def read_head(self) -> tuple[int, dict[str, str]]:
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        status, *lines = head.strip().split("\r\n")
        fields = {name.lower(): value for name, _, value in (x.partition(": ") for x in lines)}
        assert len(fields) == len(lines), f"repeated field: {lines}"
        return int(status.split()[1]), fields

    async def read(self, *, has_body: bool = True) -> Reply:
        status, fields = await self.read_head()
        if not has_body or status in (204, 304):
            return Reply(status, fields, b"", True)
        body = b""
        try:
            if fields.get("transfer-encoding") == "chunked":
                while chunk := await self.read_chunk():
                    body += chunk
            else:
                body = await self.reader.readexactly(int(fields["content-length"]))
        except asyncio.IncompleteReadError as error:
            return Reply(status, fields, body + error.partial, False)
        except ConnectionError:
            return Reply(status, fields, body, False)
        return Reply(status, fields, body, True)

    async def read_chunk(self) -> bytes:
        size = int(await self.reader.readuntil(b"\r\n"), 16)
        return (await self.reader.readexactly(size + 2))[:-2]

    def reset(self) -> None:
        """Leave without reading: a mere close is a half-close to the other side."""
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def is_closed(self) -> bool:
        try:
            return await self.reader.read(1) == b""
        except ConnectionError:
            return True


class Running:
    """A served application."""

    def __init__(self, site: SharedState, adapter: AsgiApplication, port: int) -> None:
        self.site = site
        self.adapter = adapter
        self.port = port
        self.records: list[Exchange] = []
        self._clients: list[Client] = []

    async def connect(self) -> Client:
        client = Client(*await asyncio.open_connection("127.0.0.1", self.port))
        self._clients.append(client)
        return client

    async def ask(self, *arguments: Any, **more: Any) -> Reply:
        return await (await self.connect()).ask(*arguments, **more)

    async def until(self, is_so: Callable[[], object]) -> None:
        async with asyncio.timeout(TIMEOUT):
            while not is_so():
                await asyncio.sleep(0.005)

    def close(self) -> None:
        for client in self._clients:
            client.writer.close()


@asynccontextmanager
async def served(
    application: Callable[..., Any],
    *,
    limits: Limits = Limits(),
    **options: Any,
) -> AsyncIterator[Running]:
    """Serve `application`; afterwards every exchange must have ended once, and freed its body."""
    loop = asyncio.get_running_loop()
    adapter = AsgiApplication(
        application,
        contexts=CONTEXTS,
        max_response_header_bytes=limits.max_response_header_bytes,
        **options,
    )
    begun: list[Exchange] = []
    released: list[Exchange] = []

    class Counting:
        relieve = staticmethod(adapter.relieve)

        def handle(self, exchange: Exchange) -> None:
            begun.append(exchange)
            adapter.handle(exchange)

    numbers = count(1)
    budget = BodyBudget(1 << 20)
    records: list[Exchange] = []
    site = SharedState(
        loop=loop,
        application=Counting(),
        limits=limits,
        timeouts=Timeouts(),
        budget=budget,
        next_request_id=lambda: f"request-{next(numbers)}",
        record=records.append,
    )
    release = Exchange.release

    def counting_release(exchange: Exchange) -> None:
        released.append(exchange)
        release(exchange)

    Exchange.release = counting_release  # type: ignore[method-assign]
    sweep = DeadlineSweep(site, 0.02, [adapter.check_deadlines])
    server = await loop.create_server(lambda: Connection(site), "127.0.0.1", 0)
    sweep.start()
    running = Running(site, adapter, server.sockets[0].getsockname()[1])
    running.records = records
    try:
        yield running
        running.close()
        await running.until(lambda: adapter.is_idle and not site.connections)
        await asyncio.sleep(0)
        assert len(released) == len(begun) == len({*released}), "released once each"
        assert sorted(map(id, begun)) == sorted(id(x) for x in records if x.is_dispatched)
        budget.settle()
        assert budget.used == 0
    finally:
        Exchange.release = release  # type: ignore[method-assign]
        running.close()
        sweep.stop()
        adapter.stop()
        server.close()


def run(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a test's coroutine, for a bounded time."""

    async def bounded() -> None:
        async with asyncio.timeout(TIMEOUT * 2):
            await test()

    asyncio.run(bounded())
