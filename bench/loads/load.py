"""What every load has in common."""

from dataclasses import dataclass, field
from typing import Protocol

from bench.process import Server


@dataclass(frozen=True)
class Measured:
    """What a load found; the names are those of `bench.results.Run`."""

    figures: dict[str, float]
    series: dict[str, list[list[float]]] = field(default_factory=dict)


class Load(Protocol):
    """A way to use a server for a while."""

    def measure(self, server: Server, seconds: float) -> Measured:
        """Load `server` from the client's core for about `seconds`.

        Raises:
            bench.process.FailedRun: it gave no figure, or answers were wrong.
        """
