"""Connections go to whoever has fewer, and to anybody rather than to nobody."""

import asyncio
import errno
import logging
import os
import resource
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress

import pytest
import uvloop

from gateway.sockets import accepting
from gateway.sockets.accepting import Listener


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

    def activity_of_least(self) -> object:
        return self.sign


class SharedState:
    """A worker that counts its connections; `others`: there is another, with so many."""

    def __init__(self, sock: socket.socket, others: int | None, patience: float = 0.0) -> None:
        self.connections: set[asyncio.BaseTransport] = set()
        self.faults: list[Exception] = []
        """What making a protocol raises next."""
        self.made = 0
        self.counts = None if others is None else Counts(others)
        self.listener = Listener(
            asyncio.get_running_loop(),
            sock,
            self._new_protocol,
            self.connections.__len__,
            self.counts,
            patience=lambda: patience,
        )

    def _new_protocol(self) -> asyncio.Protocol:
        self.made += 1
        if self.faults:
            raise self.faults.pop()
        return Protocol(self.connections)


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
        site = SharedState(sock, others=30)
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
        site = SharedState(sock, others=0)
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
        site = SharedState(sock, others=0)
        await until(lambda: len(site.connections) == len(clients))
        assert site.listener._no_yield_until > 0
        site.listener.close()

    run(body)


def test_the_patient_wait_as_long_as_the_other_lives(
    sock: socket.socket, clients: list[socket.socket]
) -> None:
    """Not for a time only: an endless crowd is left to it as well."""

    async def body() -> None:
        site = SharedState(sock, others=-1, patience=0.05)
        ends = asyncio.get_running_loop().time() + 0.3
        while asyncio.get_running_loop().time() < ends:
            assert site.counts is not None
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
            site = SharedState(sock.dup(), others=others)
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
            site = SharedState(sock, others=30)
            await until(lambda: site.listener.failure)
            assert site.listener._pause is not None
            assert not site.connections
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        await until(lambda: len(site.connections) == len(clients))
        site.listener.close()

    run(body)


# One worker.


def test_all_that_wait_are_accepted_in_one_turn(
    sock: socket.socket, clients: list[socket.socket]
) -> None:
    async def body() -> None:
        site = SharedState(sock, others=None)
        turns = 0
        while len(site.connections) < len(clients):
            await asyncio.sleep(0)
            turns += 1
        assert turns < 6
        site.listener.close()

    run(body)


def test_a_turn_has_its_bound(
    sock: socket.socket, clients: list[socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accepting, "_BATCH", 7)

    async def body() -> None:
        site = SharedState(sock, others=None)
        seen = [0]
        while site.made < len(clients):
            await asyncio.sleep(0)
            if site.made > seen[-1]:
                seen.append(site.made)
        assert seen == [0, 7, 14, 21, 28, 30]
        site.listener.close()

    run(body)


def test_those_that_arrive_are_counted_until_they_are_there(
    sock: socket.socket, clients: list[socket.socket]
) -> None:
    """Whoever looks at both numbers misses none of them, and the cap on connections holds."""

    async def body() -> None:
        site = SharedState(sock, others=None)
        site.listener.take_queued()
        assert site.listener.arriving() == len(clients)
        assert not site.connections
        while site.listener.arriving():
            assert site.listener.arriving() + len(site.connections) >= len(clients)
            await asyncio.sleep(0)
        assert len(site.connections) == len(clients)
        site.listener.close()

    run(body)


FAULTS = [
    MemoryError(),
    RuntimeError("from the loop"),
    RecursionError(),
    *[
        OSError(number, os.strerror(number))
        for number in (
            errno.EMFILE,
            errno.ENFILE,
            errno.ENOBUFS,
            errno.ENOMEM,
            errno.EPERM,
            errno.EPROTO,
            errno.EINVAL,
            errno.ENETDOWN,
        )
    ],
]


@pytest.mark.parametrize("others", [None, 30, 0])
@pytest.mark.parametrize("fault", FAULTS, ids=repr)
def test_whatever_fails_is_tried_again_after_a_pause(
    sock: socket.socket,
    clients: list[socket.socket],
    caplog: pytest.LogCaptureFixture,
    fault: Exception,
    others: int | None,
) -> None:
    async def body() -> None:
        site = SharedState(sock, others)
        site.faults = [fault] * 3
        # Each takes a client along.
        await until(lambda: len(site.connections) == len(clients) - 3)
        assert site.listener.failure is None
        site.listener.close()

    with caplog.at_level(logging.WARNING):
        run(body)
    first, rest = caplog.messages
    assert rest.startswith("2 attempts to accept a connection failed since the last line: ")
    reason = getattr(fault, "strerror", None) or repr(fault)
    assert first.startswith("1 attempts to accept a connection failed: ")
    assert f"(the last: {reason})" in first


def test_a_client_that_has_gone_is_no_failure(
    sock: socket.socket, clients: list[socket.socket], caplog: pytest.LogCaptureFixture
) -> None:
    async def body() -> None:
        site = SharedState(sock, others=None)
        site.faults = [ConnectionAbortedError(errno.ECONNABORTED, "")] * 3
        await until(lambda: len(site.connections) == len(clients) - 3)
        site.listener.close()

    run(body)
    assert caplog.messages == []


def test_without_a_timer_the_sweep_resumes(
    sock: socket.socket, clients: list[socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The timer of the pause needs memory, too."""

    async def body() -> None:
        loop = asyncio.get_running_loop()
        site = SharedState(sock, others=None)
        site.faults = [MemoryError()]

        def fail(*_: object) -> None:
            raise MemoryError

        monkeypatch.setattr(site.listener, "_loop", Failing(loop, fail))
        await until(lambda: site.listener.failure)
        monkeypatch.undo()
        site.listener.check(loop.time())
        assert not site.connections, "it pauses"
        await asyncio.sleep(0.06)
        assert not site.connections, "and has no timer"
        site.listener.check(loop.time())
        await until(lambda: len(site.connections) == len(clients) - 1)
        site.listener.close()

    run(body)


class Failing:
    """A loop that has no timers."""

    def __init__(self, loop: asyncio.AbstractEventLoop, call_later: Callable[..., None]) -> None:
        self._loop = loop
        self.call_later = call_later

    def __getattr__(self, name: str) -> object:
        return getattr(self._loop, name)


def test_a_reader_that_has_gone_is_made_anew(
    sock: socket.socket, clients: list[socket.socket]
) -> None:
    """As the loop drops one when an exception leaves its callback."""

    async def body() -> None:
        loop = asyncio.get_running_loop()
        site = SharedState(sock, others=None)
        loop.remove_reader(sock.fileno())
        await asyncio.sleep(0.01)
        assert not site.connections
        site.listener.check(loop.time())
        await until(lambda: len(site.connections) == len(clients))
        with socket.create_connection(sock.getsockname()):
            await until(lambda: len(site.connections) == len(clients) + 1)
        site.listener.close()

    run(body)


class Broken(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        raise MemoryError


def test_a_connection_that_cannot_be_made_is_closed(
    sock: socket.socket, clients: list[socket.socket]
) -> None:
    async def body() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda *_: None)
        listener = Listener(loop, sock, Broken, lambda: 0)
        for client in clients:
            client.setblocking(False)
            with suppress(ConnectionResetError):
                assert await loop.sock_recv(client, 1) == b""
        listener.close()

    run(body)


# What handlers do to the listening socket.


def test_a_socket_that_is_there_is_not_lost(sock: socket.socket) -> None:
    async def body() -> None:
        site = SharedState(sock, others=None)
        assert not site.listener.is_lost
        site.listener.close()
        assert not site.listener.is_lost, "it was closed on purpose"
        assert sock.fileno() == -1
        site.listener.close()

    run(body)


@pytest.mark.parametrize("way", ["closed", "a file", "a socket", "another listener", "shut down"])
def test_a_socket_that_is_lost_is_noticed_and_what_took_its_number_is_left(
    sock: socket.socket, way: str
) -> None:
    async def body() -> None:
        number = sock.fileno()
        site = SharedState(sock, others=None)
        with socket.socket() as plain, socket.create_server(("127.0.0.1", 0)) as other:
            others = {"a socket": plain.fileno(), "another listener": other.fileno()}
            if way == "closed":
                os.close(number)
            elif way == "shut down":
                sock.shutdown(socket.SHUT_RD)
            elif way == "a file":
                null = os.open(os.devnull, os.O_RDONLY)
                os.dup2(null, number)
                os.close(null)
            else:
                os.dup2(others[way], number)
            assert site.listener.is_lost
            site.listener.check(asyncio.get_running_loop().time())
            site.listener.close()
            if way in ("closed", "shut down"):
                with pytest.raises(OSError, match="Bad file descriptor"):
                    os.fstat(number)
            else:
                os.close(number)

    run(body)
