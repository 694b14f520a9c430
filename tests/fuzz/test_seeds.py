"""The seeds of the fuzzer, and what it has found, without the fuzzer."""

from collections.abc import Callable
from pathlib import Path

import pytest
from fuzz.targets import FOLDER, TARGETS, Target
from unit.http.conversation import tiny_blocks

pytestmark = pytest.mark.family("fuzz")

CASES = [(target, seed) for target in TARGETS.values() for seed in target.seeds()]


@pytest.mark.parametrize(
    ("target", "seed"), CASES, ids=[f"{target.name}-{seed.name}" for target, seed in CASES]
)
def test_a_seed_and_its_near_relations(
    target: Target, seed: Path, tally: Callable[..., None]
) -> None:
    data = seed.read_bytes()
    inputs = [data, *[data[:end] for end in range(len(data))]]
    inputs += [data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :] for at in range(len(data))]
    for one in inputs:
        target.check(one)
    tally(faults=len(inputs))


@pytest.mark.parametrize("name", ["heads", "connections"])
def test_bodies_in_many_blocks(name: str, tally: Callable[..., None]) -> None:
    target = TARGETS[name]
    with tiny_blocks():
        for seed in target.seeds():
            target.check(seed.read_bytes())
            tally(faults=1)


def test_the_seeds_are_small() -> None:
    sizes = [path.stat().st_size for path in (FOLDER / "seeds").rglob("*") if path.is_file()]
    assert len(sizes) > 50
    assert sum(sizes) < 20_000
    for target in TARGETS.values():
        assert max(len(seed.read_bytes()) for seed in target.seeds()) <= target.longest


def test_a_run_is_shared_among_all_targets() -> None:
    assert sum(target.share for target in TARGETS.values()) == pytest.approx(1)
