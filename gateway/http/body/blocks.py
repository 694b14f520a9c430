"""Memory for large request bodies, reused instead of returned to the system.

Theory of operation: the kernel clears each page that it hands out, which costs more than filling
it from a socket.  So the blocks of a body that nobody can read any more wait for the next body, the
last returned first, because the processor still has it in its cache.  Each block is a memory
mapping: a fresh one takes no memory before bytes arrive, and an unused one goes back to the system
at once, which `malloc` does not promise.
"""

from collections import deque
from mmap import MAP_ANONYMOUS, MAP_PRIVATE, mmap
from typing import Final

BLOCK: Final = 256 * 1024
"""Bytes of a block."""

_MAX_TRIMMED: Final = 256
"""Blocks that go back to the system at a time; each takes some microseconds."""


class BlockPool:
    """A worker's free blocks.  All methods except `give_back` belong to the loop."""

    __slots__ = ("_free", "_least")

    def __init__(self) -> None:
        self._free: deque[memoryview] = deque()
        self._least = 0
        """The fewest free blocks since the last `trim`: this many were not needed."""

    def __len__(self) -> int:
        """The number of free blocks."""
        return len(self._free)

    def take(self) -> memoryview:
        """A free block; its content is undefined."""
        if not self._free:
            return memoryview(mmap(-1, BLOCK, flags=MAP_PRIVATE | MAP_ANONYMOUS))
        block = self._free.pop()
        self._least = min(self._least, len(self._free))
        return block

    def give_back(self, blocks: list[memoryview]) -> None:
        """Return blocks that nobody refers to any more; from any thread."""
        self._free.extend(blocks)

    def trim(self) -> None:
        """Return to the system what nobody needed since the last call; the sweep calls this."""
        for _ in range(min(self._least, _MAX_TRIMMED)):
            self._free.popleft()
        self._least = len(self._free)


class Blocks:
    """The bytes of one body: a first piece, and blocks behind it.

    The blocks return to the pool with the last reference to this object, and only then: a reader of
    this body must never see another one.  So no method returns a view of them to a reader.
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
        """Copy bytes from `position` on into `buffer`.  Returns their number."""
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
        """A copy of all bytes from `position` on."""
        pieces = []
        while position < self.size:
            pieces.append(self._piece(position, self.size))
            position += len(pieces[-1])
        return b"".join(pieces)

    def _piece(self, position: int, end: int) -> memoryview:
        """The longest contiguous piece that begins at `position`, up to `end`."""
        head = len(self._head)
        if position < head:
            return memoryview(self._head)[position:end]
        index, start = divmod(position - head, BLOCK)
        return self._blocks[index][start : start + end - position]
