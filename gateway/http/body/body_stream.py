"""A request body that is read while it arrives: bodies larger than `body_buffer`.

Theory of operation: the loop appends, one pool thread reads and waits for bytes.  The loop stops
reading from the client when the bound is reached, and goes on when half of it is free again.  Never
more than the bound and one segment is in memory.

A thread that waits for its client's bytes for more than a moment calls `relieve`, so that another
thread takes its place.  If none can, `BodyReceiver` counts the time, and bounds it while requests
wait for a thread.
"""

import io
from collections.abc import Callable
from threading import Condition
from typing import IO, Final

from gateway.errors import Refusal

_RELIEF_SECONDS: Final = 0.01
"""A thread that has waited this long for bytes asks for relief."""


class BodyStream:
    """The loop's side of the stream; `open` returns the reader's side."""

    def __init__(
        self,
        head_start: bytes,
        bound: int,
        on_room: Callable[[], None],
        relieve: Callable[[], bool] = lambda: True,
    ) -> None:
        """`head_start` are the bytes so far.  The reader's thread calls the two functions:

        `on_room` when half of `bound` is free again, `relieve` when it waits for the client.
        `relieve` returns whether another thread can take its place.
        """
        self.size = len(head_start)
        """Bytes that count against the process's body budget until the body is released."""
        self.length: int | None = None
        """Bytes of the whole body, once it has ended."""
        self.on_change: Callable[[], None] | None = None
        """Called on the loop when bytes or the end have arrived, for readers on the loop."""
        self._bound = bound
        self._on_room = on_room
        self._relieve = relieve
        self.stalls_thread = False
        """Whether a thread waits for bytes now, and no other could take its place."""
        self._condition = Condition()
        self._pieces = bytearray(head_start)
        self.received = len(head_start)
        """Bytes that have arrived, including those already read."""
        self._fault: Exception | None = None

    @property
    def is_full(self) -> bool:
        """Whether the loop should stop reading from the client."""
        return len(self._pieces) >= self._bound

    def append(self, piece: bytes | memoryview) -> None:
        """Take the next bytes, on the loop."""
        with self._condition:
            self._pieces += piece
            self.received += len(piece)
            self._condition.notify()
        self._tell()

    def end(self) -> None:
        """The body is complete."""
        with self._condition:
            self.length = self.received
            self._condition.notify()
        self._tell()

    def fail(self, fault: Exception) -> None:
        """The rest will not come; the next read beyond the arrived bytes raises `fault`."""
        with self._condition:
            self._fault = fault
            self._condition.notify()
        self._tell()

    def take(self, size: int) -> bytes | None:
        """Up to `size` bytes; empty at the end of the body; `None` if none have arrived yet.

        Raises:
            Exception: the fault given to `fail`.
        """
        with self._condition:
            return self._take(size)

    def wait_and_take(self, size: int) -> bytes:
        """Wait for bytes, in a pool thread, then `take`.  The loop's deadlines bound the wait."""
        taken = self._take_within(size, _RELIEF_SECONDS)
        if taken is None:
            self.stalls_thread = not self._relieve()  # Without the lock, which the loop wants.
            try:
                taken = self._take_within(size, None)
            finally:
                self.stalls_thread = False
            assert taken is not None
        return taken

    def _take_within(self, size: int, seconds: float | None) -> bytes | None:
        """Wait for bytes for `seconds` (`None`: without limit), then `take`."""
        with self._condition:
            self._condition.wait_for(self._has_some, seconds)
            return self._take(size)

    def _has_some(self) -> bool:
        return bool(self._pieces) or self._fault is not None or self.length is not None

    def open(self) -> IO[bytes]:
        """The body as a binary file that blocks; for one reader in a pool thread."""
        return io.BufferedReader(_Reader(self))

    def _take(self, size: int) -> bytes | None:
        pieces = self._pieces
        if pieces:
            was_full = self.is_full or len(pieces) > self._bound // 2
            taken = bytes(memoryview(pieces)[:size])
            del pieces[:size]
            if was_full and len(pieces) <= self._bound // 2:
                self._on_room()
            return taken
        if self._fault is not None:
            raise self._fault
        return b"" if self.length is not None else None

    def _tell(self) -> None:
        if self.on_change is not None:
            self.on_change()


class _Reader(io.RawIOBase):
    """The reader's side, wrapped by `io.BufferedReader`."""

    def __init__(self, stream: BodyStream) -> None:
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # typeshed says Any
        try:
            taken = self._stream.wait_and_take(len(buffer))
        except Refusal as refusal:
            raise OSError(refusal.message) from refusal
        buffer[: len(taken)] = taken
        return len(taken)
