"""Suggestions for misspelt names."""

from collections.abc import Iterable
from typing import Final

_NEAR: Final = 0.7
"""The least likeness, from 0 to 1, of a name that is worth a question: `prot` and `port` are 0.75
alike, `timeout` and `head-timeout` 0.74 with what they mean far apart (see `config.foreign`)."""


def did_you_mean(word: str, known: Iterable[str], otherwise: str, prefix: str = "") -> str:
    """A question with the nearest known word, or `otherwise` if none is near.

    `prefix` is the common beginning of all known words, which the comparison ignores.
    """
    # difflib costs start-up time and is needed for mistakes only.
    from difflib import get_close_matches  # noqa: PLC0415

    stems = [name.removeprefix(prefix) for name in known]
    near = get_close_matches(word.removeprefix(prefix), stems, n=1, cutoff=_NEAR)
    return f"did you mean {prefix}{near[0]}?" if near else otherwise
