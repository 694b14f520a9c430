"""What a misspelt name probably meant."""

import pytest

from gateway.text.spelling import did_you_mean


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("--thread", "did you mean --threads?"),
        ("threads", "did you mean --threads?"),
        ("--xyz", "there is no such option"),
        ("--", "there is no such option"),
    ],
)
def test_the_nearest_word(word, told):
    known = ("--threads", "--workers", "--port")
    assert did_you_mean(word, known, "there is no such option", "--") == told


def test_nothing_is_known():
    assert did_you_mean("a", (), "nothing") == "nothing"
