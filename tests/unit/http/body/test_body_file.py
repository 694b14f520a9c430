"""A file over blocks behaves as the `BytesIO` does that smaller bodies are read from."""

import io
import operator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.http.body import blocks as module
from gateway.http.body.blocks import BlockPool, Blocks
from gateway.http.body.body_file import BodyFile


@pytest.fixture(autouse=True, scope="module")
def small_blocks():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BLOCK", 8)
        yield


def both(data, head_size):
    blocks = Blocks(BlockPool(), data[:head_size])
    blocks.append(data[head_size:])
    return BodyFile(blocks), io.BytesIO(data)


sizes = st.integers(-1, 30) | st.just(20_000)
steps = st.one_of(
    st.tuples(st.sampled_from(["read", "readline", "read1"]), sizes),
    st.tuples(st.sampled_from(["read", "readline", "readlines", "getvalue", "tell"])),
    st.tuples(st.just("seek"), st.integers(0, 70)),
    st.tuples(st.just("seek"), st.integers(-5, 5), st.just(io.SEEK_END)),
    st.tuples(st.just("__next__")),
)


def outcome(file, step):
    try:
        return operator.methodcaller(*step)(file)
    except (StopIteration, ValueError, OSError) as error:
        return type(error) is StopIteration


@settings(max_examples=150)
@given(
    st.lists(st.sampled_from([b"a", b"bc", b"\n", b"\r\n", b"\0\xff"]), max_size=60),
    st.integers(0, 20),
    st.lists(steps, max_size=12),
)
def test_it_reads_as_bytes_io(pieces, head_size, todo):
    file, expected = both(b"".join(pieces), head_size)
    for step in todo:
        assert outcome(file, step) == outcome(expected, step), step
    assert file.read() == expected.read()
    assert file.read() == file.readline() == b""
    assert file.readlines() == list(file) == []


def test_a_large_body_in_all_ways():
    """Beyond the buffer of `io.BufferedReader`, whose reads go past it."""
    data = b"".join(b"%d\r\n" % number for number in range(30_000))
    file, expected = both(data, 1000)
    assert list(file) == list(expected)
    file.seek(0)
    assert b"".join(iter(lambda: file.read(65_536), b"")) == data
    file.seek(5)
    assert file.read() == data[5:]
    file.seek(0)
    buffer = bytearray(50_000)
    assert file.readinto(buffer) == 50_000
    assert buffer == data[:50_000]
    assert file.getvalue() == data


def test_the_hint_of_readlines():
    """It ends the lines a little later than with `BytesIO`: PEP 3333 leaves it to the server."""
    file, _ = both(b"a\nbc\nd\n" * 10, 3)
    assert file.readlines(3) == [b"a\n", b"bc\n"]
    assert b"".join(iter(lambda: b"".join(file.readlines(4)), b"")) == (b"a\nbc\nd\n" * 10)[5:]


def test_what_it_is():
    file, _ = both(b"hello, world", 3)
    assert (file.readable(), file.seekable(), file.writable()) == (True, True, False)
    with pytest.raises(io.UnsupportedOperation):
        file.write(b"x")
    with pytest.raises(ValueError, match="whence"):
        file.raw.seek(0, 3)


def test_blocks_are_held_by_the_file_until_it_goes():
    """Not only until it is closed: another thread may be reading."""
    pool = BlockPool()
    blocks = Blocks(pool, b"")
    blocks.append(b"0123456789")
    file = BodyFile(blocks)
    del blocks
    file.close()
    with pytest.raises(ValueError, match="closed"):
        file.read()
    assert len(pool) == 0
    del file
    assert len(pool) == 2
