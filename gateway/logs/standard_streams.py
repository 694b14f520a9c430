"""`sys.stdout` and `sys.stderr` of handlers without a function log.

Theory of operation.  A server's standard output is a pipe or a file, for which Python buffers 8 KB:
output may be delayed for hours, or lost when a worker is killed.  So both streams are
line-buffered, as on a terminal.  But then a handler would get an error of the file at each line,
where Python alone raises it for one `print` in many, or at the end of the process.  A request must
not fail because a disk is full or the reader of the log has gone.  So output that the file does not
take is dropped, and logged once.  A `print` waits for a stopped reader, as in any Python program.
"""

import io
import os
import sys
from typing import Any, Final

from gateway.error_log.loggers import logger

log = logger("gateway.log")

_NAMES: Final = {"stdout": "standard output", "stderr": "standard error"}


def prepare_standard_streams() -> None:
    """Make both streams exist, line-buffered and without write errors."""
    for name in _NAMES:
        stream = getattr(sys, name)
        prepared = _prepared(stream, name)
        if stream is not None and stream is getattr(sys, f"__{name}__"):
            # Some code checks whether both names refer to the same stream.
            setattr(sys, f"__{name}__", prepared)
        setattr(sys, name, prepared)


def _prepared(stream: Any, name: str) -> Any:
    if stream is None:  # Its file was closed at the start of the process.
        return open(os.devnull, "w", encoding="utf-8", errors="backslashreplace")
    if stream is not getattr(sys, f"__{name}__") or type(stream) is not io.TextIOWrapper:
        return stream  # Other code has replaced it on purpose.
    try:
        stream.flush()
        raw: Any = getattr(stream.buffer, "raw", stream.buffer)
        file = _TolerantFile(raw.fileno(), name)
    except (OSError, ValueError):  # It is not a file, or fails already.
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
    """The file of a standard stream; output that it does not take is dropped."""

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
        return written  # type: ignore[no-any-return]  # `None` if it is non-blocking.
