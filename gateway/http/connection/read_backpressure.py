"""Reading from a client, and not reading: back-pressure has several reasons, reading one switch."""

import asyncio
from typing import Final

# Why reading is paused; there may be several reasons at once.
PIPELINE: Final = 1
"""Enough is waiting behind the request that is being answered."""
BUDGET: Final = 2
"""The process's memory for bodies is used up."""
HANDLER: Final = 4
"""The handler does not read its streamed body as fast as it comes."""


class ReadBackpressure:
    """Pauses and resumes a transport, and keeps the time that the gateway itself held it up."""

    __slots__ = ("_loop", "_transport", "paused_at", "reasons", "time_paused")

    def __init__(self, loop: asyncio.AbstractEventLoop, transport: asyncio.Transport) -> None:
        self._loop = loop
        self._transport = transport
        self.reasons = 0
        self.paused_at = 0.0
        """The loop's time when the first of the present reasons came."""
        self.time_paused = 0.0
        """Seconds of all pauses that are over: they do not count against the client."""

    def hand_to(self, protocol: asyncio.BaseProtocol) -> None:
        """Have `protocol` take what is read from now on."""
        transport = self._transport
        if transport.is_closing():
            return
        transport.set_protocol(protocol)
        if transport.is_reading():
            # How a protocol takes bytes, the transport asks when it begins to read.
            transport.pause_reading()
            transport.resume_reading()

    def pause(self, reason: int) -> None:
        """Stop reading, for one more reason."""
        if not self.reasons:
            self._transport.pause_reading()
            self.paused_at = self._loop.time()
        self.reasons |= reason

    def resume(self, reason: int) -> None:
        """A reason is gone; read on if it was the last."""
        if self.reasons & reason:
            self.reasons &= ~reason
            if not self.reasons:
                self.time_paused += self._loop.time() - self.paused_at
                if not self._transport.is_closing():
                    self._transport.resume_reading()
