"""Connections go to whoever has fewer, and to anybody rather than to nobody."""

import asyncio
import resource
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress

import pytest
import uvloop

from gateway.accepting import SharedListener


class Counts:
    """Another worker, which has `others` connections."""

    def __init__(self, others: int) -> None:
        self.others = others
        self.mine = 0
        self.sign = 0
        """Of life, from the other."""

    def note(self, count: int) -> None:
        self.mine = count

    def least(self) -> int:
        return min(self.mine, self.others)

    def sign_of_least(self) -> object:
        return self.sign


class Site:
    """A worker that counts its connections."""

    def __init__(self, sock: socket.socket, others: int, patience: float = 0.0) -> None:
        self.connections: set[asyncio.BaseTransport] = set()
        self.counts = Counts(others)
        self.listener = SharedListener(
            asyncio.get_running_loop(),
            sock,
            lambda: Protocol(self.connections),
            self.counts,
            self.connections.__len__,
            lambda: patience,
        )


class Protocol(asyncio.Protocol):
    def __init__(self, connections: set[asyncio.BaseTransport]) -> None:
        self._connections = connections

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._connections.add(transport)


@pytest.fixture
def sock() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


@pytest.fixture
def clients(sock: socket.socket) -> Iterator[list[socket.socket]]:
    """Wait to be accepted."""
    made = [socket.create_connection(sock.getsockname()) for _ in range(30)]
    yield made
    for client in made:
        client.close()


def run(body: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        await asyncio.wait_for(body(), 10)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(bounded())


async def until(condition: Callable[[], object]) -> None:
    while not condition():
        await asyncio.sleep(0.001)


def test_who_has_fewer_takes_all(sock: socket.socket, clients: list[socket.socket]) -> None:
    async def body() -> None:
        site = Site(sock, others=30)
        before = asyncio.get_running_loop().time()
        await until(lambda: len(site.connections) == len(clients))
        assert asyncio.get_running_loop().time() - before < 5
        site.listener.close()

    run(body)


def test_who_has_more_leaves_them_to_the_other(
    sock: socket.socket, clients: list[socket.socket]
) -> None:
    """The other takes one in every turn of the loop."""

    async def body() -> None:
        sock.setblocking(False)
        other = sock.dup()
        site = Site(sock, others=0)
        taken = []
        while len(taken) + len(site.connections) < len(clients):
            await asyncio.sleep(0)
            with suppress(BlockingIOError):
                taken.append(other.accept()[0])
        assert len(taken) > 2 * len(site.connections)
        site.listener.close()
        for one in (*taken, other):
            one.close()

    run(body)


def test_a_connection_that_nobody_takes_is_taken(
    sock: socket.socket, clients: list[socket.socket]
) -> None:
    """The other hangs: after a few moments no more is left to it."""

    async def body() -> None:
        site = Site(sock, others=0)
        await until(lambda: len(site.connections) == len(clients))
        assert site.listener._free_until > 0
        site.listener.close()

    run(body)


def test_the_patient_wait_as_long_as_the_other_lives(
    sock: socket.socket, clients: list[socket.socket]
) -> None:
    """Not for a time only: an endless crowd is left to it as well."""

    async def body() -> None:
        site = Site(sock, others=-1, patience=0.05)
        ends = asyncio.get_running_loop().time() + 0.3
        while asyncio.get_running_loop().time() < ends:
            site.counts.sign += 1
            await asyncio.sleep(0.001)
        assert not site.connections
        silent = asyncio.get_running_loop().time()
        await until(lambda: site.connections)
        assert asyncio.get_running_loop().time() - silent >= 0.04
        await until(lambda: len(site.connections) == len(clients))
        site.listener.close()

    run(body)


def test_a_closed_listener_accepts_nothing(
    sock: socket.socket, clients: list[socket.socket]
) -> None:
    async def body() -> None:
        kept = sock.dup()
        for others in (0, 30):  # While it holds back, and while it does not.
            site = Site(sock.dup(), others=others)
            await until(lambda: site.connections)  # noqa: B023 (at once)
            site.listener.close()
            await asyncio.sleep(0.01)
            count = len(site.connections)
            late = socket.create_connection(kept.getsockname())
            await asyncio.sleep(0.02)
            assert len(site.connections) == count
            late.close()
        kept.close()

    run(body)


def test_without_descriptors_it_waits_and_does_not_spin(
    sock: socket.socket, clients: list[socket.socket]
) -> None:
    async def body() -> None:
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, limits[1]))
        try:
            site = Site(sock, others=30)
            await until(lambda: site.listener._pause)
            assert not site.connections
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        await until(lambda: len(site.connections) == len(clients))
        site.listener.close()

    run(body)
