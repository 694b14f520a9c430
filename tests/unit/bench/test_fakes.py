"""The in-memory client gives the answers of a real connection."""

import re
from itertools import cycle, islice

import pytest
from unit.http.response_reader import read_answers

from bench import messages
from bench.fakes import Client
from bench.handlers import HELLO, hello
from bench.instructions_script import KINDS

SEED = bytes(16)


def test_a_whole_answer():
    answer = Client(hello, seed=SEED).ask(messages.SMALL)
    assert re.sub(rb"Date: [^\r]+", b"Date: now", answer) == (
        b"HTTP/1.1 200 OK\r\n"
        b"Content-Type: text/plain\r\n"
        b"Content-Length: 13\r\n"
        b"Date: now\r\n"
        b"X-Fc-Request-Id: 00000000-0000-4000-8000-000000000000\r\n"
        b"\r\n"
        b"Hello world!\n"
    )


BODIES = {
    "small": HELLO,
    "browser": HELLO,
    "varied": HELLO,
    "json": messages.JSON.partition(b"\r\n\r\n")[2],
    "chunked": b"c" * 4096,
    "streamed": b"p" * 4096,
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_again_and_again(kind):
    handler, requests = KINDS[kind]
    client = Client(handler)
    ids = set()
    for segments in islice(cycle(requests), 3):
        (answer,) = read_answers(client.ask(*segments), is_closed=client.is_closed)
        assert (answer.status, answer.body) == (200, BODIES[kind])
        ids.add(answer.fields["x-fc-request-id"])
    assert len(ids) == 3
    assert not client.is_closed


def test_pipelined_requests_in_one_segment():
    client = Client(hello)
    answers = read_answers(client.ask(messages.SMALL * 3), ["GET"] * 3, is_closed=False)
    assert [answer.body for answer in answers] == [HELLO] * 3


def test_a_head_in_two_pieces():
    client = Client(hello)
    assert client.ask(messages.BROWSER[:100]) == b""
    (answer,) = read_answers(client.ask(messages.BROWSER[100:]), is_closed=False)
    assert answer.body == HELLO


def test_a_large_answer():
    body = bytes(100_000)

    def large(environ, start_response):
        start_response("200 OK", [])
        return [body]

    (answer,) = read_answers(Client(large).ask(messages.SMALL), is_closed=False)
    assert answer.body == body


def test_a_refusal_ends_the_connection():
    client = Client(hello)
    (answer,) = read_answers(client.ask(b"GET / HTTP/1.1\r\n\r\n"), [None])
    assert answer.status == 400
    assert client.is_closed


def test_requests_are_what_they_are_said_to_be():
    assert messages.BROWSER.count(b"\r\n") - 2 == 15
    assert 7500 < len(messages.LARGE) < 8192
    assert len(set(messages.varied(messages.BROWSER))) == 1000
    head, body = messages.CHUNKED
    assert head.endswith(b"chunked\r\n\r\n")
    assert body.count(b"200\r\n") == 8
