"""Answers that clients have not taken yet: bounded over all connections.

A thread that answers does not wait for the client: what the kernel does not take at once stays in
memory until the client reads on.  Clients that never do must not fill it.
"""

from typing import TYPE_CHECKING

from gateway.error_log.rate_limited import RateLimitedWarning

if TYPE_CHECKING:
    from gateway.http.connection.shared_state import Client


class UnsentResponses:
    """Who has an answer waiting, how much of it, and since when nothing of it was taken."""

    __slots__ = ("_held", "_limit", "_trouble", "total")

    def __init__(self, limit: int, trouble: RateLimitedWarning) -> None:
        """`limit`, in bytes: beyond it, who has taken nothing for the longest time is cut off,
        and `trouble` has noted it."""
        self._limit = limit
        self._held: dict[Client, tuple[int, float]] = {}
        self._trouble = trouble
        self.total = 0
        """Bytes that wait."""

    def __repr__(self) -> str:
        return f"<UnsentResponses {len(self._held)} clients {self.total}/{self._limit}>"

    def hold(self, client: "Client", size: int, now: float) -> None:
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
            self._trouble.note()

    def note_progress(self, client: "Client", now: float) -> None:
        """The client has taken some."""
        held = self._held.get(client)
        if held is not None:
            self._held[client] = (held[0], now)

    def release(self, client: "Client") -> None:
        """Nothing waits for the client any more, if anything did."""
        held = self._held.pop(client, None)
        if held is not None:
            self.total -= held[0]
