"""Reading from a client: reasons to pause it, one switch, and a short cut for large bodies."""

import asyncio
from typing import Final, Protocol

# Why reading is paused; several reasons may hold at once.
PIPELINE: Final = 1
"""Enough bytes wait behind the request that is being handled."""
BUDGET: Final = 2
"""The process's memory for bodies is used up."""
HANDLER: Final = 4
"""The handler reads its streamed body more slowly than it arrives."""


class ReadBackpressure:
    """Pauses and resumes a transport, and measures for how long the gateway itself did not read."""

    __slots__ = ("_loop", "_transport", "paused_at", "reasons", "time_paused")

    def __init__(self, loop: asyncio.AbstractEventLoop, transport: asyncio.Transport) -> None:
        self._loop = loop
        self._transport = transport
        self.reasons = 0
        self.paused_at = 0.0
        """The loop's time when the first of the present reasons came."""
        self.time_paused = 0.0
        """Seconds of all finished pauses: they do not count against the client."""

    def hand_to(self, protocol: asyncio.BaseProtocol) -> None:
        """Let `protocol` take what is read from now on."""
        transport = self._transport
        if transport.is_closing():
            return
        transport.set_protocol(protocol)
        if transport.is_reading():
            # The transport asks how a protocol takes bytes when it begins to read.
            transport.pause_reading()
            transport.resume_reading()

    def pause(self, reason: int) -> None:
        """Stop reading, for one more reason."""
        if not self.reasons:
            self._transport.pause_reading()
            self.paused_at = self._loop.time()
        self.reasons |= reason

    def resume(self, reason: int) -> None:
        """Drop a reason; read on if it was the last."""
        if self.reasons & reason:
            self.reasons &= ~reason
            if not self.reasons:
                self.time_paused += self._loop.time() - self.paused_at
                if not self._transport.is_closing():
                    self._transport.resume_reading()


class BodyDestination(Protocol):
    """A connection that says where the next bytes of its body belong."""

    def body_room(self) -> memoryview:
        """Free memory, at least one byte."""

    def body_received(self, size: int) -> None:
        """The kernel has written `size` bytes to that memory."""

    def eof_received(self) -> bool: ...
    def pause_writing(self) -> None: ...
    def resume_writing(self) -> None: ...
    def connection_lost(self, exc: Exception | None) -> None: ...


class DirectBodyReader(asyncio.BufferedProtocol):
    """The transport's protocol while a connection expects many more bytes of a body.

    The kernel writes them to where the handler will read them, so no byte is copied twice.  All
    other events go to the connection.  It refers to nothing else: uvloop keeps its methods until
    the connection ends.
    """

    __slots__ = ("_connection",)

    def __init__(self, connection: BodyDestination) -> None:
        self._connection = connection

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002  # the kernel's guess
        return self._connection.body_room()

    def buffer_updated(self, nbytes: int) -> None:
        self._connection.body_received(nbytes)

    def eof_received(self) -> bool:
        return self._connection.eof_received()

    def pause_writing(self) -> None:
        self._connection.pause_writing()

    def resume_writing(self) -> None:
        self._connection.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._connection.connection_lost(exc)
