"""How many workers `--workers auto` means."""

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from gateway.config.options import AUTO, Config
from gateway.limits import MIB

__all__ = ["AUTO", "Machine", "worker_count"]

_LEAST_ALONE: Final = 4
"""Workers that run one request at a time, on a machine of one core: mostly they wait for others."""

_MOST: Final = 256
"""As many as can be asked for by number."""

_CONTROL_GROUP: Final = Path("/sys/fs/cgroup")


class Machine:
    """What this process may use: of cores and of memory."""

    def __init__(self, cores: float, memory: int) -> None:
        """`memory` in bytes."""
        self.cores = cores
        self.memory = memory

    @classmethod
    def here(cls, control_group: Path = _CONTROL_GROUP) -> "Machine":
        """The machine, or what the container in it may use (Linux control groups, 1 and 2)."""
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
    """The number that `config` says, or where it says `auto` one that suits the machine.

    Workers that run one request at a time are instances as on Function Compute, which has one for
    each request that runs.  Here there are twice as many as cores and one, or 4, as long as each
    could use the function's memory, and 2 at the least.  Others are as many as cores.
    """
    if config.workers != AUTO:
        return config.workers
    machine = here()
    if config.threads > 1:
        return max(1, min(_MOST, round(machine.cores)))
    wanted = max(_LEAST_ALONE, int(2 * machine.cores) + 1)
    return max(2, min(_MOST, wanted, machine.memory // (config.function_memory * MIB)))


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _numbers(file: Path) -> tuple[int, ...]:
    """The whole numbers in a file; none where it is not there, or says that there is no limit."""

    def found() -> Iterator[int]:
        with suppress(OSError, ValueError):
            words = file.read_text().split()
            if "max" not in words[:1]:
                yield from map(int, words)

    return tuple(found())
