"""A soak of seconds, and whether one would notice what it is to notice."""

import json
from collections.abc import Callable

import pytest
from soak.patterns import LINE, blocks, pattern
from soak.run import soak
from soak.score import Score
from soak.users import QUICK
from soak.watch import LONG, Sample, judge

pytestmark = pytest.mark.family("soak")


def test_some_seconds(tally: Callable[..., None]) -> None:
    result = soak(5, QUICK, every=0.25)
    assert result["violations"] == []
    outcomes = result["outcomes"]
    assert outcomes["served"] > 100, result
    assert outcomes["refused"] > 0
    assert outcomes["faults"] > 0
    assert result["log"]["records"] >= outcomes["served"] + outcomes["refused"]
    tally(**{name: outcomes[name] for name in ("served", "refused", "faults", "lost")})


def samples(memory: Callable[[float], float], seconds: float = LONG) -> list[Sample]:
    return [Sample(at, memory(at), 10, 10) for at in range(0, int(seconds) + 5, 5)]


def test_memory_that_stays_is_flat() -> None:
    assert judge(samples(lambda at: 50 + at % 2)).is_flat
    # What it takes in its beginning is no growth.
    assert judge(samples(lambda at: min(50.0, 20 + at))).is_flat


@pytest.mark.parametrize(
    "memory",
    [lambda at: 50 + at / 20, lambda at: 50 if at < LONG / 2 else 56, lambda at: 50 * 1.001**at],
)
def test_memory_that_grows_is_not(memory: Callable[[float], float]) -> None:
    assert not judge(samples(memory)).is_flat
    assert judge(samples(memory, LONG - 10)).is_flat  # Too short to tell.


def record(token: str, status: int) -> str:
    return json.dumps({"target": f"/echo/{token}?a", "status": status})


def test_a_log_that_agrees() -> None:
    score = Score()
    seen, vanished = score.new_token(), score.new_token()
    score.served(seen, 200, "kind")
    nameless = json.dumps({"target": "", "status": 400})
    assert score.check_log([record(seen, 200), record(vanished, 499), nameless]) == {
        "records": 3,
        "nameless": 1,
        "missing": 0,
        "doubled": 0,
        "contradicted": 0,
        "unlogged": 0,
    }


@pytest.mark.parametrize(
    ("lines", "fault"),
    [
        ([], "unlogged"),
        ([record("t0", 200)] * 2, "doubled"),
        ([record("t0", 502)], "contradicted"),
        ([record("t0", 200), json.dumps({"missing_lines": 1})], "missing"),
    ],
)
def test_a_log_that_does_not(lines: list[str], fault: str) -> None:
    score = Score()
    score.served(score.new_token(), 200, "kind")
    found = score.check_log(lines)
    assert found.pop("records") == sum("target" in line for line in lines)
    assert {name for name, number in found.items() if number} == {fault}


def test_what_is_cut_by_the_end_of_a_worker_is_told_apart() -> None:
    score = Score()
    score.violated("lost", Exception("before"))
    score.note_exit()
    score.violated("lost", Exception("with it"))
    assert (score.counts["lost"], score.counts["cut_by_exit"]) == (1, 1)
    assert score.told == ["lost: before"]


@pytest.mark.parametrize("size", [0, 1, LINE, 1000 * LINE - 1, 1000 * LINE, 1000 * LINE + 1])
def test_blocks_are_the_pattern(size: int) -> None:
    assert b"".join(blocks("t1", size)) == pattern("t1", size)
