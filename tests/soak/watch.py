"""What a gateway takes of its machine, through /proc, and whether that stays the same."""

import os
import re
from pathlib import Path
from statistics import linear_regression, median
from typing import NamedTuple

LONG = 300.0
"""Seconds of a soak, from which on its memory has had time to settle; before, it is not judged."""

MOST_GROWTH = 0.05
"""Of the memory's middle, over the second half of a long soak, by its slope."""

MOST_GAIN = 1.1
"""The middle of the last tenth, by that of the second tenth."""


class Sample(NamedTuple):
    """One look, at all processes of a gateway together."""

    seconds: float
    rss_mb: float
    descriptors: int
    threads: int


def sample(pid: int, seconds: float) -> Sample:
    """Of a process and all below it."""
    rss = descriptors = threads = 0
    for one in tree(pid):
        try:
            status = Path(f"/proc/{one}/status").read_text()
            descriptors += len(os.listdir(f"/proc/{one}/fd"))
        except OSError:
            continue  # It has ended.
        rss += _value(status, "VmRSS")
        threads += _value(status, "Threads")
    return Sample(round(seconds, 1), round(rss / 1024, 2), descriptors, threads)


def tree(pid: int) -> list[int]:
    """A process, and those that it and its children have started."""
    found = [pid]
    for one in found:
        for task in Path("/proc").glob(f"{one}/task/*/children"):
            try:
                found += [int(child) for child in task.read_text().split()]
            except OSError:
                continue
    return found


def _value(status: str, name: str) -> int:
    match = re.search(rf"^{name}:\s+(\d+)", status, re.MULTILINE)
    return int(match[1]) if match else 0


class Memory(NamedTuple):
    """How a soak's memory went, in MB."""

    early: float
    """Middle of the second tenth of the samples."""
    late: float
    """Middle of the last tenth."""
    slope: float
    """MB per ten minutes, over the second half."""
    is_flat: bool


def judge(samples: list[Sample]) -> Memory:
    """Whether the memory stays the same; at least ten samples, a tenth is one of them then."""
    tenth = len(samples) // 10
    assert tenth, "too short to be judged"
    early = median([one.rss_mb for one in samples[tenth : 2 * tenth]])
    late = median([one.rss_mb for one in samples[-tenth:]])
    half = samples[len(samples) // 2 :]
    slope, _ = linear_regression([one.seconds for one in half], [one.rss_mb for one in half])
    lasted = half[-1].seconds - half[0].seconds
    is_flat = late <= MOST_GAIN * early and slope * lasted <= MOST_GROWTH * late
    if samples[-1].seconds < LONG:
        is_flat = True
    return Memory(early, late, round(slope * 600, 3), is_flat)
