"""The number of workers for `--workers auto`."""

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from gateway.config.options import AUTO, Config
from gateway.limits import MIB

__all__ = ["AUTO", "Machine", "worker_count"]

_MIN_SINGLE_THREADED: Final = 4
"""The least number of workers with one thread each, which mostly wait for other services."""

_MAX_WORKERS: Final = 256
"""The largest number that `--workers` accepts."""

_CONTROL_GROUP: Final = Path("/sys/fs/cgroup")


class Machine:
    """The cores and the memory that this process may use."""

    def __init__(self, cores: float, memory: int) -> None:
        """`memory` in bytes."""
        self.cores = cores
        self.memory = memory

    @classmethod
    def here(cls, control_group: Path = _CONTROL_GROUP) -> "Machine":
        """The resources of the machine, or of its container (Linux control groups, 1 and 2)."""
        cores = float(_cores())
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        quota, period = (
            _numbers(control_group / "cpu.max")
            or (
                *_numbers(control_group / "cpu" / "cpu.cfs_quota_us"),
                *_numbers(control_group / "cpu" / "cpu.cfs_period_us"),
            )
            or (-1, 0)
        )
        if quota > 0 and period > 0:
            cores = min(cores, quota / period)
        for file in ("memory.max", "memory/memory.limit_in_bytes"):
            for limit in _numbers(control_group / file):
                memory = min(memory, limit)
        return cls(cores, memory)


def worker_count(config: Config, here: Callable[[], Machine] = Machine.here) -> int:
    """The number in `config`, or for `auto` one that suits the machine.

    A worker that runs one request at a time is like an instance on Function Compute, which has one
    instance per running request.  There are 2 * cores + 1 of them, at least 4, but no more than can
    each use the function's memory, and at least 2.  Of other workers there is one per core.
    """
    if config.workers != AUTO:
        return config.workers
    machine = here()
    if config.threads > 1:
        return max(1, min(_MAX_WORKERS, round(machine.cores)))
    wanted = max(_MIN_SINGLE_THREADED, int(2 * machine.cores) + 1)
    return max(2, min(_MAX_WORKERS, wanted, machine.memory // (config.function_memory * MIB)))


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _numbers(file: Path) -> tuple[int, ...]:
    """The whole numbers in a file; empty if the file is missing or says that there is no limit."""

    def found() -> Iterator[int]:
        with suppress(OSError, ValueError):
            words = file.read_text().split()
            if "max" not in words[:1]:
                yield from map(int, words)

    return tuple(found())
