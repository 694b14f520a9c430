"""From bytes to environ: heads, chunks, ids."""

from functools import partial
from io import BytesIO
from itertools import cycle

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from bench import messages
from gateway.fc.context import FCContext, context_template
from gateway.fc.request_ids import SEED_SIZE, RequestIds
from gateway.http.message.framing import Chunked
from gateway.http.message.head import RequestHead, body_too_large
from gateway.http.message.parser import HeadParser
from gateway.wsgi.environ import connection_environ, head_environ, request_environ

HEADS = {"small": messages.SMALL, "browser": messages.BROWSER, "8-kb": messages.LARGE}


@pytest.mark.benchmark(group="request head")
@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS)
def test_head_whole(benchmark: BenchmarkFixture, parser: HeadParser, head: bytes) -> None:
    following = cycle(messages.varied(head)).__next__
    parsed = benchmark(lambda: parser.feed(following()))
    assert len(parsed.fields) == head.count(b"\r\n") - 2
    assert parsed.keep_alive


@pytest.mark.benchmark(group="request head")
@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS)
def test_head_in_two_pieces(benchmark: BenchmarkFixture, parser: HeadParser, head: bytes) -> None:
    middle = len(head) // 2
    pieces = [(whole[:middle], whole[middle:]) for whole in messages.varied(head)]
    following = cycle(pieces).__next__

    def feed() -> RequestHead | None:
        first, second = following()
        assert parser.feed(first) is None
        return parser.feed(second)

    parsed = benchmark(feed)
    assert len(parsed.fields) == head.count(b"\r\n") - 2


@pytest.mark.benchmark(group="chunked body")
@pytest.mark.parametrize(
    ("count", "size", "segment"),
    [(1, 65536, 1 << 20), (128, 512, 1 << 20), (128, 512, 1460), (1024, 1, 1 << 20)],
    ids=["one-of-64-kb", "128-of-512", "128-of-512-in-packets", "1024-of-1"],
)
def test_chunks(benchmark: BenchmarkFixture, count: int, size: int, segment: int) -> None:
    data = messages.chunks(count, size)
    segments = [data[start : start + segment] for start in range(0, len(data), segment)]

    def feed() -> tuple[Chunked, int]:
        pieces: list[bytes | memoryview] = []
        framing = Chunked(
            pieces.append,
            max_body=1 << 20,
            max_trailers=8192,
            too_large=partial(body_too_large, 1 << 20),
        )
        for part in segments:
            framing.feed(part)
        return framing, sum([len(piece) for piece in pieces])

    framing, total = benchmark(feed)
    assert framing.is_complete
    assert total == count * size


@pytest.mark.benchmark(group="environ")
@pytest.mark.parametrize("head", [messages.SMALL, messages.BROWSER], ids=["small", "browser"])
def test_environ(benchmark: BenchmarkFixture, parser: HeadParser, head: bytes) -> None:
    """Of a head that is new; one that comes again saves `head_environ`."""
    parsed = parser.feed(head)
    assert parsed is not None
    shared = connection_environ(
        ("127.0.0.1", 9000),
        ("127.0.0.1", 50123),
        scheme="http",
        is_multithread=True,
        is_multiprocess=False,
    )
    template = context_template(
        environ={}, function_name="f", handler="a:b", memory=512, timeout=60, service_name=""
    )

    def make() -> dict[str, object]:
        of_head = head_environ(shared, parsed, path=parsed.path)
        return request_environ(of_head, BytesIO(), None, FCContext("id", template))

    environ = benchmark(make)
    assert environ["PATH_INFO"] == parsed.path
    assert environ["HTTP_HOST"] == parsed.host


@pytest.mark.benchmark(group="request id")
def test_request_id(benchmark: BenchmarkFixture) -> None:
    ids = RequestIds(bytes(SEED_SIZE))
    assert len(benchmark(ids.next)) == 36
