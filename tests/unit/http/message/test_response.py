"""Response heads: the framing of every kind of answer, as a table."""

import pytest

from gateway.http.message.head import RequestHead
from gateway.http.message.response import (
    CHUNKED,
    LENGTH,
    NO_BODY,
    UNTIL_CLOSE,
    Status,
    body_form,
    encode_chunk,
    status_of,
)
from gateway.http.message.response_head import ResponseHead

CONSTANT = "Date: now\r\nX-Fc-Request-Id: 1"


def request(method="GET", version="1.1"):
    if version is None:
        return None
    return RequestHead(method, is_http_1_0=version == "1.0", keep_alive=True)


LENGTH_LINE, CHUNKED_LINE = "Content-Length: 3", "Transfer-Encoding: chunked"

# method, version (None: not understood), status, length; form, line that frames
FRAMING = [
    ("GET", "1.1", 200, 3, LENGTH, LENGTH_LINE),
    ("GET", "1.1", 200, None, CHUNKED, CHUNKED_LINE),
    ("GET", "1.0", 200, 3, LENGTH, LENGTH_LINE),
    ("GET", "1.0", 200, None, UNTIL_CLOSE, None),
    ("POST", "1.1", 500, None, CHUNKED, CHUNKED_LINE),
    ("HEAD", "1.1", 200, 3, NO_BODY, LENGTH_LINE),
    ("HEAD", "1.1", 200, None, NO_BODY, CHUNKED_LINE),
    ("HEAD", "1.0", 200, 3, NO_BODY, LENGTH_LINE),
    ("HEAD", "1.0", 200, None, NO_BODY, None),
    ("GET", "1.1", 204, 3, NO_BODY, None),
    ("GET", "1.1", 204, None, NO_BODY, None),
    ("GET", "1.1", 304, 3, NO_BODY, None),
    ("GET", "1.0", 304, None, NO_BODY, None),
    ("HEAD", "1.1", 304, None, NO_BODY, None),
    ("GET", None, 400, 3, LENGTH, LENGTH_LINE),
    ("GET", None, 400, None, UNTIL_CLOSE, None),
]


@pytest.mark.parametrize("row", FRAMING)
@pytest.mark.parametrize("keep_alive", [False, True])
def test_framing(row, keep_alive):
    method, version, code, length, form, line = row
    head = request(method, version)
    status = status_of(code)
    assert body_form(head, status, length) == form
    encoded = ResponseHead.of(status, [("A", "b")]).encode(head, length, keep_alive, CONSTANT)
    lines = encoded.decode().split("\r\n")
    assert lines[0] == f"HTTP/1.1 {status.line}"
    assert lines[-2:] == ["", ""]
    expected = ["A: b"]
    if line:
        expected.append(line)
    if not keep_alive:
        expected.append("Connection: close")
    elif version == "1.0":
        expected.append("Connection: keep-alive")
    assert lines[1:-2] == [*expected, "Date: now", "X-Fc-Request-Id: 1"]


@pytest.mark.parametrize("length", [0, 1, 10**12])
def test_lengths(length):
    encoded = ResponseHead.of(status_of(200), []).encode(request(), length, True, "A: b")
    assert f"\r\nContent-Length: {length}\r\n".encode() in encoded


@pytest.mark.parametrize(
    ("code", "line"),
    [(200, "200 OK"), (404, "404 Not Found"), (429, "429 Too Many Requests"), (299, "299 "),
     (999, "999 "), (413, "413 Content Too Large"), (414, "414 URI Too Long"),
     (416, "416 Range Not Satisfiable"), (422, "422 Unprocessable Content")],
)  # fmt: skip
def test_statuses(code, line):
    assert status_of(code) == Status(code, line)


@pytest.mark.parametrize(("code", "has_body"), [(200, True), (204, False), (304, False)])
def test_which_statuses_have_a_body(code, has_body):
    assert status_of(code).has_body == has_body


def test_latin_1_values():
    assert b"A: \xe4\r\n" in ResponseHead.of(status_of(200), [("A", "ä")]).encode(
        request(), 0, True, ""
    )


@pytest.mark.parametrize("size", [1, 9, 10, 16, 255, 65536])
def test_chunks(size):
    line, data = encode_chunk(b"x" * size).split(b"\r\n", 1)
    assert int(line, 16) == size
    assert data == b"x" * size + b"\r\n"
