"""Memory for large request bodies, used again instead of given back.

Theory of operation: the kernel clears each page that it hands out, which costs more than to fill
it from a socket.  So the blocks of a body that nobody can read any more wait for the next one,
the last returned first, because the processor still has it in its cache.  They are mappings of
their own: fresh ones take no memory before bytes arrive, and what is not needed for a while goes
back to the system at once, which `malloc` does not promise.
"""

from collections import deque
from mmap import MAP_ANONYMOUS, MAP_PRIVATE, mmap
from typing import Final

BLOCK: Final = 256 * 1024
"""Bytes of a block."""

_MAX_TRIMMED: Final = 256
"""Blocks that go back to the system at a time; a block takes it some microseconds."""


class BlockPool:
    """The blocks of a worker that are not in use.  All but `give_back` belong to the loop."""

    __slots__ = ("_free", "_least")

    def __init__(self) -> None:
        self._free: deque[memoryview] = deque()
        self._least = 0
        """The fewest free blocks since the last `trim`: so many were not needed."""

    def __len__(self) -> int:
        """Blocks that are free."""
        return len(self._free)

    def take(self) -> memoryview:
        """A block, with anything in it."""
        if not self._free:
            return memoryview(mmap(-1, BLOCK, flags=MAP_PRIVATE | MAP_ANONYMOUS))
        block = self._free.pop()
        self._least = min(self._least, len(self._free))
        return block

    def give_back(self, blocks: list[memoryview]) -> None:
        """Return blocks that nobody refers to any more; safe in any thread."""
        self._free.extend(blocks)

    def trim(self) -> None:
        """Give the system what nobody needed since the last call; the sweep calls it."""
        for _ in range(min(self._least, _MAX_TRIMMED)):
            self._free.popleft()
        self._least = len(self._free)


class Blocks:
    """The bytes of one body: some that were there before, and blocks behind them.

    The blocks return when the last reference to this object goes, and only then: whoever can
    still read a body must not find another's in its place.  So no view of them is given away.
    """

    __slots__ = ("_blocks", "_head", "_pool", "size")

    def __init__(self, pool: BlockPool, head: bytes) -> None:
        """`head` is the beginning of the body."""
        self._pool = pool
        self._head = head
        self._blocks: list[memoryview] = []
        self.size = len(head)
        """Bytes of the body that have arrived."""

    def __del__(self) -> None:
        self._pool.give_back(self._blocks)

    def room(self, limit: int) -> memoryview:
        """Where the next bytes belong, up to `limit` of them; at least one."""
        index, start = divmod(self.size - len(self._head), BLOCK)
        if index == len(self._blocks):
            self._blocks.append(self._pool.take())
        return self._blocks[-1][start : start + limit]

    def append(self, piece: bytes | memoryview) -> None:
        """Copy the next bytes."""
        view = memoryview(piece)
        while view:
            room = self.room(len(view))
            size = len(room)
            room[:] = view[:size]
            self.size += size
            view = view[size:]

    def read_into(self, position: int, buffer: memoryview) -> int:
        """Copy what is at `position` and behind it; how many bytes that were."""
        end = min(self.size, position + len(buffer))
        done = 0
        while position < end:
            piece = self._piece(position, end)
            size = len(piece)
            buffer[done : done + size] = piece
            done += size
            position += size
        return done

    def read_from(self, position: int) -> bytes:
        """A copy of all from `position` on."""
        pieces = []
        while position < self.size:
            pieces.append(self._piece(position, self.size))
            position += len(pieces[-1])
        return b"".join(pieces)

    def _piece(self, position: int, end: int) -> memoryview:
        """The longest stretch between `position` and `end` that lies together."""
        head = len(self._head)
        if position < head:
            return memoryview(self._head)[position:end]
        index, start = divmod(position - head, BLOCK)
        return self._blocks[index][start : start + end - position]
