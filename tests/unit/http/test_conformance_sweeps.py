"""Every small fault at every place of a request, held against a second reading of the grammar."""

from collections.abc import Callable
from itertools import pairwise

import pytest
from conformance.cases import Seen
from conformance.faults import NEXT, PARTS, TEMPLATES, faults
from conformance.strict_reader import read
from conformance.tables import CASES
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.http.test_conformance import converse

END = b""
"""What the client sends to half-close."""


def outcome(segments: list[bytes]) -> tuple[list[Seen], bool]:
    seen, statuses, _ = converse([*segments, END])
    return seen, statuses != [200] * len(seen)


@pytest.mark.family("smuggling")
@pytest.mark.parametrize("name", TEMPLATES)
def test_a_fault_at_every_place(name: str, tally: Callable[..., None]) -> None:
    for _, data in faults(TEMPLATES[name]):
        expected = read(data + NEXT)
        assert outcome([data + NEXT]) == expected, data
        tally(served=len(expected[0]), refused=expected[1])


@pytest.mark.family("splits")
@pytest.mark.parametrize("name", TEMPLATES)
def test_a_segment_that_ends_at_the_fault(name: str, tally: Callable[..., None]) -> None:
    for place, data in list(faults(TEMPLATES[name]))[::7]:
        whole = outcome([data + NEXT])
        for end in (place, place + 1):
            assert outcome([part for part in (data[:end], data[end:] + NEXT) if part]) == whole, (
                data
            )
        tally(served=len(whole[0]), refused=whole[1])


@st.composite
def faulty(draw: st.DrawFn) -> bytes:
    """A request with up to four parts put in, exchanged, taken out, doubled or moved."""
    data = draw(st.sampled_from(list(TEMPLATES.values())))
    for _ in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, len(data)))
        end = min(len(data), start + draw(st.sampled_from([0, 0, 0, 1, 2, 5, 20])))
        taken = data[start:end]
        part = draw(st.sampled_from([*PARTS, b"", taken * 2, taken.swapcase()]))
        data = data[:start] + part + data[end:]
    return data


def split(data: bytes, places: set[int]) -> list[bytes]:
    edges = [0, *sorted(place for place in places if place < len(data)), len(data)]
    return [data[start:end] for start, end in pairwise(edges) if start < end]


@pytest.mark.family("smuggling")
def test_several_faults(tally: Callable[..., None]) -> None:
    @settings(max_examples=200)
    @given(
        st.lists(faulty(), min_size=1, max_size=3).map(b"".join),
        st.sets(st.integers(1, 400), max_size=6),
    )
    def check(data: bytes, places: set[int]) -> None:
        data += NEXT
        expected = read(data)
        assert outcome([data]) == expected
        assert outcome(split(data, places)) == expected
        tally(served=len(expected[0]), refused=expected[1])

    check()


@pytest.mark.family("framing")
def test_the_second_reading_agrees_with_the_tables(tally: Callable[..., None]) -> None:
    """But for limits, and for what is refused though its syntax is right."""
    for case in CASES:
        if case.status in (0, 400) and len(case.data) < 4000:
            assert read(case.data) == ([*case.seen], case.status != 0), case
            tally(served=len(case.seen), refused=case.status != 0)
