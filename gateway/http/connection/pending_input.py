"""What is held of requests that cannot run yet, without their bodies: bounded over them all.

Open heads, heads whose bodies are still on their way, and bytes behind a request that runs are
each bounded for one connection.  Very many connections could fill the memory all the same.
"""

from typing import Protocol

from gateway.error_log.rate_limited import RateLimitedWarning


class Holder(Protocol):
    """A connection, as far as this is concerned."""

    def shed(self) -> None:
        """Give up what is held; called on the loop."""


class PendingInput:
    """Who holds how much of it."""

    __slots__ = ("_held", "_limit", "_trouble", "total")

    def __init__(self, limit: int, trouble: RateLimitedWarning) -> None:
        """`limit`, in bytes: beyond it, who has held some for the longest time gives up.

        `trouble` counts those who do.
        """
        self._limit = limit
        self._held: dict[Holder, int] = {}
        """In the order in which they began."""
        self._trouble = trouble
        self.total = 0
        """Bytes that are held."""

    def __repr__(self) -> str:
        return f"<PendingInput {len(self._held)} connections {self.total}/{self._limit}>"

    def hold(self, holder: Holder, size: int) -> None:
        """`holder` holds `size` bytes now, whatever it held before."""
        self.total += size - self._held.get(holder, 0)
        self._held[holder] = size
        while self.total > self._limit:
            oldest = next(iter(self._held))
            self.release(oldest)
            self._trouble.note()
            oldest.shed()

    def release(self, holder: Holder) -> None:
        """It holds nothing any more, if it did."""
        self.total -= self._held.pop(holder, 0)
