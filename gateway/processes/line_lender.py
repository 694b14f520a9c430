"""What a supervisor lends its workers, as it sees it."""

from typing import Any, Protocol


class Lines(Protocol):
    """Lends workers what their lines wait in, and writes what they leave behind."""

    def lend(self) -> object: ...
    def take_back(self, buffer: Any, /) -> None: ...
    def flush(self) -> bool: ...
