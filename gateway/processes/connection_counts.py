"""The number of connections of each worker, visible to all workers."""

import mmap
from typing import Final

_ABSENT: Final = 2**62
"""Stands for a count in a slot without a worker."""


class ConnectionCounts:
    """A count for each worker slot, in memory that forked processes share.

    One process at a time writes a count, as one aligned word, so no reader sees half of it.  A
    count that is slightly out of date does no harm.
    """

    def __init__(self, slots: int) -> None:
        self._counts = memoryview(mmap.mmap(-1, 8 * slots)).cast("q")
        self._updates = memoryview(mmap.mmap(-1, 8 * slots)).cast("q")
        """How many times each count has been updated."""
        for slot in range(slots):
            self.clear(slot)

    def clear(self, slot: int) -> None:
        """Mark this slot as one without a worker."""
        self._counts[slot] = _ABSENT

    def note(self, slot: int, count: int) -> None:
        """Store the number of connections of the worker in this slot."""
        self._counts[slot] = count
        self._updates[slot] += 1

    def least(self) -> int:
        """The lowest count of all workers; 2**62 when there is no worker."""
        return min(self._counts)

    def activity_of_least(self) -> tuple[int, int]:
        """The slot of the least busy worker, and how many times it has updated its count."""
        slot = min(range(len(self._counts)), key=self._counts.__getitem__)
        return slot, self._updates[slot]
