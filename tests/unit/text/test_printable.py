"""Text that cannot pass for another line."""

import pytest

from gateway.text.printable import printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", ""),
        ("plain ~", "plain ~"),
        ("Sch\u00f6n \u4f60", "Sch\u00f6n \u4f60"),
        ("a\nb\r\t", "a\\nb\\r\\t"),
        ("\x1b[31m\x7f", "\\x1b[31m\\x7f"),
        ("\u2028\u202e", "\\u2028\\u202e"),
        ("\U000e0001", "\\U000e0001"),
        ("\udcff", "\\udcff"),
    ],
)
def test_what_is_shown(text, shown):
    assert printable(text) == shown
