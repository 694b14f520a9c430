"""Bytes of requests that cannot run yet, without their bodies: bounded over all connections.

Open heads, heads that wait for their bodies, and bytes behind a running request are each bounded
per connection.  Very many connections could fill the memory all the same.
"""

from typing import Protocol

from gateway.error_log.rate_limited import RateLimitedWarning


class Holder(Protocol):
    """A connection that holds such bytes."""

    def shed(self) -> None:
        """Drop the requests that cannot run yet; called on the loop."""


class PendingInput:
    """How many bytes each connection holds."""

    __slots__ = ("_held", "_limit", "_warning", "total")

    def __init__(self, limit: int, warning: RateLimitedWarning) -> None:
        """Beyond `limit` bytes, the connection that has held some for longest drops them.

        `warning` counts the connections that drop requests.
        """
        self._limit = limit
        self._held: dict[Holder, int] = {}
        """In the order in which the connections began to hold bytes."""
        self._warning = warning
        self.total = 0
        """Bytes that are held."""

    def __repr__(self) -> str:
        return f"<PendingInput {len(self._held)} connections {self.total}/{self._limit}>"

    def hold(self, holder: Holder, size: int) -> None:
        """`holder` now holds `size` bytes in all."""
        self.total += size - self._held.get(holder, 0)
        self._held[holder] = size
        while self.total > self._limit:
            oldest = next(iter(self._held))
            self.release(oldest)
            self._warning.note()
            oldest.shed()

    def release(self, holder: Holder) -> None:
        """`holder` holds nothing any more, if it did."""
        self.total -= self._held.pop(holder, 0)
