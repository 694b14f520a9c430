"""A connection and its bridge without a network, a loop or threads: what is ours, and only that.

The one place where benchmarks touch the gateway's inside.  The socket takes every byte, the pool
runs its jobs in the caller's thread, and the loop is a list that is emptied behind each segment.
"""

import asyncio
import os
import socket
from collections import deque
from collections.abc import Callable
from time import monotonic
from typing import Any, Protocol, cast

from gateway.fc.request_ids import SEED_SIZE, RequestIds
from gateway.http.body.body import BodyBudget
from gateway.http.connection.connection import Connection
from gateway.http.connection.shared_state import SharedState, Timeouts
from gateway.limits import Limits
from gateway.wsgi.runner import WsgiRunner

_BODY_MEMORY = 256 * 1024 * 1024


class Job(Protocol):
    """What the bridge hands to its pool."""

    def run(self, waited: float) -> None: ...


class InlineLoop:
    """A loop of one thread: what is called soon waits for `run`."""

    time = staticmethod(monotonic)

    def __init__(self) -> None:
        self.ready: deque[Callable[[], object]] = deque()

    def call_soon(self, callback: Callable[..., object], *arguments: object) -> None:
        self.ready.append(lambda: callback(*arguments))

    call_soon_threadsafe = call_soon

    def run(self) -> None:
        """Do what is to be done, and what that brings about."""
        while self.ready:
            self.ready.popleft()()


class InlinePool:
    """A pool whose only thread is the caller's."""

    size = 8
    """Of the pool it stands for: handlers are told that there are other threads."""

    def __init__(self) -> None:
        self.jobs: list[Job] = []

    def relieve(self) -> None:
        """Nobody waits."""

    def submit(self, job: Job) -> bool:
        self.jobs.append(job)
        return True

    def run(self) -> None:
        while self.jobs:
            self.jobs.pop().run(0.0)


class TakingSocket:
    """A connected socket whose client reads everything at once."""

    family = socket.AF_INET

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        """What was sent since somebody last emptied it."""

    def dup(self) -> "TakingSocket":
        return self

    def fileno(self) -> int:
        return 1 << 20  # Nothing the system knows.

    def getpeername(self) -> tuple[str, int]:
        return ("127.0.0.1", 50123)

    def getsockname(self) -> tuple[str, int]:
        return ("127.0.0.1", 9000)

    def setblocking(self, flag: bool) -> None:
        pass

    def send(self, data: bytes, flags: int = 0) -> int:  # noqa: ARG002
        self.parts.append(data)
        return len(data)

    def sendmsg(self, buffers: tuple[bytes, ...], *_: object) -> int:
        self.parts += buffers
        return sum([len(buffer) for buffer in buffers])

    def close(self) -> None:
        pass


class TakingTransport:
    """The transport of that socket; the loop's own writes go where the threads' go."""

    def __init__(self, sock: TakingSocket) -> None:
        self._info = {
            "socket": sock,
            "peername": ("127.0.0.1", 50123),
            "sockname": ("127.0.0.1", 9000),
        }
        self.write = sock.parts.append
        self.is_ended = False

    def get_extra_info(self, name: str) -> object:
        return self._info.get(name)

    def set_write_buffer_limits(self, *, high: int) -> None:
        pass

    def get_write_buffer_size(self) -> int:
        return 0

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Nothing more is delivered to it."""

    def write_eof(self) -> None:
        self.is_ended = True

    def close(self) -> None:
        self.is_ended = True

    abort = close

    def is_closing(self) -> bool:
        return False

    def pause_reading(self) -> None:
        pass

    resume_reading = pause_reading


class Client:
    """One keep-alive connection to a handler, with the defaults of `gateway serve`."""

    def __init__(
        self, handler: Callable[..., Any], *, seed: bytes | None = None, limits: Limits = Limits()
    ) -> None:
        """`seed`: of the request ids, 16 bytes, where runs are to be alike; random by default."""
        self._loop = InlineLoop()
        self._pool = InlinePool()
        bridge = WsgiRunner(handler, limits=limits)
        bridge._pool = cast("Any", self._pool)
        site = SharedState(
            loop=cast("Any", self._loop),
            application=bridge,
            limits=limits,
            timeouts=Timeouts(),
            budget=BodyBudget(_BODY_MEMORY, overdraft=limits.body_buffer),
            next_request_id=RequestIds(seed or os.urandom(SEED_SIZE)).next,
        )
        self._socket = TakingSocket()
        self._transport = TakingTransport(self._socket)
        self._connection = Connection(site)
        self._connection.connection_made(cast("Any", self._transport))

    @property
    def is_closed(self) -> bool:
        """Whether the gateway has ended the connection."""
        return self._transport.is_ended

    def ask(self, *segments: bytes) -> bytes:
        """Send what the segments hold, run what it starts, and take all that comes back."""
        for segment in segments:
            self._connection.data_received(segment)
            while self._pool.jobs or self._loop.ready:
                self._pool.run()
                self._loop.run()
        parts = self._socket.parts
        answer = b"".join(parts)
        parts.clear()  # The transport holds this very list.
        return answer
