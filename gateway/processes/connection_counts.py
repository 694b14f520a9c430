"""How many connections each worker has, for all of them to see."""

import mmap
from typing import Final

_ABSENT: Final = 2**62
"""In place of a count: no worker serves there."""


class ConnectionCounts:
    """A count for each place, in memory that forked processes share.

    Each is written by one process at a time, as one aligned word, so nobody reads half of one.  A
    count that is a moment old does no harm.
    """

    def __init__(self, places: int) -> None:
        self._counts = memoryview(mmap.mmap(-1, 8 * places)).cast("q")
        self._notes = memoryview(mmap.mmap(-1, 8 * places)).cast("q")
        """How often each count has been noted."""
        for place in range(places):
            self.clear(place)

    def clear(self, place: int) -> None:
        """Nobody serves in this place."""
        self._counts[place] = _ABSENT

    def note(self, place: int, count: int) -> None:
        """The worker in this place has so many connections."""
        self._counts[place] = count
        self._notes[place] += 1

    def least(self) -> int:
        """What the least busy worker has; very much when there is none."""
        return min(self._counts)

    def sign_of_least(self) -> tuple[int, int]:
        """The place of the least busy worker, and how often it has noted its count."""
        place = min(range(len(self._counts)), key=self._counts.__getitem__)
        return place, self._notes[place]
