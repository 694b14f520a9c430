"""Lines out of pieces, whatever the pieces are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.logs.line_assembly import MAX_LINE_CHARACTERS, LineAssembly, Piece


def texts(pieces):
    return [(piece.text, piece.is_continued) for piece in pieces]


def test_a_line_comes_when_it_ends():
    assembly = LineAssembly()
    assert assembly.feed("a") == []
    assert assembly.feed(" ") == []
    assert assembly.feed("") == []
    assert assembly.feed("b\n") == [Piece("a b", False)]
    assert assembly.finish() == []


def test_several_lines_at_once_and_empty_ones():
    assembly = LineAssembly()
    assert texts(assembly.feed("a\n\nb\r\nc")) == [("a", False), ("", False), ("b", False)]
    assert texts(assembly.finish()) == [("c", False)]


def test_no_other_character_ends_a_line():
    text = "a\x0bb\x0cc\x85d\u2028e\rf"
    assert texts(LineAssembly().feed(text + "\n")) == [(text, False)]


@pytest.mark.parametrize(
    ("length", "pieces"), [(9, [9]), (10, [10]), (11, [10, 1]), (20, [10, 10]), (21, [10, 10, 1])]
)
@pytest.mark.parametrize("step", [1, 7, 100])
def test_long_lines_are_cut(length, pieces, step):
    assembly = LineAssembly(10)
    text = "".join(chr(ord("a") + number % 26) for number in range(length)) + "\n"
    found = []
    for start in range(0, len(text), step):
        found += assembly.feed(text[start : start + step])
    assert [len(piece.text) for piece in found] == pieces
    assert "".join(piece.text for piece in found) == text[:-1]
    assert [piece.is_continued for piece in found] == [False] + [True] * (len(pieces) - 1)
    assert texts(assembly.feed("next\n")) == [("next", False)]


def test_a_line_that_never_ends_takes_no_more_memory():
    assembly = LineAssembly(100)
    for _ in range(50):
        assembly.feed("x" * 30)
        assert assembly._size <= 100
    assert texts(assembly.finish()) == [("x" * 100, True)]
    assert assembly.finish() == []


def test_a_carriage_return_behind_a_cut():
    assembly = LineAssembly(3)
    found = [*assembly.feed("abc\r"), *assembly.feed("\nnext\r\n")]
    assert texts(found) == [("abc", False), ("nex", False), ("t", True)]


def test_the_default_is_64_k():
    for length in (MAX_LINE_CHARACTERS - 1, MAX_LINE_CHARACTERS, MAX_LINE_CHARACTERS + 1):
        pieces = LineAssembly().feed("x" * length + "\n")
        assert [len(piece.text) for piece in pieces] == (
            [length] if length <= 65_536 else [65_536, 1]
        )


def test_characters_that_come_in_two_parts():
    assembly = LineAssembly()
    data = "grün\n".encode()
    assert assembly.feed_bytes(data[:3]) == []
    assert texts(assembly.feed_bytes(data[3:])) == [("grün", False)]


def test_what_is_no_utf_8_is_shown_as_escapes():
    assembly = LineAssembly()
    assert texts(assembly.feed_bytes(b"a\xff\xc3\n")) == [("a\\xff\\xc3", False)]
    assert assembly.feed_bytes(b"half \xc3") == []
    assert texts(assembly.feed("text\n")) == [("half \\xc3text", False)]
    assembly.feed_bytes(b"end \xe4\xbd")
    assert texts(assembly.finish()) == [("end \\xe4\\xbd", False)]


@given(st.lists(st.text(alphabet="ab\n", max_size=12)), st.integers(1, 9))
def test_nothing_is_lost_and_nothing_too_long(parts, longest):
    assembly = LineAssembly(longest)
    pieces = [piece for part in parts for piece in assembly.feed(part)] + assembly.finish()
    assert all(len(piece.text) <= longest for piece in pieces)
    lines = []
    for piece in pieces:
        if piece.is_continued:
            lines[-1] += piece.text
        else:
            lines.append(piece.text)
    *whole, rest = "".join(parts).split("\n")
    expected = whole + ([rest] if rest else [])
    assert lines == expected
