"""Where a body ends: by length and by chunks, in any split, and as httptools sees it."""

from contextlib import suppress

import httptools
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway.errors import BodyTooLarge, MalformedRequest, Refusal
from gateway.http.message.framing import Chunked, FixedLength

BEHIND = b"GET /behind HTTP/1.1\r\n"


def too_large():
    return BodyTooLarge("too large")


class Body(bytearray):
    """A sink."""

    def append_piece(self, piece):
        assert piece, "nothing was handed on"
        self.extend(piece)


def chunked(max_body=1000, max_trailers=100, max_trailer_fields=30):
    body = Body()
    framing = Chunked(
        body.append_piece,
        max_body=max_body,
        max_trailers=max_trailers,
        max_trailer_fields=max_trailer_fields,
        too_large=too_large,
    )
    return framing, body


def splits(data):
    yield [data]
    yield [bytes([byte]) for byte in data]
    if len(data) < 400:
        yield from ([data[:place], data[place:]] for place in range(1, len(data)))


def feed(framing, segments):
    """The bytes behind the body; `None` when it has not ended."""
    for number, segment in enumerate(segments):
        assert not framing.is_complete
        rest = framing.feed(segment)
        if framing.is_complete:
            return rest + b"".join(segments[number + 1 :])
        assert rest == b""
    return None


def decode(data, **limits):
    """The body that `data` is exactly, checked in every split and whatever comes behind."""
    bodies = set()
    for trailing in (b"", b"\r\n", BEHIND):
        for segments in splits(data + trailing):
            framing, body = chunked(**limits)
            assert feed(framing, segments) == trailing
            bodies.add(bytes(body))
    (body,) = bodies
    return body


def feed_often(framing, data):
    """Feed `data` again and again."""
    for _ in range(300):
        framing.feed(data)


def refusal_of(data, **limits):
    """The class of the refusal of `data`, checked to be the same in every split."""
    kinds = set()
    for segments in splits(data):
        framing, _ = chunked(**limits)
        try:
            feed(framing, segments)
        except Refusal as refusal:
            kinds.add(type(refusal))
        else:
            pytest.fail(f"nothing was refused: {segments[:20]}")
    (kind,) = kinds
    return kind


# --- by length ---------------------------------------------------------------------------------


@pytest.mark.parametrize("trailing", [b"", b"x", BEHIND])
@pytest.mark.parametrize("length", [1, 2, 7])
def test_a_fixed_length(length, trailing):
    data = bytes(range(length))
    for segments in splits(data + trailing):
        body = Body()
        framing = FixedLength(length, body.append_piece)
        assert feed(framing, segments) == trailing
        assert body == data


def test_a_fixed_length_that_does_not_come():
    framing = FixedLength(3, Body().append_piece)
    assert feed(framing, [b"ab"]) is None


def test_nothing_is_complete_at_once():
    assert FixedLength(0, Body().append_piece).is_complete


def test_a_whole_segment_is_not_copied():
    pieces = []
    data = b"hello"
    FixedLength(5, pieces.append).feed(data)
    assert pieces[0] is data


@pytest.mark.parametrize("more", [-1, 0, 1])
def test_the_number_of_extensions(more):
    """Thousands of the shortest ones held up the loop for tens of milliseconds."""
    data = b"1;a\r\nx\r\n" * (512 + more) + b"0\r\n\r\n"
    if more > 0:
        assert refusal_of(data) is MalformedRequest
    else:
        assert decode(data) == b"x" * (512 + more)


@pytest.mark.parametrize("more", [-1, 0, 1])
def test_the_number_of_trailer_fields(more):
    data = b"0\r\n" + b"A:\r\n" * (10 + more) + b"\r\n"
    if more > 0:
        assert refusal_of(data, max_trailer_fields=10) is MalformedRequest
    else:
        assert decode(data, max_trailer_fields=10) == b""


# --- by chunks: accepted -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "body"),
    [
        (b"0\r\n\r\n", b""),
        (b"3\r\nabc\r\n0\r\n\r\n", b"abc"),
        (b"1\r\na\r\n2\r\nbc\r\n0\r\n\r\n", b"abc"),
        (b"003\r\nabc\r\n000\r\n\r\n", b"abc"),
        (b"0000000000000003\r\nabc\r\n0\r\n\r\n", b"abc"),
        (b"a\r\n0123456789\r\n0\r\n\r\n", b"0123456789"),
        (b"A\r\n0123456789\r\n0\r\n\r\n", b"0123456789"),
        (b"2\r\n\r\n\r\n0\r\n\r\n", b"\r\n"),
        (b"5\r\n0\r\n\r\n\r\n0\r\n\r\n", b"0\r\n\r\n"),
        (b"1;a\r\nx\r\n0\r\n\r\n", b"x"),
        (b"1;a=b;c\r\nx\r\n0;last\r\n\r\n", b"x"),
        (b'1;a="b;\\"c\xe4"\r\nx\r\n0\r\n\r\n', b"x"),
        (b"1\r\nx\r\n0\r\nA: b\r\n\r\n", b"x"),
        (b"1\r\nx\r\n0\r\nA:\r\nB:  c \xe4\r\nContent-MD5: 7\r\n\r\n", b"x"),
    ],
)
def test_chunked_bodies(data, body):
    assert decode(data) == body


# --- by chunks: refused ------------------------------------------------------------------------

REFUSED = [
    b"\r\n",
    b"x\r\n",
    b"-1\r\n",
    b"+1\r\n",
    b"0x1\r\n",
    b" 1\r\n",
    b"1 \r\n",
    b"1\t\r\n",
    b"1_0\r\n",
    b"\xb2\r\n",
    b"1\n",
    b"1\r",
    b"1\rx",
    b"1\r\r\n",
    b"10000000000000000\r\n",
    b"00000000000000001\r\n",
    b"1;\r\n",
    b"1;;a\r\n",
    b"1; a\r\n",
    b"1;a =b\r\n",
    b"1;a= b\r\n",
    b"1;a=\r\n",
    b'1;a="b\r\n',
    b'1;a="b"c\r\n',
    b"1;a\0\r\n",
    b"1;a=\n\r\n",
    b"1\r\nab",
    b"1\r\na\n",
    b"1\r\na\r\r",
    b"1\r\na0\r\n",
    b"1\r\na\r\n\r\n",
    b"0\r\n\n",
    b"0\r\nA\r\n",
    b"0\r\nA : b\r\n",
    b"0\r\n A: b\r\n",
    b"0\r\nA: b\r\n c\r\n",
    b"0\r\nA: \0\r\n",
    b"0\r\nA: b\n",
    b"0\r\n: b\r\n",
]


@pytest.mark.parametrize("data", REFUSED)
def test_malformed_chunks(data):
    # The last byte may only be found wrong by the next.
    assert refusal_of(data + b"xx\r\n") is MalformedRequest


def test_a_line_end_that_is_wrong_is_refused_at_once():
    framing, _ = chunked()
    framing.feed(b"1\r\na")
    with pytest.raises(MalformedRequest, match="longer than its size"):
        framing.feed(b"b")


# --- limits ------------------------------------------------------------------------------------


@pytest.mark.parametrize("sizes", [[10], [5, 5], [1] * 10, [9, 1]])
def test_a_body_at_the_limit(sizes):
    data = b"".join(b"%x\r\n%b\r\n" % (size, b"x" * size) for size in sizes)
    assert decode(data + b"0\r\n\r\n", max_body=10) == b"x" * 10
    assert decode(data + b"0\r\n\r\n", max_body=11) == b"x" * 10
    assert refusal_of(data + b"0\r\n\r\n", max_body=9) is BodyTooLarge


def test_a_chunk_too_large_is_refused_before_its_first_byte():
    framing, body = chunked(max_body=10)
    framing.feed(b"5\r\nhello\r\n")
    with pytest.raises(BodyTooLarge):
        framing.feed(b"6\r\n")
    assert body == b"hello"


def test_trailers_at_the_limit():
    trailer = b"A: " + b"x" * 17 + b"\r\n"
    assert decode(b"0\r\n" + trailer * 5 + b"\r\n", max_trailers=100) == b""
    over = b"0\r\n" + trailer * 4 + trailer.replace(b"x", b"xx", 1) + b"\r\n"
    assert refusal_of(over, max_trailers=100) is MalformedRequest


@pytest.mark.parametrize("start", [b"1;a=", b'1;a="', b"0\r\nA: ", b"0\r\nA", b"1"])
def test_a_line_that_does_not_end_is_refused(start):
    framing, _ = chunked()
    framing.feed(start)
    with pytest.raises(MalformedRequest):
        feed_often(framing, b"1")


def test_a_chunk_line_at_its_limit():
    line = b"1;" + b"a" * 252 + b"\r\n"
    assert len(line) == 256
    assert decode(line + b"x\r\n0\r\n\r\n") == b"x"
    assert refusal_of(b"1;a" + line[2:] + b"x\r\n0\r\n\r\n") is MalformedRequest


def test_extensions_of_all_chunks_are_bounded():
    chunk = b"1;" + b"a" * 200 + b"\r\nx\r\n"
    framing, _ = chunked()
    with pytest.raises(MalformedRequest, match="extensions"):
        feed_often(framing, chunk)


@pytest.mark.parametrize(("more", "is_refused"), [(-1, False), (0, False), (1, True)])
def test_extensions_of_all_chunks_at_their_limit(more, is_refused):
    """Sixteen KiB beyond sizes and line ends."""
    chunk = b"1;" + b"a" * 127 + b"\r\nx\r\n"
    last = b"0;" + b"a" * (127 + more) + b"\r\n\r\n"
    framing, body = chunked()
    data = chunk * 127 + last
    if is_refused:
        with pytest.raises(MalformedRequest, match="extensions"):
            framing.feed(data)
    else:
        assert framing.feed(data + BEHIND) == BEHIND
        assert body == b"x" * 127


@pytest.mark.parametrize("name", [b"X-A: ", b"X"])
def test_a_trailer_line_has_a_limit_of_its_own(name):
    """An open line is put together again with each segment."""
    line = name + b"b" * (8192 - len(name) - 1)
    framing, _ = chunked(max_trailers=1 << 20)
    framing.feed(b"0\r\n" + line + b"b\r")
    with pytest.raises(MalformedRequest, match="too large"):
        framing.feed(b"bb")


def test_many_trailer_lines_within_the_limit():
    line = b"X-A: " + b"b" * 8000 + b"\r\n"
    assert decode(b"0\r\n" + line * 20 + b"\r\n", max_trailers=200_000) == b""


def test_small_chunks_of_a_segment_are_handed_on_together():
    pieces = []
    framing = Chunked(
        lambda piece: pieces.append(bytes(piece)),
        max_body=10_000,
        max_trailers=100,
        max_trailer_fields=30,
        too_large=lambda: BodyTooLarge("too large"),
    )
    small = b"1\r\nx\r\n" * 100
    assert framing.feed(small + b"1001\r\n" + b"y" * 4097 + b"\r\n" + small + b"1") == b""
    assert pieces == [b"x" * 100, b"y" * 4097, b"x" * 100]


# --- httptools as the oracle -------------------------------------------------------------------

HEAD = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"


class Oracle:
    """What httptools makes of a chunked body."""

    def __init__(self, data: bytes) -> None:
        self.body = b""
        self.messages = 0
        self.is_refused = False
        parser = httptools.HttpRequestParser(self)
        try:
            parser.feed_data(HEAD + data)
        except httptools.HttpParserError:
            self.is_refused = True

    def on_body(self, piece: bytes) -> None:
        self.body += piece

    def on_message_complete(self) -> None:
        self.messages += 1


chunk = st.builds(
    lambda size, line, data: size % len(data) + line + b"\r\n" + data + b"\r\n",
    st.sampled_from([b"%x", b"%X", b"0%x", b"%d"]),
    st.sampled_from([b"", b"", b"", b";a", b";a=b", b';a="b"', b"; a", b";", b" ", b";a=b;c"]),
    st.binary(min_size=1, max_size=20),
)
end = st.sampled_from([b"0\r\n\r\n", b"0\r\nA: b\r\n\r\n", b"0;a\r\n\r\n", b"00\r\n\r\n", b""])


@st.composite
def bodies(draw):
    data = bytearray(b"".join(draw(st.lists(chunk, max_size=4))) + draw(end))
    for _ in range(draw(st.integers(0, 2))):
        place = draw(st.integers(0, len(data)))
        cut = draw(st.integers(0, 2))
        data[place : place + cut] = draw(
            st.binary(max_size=2) | st.sampled_from([b"\r\n", b"\n", b"\r", b";", b" ", b"0", b"f"])
        )
    return bytes(data)


@settings(max_examples=300)
@given(bodies())
@example(b"1\r\nx\r\n0\r\n\r\n")
@example(b"0\r\nA: b\r\n\r\n")
def test_what_we_accept_httptools_accepts_as_the_same_body(data):
    framing, body = chunked()
    rest = None
    with suppress(Refusal):
        rest = feed(framing, [data])
    if rest is not None:
        oracle = Oracle(data.removesuffix(rest) if rest else data)
        assert not oracle.is_refused
        assert oracle.messages == 1
        assert oracle.body == body


STRICTER = {
    b"1;;a\r\nx\r\n0\r\n\r\n": "an extension without name and value",
    b"1;=b;c\r\nx\r\n0\r\n\r\n": "an extension without name",
    b"1;a=;c\r\nx\r\n0\r\n\r\n": "an extension without value",
    b'1;a=6"b"\r\nx\r\n0\r\n\r\n': "a value half token, half quoted",
    b"00000000000000001\r\nx\r\n0\r\n\r\n": "more digits than any size needs",
    b"1;" + b"a" * 300 + b"\r\nx\r\n0\r\n\r\n": "a long extension",
}
"""Bodies that httptools accepts and we refuse on purpose; all others are judged alike."""


@settings(max_examples=300)
@given(bodies())
def test_what_httptools_accepts_we_accept(data):
    oracle = Oracle(data)
    if oracle.is_refused or not oracle.messages:
        return
    framing, body = chunked()
    try:
        assert feed(framing, [data]) is not None
    except MalformedRequest as refusal:
        assert b";" in data
        assert refusal.message == "malformed chunk size or extension"  # noqa: PT017 - or no error
        return
    assert body == oracle.body


@pytest.mark.parametrize("data", STRICTER, ids=STRICTER.values())
def test_where_we_are_stricter_than_httptools(data):
    assert not Oracle(data).is_refused
    assert refusal_of(data) is MalformedRequest
