"""From what a handler says to the bytes of a response head."""

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from bench import messages
from gateway.http.message.parser import HeadParser
from gateway.wsgi.result import response_head

FEW = [("Content-Type", "text/plain")]
MANY = [
    ("Content-Type", "text/html; charset=utf-8"),
    ("Content-Length", "10240"),
    ("Cache-Control", "no-store"),
    ("Vary", "Cookie, Accept-Language"),
    ("ETag", '"5f3a-62a9d3c1b2e40"'),
    ("Last-Modified", "Sat, 01 Nov 2025 10:00:00 GMT"),
    ("Set-Cookie", "session=3f2a9c0e7b1d4c5a; Path=/; HttpOnly; SameSite=Lax"),
    ("Set-Cookie", "theme=dark; Path=/; Max-Age=31536000"),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
]
HEADERS = {"one-header": FEW, "ten-headers": MANY}
CONSTANT = (
    "Date: Sat, 01 Nov 2025 10:00:00 GMT\r\nX-Fc-Request-Id: 6a1e4a2c-0f5b-4c57-9d2b-000000000001"
)


@pytest.mark.benchmark(group="response head: check")
@pytest.mark.parametrize("headers", HEADERS.values(), ids=HEADERS)
def test_check(benchmark: BenchmarkFixture, headers: list[tuple[str, str]]) -> None:
    """What `start_response` does; a whole head without Content-Length may be remembered."""
    head = benchmark(response_head, "200 OK", headers)
    assert head.size == sum(len(name) + len(value) for name, value in headers)


@pytest.mark.benchmark(group="response head: encode")
@pytest.mark.parametrize("headers", HEADERS.values(), ids=HEADERS)
def test_encode(
    benchmark: BenchmarkFixture, parser: HeadParser, headers: list[tuple[str, str]]
) -> None:
    head = response_head("200 OK", headers)
    request = parser.feed(messages.SMALL)
    data = benchmark(head.encode, request, 10240, True, CONSTANT)
    assert data.startswith(b"HTTP/1.1 200 OK\r\nContent-Type: text/")
    assert data.count(b"\r\nContent-Length: 10240\r\n") == 1
