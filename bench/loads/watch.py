"""Memory of a server over time."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from bench.process import Server

_EVERY_SECONDS = 0.1


@dataclass
class Memory:
    """What was seen so far."""

    server: Server
    before: int
    """Bytes at the start."""
    points: list[tuple[float, int]] = field(default_factory=list)
    """Seconds since then, bytes."""

    def figures(self) -> dict[str, float]:
        """Peak, and growth since the start to the most that was seen; in 10^6 bytes."""
        most = max([self.before, *(size for _, size in self.points)])
        return {
            "peak_rss_mb": self.server.peak_resident_bytes() / 1e6,
            "rss_growth_mb": (most - self.before) / 1e6,
        }

    def curve(self) -> list[list[float]]:
        """Points (second, 10^6 bytes)."""
        return [[round(at, 3), size / 1e6] for at, size in self.points]


@contextmanager
def watched(server: Server) -> Iterator[Memory]:
    """Note the resident memory of `server` during the block."""
    memory = Memory(server, server.resident_bytes())
    started = time.monotonic()
    is_over = threading.Event()

    def watch() -> None:
        while not is_over.wait(_EVERY_SECONDS):
            memory.points.append((time.monotonic() - started, server.resident_bytes()))

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield memory
    finally:
        is_over.set()
        thread.join()
        memory.points.append((time.monotonic() - started, server.resident_bytes()))
