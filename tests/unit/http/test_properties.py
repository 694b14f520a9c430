"""Any bytes, in any split: only well-formed answers, and the same outcome however they are cut.

Some hundred conversations a run; `make fuzz` tries millions, guided by coverage.
"""

from collections.abc import Iterator

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from unit.http.conversation import WAYS, converse, cut, tiny_blocks


@pytest.fixture(autouse=True, scope="module")
def small_blocks() -> Iterator[None]:
    with tiny_blocks():
        yield


TEMPLATES = [
    b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /a/b?c=%20d HTTP/1.1\r\nHost: example.com:8080\r\nAccept: */*\r\n\r\n",
    b"HEAD /h HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET / HTTP/1.0\r\n\r\n",
    b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET http://b:1/x?y HTTP/1.1\r\nHost: a\r\n\r\n",
    b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
    b"POST /l HTTP/1.1\r\nHost: a\r\nContent-Length: 60\r\n\r\n" + b"x" * 60,
    b"POST /m HTTP/1.1\r\nHost: a\r\nContent-Length: 91\r\n\r\n" + b"x" * 91,
    b"PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"1e;q=1\r\n" + b"y" * 30 + b"\r\n1E\r\n" + b"z" * 30 + b"\r\n0\r\nX-Trailer: 1\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nok",
    b"POST / HTTP/1.1\r\nHost: a\r\nX-Fc-Invocation-Type: Async\r\nContent-Length: 3\r\n\r\nabc",
    b"POST / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n"
    b"Content-Length: 33\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"GET /\r\n\r\n",
]

FRAGMENTS = [
    b"\r\n", b"\n", b"\r", b"\r\n\r\n", b" ", b"\t", b":", b"\0", b"\x80", b";", b",", b"_", b"#",
    b"0\r\n\r\n", b"5\r\n", b"-1", b"+1", b"0x5", b"99999999999999999999", b"a" * 41, b"b" * 161,
    b"HTTP/1.0", b"HTTP/0.9", b"HTTP/2.0", b"RTSP/1.0", b"Host: b\r\n", b"Host:\r\n",
    b"Content-Length: 5\r\n", b"Content-Length: 0\r\n", b"Content_Length: 7\r\n",
    b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding: gzip, chunked\r\n",
    b"Transfer-Encoding: identity\r\n", b"Transfer-Encoding: chunked, chunked\r\n",
    b"Connection: close\r\n", b"Connection: keep-alive\r\n", b"Connection: upgrade\r\n",
    b"Upgrade: h2c\r\n", b"Expect: 100-continue\r\n", b"Expect: tea\r\n", b" folded\r\n",
]  # fmt: skip


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A request with a few faults in it."""
    data = bytearray(draw(st.sampled_from(TEMPLATES)))
    for _ in range(draw(st.integers(0, 3))):
        start = draw(st.integers(0, len(data)))
        end = min(len(data), start + draw(st.sampled_from([0, 0, 1, 2, 8])))
        fragment = st.sampled_from(FRAGMENTS) | st.binary(max_size=3)
        data[start:end] = draw(fragment | st.just(bytes(data[start:end]) * 2))
    return bytes(data)


@st.composite
def with_field(draw: st.DrawFn) -> bytes:
    """A request with one more field line."""
    line, _, rest = draw(st.sampled_from(TEMPLATES)).partition(b"\r\n")
    return line + b"\r\n" + draw(st.sampled_from(FRAGMENTS)) + rest


requests = st.sampled_from(TEMPLATES) | mutated() | with_field() | st.binary(max_size=40)
conversations = st.lists(requests, min_size=1, max_size=4).map(b"".join)


@pytest.mark.timeout(300)  # Not about time: a busy machine takes more than the usual minute.
@settings(max_examples=300)
@given(
    conversations, st.sets(st.integers(1, 400), max_size=6), st.sampled_from(WAYS), st.booleans()
)
@example(b"\r\n\r\n\r\n" + TEMPLATES[0], {1, 5}, "from_loop", True)
def test_the_outcome_does_not_depend_on_the_split(data, places, way, ends):
    whole = converse([data] if data else [], way, ends=ends)
    assert converse(cut(data, places), way, ends=ends) == whole
    assert converse([bytes([byte]) for byte in data], way, ends=ends) == whole


@pytest.mark.timeout(300)
@settings(max_examples=200)
@given(
    conversations,
    st.sets(st.integers(1, 400), max_size=12),
    st.sampled_from([way for way in WAYS if way != "in_parts"]),  # It would wait, here for ever.
    st.lists(st.integers(0, 250), min_size=1, max_size=5),
    st.booleans(),
)
def test_the_outcome_does_not_depend_on_how_the_client_reads(data, places, way, reads, ends):
    segments = cut(data, places)
    assert converse(segments, way, ends=ends, reads=reads) == converse(segments, way, ends=ends)


# Every request names its protocol with a "/", and hypothesis knows to try whole ones.
GARBAGE = st.binary(min_size=1, max_size=60).map(lambda data: data.replace(b"/", b"_"))


@settings(max_examples=100)
@given(st.lists(GARBAGE, max_size=8), st.sampled_from(WAYS))
def test_garbage_gets_at_most_one_answer(segments, way):
    outcome = converse(segments, way, ends=True)
    assert outcome.requests == []
    assert len(outcome.statuses) <= 1
    assert outcome.is_closed


@settings(max_examples=100)
@given(st.lists(st.sampled_from(TEMPLATES[:3] + TEMPLATES[12:15]), max_size=40), st.data())
def test_what_is_pipelined_is_answered_in_order(parts, data):
    stream = b"".join(parts)
    places = data.draw(st.sets(st.integers(1, max(1, len(stream))), max_size=20))
    outcome = converse(cut(stream, places), data.draw(st.sampled_from(WAYS)), ends=True)
    assert outcome.statuses == [200] * len(parts)
    assert len(outcome.requests) == len(parts)


@pytest.mark.parametrize("template", TEMPLATES)
@pytest.mark.parametrize("way", WAYS)
def test_each_template_byte_by_byte(template, way):
    twice = template * 2
    whole = converse([twice], way, ends=True)
    assert converse([bytes([byte]) for byte in twice], way, ends=True) == whole


def test_no_byte_of_a_body_is_ever_a_request():
    for template in TEMPLATES:
        for way in WAYS:
            outcome = converse([template], way, ends=True)
            assert not any("smuggled" in request.target for request in outcome.requests)
