"""More requests than can be served: what is still served, and how soon the others are refused."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import cast

import uvloop

from bench.loads.answer import Answer
from bench.loads.client import allow_connections, on_client_core
from bench.loads.load import Measured
from bench.process import FailedRun, Server
from bench.statistics import quantile

_WARM_UP_SECONDS = 0.5
_FILLING_SECONDS = 0.5
_MOST_FILLING = 30
"""How often so long at most, before anything counts: until the queue is full, and once more."""

_LAST_ANSWERS_SECONDS = 5.0
_MOST_CONNECTIONS = 4000
_REFUSALS = (429, 503)


@dataclass(frozen=True)
class Overload:
    """First as many requests as are served, by `clients` in a closed loop; then `times` as many.

    The latter in an open loop: at a fixed rate, on as many connections as it takes. With `is_new`
    each request has a connection of its own, in both.
    """

    clients: int = 16
    times: float = 3
    is_new: bool = False

    def measure(self, server: Server, seconds: float) -> Measured:
        """Goodput at the peak and under overload; latency of what is served, and of refusals.

        Raises:
            FailedRun: an answer was wrong, or the peak had refusals.
        """
        allow_connections(server, _MOST_CONNECTIONS)
        with on_client_core():
            return uvloop.run(self._measure(server, seconds))

    async def _measure(self, server: Server, seconds: float) -> Measured:
        crowd = Crowd(server.port, request_of(is_new=self.is_new))
        await crowd.repeat(self.clients, _WARM_UP_SECONDS)
        before = server.cpu_seconds()
        with crowd.counting() as peak:
            await crowd.repeat(self.clients, seconds / 2)
        peak_cpu = server.cpu_seconds() - before
        if len(peak.refused) > 0.05 * len(peak.served):
            raise FailedRun(
                f"{len(peak.served)} served and {len(peak.refused)} refused at the peak"
            )
        rate = self.times * peak.goodput
        await self._fill(crowd, rate)
        before = server.cpu_seconds()
        with crowd.counting() as over:
            await crowd.send(rate, seconds)
        cpu = server.cpu_seconds() - before
        await crowd.end()
        if not over.served:
            raise FailedRun("nothing is served under overload")
        if not over.refused:
            raise FailedRun("nothing is refused: it is no overload")
        answered = len(over.served) + len(over.refused)
        return Measured(
            {
                "requests_per_second": over.goodput,
                "peak_requests_per_second": peak.goodput,
                "goodput_share": over.goodput / peak.goodput,
                # On a machine that others use too, what of its CPU time the server makes of use.
                "goodput_per_cpu_share": (len(over.served) / cpu) / (len(peak.served) / peak_cpu),
                "offered_requests_per_second": over.sent / over.seconds,
                "refusals_per_second": len(over.refused) / over.seconds,
                "served_p99_ms": quantile(sorted(over.served), 0.99),
                "refused_p99_ms": quantile(sorted(over.refused), 0.99),
                "cpu_us": cpu / answered * 1e6,
                "error_share": over.wrong / max(1, answered + over.wrong),
                "peak_rss_mb": server.peak_resident_bytes() / 1e6,
            }
        )

    async def _fill(self, crowd: "Crowd", rate: float) -> None:
        with crowd.counting() as filling:
            for _ in range(_MOST_FILLING):
                is_full = bool(filling.refused)
                await crowd.send(rate, _FILLING_SECONDS)
                if is_full:
                    return


def request_of(*, is_new: bool) -> bytes:
    """What is asked; `is_new`: the connection is for this request alone."""
    last = b"Connection: close\r\n" if is_new else b""
    return b"GET / HTTP/1.1\r\nHost: bench\r\n%b\r\n" % last


@dataclass
class Count:
    """What was answered within a time."""

    seconds: float = 0.0
    sent: int = 0
    served: list[float] = field(default_factory=list)
    """Milliseconds from when the request was due."""
    refused: list[float] = field(default_factory=list)
    wrong: int = 0
    """Cut off, unexpected, or not sent for want of a connection."""

    @property
    def goodput(self) -> float:
        """Requests served in a second."""
        return len(self.served) / self.seconds


class Crowd:
    """Clients that ask again at once, or when it is time."""

    def __init__(self, port: int, request: bytes) -> None:
        self.port = port
        self.request = request
        self.count = Count()
        self.free: list[_Connection] = []
        self.connections: set[_Connection] = set()
        self.repeats = False
        self._connecting: set[asyncio.Task[None]] = set()

    @contextmanager
    def counting(self) -> Iterator[Count]:
        """Count what is sent and answered from now on."""
        count = self.count = Count()
        started = time.perf_counter()
        yield count
        count.seconds = time.perf_counter() - started
        self.count = Count()

    async def repeat(self, clients: int, seconds: float) -> None:
        """A closed loop of `clients`."""
        self.repeats = True
        for _ in range(clients):
            self._ask(time.perf_counter())
        await asyncio.sleep(seconds)
        self.repeats = False
        await self._last_answers()

    async def send(self, rate: float, seconds: float) -> None:
        """An open loop."""
        started = time.perf_counter()
        for number in range(round(rate * seconds)):
            due = started + number / rate
            early = due - time.perf_counter()
            if early > 0:
                await asyncio.sleep(early)
            self._ask(due)

    async def end(self) -> None:
        """Wait for answers that are under way, and close all connections."""
        await self._last_answers()
        for connection in [*self.connections]:
            connection.abort()

    async def _last_answers(self) -> None:
        deadline = time.perf_counter() + _LAST_ANSWERS_SECONDS
        while self._is_busy() and time.perf_counter() < deadline:
            await asyncio.sleep(0.01)

    def _is_busy(self) -> bool:
        return bool(self._connecting) or len(self.free) < len(self.connections)

    def ask_again(self) -> None:
        """One is answered: in a closed loop the next follows."""
        if self.repeats:
            self._ask(time.perf_counter())

    def _ask(self, due: float) -> None:
        self.count.sent += 1
        if self.free:
            self.free.pop().send(due)
        elif len(self.connections) + len(self._connecting) < _MOST_CONNECTIONS:
            task = asyncio.get_running_loop().create_task(self._connect(due))
            self._connecting.add(task)
            task.add_done_callback(self._connecting.discard)
        else:
            self.count.wrong += 1

    async def _connect(self, due: float) -> None:
        try:
            await asyncio.get_running_loop().create_connection(
                lambda: _Connection(self, due), "127.0.0.1", self.port
            )
        except OSError:
            self.count.wrong += 1


class _Connection(asyncio.Protocol):
    def __init__(self, crowd: Crowd, due: float) -> None:
        self._crowd = crowd
        self._due: float | None = due
        self._answer = Answer()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports do not inherit from asyncio's.
        self._transport = cast(asyncio.Transport, transport)
        self._crowd.connections.add(self)
        self._transport.write(self._crowd.request)

    def send(self, due: float) -> None:
        self._due = due
        self._answer = Answer()
        self._transport.write(self._crowd.request)

    def data_received(self, data: bytes) -> None:
        try:
            is_complete = self._answer.feed(data)
        except FailedRun:
            self.abort()
            return
        if not is_complete or self._due is None:
            return
        count = self._crowd.count
        milliseconds = (time.perf_counter() - self._due) * 1000
        self._due = None
        if self._answer.status == 200:
            count.served.append(milliseconds)
        elif self._answer.status in _REFUSALS:
            count.refused.append(milliseconds)
        else:
            count.wrong += 1
        if self._answer.is_last:
            self.abort()
        else:
            self._crowd.free.append(self)
        self._crowd.ask_again()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self._forget()

    def abort(self) -> None:
        self._forget()
        self._transport.abort()

    def _forget(self) -> None:
        crowd = self._crowd
        if self in crowd.connections:
            crowd.connections.discard(self)
            if self in crowd.free:
                crowd.free.remove(self)
            if self._due is not None:
                crowd.count.wrong += 1
                self._due = None
                crowd.ask_again()
