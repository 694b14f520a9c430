"""Response bytes that clients have not taken yet: bounded per connection and over all of them.

A thread that responds does not wait for the client: what the kernel does not take at once stays in
memory until the client reads on.  Clients that never read must not fill the memory.
"""

import asyncio
from typing import Protocol

from gateway.error_log.rate_limited import RateLimitedWarning


class SlowReader(Protocol):
    """A connection whose client has not taken all of its response."""

    def cut(self) -> None:
        """Close at once; called on the loop."""


class WriteBacklog:
    """How many bytes wait for each client, and since when the client has taken none of them."""

    __slots__ = ("_held", "_limit", "_warning", "total")

    def __init__(self, limit: int, warning: RateLimitedWarning) -> None:
        """Beyond `limit` bytes, cut off the client that has taken nothing for the longest time.

        `warning` counts the clients that are cut off.
        """
        self._limit = limit
        self._held: dict[SlowReader, tuple[int, float]] = {}
        self._warning = warning
        self.total = 0
        """Bytes that wait."""

    def __repr__(self) -> str:
        return f"<WriteBacklog {len(self._held)} clients {self.total}/{self._limit}>"

    def hold(self, client: SlowReader, size: int, now: float) -> None:
        """`size` bytes wait for `client` from `now` on, in the loop's time."""
        self.release(client)
        self._held[client] = (size, now)
        self.total += size
        while self.total > self._limit and len(self._held) > 1:
            slowest = min(self._held, key=lambda each: self._held[each][1])
            if slowest is client:
                break
            self.release(slowest)
            slowest.cut()
            self._warning.note()

    def note_progress(self, client: SlowReader, now: float) -> None:
        """The client has taken some bytes."""
        held = self._held.get(client)
        if held is not None:
            self._held[client] = (held[0], now)

    def release(self, client: SlowReader) -> None:
        """Nothing waits for the client any more, if anything did."""
        held = self._held.pop(client, None)
        if held is not None:
            self.total -= held[0]


class BlockedWrite:
    """The time from when a transport has to keep bytes for its client until it has sent them all.

    The client is cut off once it has taken nothing for `timeout` seconds.
    """

    __slots__ = (
        "_backlog",
        "_client",
        "_deadline",
        "_loop",
        "_timeout",
        "_transport",
        "_unsent",
        "_waiters",
    )

    def __init__(
        self,
        backlog: WriteBacklog,
        client: SlowReader,
        transport: asyncio.Transport,
        loop: asyncio.AbstractEventLoop,
        timeout: float,
    ) -> None:
        self._backlog = backlog
        self._client = client
        self._transport = transport
        self._loop = loop
        self._timeout = timeout
        self._unsent = transport.get_write_buffer_size()
        self._deadline = loop.time() + timeout
        self._waiters: list[asyncio.Future[None]] = []
        self.hold(self._unsent)

    def hold(self, size: int) -> None:
        """`size` bytes stay in memory until the last of them is sent."""
        self._backlog.hold(self._client, size, self._loop.time())

    def check_deadline(self, now: float) -> None:
        """Cut the connection if the client has taken nothing for the timeout."""
        unsent = self._transport.get_write_buffer_size()
        if unsent != self._unsent:
            self._unsent = unsent
            self._deadline = now + self._timeout
            self._backlog.note_progress(self._client, now)
        elif now > self._deadline:
            self._client.cut()

    async def over(self) -> None:
        """Wait until the client has taken everything.

        Raises:
            ClientDisconnected: it never will.
        """
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        await waiter

    def end(self, error: Exception | None) -> None:
        """Everything has been sent or, with `error`, never will be."""
        self._backlog.release(self._client)
        for waiter in self._waiters:
            if waiter.done():
                continue
            if error is None:
                waiter.set_result(None)
            else:
                waiter.set_exception(error)
        self._waiters.clear()
