"""A request body that is read while it arrives: the way of bodies beyond `body_buffer`.

Theory of operation: the loop appends, one pool thread reads.  The reader waits for bytes; the
loop is told to stop reading from the client when the bound is reached, and to go on when half of
it is free again.  Never more than the bound and one segment is in memory.

A thread that waits for its client's bytes for more than a moment says so: another takes its place,
as where a client does not read.  Where none can, the time that it waits is counted, and bounded by
`http.reception` when others wait for a thread.
"""

import io
from collections.abc import Callable
from threading import Condition
from typing import IO, Final

from gateway.errors import Refusal

_MOMENT: Final = 0.01
"""Seconds that a thread waits for bytes without telling."""


class BodyStream:
    """The loop's side; `open` gives the reader's."""

    def __init__(
        self,
        head_start: bytes,
        bound: int,
        on_room: Callable[[], None],
        relieve: Callable[[], bool] = lambda: True,
    ) -> None:
        """`head_start` is what has arrived; the others are called by the reader's thread.

        `relieve`: it waits for the client; whether another can take its place.
        """
        self.size = len(head_start)
        """Bytes that count against the process's body budget, for as long as it is read."""
        self.length: int | None = None
        """Bytes of the whole body, once it has ended."""
        self.on_change: Callable[[], None] | None = None
        """Called on the loop when there is something to take, for readers on the loop."""
        self._bound = bound
        self._on_room = on_room
        self._relieve = relieve
        self.holds_up = False
        """Whether a thread waits for bytes now, and no other could take its place."""
        self._condition = Condition()
        self._pieces = bytearray(head_start)
        self.received = len(head_start)
        """Bytes that have arrived, those read included."""
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
        """The rest will not come; the reader gets `fault` instead."""
        with self._condition:
            self._fault = fault
            self._condition.notify()
        self._tell()

    def take(self, size: int) -> bytes | None:
        """Up to `size` bytes; empty at the end of the body; `None` when none have come yet.

        Raises:
            Exception: the fault that the rest of the body had.
        """
        with self._condition:
            return self._take(size)

    def wait_and_take(self, size: int) -> bytes:
        """As `take`, in a pool thread: waits for bytes.  The loop's deadlines bound the wait."""
        taken = self._take_within(size, _MOMENT)
        if taken is None:
            self.holds_up = not self._relieve()  # Without the lock, which the loop wants.
            try:
                taken = self._take_within(size, None)
            finally:
                self.holds_up = False
            assert taken is not None
        return taken

    def _take_within(self, size: int, seconds: float | None) -> bytes | None:
        """As `take`, waiting for so long; `None`: for as long as it takes."""
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
    """The reader's side, for `io.BufferedReader` to make a file of."""

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
