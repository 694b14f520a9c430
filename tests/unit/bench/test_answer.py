"""What loads understand of an answer."""

import pytest

from bench.loads.answer import Answer
from bench.process import FailedRun

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
SIZED = HEAD + b"content-length: 5\r\n\r\nhello"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n"
EMPTY = HEAD + b"Content-Length: 0\r\n\r\n"
UNTIL_EOF = HEAD + b"\r\nhello"


def fed(*pieces: bytes) -> Answer:
    answer = Answer()
    for piece in pieces:
        answer.feed(piece)
    return answer


@pytest.mark.parametrize("wire", [SIZED, CHUNKED])
@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_a_body_is_complete_with_its_last_byte(wire: bytes, size: int) -> None:
    answer = Answer()
    complete = [answer.feed(wire[at : at + size]) for at in range(0, len(wire), size)]
    assert (answer.status, answer.length, answer.is_last) == (200, 5, False)
    assert answer.is_complete
    assert complete[-1] is True
    early = len(b"\r\n") if wire is not SIZED else 0
    assert not any(complete[: (len(wire) - early - 1) // size])


def test_an_empty_body_is_complete_with_the_head() -> None:
    assert not fed(EMPTY[:-1]).is_complete
    assert fed(EMPTY).is_complete


def test_chunks_over_pieces_of_any_size() -> None:
    body = b"".join(b"%x\r\n%b\r\n" % (n, b"z" * n) for n in (1, 15, 16, 4096, 70_000))
    wire = HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + body + b"0\r\n\r\n"
    for size in (1, 3, 1000, 65536):
        answer = fed(*(wire[at : at + size] for at in range(0, len(wire), size)))
        assert (answer.length, answer.is_complete) == (74_128, True)


def test_without_a_length_the_connection_ends_the_body() -> None:
    answer = fed(UNTIL_EOF)
    assert (answer.is_until_eof, answer.is_complete, answer.is_last) == (True, False, True)
    assert answer.length == 5


@pytest.mark.parametrize(
    "wire",
    [
        SIZED.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"),
        SIZED.replace(b"\r\n\r\n", b"\r\nconnection:Close\r\n\r\n"),
        SIZED.replace(b"HTTP/1.1", b"HTTP/1.0"),
    ],
)
def test_the_last_answer_of_a_connection(wire: bytes) -> None:
    assert fed(wire).is_last


def test_a_sample_of_the_body_is_kept() -> None:
    assert fed(SIZED).sample == b"hello"
    assert len(fed(HEAD + b"Content-Length: 9000\r\n\r\n", b"x" * 9000).sample) == 200


def test_what_is_no_answer() -> None:
    with pytest.raises(FailedRun, match="no HTTP answer: b'SSH-2"):
        fed(b"SSH-2.0-OpenSSH\r\n\r\n")
    with pytest.raises(FailedRun, match="no chunk size: b'hello"):
        fed(HEAD + b"Transfer-Encoding: chunked\r\n\r\nhello\r\n")
