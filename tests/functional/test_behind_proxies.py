"""The gateway behind nginx and HAProxy: what it accepts they read alike, and no request hides.

Each conversation goes to the gateway directly and through each proxy.  A proxy may refuse, and
may accept what the gateway would refuse, for it frames anew what it forwards; but the gateway must
find exactly the requests that the proxy has answered for.
"""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any, Final

import pytest
from conformance.cases import SMUGGLED, Case, Seen, get
from conformance.strict_reader import read
from conformance.tables import CASES, SERVED
from functional.proxies import Proxy, find_program, haproxy, nginx
from functional.serving import Gateway
from functional.wire import Response, Truncated, WireClient
from hypothesis import given, settings
from hypothesis import strategies as st

pytestmark = pytest.mark.family("proxy-agreement")

LAST: Final = get(b"Connection: close", first=b"GET /last HTTP/1.1")
"""Ends a conversation, if it is found to be a request."""

LONGEST: Final = 8000
"""Proxies have limits of their own; heads beyond this are not for them."""

_NGINX: Final = {
    "the method TRACE": "not allowed there",
    "a request in the body of TRACE": "not allowed there",
    "an empty Host": "it refuses it",
    "a Host of white space": "it refuses it",
    "an empty Host beside an absolute target": "it refuses it",
    "OPTIONS *": "it knows no target but paths",
    "percent-encoding": "it decodes the path, and refuses NUL",
    "an incomplete percent-encoding": "it decodes the path",
    "white space around a name": "it takes no tab for white space",
    "white space around a length": "it takes no tab for white space",
    "white space around a coding": "it takes no tab for white space",
    "the option close in b' close' and b' keep-alive'": "the last line counts",
    "close and keep-alive in HTTP/1.0: b'close' and b'keep-alive'": "the last line counts",
    "no option keep-alive in HTTP/1.0": "it looks for the letters",
    "no option close in b'closed'": "it looks for the letters",
    "no option close in b'x-close'": "it looks for the letters",
    "no option close in b'close-x'": "it looks for the letters",
    "no option close in b'x=close'": "it looks for the letters",
    "no option close in b'\"close\"'": "it looks for the letters",
}
_NGINX_BY_1_1: Final = {
    **_NGINX,
    "no Host in HTTP/1.0": "it forwards as HTTP/1.1, without a Host, which is refused",
}
_HAPROXY: Final = {
    "absolute form": "it refuses another authority than Host",
    "absolute form of another case": "it refuses another authority than Host",
    "absolute form without a path": "it refuses another authority than Host",
    "absolute form with a query alone": "it refuses another authority than Host",
    "absolute form by TLS": "it refuses another authority than Host",
    "absolute form, IPv6": "it refuses another authority than Host",
    "an empty Host beside an absolute target": "it refuses another authority than Host",
    "an upgrade to WebSocket": "it refuses one without a key",
}
OTHERWISE: Final = {
    "nginx": _NGINX_BY_1_1,
    "nginx, not buffering": _NGINX_BY_1_1,
    "nginx by HTTP/1.0": _NGINX,
    "haproxy": _HAPROXY,
}
"""Cases that are served directly, and not so behind a proxy, with its reason."""

UNFINISHED: Final = {
    ("haproxy", "a chunk beyond the limit"),
    ("haproxy", "the size b'100000002'"),
}
"""Refused cases that are not tried: the proxy awaits their rest for as long as it may."""

PROXIES: Final[dict[str, Callable[..., Proxy]]] = {
    "nginx": nginx,
    "nginx by HTTP/1.0": lambda folder, port: nginx(folder, port, version="1.0"),
    "nginx, not buffering": lambda folder, port: nginx(folder, port, buffers_requests=False),
    "haproxy": haproxy,
}


@pytest.fixture(scope="module", params=PROXIES)
def proxy(
    request: pytest.FixtureRequest, recorder: Gateway, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Proxy]:
    folder = tmp_path_factory.mktemp("proxy")
    with PROXIES[request.param](folder, recorder.port) as running:
        running.name = request.param
        yield running


@pytest.fixture(scope="module")
def total(recorder: Gateway) -> Iterator[Callable[[], int]]:
    """How often the handler has run, but for this question."""
    with recorder.connect() as client:
        yield lambda: int(client.ask("/runs/").body)


def answers_to(client: WireClient, data: bytes, methods: list[str]) -> list[Response]:
    """All responses until the other side closes; `methods` are those of the requests."""
    client.send_in_pieces(data, 1 << 20)
    responses = []
    try:
        while True:
            method = methods[len(responses)] if len(responses) < len(methods) else "GET"
            responses.append(client.read_response(method, skips_interim=True))
    except Truncated:
        rest = client.read_to_end()
        if rest.startswith(b'{"environ"'):  # nginx serves HTTP/0.9, whose answers have no head.
            responses.append(Response(200, "", [], rest))
    except ConnectionError:
        pass
    return responses


def key_of(name: str) -> str:
    return "HTTP_" + name.upper().replace("-", "_")


def noted(response: Response) -> Any:
    """The method, target, body and fields of `X-` that the handler saw; of HEAD only its answer."""
    if response.status != 200 or not response.body:
        return response.status
    description = json.loads(response.body)
    environ = description["environ"]
    fields = {name: environ[name] for name in environ if name.startswith("HTTP_X_X_")}
    seen = environ["REQUEST_METHOD"], environ["fc.request_uri"]
    return *seen, description["body"].encode("latin-1"), fields


def expected_of(seen: Seen) -> Any:
    """What `noted` says of it."""
    if seen.method == "HEAD":
        return 200
    fields: dict[str, str] = {}
    for name, value in seen.fields:
        if name.startswith("x-x-"):
            key = key_of(name)
            fields[key] = f"{fields[key]},{value}" if key in fields else value
    return seen.method, seen.target, seen.body, fields


def conversation(case: Case) -> tuple[bytes, list[Seen]]:
    """What is sent for a case, and the requests in it."""
    last = [] if case.closes else [Seen(target="/last")]
    return case.data + LAST, [*case.seen, *last]


@pytest.mark.timeout(120)
def test_what_is_served_is_read_alike_behind_a_proxy(
    proxy: Proxy, total: Callable[[], int], tally: Callable[..., None]
) -> None:
    otherwise = set()
    for case in SERVED:
        if len(case.data) > LONGEST:
            continue
        data, requests = conversation(case)
        runs = total()
        with proxy.connect() as client:
            responses = answers_to(client, data, [seen.method for seen in requests])
        served = [response for response in responses if response.status == 200]
        assert total() - runs == len(served), case
        if list(map(noted, responses)) != list(map(expected_of, requests)):
            otherwise.add(case.name)
        tally(served=len(served), refused=len(responses) - len(served))
    assert otherwise == OTHERWISE[proxy.name].keys()


@pytest.mark.timeout(120)
def test_what_is_refused_hides_no_request_behind_a_proxy(
    proxy: Proxy, total: Callable[[], int], tally: Callable[..., None]
) -> None:
    for case in CASES:
        if not case.status or (proxy.name, case.name) in UNFINISHED:
            continue
        runs = total()
        with proxy.connect() as client:
            responses = answers_to(client, case.data + LAST, [])
        served = [response for response in responses if response.status == 200]
        assert total() - runs == len(served), case
        tally(served=len(served), refused=len(responses) - len(served))


# Whatever the grammar allows, without what the list above names.

_SEGMENT = st.text("abcXYZ019-_~!$&'()*+,;=:@", max_size=6) | st.just("%2F") | st.just("%e4")
_PATH = st.lists(_SEGMENT, max_size=4).map(lambda segments: "/x" + "/".join(segments))
_QUERY = st.text("abc019-._~!$&'()*+,;=:@/?", max_size=8).map(lambda text: "?" + text)
_TARGETS = st.tuples(_PATH, st.just("") | _QUERY).map("".join).map(str.encode)

_INSIDE = st.text("".join(map(chr, [9, *range(0x20, 0x7F), *range(0x80, 0x100)])), max_size=12).map(
    str.strip
)
_VALUES = _INSIDE.map(lambda text: text.strip("\x85\xa0 \t").encode("latin-1"))
_FIELDS = st.lists(
    st.tuples(st.sampled_from([b"X-X-A", b"x-x-b", b"X-X-Long-Name"]), _VALUES).map(b": ".join),
    max_size=4,
)

_FRAGMENTS = st.sampled_from(
    [
        SMUGGLED,
        b"0\r\n\r\n",
        b"\r\n",
        b"\n",
        b"\r",
        b"5\r\n",
        b"\0",
        b"GET / HTTP/1.1\r\n\r\n",
        LAST,
    ]
)
_BODIES = st.lists(_FRAGMENTS | st.binary(max_size=40), max_size=6)

_EXTENSIONS = st.sampled_from([b"", b"", b";a", b";a=b", b';a="b;\\"c"', b";a;b=c"])
_TRAILERS = st.sampled_from([b"", b"", b"X-X-T: 1\r\n", b"Accept: 5\r\nX-X-T:\r\n"])


@st.composite
def _in_chunks(draw: st.DrawFn, pieces: list[bytes]) -> bytes:
    """A body in chunks, one for each piece that is not empty."""
    data = b""
    for piece in filter(None, pieces):
        form = draw(st.sampled_from([b"%x", b"%X", b"%04x"]))
        data += form % len(piece) + draw(_EXTENSIONS) + b"\r\n" + piece + b"\r\n"
    last = draw(st.sampled_from([b"0", b"00", b"0"])) + draw(_EXTENSIONS)
    return data + last + b"\r\n" + draw(_TRAILERS) + b"\r\n"


@st.composite
def _request(draw: st.DrawFn) -> bytes:
    method = draw(st.sampled_from([b"GET", b"POST", b"PUT", b"DELETE", b"PATCH", b"OPTIONS"]))
    first = method + b" " + draw(_TARGETS) + b" HTTP/1.1"
    lines = draw(_FIELDS)
    framing = draw(st.sampled_from(["none", "length", "chunks"]))
    if framing == "none":
        return get(*lines, first=first)
    pieces = draw(_BODIES)
    if framing == "length":
        body = b"".join(pieces)
        line = b"Content-Length: %d" % len(body)
    else:
        body = draw(_in_chunks(pieces))
        line = draw(st.sampled_from([b"Transfer-Encoding: chunked", b"transfer-encoding:CHUNKED"]))
    lines.insert(draw(st.integers(0, len(lines))), line)
    return get(*lines, first=first) + body


@pytest.fixture(scope="module")
def everywhere(
    recorder: Gateway, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[Callable[[], WireClient]]]:
    """Ways to connect to the gateway: directly, and through each proxy."""
    with ExitStack() as stack:
        proxies = [
            stack.enter_context(make(tmp_path_factory.mktemp("proxy"), recorder.port))
            for make in PROXIES.values()
        ]
        yield [recorder.connect, *(running.connect for running in proxies)]


@pytest.mark.timeout(120)
def test_whatever_is_accepted_is_read_alike_everywhere(
    everywhere: list[Callable[[], WireClient]],
    total: Callable[[], int],
    tally: Callable[..., None],
) -> None:
    @settings(max_examples=150, deadline=None, derandomize=bool(os.environ.get("CI")))
    @given(st.lists(_request(), min_size=1, max_size=4).map(b"".join))
    def check(data: bytes) -> None:
        requests, is_refused = read(data + LAST)
        assert not is_refused
        for connect in everywhere:
            runs = total()
            with connect() as client:
                responses = answers_to(client, data + LAST, [])
            assert list(map(noted, responses)) == list(map(expected_of, requests))
            assert total() - runs == len(requests)
            tally(served=len(requests))

    check()


@pytest.mark.parametrize(
    ("environ", "outcome"), [({}, pytest.skip.Exception), ({"CI": "true"}, AssertionError)]
)
def test_a_proxy_that_is_missing_is_a_failure_where_all_tests_must_run(
    environ: dict[str, str], outcome: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CI", raising=False)
    for name, text in environ.items():
        monkeypatch.setenv(name, text)
    with pytest.raises(outcome, match="no-such-proxy is not installed"):
        find_program("no-such-proxy")
