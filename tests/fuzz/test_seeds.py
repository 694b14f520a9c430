"""The seeds of the fuzzer, and what it has found, without the fuzzer."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from fuzz.targets import FOLDER, TARGETS, Target
from unit.http.conversation import WAYS, tiny_blocks

from gateway.http.connection import exchange
from gateway.http.message import grammar
from gateway.http.message.parser import HeadParser

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


def test_what_a_handler_slips_in_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    seed = FOLDER / "seeds" / "responses" / "split-value"
    monkeypatch.setattr(grammar, "FORBIDDEN_IN_VALUE", re.compile(r"(?!)"))
    with pytest.raises(AssertionError):
        TARGETS["responses"].check(seed.read_bytes())


def test_a_parser_that_minds_cuts_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    seed = FOLDER / "seeds" / "requests" / "three-pipelined"
    monkeypatch.setattr(HeadParser, "_find_end", lambda self, data: 0)
    with pytest.raises(AssertionError):
        TARGETS["heads"].check(seed.read_bytes())


def test_an_answer_that_is_not_framed_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    way = WAYS.index("in_parts") << 4
    data = bytes([way]) + b"GET /abc HTTP/1.1\r\nHost: a\r\n\r\n"
    TARGETS["connections"].check(data)
    monkeypatch.setattr(exchange, "encode_chunk", lambda data: data)
    with pytest.raises(AssertionError):
        TARGETS["connections"].check(data)
