"""A queue of lines in shared memory, which outlives the process that fills it.

Theory of operation.  The memory has two halves.  New lines go into the active half while the other
is written; when that is empty, they swap roles.  So both halves are refilled from their beginning,
and only as much of the reserved memory is touched as is needed.

Each half has two words: the beginning and the end of its unwritten part.  The end is updated after
a line is copied, and the beginning after a line is written, each as one aligned word.  The parent
process shares the memory, and finds there what a killed process has not written: every line whose
`put` has returned, and of written lines at most those of the last write.
"""

import mmap
from threading import RLock
from typing import Final

_HEADER_BYTES: Final = 64
"""Bytes of the header: the number of the active half, then beginning and end of each half."""

HALF: Final = 4 * 1024 * 1024
"""Bytes of lines in each half."""


class _ActiveHalf:
    """The half that takes new lines."""

    __slots__ = ("begin", "end", "end_word", "limit")

    def __init__(self, end_word: int, begin: int, limit: int) -> None:
        """`begin` and `limit` are offsets; `end_word` is the word that tells the end."""
        self.end_word = end_word
        self.begin = self.end = begin
        self.limit = limit


class LineBuffer:
    """The buffer of one process: all of its threads put lines, one takes them."""

    def __init__(self, half: int = HALF) -> None:
        """Each half has `half` bytes.  Create it before the fork of the process that fills it."""
        self._memory = mmap.mmap(-1, _HEADER_BYTES + 2 * half)
        self._view = memoryview(self._memory)
        self._words = self._view[:_HEADER_BYTES].cast("q")
        self._half = half
        # Reentrant for destructors and signal handlers that log while the lock is held.
        self._lock = RLock()
        self.clear()

    def clear(self) -> None:
        """Empty it for the next process."""
        words = self._words
        words[1] = words[2] = _HEADER_BYTES
        words[3] = words[4] = _HEADER_BYTES + self._half
        words[0] = 0
        self._active = _ActiveHalf(2, _HEADER_BYTES, _HEADER_BYTES + self._half)

    def put(self, data: bytes) -> int:
        """Add whole lines; return the bytes in the active half, or -1 if there is no room."""
        with self._lock:
            half = self._active
            begin = half.end
            end = begin + len(data)
            if end > half.limit:
                return -1
            half.end = end  # First: a reentrant call then adds its lines after these.
            self._view[begin:end] = data
            self._words[half.end_word] = half.end
            return end - half.begin

    @property
    def is_empty(self) -> bool:
        """Whether all lines are written."""
        words = self._words
        return words[1] == words[2] and words[3] == words[4]

    @property
    def has_room(self) -> bool:
        """Whether the active half is empty."""
        return self._active.end == self._active.begin

    # For the writing thread.

    def take(self, most: int) -> memoryview:
        """The next data to write: whole lines of up to `most` bytes, or one longer line, or
        nothing.

        Call `advance` after writing.
        """
        words = self._words
        at = 3 if words[0] == 0 else 1
        if words[at] == words[at + 1]:
            at = self._swap_halves()
        return self._part(at, most)

    def _swap_halves(self) -> int:
        words = self._words
        with self._lock:
            active = words[0]
            at, other = (1, 3) if active == 0 else (3, 1)
            base = _HEADER_BYTES if active else _HEADER_BYTES + self._half
            if words[at] == words[at + 1]:
                return at
            words[other] = words[other + 1] = base
            # In one step: a reentrant call, as from a destructor, must find one half or the other.
            self._active = _ActiveHalf(other + 1, base, base + self._half)
            words[0] = 1 - active
        return at

    def _part(self, at: int, most: int) -> memoryview:
        begin, end = self._words[at], self._words[at + 1]
        if end - begin > most:
            cut = self._memory.rfind(b"\n", begin, begin + most) + 1
            if cut <= begin:  # One line longer than `most`.
                cut = self._memory.find(b"\n", begin, end) + 1 or end
            end = cut
        return self._view[begin:end]

    def advance(self, count: int) -> None:
        """Note that `count` bytes from `take` have been written."""
        words = self._words
        words[3 if words[0] == 0 else 1] += count

    def rest(self) -> bytes:
        """All unwritten lines in order, for the parent of a process that has ended."""
        words = self._words
        at, other = (3, 1) if words[0] == 0 else (1, 3)
        memory = self._memory
        return memory[words[at] : words[at + 1]] + memory[words[other] : words[other + 1]]
