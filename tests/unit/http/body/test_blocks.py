"""Blocks come back when nobody can read them any more, and only then."""

from random import Random

import pytest

from gateway.http.body import blocks as module
from gateway.http.body.blocks import BlockPool, Blocks


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(module, "BLOCK", 8)


def filled(pool, size):
    blocks = Blocks(pool, b"")
    blocks.append(b"x" * size)
    return blocks


def test_the_last_block_returned_is_the_first_taken():
    pool = BlockPool()
    first, second = pool.take(), pool.take()
    assert len(first) == len(second) == 8
    pool.give_back([first, second])
    assert pool.take() is second
    assert pool.take() is first
    assert all(pool.take() is not block for block in (first, second))


def test_blocks_return_with_the_last_reference():
    pool = BlockPool()
    blocks = filled(pool, 17)
    other = blocks
    del blocks
    assert len(pool) == 0
    del other
    assert len(pool) == 3


def test_what_nobody_needed_goes_back_to_the_system():
    pool = BlockPool()
    del_later = filled(pool, 80)
    del del_later
    pool.trim()
    assert len(pool) == 10, "they were all in use since the call before"
    in_use = filled(pool, 32)
    pool.trim()
    assert len(pool) == 0, "six have waited all the time"
    del in_use
    assert len(pool) == 4
    pool.trim()
    assert len(pool) == 4
    pool.trim()
    assert len(pool) == 0


def test_a_trim_has_a_bound(monkeypatch):
    monkeypatch.setattr(module, "_MAX_TRIMMED", 3)
    pool = BlockPool()
    pool.give_back([pool.take() for _ in range(10)])
    for left in (10, 7, 4, 1, 0, 0):
        pool.trim()
        assert len(pool) == left


@pytest.mark.parametrize("head", [b"", b"h", b"headhead", b"longer than a block"])
def test_bytes_are_where_they_belong(head):
    random = Random(len(head))
    whole = random.randbytes(100)
    blocks = Blocks(BlockPool(), head)
    position = 0
    while position < 100:
        size = random.randint(1, 20)
        piece = whole[position : position + size]
        if random.random() < 0.5:
            blocks.append(memoryview(piece))
        else:
            room = blocks.room(len(piece))
            assert 1 <= len(room) <= len(piece)
            piece = piece[: len(room)]
            room[:] = piece
            blocks.size += len(piece)
        position += len(piece)
    whole = head + whole
    assert blocks.size == len(whole)
    for start in range(len(whole) + 2):
        assert blocks.read_from(start) == whole[start:]
        for size in (0, 1, 7, 8, 9, 30, 200):
            buffer = bytearray(size)
            got = blocks.read_into(start, memoryview(buffer))
            assert buffer[:got] == whole[start : start + size]


def test_room_that_nothing_was_written_to_is_given_again():
    pool = BlockPool()
    blocks = Blocks(pool, b"head")
    assert len(blocks.room(5)) == 5
    assert len(blocks.room(100)) == 8
    blocks.size += 8
    assert len(blocks.room(3)) == 3
    del blocks
    assert len(pool) == 2


def test_a_fresh_block_takes_no_memory_that_is_not_filled(monkeypatch):
    monkeypatch.setattr(module, "BLOCK", 64 * 1024 * 1024)
    with open("/proc/self/statm") as file:
        before = int(file.read().split()[1])
    blocks = Blocks(BlockPool(), b"")
    blocks.append(b"x")
    with open("/proc/self/statm") as file:
        assert int(file.read().split()[1]) - before < 1024, "pages"
