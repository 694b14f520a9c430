"""What a worker has not written of its log when it is killed, its supervisor writes.

Theory of operation.  The supervisor lends each worker a buffer in memory that both share, and takes
it back when the worker has ended.  What is left in it waits here and is written when there is room,
without waiting for it: the supervisor has more to do.  Pieces are whole lines that a pipe takes at
once, so they need no lock against the workers that write at the same time.
"""

import sys
from collections import deque
from contextlib import suppress
from time import monotonic, sleep
from typing import Final

from gateway.error_log.nonblocking_file import NonBlockingFile
from gateway.logs.line_buffer import LineBuffer
from gateway.logs.line_writer import CLOSE_MOST

_PIECE: Final = 4096
"""Bytes that a pipe takes whole (PIPE_BUF on Linux)."""

_RETRY_SECONDS: Final = 0.001

_MAX_QUEUED_BYTES: Final = 16 * 1024 * 1024
"""Bytes for a reader that has stopped; what further workers leave behind is dropped."""


class LineStore:
    """The supervisor's side of its workers' logs."""

    def __init__(self) -> None:
        self._spare: list[LineBuffer] = []
        self._pieces: deque[bytes] = deque()
        self._size = 0
        self._file: NonBlockingFile | None = None
        with suppress(AttributeError, OSError, ValueError):  # There is no standard output.
            self._file = NonBlockingFile(sys.__stdout__.fileno())  # type: ignore[union-attr]

    def lend(self) -> LineBuffer:
        """A buffer for a worker that is to be forked."""
        return self._spare.pop() if self._spare else LineBuffer()

    def take_back(self, buffer: LineBuffer) -> None:
        """Its worker has ended: what it has left is to be written."""
        rest = buffer.rest()
        buffer.clear()
        self._spare.append(buffer)
        if self._size + len(rest) > _MAX_QUEUED_BYTES:
            return
        piece = b""
        for line in rest.splitlines(keepends=True):
            if piece and len(piece) + len(line) > _PIECE:
                self._pieces.append(piece)
                piece = b""
            piece += line
        if piece:
            self._pieces.append(piece)
        self._size += len(rest)
        self.flush()

    def flush(self) -> bool:
        """Write what there is room for; whether that was all."""
        pieces = self._pieces
        if pieces and self._file is not None:
            with suppress(OSError):  # No room, or the disk is full: later.
                while pieces:
                    written = self._file.write_whole(pieces[0])
                    self._size -= written
                    pieces[0] = pieces[0][written:]
                    if not pieces[0]:
                        pieces.popleft()
        return not pieces

    def close(self, seconds: float, most: float = CLOSE_MOST) -> None:
        """Write what is left; for `seconds` and `most` see `LineWriter.close`."""
        end = monotonic() + most
        until, left = monotonic() + seconds, self._size
        while not self.flush() and self._file is not None and monotonic() < min(until, end):
            if self._size < left:
                until, left = monotonic() + seconds, self._size
            self._file.await_room(0.05)
            sleep(_RETRY_SECONDS)  # There may be room, but not for a whole piece.
