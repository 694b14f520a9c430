"""A client that does not take what it is sent: for how long it may, and who waits for it."""

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.http.connection.shared_state import Client, SharedState


class Blockage:
    """From when the transport had to keep bytes for a client until it has sent them all."""

    __slots__ = ("_client", "_deadline", "_site", "_transport", "_unsent", "_waiters")

    def __init__(self, site: "SharedState", client: "Client", transport: asyncio.Transport) -> None:
        self._site = site
        self._client = client
        self._transport = transport
        self._unsent = transport.get_write_buffer_size()
        self._deadline = site.loop.time() + site.timeouts.write
        self._waiters: list[asyncio.Future[None]] = []
        self.hold(self._unsent)

    def hold(self, size: int) -> None:
        """`size` bytes are kept until the last of them is sent."""
        self._site.unsent.hold(self._client, size, self._site.loop.time())

    def check_deadline(self, now: float) -> None:
        """Cut the connection when the client has taken nothing for the write timeout."""
        unsent = self._transport.get_write_buffer_size()
        if unsent != self._unsent:
            self._unsent = unsent
            self._deadline = now + self._site.timeouts.write
            self._site.unsent.note_progress(self._client, now)
        elif now > self._deadline:
            self._client.cut()

    async def over(self) -> None:
        """Wait until the client has taken everything.

        Raises:
            ClientDisconnected: it will not.
        """
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        await waiter

    def end(self, error: Exception | None) -> None:
        """Everything is sent, or with `error` never will be."""
        self._site.unsent.release(self._client)
        for waiter in self._waiters:
            if waiter.done():
                continue
            if error is None:
                waiter.set_result(None)
            else:
                waiter.set_exception(error)
        self._waiters.clear()
