"""The end of a connection that has been told its last, while its client may still be sending."""

import asyncio
from typing import Final

from gateway.http.connection.endpoints import descriptor_of
from gateway.http.connection.shared_state import SharedState

_MAX_BYTES: Final = 128 * 1024 * 1024
"""That are read and dropped."""

_DRAIN_SECONDS: Final = 2.0
"""To go on when the worker ends: the answer has left, and nobody else is to wait."""


class Lingering(asyncio.Protocol):
    """Half-closes, then reads and drops until the client has closed too (RFC 9112 §9.6).

    A close with unread bytes would reset the connection, and the reset may overtake the answer.
    What the transport has not sent yet is still sent, for as long as the client takes some of it.
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
        """Take over a transport whose protocol this becomes; `seconds`: how long it may take.

        `makes_room`: it may be closed for a newcomer before, once all is sent.
        """
        self._site = site
        self._transport = transport
        self._seconds = seconds
        self._makes_room = makes_room
        self._deadline = site.loop.time() + seconds
        self._read = 0
        self._unsent = transport.get_write_buffer_size()
        if self._unsent:
            site.unsent.hold(self, self._unsent, site.loop.time())
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
        self._site.unsent.release(self)

    def resume_writing(self) -> None:
        """All is sent."""
        self._site.unsent.release(self)

    @property
    def descriptor(self) -> int:
        """Of its socket; -1: it is closed."""
        return descriptor_of(self._transport)

    @property
    def waits_since(self) -> float:
        """Since when, by the loop's time, it waits for its client alone; 0: it has to send."""
        if not self._makes_room or self._transport.get_write_buffer_size():
            return 0.0
        return self._deadline - self._seconds

    @property
    def pace(self) -> None:
        """It brings nothing that is awaited."""

    def make_room(self) -> bool:
        """Close: the client has had its answer."""
        self.cut()
        return True

    def check_deadline(self, now: float) -> None:
        """Called by the sweep, every now and then; `now` is the loop's time."""
        unsent = self._transport.get_write_buffer_size()
        if unsent and unsent != self._unsent:
            self._unsent = unsent
            self._deadline = now + self._seconds
            self._site.unsent.note_progress(self, now)
        elif now > self._deadline:
            self.cut()

    def drain(self) -> bool:
        """The worker ends."""
        self._deadline = min(self._deadline, self._site.loop.time() + _DRAIN_SECONDS)
        return False

    def close(self) -> None:
        """Close once all is sent."""
        self._transport.close()

    def cut(self) -> None:
        """Close at once."""
        self._transport.abort()
