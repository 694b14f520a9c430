"""Every small fault at every place of a request, held against a second reading of the grammar."""

from collections.abc import Callable, Iterator

import pytest
from conformance.cases import Seen, get, post
from conformance.strict_reader import read
from conformance.tables import CASES
from unit.http.test_conformance import converse

NEXT = get(first=b"GET /next HTTP/1.1")

TEMPLATES = {
    "plain": get(b"X-A: b", first=b"GET /x?y HTTP/1.1"),
    "two empty lines first": b"\r\n\r\n" + get(),
    "absolute": get(first=b"GET http://b:8/x HTTP/1.1"),
    "old": get(b"Connection: keep-alive, x", first=b"GET /x HTTP/1.0"),
    "length": post(b"Content-Length: 5", body=b"he\r\nl"),
    "length 10": post(b"X-A: b", b"Content-Length: 10", body=b"0\r\n\r\nabcde"),
    "coding": post(b"Transfer-Encoding: chunked", body=b"2\r\nok\r\n0\r\n\r\n"),
    "chunks": post(
        b"Transfer-Encoding: chunked", body=b'3;a="b";c=d\r\n1\r\n\r\n00\r\nX-A: b\r\n\r\n'
    ),
    "both": post(
        b"Transfer-Encoding: chunked", b"Content-Length: 15", body=b"5\r\nhello\r\n0\r\n\r\n"
    ),
    "both, turned": post(b"Content-Length: 5", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n"),
    "two lengths": post(b"Content-Length: 2", b"Content-Length: 2", body=b"ok"),
}

BYTES = b'\0\t\n\x0b\r !"#%,-0159:;=ACX_ax\x7f\x80\xa0\xff'


def faults(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Each way to put a byte in, to change one, to take one out, or to say a line twice."""
    for place in range(len(data) + 1):
        before, behind = data[:place], data[place:]
        for byte in BYTES:
            yield place, before + bytes([byte]) + behind
            if behind[:1] != bytes([byte]):
                yield place, before + bytes([byte]) + behind[1:]
        yield place, before + behind[1:]
        yield place, before + b"\r\n" + behind
        if before[-1:] == b"\n":
            yield place, before + data[data.rfind(b"\n", 0, place - 1) + 1 : place] + behind


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


@pytest.mark.family("framing")
def test_the_second_reading_agrees_with_the_tables(tally: Callable[..., None]) -> None:
    """But for limits, and for what is refused though its syntax is right."""
    for case in CASES:
        if case.status in (0, 400) and len(case.data) < 4000:
            assert read(case.data) == ([*case.seen], case.status != 0), case
            tally(served=len(case.seen), refused=case.status != 0)
