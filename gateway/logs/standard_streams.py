"""`sys.stdout` and `sys.stderr` as handlers find them where no function log takes their place.

Theory of operation.  A server's standard output is a pipe or a file, and Python would hold back
what is printed until 8 KB have come: for hours where little is printed, and for ever where a worker
is killed.  So both streams give away each line, as they do on a terminal.  With that an error of
the file would come to the handler at each line.  Python alone raises it for one `print` in many, or
at the end of the process; and a request must not fail because a disk is full or the reader of the
log has gone.  So what the file does not take is dropped, and told once in the gateway's log.  A
`print` waits for a reader that has stopped, as in any Python.
"""

import io
import os
import sys
from typing import Any, Final

from gateway.error_log.loggers import logger

log = logger("gateway.log")

_NAMES: Final = {"stdout": "standard output", "stderr": "standard error"}


def prepare_standard_streams() -> None:
    """Have both streams give away lines at once, take what comes, and be there."""
    for name in _NAMES:
        stream = getattr(sys, name)
        prepared = _prepared(stream, name)
        if stream is not None and stream is getattr(sys, f"__{name}__"):
            # There are those who ask whether the two are the same.
            setattr(sys, f"__{name}__", prepared)
        setattr(sys, name, prepared)


def _prepared(stream: Any, name: str) -> Any:
    if stream is None:  # Its file was closed when the process began.
        return open(os.devnull, "w", encoding="utf-8", errors="backslashreplace")
    if stream is not getattr(sys, f"__{name}__") or type(stream) is not io.TextIOWrapper:
        return stream  # Whoever has put it there knows why.
    try:
        stream.flush()
        raw: Any = getattr(stream.buffer, "raw", stream.buffer)
        file = _TolerantFile(raw.fileno(), name)
    except (OSError, ValueError):  # It is no file, or takes nothing already.
        return stream
    made: Any = io.TextIOWrapper(
        io.BufferedWriter(file),
        stream.encoding,
        stream.errors,
        newline="\n",
        line_buffering=True,
    )
    made.mode = "w"
    return made


class _TolerantFile(io.FileIO):
    """The file of a standard stream; what it does not take is dropped."""

    def __init__(self, descriptor: int, name: str) -> None:
        super().__init__(descriptor, "wb", closefd=False)
        self.name = f"<{name}>"
        self._has_failed = False

    def write(self, data: Any, /) -> int:
        try:
            written: Any = super().write(data)
        except OSError as error:
            if not self._has_failed:
                self._has_failed = True
                log.warning(
                    "%s takes nothing (%s): what handlers print there is lost until it does",
                    *(_NAMES[self.name[1:-1]], error.strerror),
                )
            return memoryview(data).nbytes
        self._has_failed = False
        return written  # type: ignore[no-any-return]  # `None` where it does not block.
