"""Small requests at a fixed rate: the clock never waits for answers."""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

from bench.loads.answer import Answer
from bench.process import FailedRun

_MOST_CONNECTIONS = 128
_LAST_ANSWERS_SECONDS = 2.0
"""After the last request, for answers that are still missing."""


@dataclass
class Outcome:
    """What became of the requests."""

    seconds: float
    """For which requests were sent."""
    latencies: list[float] = field(default_factory=list)
    """Milliseconds. An unanswered request counts with the time that it has waited in vain."""
    answered: int = 0
    wrong: int = 0
    """Cut off, or not the answer that was expected."""
    unanswered: int = 0

    @property
    def error_share(self) -> float:
        """Wrong and unanswered ones, of all."""
        return 1 - self.answered / max(1, self.answered + self.wrong + self.unanswered)


class Quick:
    """`rate` times a second the same request; on as many kept connections as are needed.

    A request waits in the client when all connections are taken; that is part of its latency.
    """

    def __init__(
        self, port: int, request: bytes, rate: float, is_right: Callable[[Answer], bool]
    ) -> None:
        self.port = port
        self.request = request
        self.rate = rate
        self.is_right = is_right
        self.free: list[_Connection] = []
        self.waiting: deque[float] = deque()
        self.connections: set[_Connection] = set()
        self.outcome = Outcome(0)
        self._connecting: set[asyncio.Task[None]] = set()

    async def run(self, seconds: float) -> Outcome:
        """Send for `seconds`, wait a little for the last answers, close all connections."""
        self.outcome = Outcome(seconds)
        # Not the loop's clock: uvloop's has milliseconds only.
        started = time.perf_counter()
        for number in range(round(self.rate * seconds)):
            early = started + number / self.rate - time.perf_counter()
            if early > 0:
                await asyncio.sleep(early)
            self._send(time.perf_counter())
        deadline = time.perf_counter() + _LAST_ANSWERS_SECONDS
        while self._is_busy() and time.perf_counter() < deadline:
            await asyncio.sleep(0.01)
        self._stop(time.perf_counter())
        return self.outcome

    def _send(self, now: float) -> None:
        if self.free:
            self.free.pop().send(now)
            return
        self.waiting.append(now)
        self.connect_if_needed()

    def connect_if_needed(self) -> None:
        """One more connection for what waits, unless enough are on their way."""
        count = len(self.connections) + len(self._connecting)
        if len(self.waiting) > len(self._connecting) and count < _MOST_CONNECTIONS:
            task = asyncio.get_running_loop().create_task(self._connect())
            self._connecting.add(task)
            task.add_done_callback(self._connecting.discard)

    async def _connect(self) -> None:
        try:
            await asyncio.get_running_loop().create_connection(
                lambda: _Connection(self), "127.0.0.1", self.port
            )
        except OSError:
            if self.waiting:
                self.waiting.popleft()
                self.outcome.wrong += 1

    def _is_busy(self) -> bool:
        return bool(self.waiting) or len(self.free) < len(self.connections)

    def _stop(self, now: float) -> None:
        sent = [one.sent_at for one in self.connections if one.sent_at is not None]
        for since in (*sent, *self.waiting):
            self.outcome.unanswered += 1
            self.outcome.latencies.append((now - since) * 1000)
        self.waiting.clear()
        self.free.clear()
        for task in self._connecting:
            task.cancel()
        for connection in [*self.connections]:
            connection.abort()


class _Connection(asyncio.Protocol):
    def __init__(self, quick: Quick) -> None:
        self._quick = quick
        self._transport: asyncio.Transport | None = None
        self._answer = Answer()
        self.sent_at: float | None = None
        """When the request that is under way was due; `None` between requests."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports do not inherit from asyncio's.
        self._transport = cast(asyncio.Transport, transport)
        self._quick.connections.add(self)
        self._next()

    def send(self, since: float) -> None:
        assert self._transport is not None
        self.sent_at = since
        self._answer = Answer()
        self._transport.write(self._quick.request)

    def _next(self) -> None:
        if self._quick.waiting:
            self.send(self._quick.waiting.popleft())
        else:
            self._quick.free.append(self)

    def data_received(self, data: bytes) -> None:
        try:
            is_complete = self._answer.feed(data)
        except FailedRun:
            self.abort()
            return
        if is_complete:
            is_last = self._answer.is_last
            self._finish()
            if is_last:
                self.abort()
            else:
                self._next()

    def _finish(self) -> None:
        outcome = self._quick.outcome
        if self.sent_at is None or not self._quick.is_right(self._answer):
            outcome.wrong += 1
        else:
            now = time.perf_counter()
            outcome.answered += 1
            outcome.latencies.append((now - self.sent_at) * 1000)
        self.sent_at = None

    def connection_lost(self, exc: Exception | None) -> None:
        if self.sent_at is not None and self._answer.is_until_eof and exc is None:
            self._finish()
        self._forget()

    def abort(self) -> None:
        self._forget()
        if self._transport is not None:
            self._transport.abort()

    def _forget(self) -> None:
        if self not in self._quick.connections:
            return
        self._quick.connections.discard(self)
        if self in self._quick.free:
            self._quick.free.remove(self)
        if self.sent_at is not None:
            self._quick.outcome.wrong += 1
            self.sent_at = None
        self._quick.connect_if_needed()
