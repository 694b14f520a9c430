"""What is told at the start, in one line: version, handler and what it is, by how many, and where.

The supervisor tells it and imports nothing of the user's, so a worker notes for it what it has
found, in memory that forked processes share.
"""

import inspect
import mmap
import os
from collections.abc import Callable
from typing import Any, Final

from gateway.config import Config
from gateway.version import __version__
from gateway.worker.worker_count import AUTO

DEMO_TARGET: Final = "gateway.demo:handler"
"""What is served when nothing is named."""

KINDS: Final = {
    "wsgi": "WSGI handler",
    "asgi": "ASGI application",
    "fc-event": "event handler",
}
"""What speakers of each interface are called."""


class Announcement:
    """The line for one gateway, and where it is needed a hint."""

    def __init__(self, config: Config, workers: int, address: str) -> None:
        """`workers` is their number, also where `config` leaves it to the gateway."""
        self._config = config
        self._workers = workers
        self._address = address
        self._target = config.target or DEMO_TARGET
        self._found = mmap.mmap(-1, mmap.PAGESIZE)

    def note(self, interface: str, handler: Callable[..., Any]) -> None:
        """In a worker: it has found that `handler` speaks `interface`."""
        is_alone = runs_alone_on_function_compute(self._target, interface, handler)
        text = f"{interface} {'alone' if is_alone else 'beside'}".encode()
        self._found[: len(text)] = text

    def lines(self) -> list[str]:
        """What to tell, once a worker has noted what it has found."""
        config = self._config
        interface, _, concurrency = self._found[:].rstrip(b"\0").decode().partition(" ")
        reloading = f", reloading {config.chdir}," if config.reload else ""
        lines = [
            f"Gateway {__version__} serves {self._target} ({KINDS[interface]}) with "
            f"{self._staff(interface)}{reloading} on {self._address} (pid {os.getpid()})"
        ]
        if (
            concurrency == "alone"
            and config.threads > 1
            and "threads" not in config.chosen
            and config.profile != "custom-container"  # There the platform says how many it sends.
        ):
            lines.append(
                "Function Compute runs one request at a time of such a handler, this "
                f"{config.threads} at once: --threads 1 is as there, --profile function-compute "
                "in all else, too"
            )
        return lines

    def _staff(self, interface: str) -> str:
        workers = counted(self._workers, "worker") if self._workers else "1 process"
        if self._config.workers == AUTO:
            workers += " (auto)"
        # ASGI applications run on the loop.
        threads = counted(self._config.threads, "thread")
        return workers if interface == "asgi" else f"{workers} x {threads}"


def runs_alone_on_function_compute(
    target: str, interface: str, handler: Callable[..., Any]
) -> bool:
    """Whether it looks like a handler of a built-in runtime, which runs one request at a time.

    An application of a framework is an object, or is named as other servers name it.
    """
    if interface == "fc-event":
        return True
    return interface == "wsgi" and not {*":("} & {*target} and inspect.isfunction(handler)


def counted(number: int, noun: str) -> str:
    """The number with its noun."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
