"""`wsgi.file_wrapper`."""

from io import BytesIO, StringIO

import pytest

from gateway.wsgi.file_wrapper import FileWrapper


@pytest.mark.parametrize(
    ("block_size", "blocks"), [(4, [b"0123", b"4567", b"89"]), (5, [b"01234", b"56789"])]
)
def test_blocks(block_size, blocks):
    assert list(FileWrapper(BytesIO(b"0123456789"), block_size)) == blocks


def test_the_default_block_size():
    assert [len(block) for block in FileWrapper(BytesIO(bytes(100_000)))] == [65536, 34464]


def test_closing_closes_the_file():
    file = BytesIO(b"x")
    FileWrapper(file).close()
    assert file.closed


def test_a_file_that_cannot_be_closed():
    class File:
        def read(self, size, /):
            return b""

    wrapper = FileWrapper(File())
    assert list(wrapper) == []
    wrapper.close()


def test_a_file_in_text_mode_ends():
    assert list(FileWrapper(StringIO("text"), 3)) == ["tex", "t"]


def test_its_iterator_can_be_closed():
    # Werkzeug answers a range with `iter(wrapper)` and closes that.
    file = BytesIO(b"x")
    iter(FileWrapper(file)).close()
    assert file.closed
