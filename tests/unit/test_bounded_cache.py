"""What is remembered, and forgotten."""

import re
from pathlib import Path

import gateway
from gateway.bounded_cache import BoundedCache


def test_all_is_forgotten_when_it_is_full():
    known = BoundedCache(3)
    for number in range(3):
        known.remember(number, str(number))
    assert known == {0: "0", 1: "1", 2: "2"}
    known.remember(3, "3")
    assert known == {3: "3"}
    assert known.get(0) is None


def test_a_key_that_is_there_takes_no_more_room():
    known = BoundedCache(2)
    for _ in range(9):
        known.remember("a", 1)
    assert known == {"a": 1}


def test_no_other_memory_stops_to_learn_when_it_is_full():
    """`if len(x) < most: x[key] = …` keeps what came first, which an attacker may have sent."""
    pattern = re.compile(r"if len\(([\w.]+)\) < \w+.*:\n\s+\1\[")
    for path in Path(gateway.__file__).parent.rglob("*.py"):
        assert not pattern.search(path.read_text("utf-8")), path
