"""Lets the supervisor write the log lines that a killed worker has not written.

Theory of operation.  The supervisor lends each worker a buffer in shared memory, and takes it back
when the worker has ended.  The lines that are left wait here until there is room, because the
supervisor must not block.  Each piece consists of whole lines that a pipe takes at once, so it
needs no lock against workers that write at the same time.
"""

import sys
from collections import deque
from contextlib import suppress
from time import monotonic, sleep
from typing import Final

from gateway.error_log.nonblocking_file import NonBlockingFile
from gateway.logs.line_buffer import LineBuffer
from gateway.logs.line_writer import MAX_CLOSE_SECONDS

_PIECE_BYTES: Final = 4096
"""A pipe takes this much in one piece (PIPE_BUF on Linux)."""

_RETRY_SECONDS: Final = 0.001

_MAX_QUEUED_BYTES: Final = 16 * 1024 * 1024
"""The limit for a reader that has stopped; lines of further workers are dropped."""


class LineStore:
    """The supervisor's side of its workers' logs."""

    def __init__(self) -> None:
        self._spare: list[LineBuffer] = []
        self._pieces: deque[bytes] = deque()
        self._size = 0
        self._file: NonBlockingFile | None = None
        with suppress(AttributeError, OSError, ValueError):  # There is no standard output.
            self._file = NonBlockingFile(sys.__stdout__.fileno())  # type: ignore[union-attr]  # None is suppressed

    def lend(self) -> LineBuffer:
        """A buffer for a worker that will be forked."""
        return self._spare.pop() if self._spare else LineBuffer()

    def take_back(self, buffer: LineBuffer) -> None:
        """Queue the lines that an ended worker has left in its buffer."""
        rest = buffer.rest()
        buffer.clear()
        self._spare.append(buffer)
        if self._size + len(rest) > _MAX_QUEUED_BYTES:
            return
        piece = b""
        for line in rest.splitlines(keepends=True):
            if piece and len(piece) + len(line) > _PIECE_BYTES:
                self._pieces.append(piece)
                piece = b""
            piece += line
        if piece:
            self._pieces.append(piece)
        self._size += len(rest)
        self.flush()

    def flush(self) -> bool:
        """Write what there is room for; return whether all is written."""
        pieces = self._pieces
        if pieces and self._file is not None:
            with suppress(OSError):  # No room, or a full disk: try again later.
                while pieces:
                    written = self._file.write_whole(pieces[0])
                    self._size -= written
                    pieces[0] = pieces[0][written:]
                    if not pieces[0]:
                        pieces.popleft()
        return not pieces

    def close(self, seconds: float, most: float = MAX_CLOSE_SECONDS) -> None:
        """Write the rest; for `seconds` and `most` see `LineWriter.close`."""
        end = monotonic() + most
        until, left = monotonic() + seconds, self._size
        while not self.flush() and self._file is not None and monotonic() < min(until, end):
            if self._size < left:
                until, left = monotonic() + seconds, self._size
            self._file.await_room(0.05)
            sleep(_RETRY_SECONDS)  # There may be too little room for a whole piece.
