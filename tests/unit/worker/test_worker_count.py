"""How many workers `auto` means, on machines of all sizes and in containers."""

from pathlib import Path

import pytest

from gateway.config import load
from gateway.limits import MIB
from gateway.worker.worker_count import Machine, worker_count

GIB = 1024 * MIB


def count(*options: str, cores: float = 2, memory: int = 64 * GIB) -> int:
    return worker_count(load(["--workers", "auto", *options], {}), lambda: Machine(cores, memory))


@pytest.mark.parametrize(
    ("cores", "workers"),
    [(0.5, 4), (1, 4), (1.5, 4), (2, 5), (4, 9), (64, 128), (127, 128), (1000, 128)],
)
def test_one_at_a_time(cores: float, workers: int) -> None:
    assert count("--threads", "1", cores=cores) == workers  # 64 GiB have room for 128 times 512 MB.


@pytest.mark.parametrize(
    ("memory", "function_memory", "workers"),
    [
        (0, 512, 2),
        (3 * 512 * MIB - 1, 512, 2),
        (3 * 512 * MIB, 512, 3),
        (3 * 512 * MIB + 1, 512, 3),
        (8 * GIB, 3072, 2),
        (64 * GIB, 128, 5),
    ],
)
def test_as_many_as_have_room(memory: int, function_memory: int, workers: int) -> None:
    options = ("--threads", "1", "--function-memory", str(function_memory))
    assert count(*options, memory=memory) == workers


@pytest.mark.parametrize(
    ("cores", "workers"), [(0.2, 1), (1, 1), (2, 2), (7.6, 8), (255, 255), (256, 256), (257, 256)]
)
def test_with_several_threads_as_many_as_cores(cores: float, workers: int) -> None:
    assert count("--threads", "2", cores=cores, memory=0) == workers


def test_a_number_is_that_number() -> None:
    def never() -> Machine:
        raise AssertionError("the machine is looked at")

    for number in (0, 1, 256):
        assert worker_count(load(["--workers", str(number)], {}), never) == number


def lay_out(folder: Path, **files: str) -> Machine:
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("DOT", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return Machine.here(folder)


def test_of_a_container_what_it_may_use_counts(tmp_path: Path) -> None:
    whole = Machine.here(tmp_path / "none")
    assert whole.cores >= 1
    assert whole.memory > 100 * MIB
    second = lay_out(tmp_path / "2", cpuDOTmax="50000 100000\n", memoryDOTmax="104857600\n")
    assert (second.cores, second.memory) == (0.5, 100 * MIB)
    unlimited = lay_out(tmp_path / "2u", cpuDOTmax="max 100000\n", memoryDOTmax="max\n")
    assert (unlimited.cores, unlimited.memory) == (whole.cores, whole.memory)
    first = lay_out(
        tmp_path / "1",
        cpu__cpuDOTcfs_quota_us="25000\n",
        cpu__cpuDOTcfs_period_us="100000\n",
        memory__memoryDOTlimit_in_bytes="52428800\n",
    )
    assert (first.cores, first.memory) == (0.25, 50 * MIB)
    endless = lay_out(
        tmp_path / "1u",
        cpu__cpuDOTcfs_quota_us="-1\n",
        cpu__cpuDOTcfs_period_us="100000\n",
        memory__memoryDOTlimit_in_bytes="9223372036854771712\n",
    )
    assert (endless.cores, endless.memory) == (whole.cores, whole.memory)
    odd = lay_out(tmp_path / "odd", cpuDOTmax="much\n", memoryDOTmax="\n")
    assert (odd.cores, odd.memory) == (whole.cores, whole.memory)
