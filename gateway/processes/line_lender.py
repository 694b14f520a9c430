"""The supervisor's view of the buffers in which workers keep log lines."""

from typing import Any, Protocol


class LineLender(Protocol):
    """Lends each worker a line buffer, and writes the lines that dead workers leave in theirs."""

    def lend(self) -> object: ...
    def take_back(self, buffer: Any, /) -> None: ...
    def flush(self) -> bool: ...
