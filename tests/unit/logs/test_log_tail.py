"""The last bytes of a log, at whole characters."""

import tracemalloc
from base64 import b64decode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.logs.log_tail import TAIL_BYTES, Tail


def tail_of(*lines, size=TAIL_BYTES):
    tail = Tail(size)
    for line in lines:
        tail.add(line)
    return tail.last()


def test_it_is_4_kb():
    assert TAIL_BYTES == 4096


@pytest.mark.parametrize("length", [4095, 4096, 4097])
def test_the_last_bytes_of_one_line_and_of_many(length):
    line = "".join(str(number % 10) for number in range(length - 1)) + "\n"
    expected = line.encode()[-4096:]
    assert len(expected) == min(length, 4096)
    assert tail_of(line) == expected
    assert tail_of(*line) == expected
    assert tail_of("before" * 1000, line) == ("before" * 1000 + line).encode()[-4096:]


@pytest.mark.parametrize("character", ["ü", "你", "😀"])
@pytest.mark.parametrize("before", range(5))
def test_it_begins_with_a_whole_character(character, before):
    text = character * 20 + "x" * before
    last = tail_of(text, size=24)
    width = len(character.encode())
    assert last.decode() == character * ((24 - before) // width) + "x" * before
    assert 24 - width < len(last) <= 24


def test_it_is_not_more_in_memory():
    tail = Tail()
    tracemalloc.start()
    for _ in range(2_000):
        tail.add("x" * 10_000 + "\n")
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert size < 20_000


def test_base64():
    tail = Tail()
    assert tail.encode() == ""
    tail.add("你好\n" * 1000)
    assert b64decode(tail.encode(), validate=True) == tail.last()


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=20)), st.integers(1, 40))
def test_it_is_the_end_of_all(lines, size):
    data = "".join(lines).encode()
    last = tail_of(*lines, size=size)
    assert data.endswith(last)
    assert last.decode() or not data or len(data[-size:]) < 4
    assert min(len(data), size) - 3 <= len(last) <= size
