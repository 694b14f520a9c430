"""Clients that keep a server busy while quick requests are measured beside them."""

import asyncio
import socket
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import ClassVar

from bench.loads.client import is_connected, request, reset
from bench.loads.closed_loop import exchange
from bench.process import FailedRun

_SETTLE_SECONDS = 0.5
_LEAST_SHARE = 0.9
"""Of the clients must be connected at the end, or it was not the load that was asked for."""


class Crowd(ABC):
    """`clients` connections, each kept by a task that opens it anew when the server closes it."""

    def __init__(self, clients: int) -> None:
        self.clients = clients
        self._open: set[socket.socket] = set()

    @asynccontextmanager
    async def present(self, port: int) -> AsyncIterator[None]:
        """The crowd is there for the length of the block.

        Raises:
            FailedRun: the server kept too few of its connections.
        """
        tasks = [asyncio.create_task(self._stay(port, n)) for n in range(self.clients)]
        try:
            await asyncio.sleep(_SETTLE_SECONDS)
            yield
            self._check(tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _check(self, tasks: list[asyncio.Task[None]]) -> None:
        for task in tasks:
            if task.done() and (failure := task.exception()) is not None:
                raise failure
        count = sum(is_connected(client) for client in self._open)
        if count < _LEAST_SHARE * self.clients:
            raise FailedRun(f"only {count} of the {self.clients} slow clients were connected")

    async def _stay(self, port: int, number: int) -> None:
        loop = asyncio.get_running_loop()
        while True:
            client = socket.socket()
            client.setblocking(False)
            # A small window, so that what is not read stays with the server.
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 * 1024)
            self._open.add(client)
            try:
                with suppress(OSError):
                    await loop.sock_connect(client, ("127.0.0.1", port))
                    await self.behave(client, number)
            finally:
                self._open.discard(client)
                reset(client)
            await asyncio.sleep(0.1)

    @abstractmethod
    async def behave(self, client: socket.socket, number: int) -> None:
        """What client `number` does, until it is cancelled or the connection fails."""


class Trickling(Crowd):
    """One byte every half second: half of the clients of a head, half of a body."""

    every_seconds = 0.5

    async def behave(self, client: socket.socket, number: int) -> None:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(self.every_seconds * number / self.clients)
        if number % 2:
            await loop.sock_sendall(client, request("POST", "/length", body_bytes=100_000))
        else:
            await loop.sock_sendall(client, b"GET / HTTP/1.1\r\nHost: bench\r\nX-Slow: ")
        while is_connected(client):
            await loop.sock_sendall(client, b"a")
            await asyncio.sleep(self.every_seconds)


class Deaf(Crowd):
    """Each asks for 50 MB and reads none of it."""

    answer_bytes = 50_000_000

    async def behave(self, client: socket.socket, number: int) -> None:  # noqa: ARG002
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(client, request("GET", f"/{self.answer_bytes}"))
        while is_connected(client):
            await asyncio.sleep(0.5)


class Hostile(Crowd):
    """Every way to hold a connection: each client keeps to one of them, and never reads."""

    every_seconds = 0.1
    ways: ClassVar[tuple[tuple[bytes, bytes], ...]] = (
        (b"", b""),
        (request("GET", "/"), b""),
        (b"GET / HTTP/1.1\r\nHost: bench\r\nX-Slow: ", b"a"),
        (request("POST", "/length", body_bytes=100_000), b"a"),
        (
            b"POST /length HTTP/1.1\r\nHost: bench\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"1\r\na\r\n",
        ),
        (request("POST", "/length", body_bytes=33_000_000), b""),
        (request("GET", "/1000000") * 20, request("GET", "/1000000") * 20),
    )
    """What it says first, and then again and again."""

    async def behave(self, client: socket.socket, number: int) -> None:
        loop = asyncio.get_running_loop()
        first, again = self.ways[number % len(self.ways)]
        await asyncio.sleep(self.every_seconds * number / self.clients)
        await loop.sock_sendall(client, first)
        while is_connected(client):
            await loop.sock_sendall(client, again)
            await asyncio.sleep(self.every_seconds)


class Burning(Crowd):
    """Each asks for CPU time, again as soon as it is answered."""

    async def behave(self, client: socket.socket, number: int) -> None:  # noqa: ARG002
        is_last = False
        while not is_last:
            answer = await exchange(client, request("GET", "/burn"))
            if answer.status != 200:
                raise FailedRun(f"a request that burns CPU was answered {answer.status}")
            is_last = answer.is_last
