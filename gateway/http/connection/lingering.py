"""The end of a connection whose last response is sent, while its client may still be sending."""

import asyncio
from typing import Final

from gateway.http.connection.endpoints import descriptor_of
from gateway.http.connection.shared_state import SharedState

_MAX_BYTES: Final = 128 * 1024 * 1024
"""The most bytes that are read and dropped."""

_DRAIN_SECONDS: Final = 2.0
"""How long an ending worker still lingers: the response has left, so nobody else should wait."""


class Lingering(asyncio.Protocol):
    """Half-closes, then reads and drops until the client has closed too (RFC 9112 §9.6).

    A close with unread bytes would reset the connection, and the reset may overtake the response.
    The transport goes on sending unsent bytes for as long as the client takes some of them.
    """

    __slots__ = ("_deadline", "_makes_room", "_read", "_seconds", "_site", "_transport", "_unsent")

    def __init__(
        self,
        site: SharedState,
        transport: asyncio.Transport,
        seconds: float,
        *,
        makes_room: bool = True,
    ) -> None:
        """Become the protocol of `transport`, for `seconds` at the most.

        `makes_room`: a new connection may replace this one once all bytes are sent.
        """
        self._site = site
        self._transport = transport
        self._seconds = seconds
        self._makes_room = makes_room
        self._deadline = site.loop.time() + seconds
        self._read = 0
        self._unsent = transport.get_write_buffer_size()
        if self._unsent:
            site.write_backlog.hold(self, self._unsent, site.loop.time())
        site.connections.add(self)
        transport.set_protocol(self)
        transport.write_eof()

    def __repr__(self) -> str:
        return f"<Lingering read={self._read}>"

    def data_received(self, data: bytes) -> None:
        self._read += len(data)
        if self._read > _MAX_BYTES:
            self.cut()

    def eof_received(self) -> bool:
        self._transport.close()
        return True

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self._site.connections.discard(self)
        self._site.write_backlog.release(self)

    def resume_writing(self) -> None:
        """All bytes are sent."""
        self._site.write_backlog.release(self)

    @property
    def descriptor(self) -> int:
        """File descriptor of the socket, -1 once closed."""
        return descriptor_of(self._transport)

    @property
    def waits_since(self) -> float:
        """The loop's time since which only the client is waited for; 0 while bytes are unsent."""
        if not self._makes_room or self._transport.get_write_buffer_size():
            return 0.0
        return self._deadline - self._seconds

    @property
    def pace(self) -> None:
        """`None`: there is no upload."""

    def make_room(self) -> bool:
        """Close: the client has its response."""
        self.cut()
        return True

    def check_deadline(self, now: float) -> None:
        """Called by each sweep; `now` is the loop's time."""
        unsent = self._transport.get_write_buffer_size()
        if unsent and unsent != self._unsent:
            self._unsent = unsent
            self._deadline = now + self._seconds
            self._site.write_backlog.note_progress(self, now)
        elif now > self._deadline:
            self.cut()

    def drain(self) -> bool:
        """The worker ends: linger only a little longer."""
        self._deadline = min(self._deadline, self._site.loop.time() + _DRAIN_SECONDS)
        return False

    def close(self) -> None:
        """Close once all bytes are sent."""
        self._transport.close()

    def cut(self) -> None:
        """Close at once."""
        self._transport.abort()
