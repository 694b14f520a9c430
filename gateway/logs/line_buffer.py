"""Lines that wait to be written, in memory that outlives the process that made them.

Theory of operation.  The memory has two halves.  Lines are put into the active one; the other is
being written, and when it is empty the two change places.  So both begin anew again and again, and
of memory that has been set aside only what is needed is ever touched.

Each half has two words: where the part begins that is not written yet, and where it ends.  The end
is told behind the copy of a line, and the beginning moves behind its write, each as one aligned
word.  Whoever forked the process shares the memory, and finds there what a killed process has not
written: every line whose `put` has returned, and of lines already written at most those whose write
had just been made.
"""

import mmap
from threading import RLock
from typing import Final

_HEAD: Final = 64
"""Bytes: the number of the active half, then beginning and end of each."""

HALF: Final = 4 * 1024 * 1024
"""Bytes of lines in each half."""


class LineBuffer:
    """The buffer of one process: any of its threads puts, one of them takes."""

    def __init__(self, half: int = HALF) -> None:
        """Both halves have `half` bytes; make it before the process that fills it is forked."""
        self._memory = mmap.mmap(-1, _HEAD + 2 * half)
        self._view = memoryview(self._memory)
        self._words = self._view[:_HEAD].cast("q")
        self._half = half
        # For destructors and signal handlers, which log in the middle of what holds it.
        self._lock = RLock()
        self.clear()

    def clear(self) -> None:
        """Forget all: for the next process."""
        words = self._words
        words[1] = words[2] = _HEAD
        words[3] = words[4] = _HEAD + self._half
        words[0] = 0
        self._end_word = 2
        self._begin = self._end = _HEAD
        self._limit = _HEAD + self._half

    def put(self, data: bytes) -> int:
        """Add whole lines; how many bytes are in the active half now, and -1: there is no room."""
        with self._lock:
            begin = self._end
            end = begin + len(data)
            if end > self._limit:
                return -1
            self._end = end  # First: who comes in between is behind these lines.
            self._view[begin:end] = data
            self._words[self._end_word] = self._end
            return end - self._begin

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits."""
        words = self._words
        return words[1] == words[2] and words[3] == words[4]

    @property
    def has_room(self) -> bool:
        """Whether the active half is at its beginning."""
        return self._end == self._begin

    # For the one that writes.

    def take(self, most: int) -> memoryview:
        """What is to be written next: whole lines of up to `most` bytes, or one line; or nothing.

        Tell with `advance` how much of it has been.
        """
        words = self._words
        at = 3 if words[0] == 0 else 1
        if words[at] == words[at + 1]:
            at = self._change_places()
        return self._part(at, most)

    def _change_places(self) -> int:
        words = self._words
        with self._lock:
            active = words[0]
            at, other = (1, 3) if active == 0 else (3, 1)
            base = _HEAD if active else _HEAD + self._half
            if words[at] == words[at + 1]:
                return at
            words[other] = words[other + 1] = base
            words[0] = 1 - active
            self._end_word = other + 1
            self._begin = self._end = base
            self._limit = base + self._half
        return at

    def _part(self, at: int, most: int) -> memoryview:
        begin, end = self._words[at], self._words[at + 1]
        if end - begin > most:
            cut = self._memory.rfind(b"\n", begin, begin + most) + 1
            if cut <= begin:  # One line that is longer.
                cut = self._memory.find(b"\n", begin, end) + 1 or end
            end = cut
        return self._view[begin:end]

    def advance(self, count: int) -> None:
        """So many bytes of what `take` gave have been written."""
        words = self._words
        words[3 if words[0] == 0 else 1] += count

    def rest(self) -> bytes:
        """All that waits, in its order; for who shares the memory with a process that has ended."""
        words = self._words
        at, other = (3, 1) if words[0] == 0 else (1, 3)
        memory = self._memory
        return memory[words[at] : words[at + 1]] + memory[words[other] : words[other + 1]]
