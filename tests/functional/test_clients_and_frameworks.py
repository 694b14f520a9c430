"""What people use: their clients, their frameworks, and the examples."""

import hashlib
import http.client
import io
import random
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
import requests
from functional.serving import HANDLERS, ROOT, Gateway
from requests.auth import HTTPBasicAuth, HTTPDigestAuth

StartGateway = Callable[..., Gateway]

DATA = random.Random(1).randbytes(300_000)
DIGEST = hashlib.sha256(DATA).hexdigest()


# Clients.


@pytest.fixture(scope="module")
def demo(start_shared_gateway: StartGateway) -> str:
    return start_shared_gateway("gateway.demo:handler").address


def test_http_client_persists(demo: str) -> None:
    connection = http.client.HTTPConnection(demo.removeprefix("http://"), timeout=15)
    local = None
    for size in (0, 1, 1000, 200_000):
        connection.request("POST", "/echo", body=DATA[:size])
        response = connection.getresponse()
        assert response.status == 200
        assert response.read() == DATA[:size]
        assert connection.sock is not None
        assert local in (None, connection.sock.getsockname())
        local = connection.sock.getsockname()
    connection.request("POST", "/echo", body=iter([DATA[:1000], DATA[1000:]]), encode_chunked=True)
    assert connection.getresponse().read() == DATA
    connection.close()


def test_urllib(demo: str) -> None:
    with urllib.request.urlopen(f"{demo}/stream/3/1000", timeout=15) as response:
        assert response.read() == bytes(3000)


def test_requests_session(demo: str) -> None:
    with requests.Session() as session:
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
            response = session.request(method, f"{demo}/echo", data=DATA, timeout=15)
            assert response.content == DATA
        assert session.head(f"{demo}/bytes/1000", timeout=15).headers["Content-Length"] == "1000"
        with session.get(f"{demo}/stream/100/10000", stream=True, timeout=15) as response:
            assert sum(map(len, response.iter_content(4096))) == 1_000_000


def test_httpx(demo: str) -> None:
    with httpx.Client(base_url=demo, timeout=15) as client:
        assert client.post("/echo", content=DATA).content == DATA
        assert client.post("/echo", content=iter([DATA[:10], DATA[10:]])).content == DATA
        with client.stream("GET", "/stream/10/1000") as response:
            assert sum(map(len, response.iter_bytes())) == 10_000


def test_httpx_side_by_side(demo: str) -> None:
    with httpx.Client(base_url=demo, timeout=30) as client, ThreadPoolExecutor(16) as pool:
        answers = pool.map(lambda n: client.post("/echo", content=b"%d" % n).content, range(300))
        assert list(answers) == [b"%d" % n for n in range(300)]


# Flask.


@pytest.fixture(scope="module")
def flask(start_shared_gateway: StartGateway) -> str:
    pytest.importorskip("flask")
    return start_shared_gateway("flask_site:handler").address


def test_flask(flask: str) -> None:
    with requests.Session() as session:
        assert session.get(f"{flask}/", timeout=15).text == "Hello from Flask"
        assert [session.get(f"{flask}/count", timeout=15).text for _ in "123"] == ["1", "2", "3"]
        content = {"some": ["content", "\u20ac"]}
        assert session.post(f"{flask}/json", json=content, timeout=15).json() == content
        assert session.post(f"{flask}/json", data="{", timeout=15).status_code in (400, 415)
        assert session.get(f"{flask}/nothing", timeout=15).status_code == 404
        assert session.get(f"{flask}/fault", timeout=15).status_code == 500
        away = session.get(f"{flask}/away", timeout=15)
        assert (away.url, away.text) == (f"{flask}/", "Hello from Flask")
        response = session.get(f"{flask}/päth/näme?q=\u20ac", timeout=15)
        assert response.text == "näme \u20ac"


def test_flask_async_views(flask: str) -> None:
    assert requests.get(f"{flask}/async/10", timeout=15).text == "waited 10"
    with ThreadPoolExecutor(4) as pool:
        answers = pool.map(lambda n: requests.get(f"{flask}/async/{n}", timeout=15).text, range(8))
        assert list(answers) == [f"waited {n}" for n in range(8)]


def test_flask_streams(flask: str) -> None:
    response = requests.get(f"{flask}/stream/1000?word=w", timeout=15)
    assert response.headers["Transfer-Encoding"] == "chunked"
    assert response.text == "".join(f"w {n}\n" for n in range(1000))


def test_flask_upload(flask: str) -> None:
    files = {"file": ("näme.bin", io.BytesIO(DATA))}
    response = requests.post(f"{flask}/upload", files=files, data={"note": "\u20ac"}, timeout=15)
    assert response.json() == {
        "name": "näme.bin",
        "size": len(DATA),
        "sha256": DIGEST,
        "note": "\u20ac",
    }


def test_flask_files(flask: str) -> None:
    text = (HANDLERS / "flask_site.py").read_bytes()
    response = requests.get(f"{flask}/file", timeout=15)
    assert response.content == text
    assert response.headers["Content-Length"] == str(len(text))
    assert requests.head(f"{flask}/file", timeout=15).headers["Content-Length"] == str(len(text))
    part = requests.get(f"{flask}/file", headers={"Range": "bytes=5-14"}, timeout=15)
    assert (part.status_code, part.content) == (206, text[5:15])
    known = {"If-None-Match": response.headers["ETag"]}
    assert requests.get(f"{flask}/file", headers=known, timeout=15).status_code == 304


# Django.


@pytest.fixture(scope="module")
def django(start_shared_gateway: StartGateway) -> str:
    pytest.importorskip("django")
    return start_shared_gateway("django_site:handler").address


def test_django(django: str) -> None:
    with requests.Session() as session:
        method, url, token = session.get(f"{django}/?a=b%20c", timeout=15).text.split()
        assert (method, url) == ("GET", f"{django}/?a=b%20c")
        assert session.post(f"{django}/protected", timeout=15).status_code == 403
        form = {"csrfmiddlewaretoken": token}
        assert session.post(f"{django}/protected", data=form, timeout=15).text == "posted"
        assert session.get(f"{django}/päth/näme?q=\u20ac", timeout=15).text == "näme \u20ac"
        assert session.get(f"{django}/nothing", timeout=15).status_code == 404
        host = {"Host": "evil.test"}
        assert session.get(f"{django}/", headers=host, timeout=15).status_code == 400


def test_django_upload(django: str) -> None:
    """Larger than what Django keeps in memory."""
    files = {"file": ("some.bin", io.BytesIO(DATA))}
    response = requests.post(f"{django}/upload", files=files, data={"note": "n"}, timeout=15)
    assert response.json() == {"name": "some.bin", "sha256": DIGEST, "note": "n"}


def test_django_answers(django: str) -> None:
    lines = requests.get(f"{django}/stream/500", headers={"Accept-Encoding": ""}, timeout=15)
    assert lines.text == "".join(f"line {n}\n" for n in range(500))
    zipped = requests.get(f"{django}/repeat", timeout=15)
    assert zipped.headers["Content-Encoding"] == "gzip"
    assert zipped.text == "text " * 10_000
    text = (HANDLERS / "django_site.py").read_bytes()
    for method in ("GET", "HEAD"):
        plain = {"Accept-Encoding": "identity"}
        response = requests.request(method, f"{django}/file", headers=plain, timeout=15)
        assert response.content == (text if method == "GET" else b"")
        assert response.headers["Content-Length"] == str(len(text))


# The examples.


@pytest.mark.parametrize(
    ("name", "target", "method", "says"),
    [
        ("bare", "index.handler", "GET", "Hello world!\n"),
        ("bare", "index:handler", "POST", "Hello world!\n"),
        ("flask", "index.handler", "GET", "Web App with Python Flask!"),
        ("django", "index.handler", "GET", '"message": "Web App with Django!"'),
        ("asgi", "index:app", "GET", "3\n2\n1\nHello world!\n"),
        ("event", "index.handler", "POST", "Hello world! Your body has 10 bytes.\n"),
    ],
)
def test_examples(
    start_gateway: StartGateway, name: str, target: str, method: str, says: str
) -> None:
    gateway = start_gateway(target, chdir=ROOT / "examples" / name)
    for _ in range(2):
        response = requests.request(method, f"{gateway.address}/", data=b"x" * 10, timeout=15)
        assert response.status_code == 200
        assert says in response.text
        assert response.headers["X-Fc-Request-Id"]
    assert "Traceback" not in gateway.errors


def test_every_example_is_tested() -> None:
    folders = {path.name for path in Path(ROOT / "examples").iterdir() if path.is_dir()}
    marks = test_examples.pytestmark  # type: ignore[attr-defined]
    tested = {row[0] for row in marks[0].args[1]}
    tested.add("fc3-custom-runtime")  # By test_custom_container_example.py.
    assert tested == folders - {"__pycache__"}


# httpbin, an application that exercises most of HTTP.


@pytest.fixture(scope="module")
def httpbin(start_shared_gateway: StartGateway) -> str:
    pytest.importorskip("httpbin")
    return start_shared_gateway("httpbin:app").address


@pytest.fixture
def session() -> Iterator[requests.Session]:
    with requests.Session() as opened:
        opened.request = lambda *a, _ask=opened.request, **k: _ask(*a, **{"timeout": 20, **k})  # type: ignore[method-assign]
        yield opened


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_httpbin_bodies(httpbin: str, session: requests.Session, method: str) -> None:
    url = f"{httpbin}/{method}"
    assert session.request(method, url, data={"a": "b"}).json()["form"] == {"a": "b"}
    assert session.request(method, url, json={"a": [1]}).json()["json"] == {"a": [1]}
    chunked = session.request(method, url, data=iter([b"some ", b"chunks"])).json()
    assert chunked["data"] == "some chunks"
    assert "Transfer-Encoding" not in chunked["headers"]
    files = session.request(method, url, files={"f": ("n", b"content")}).json()
    assert files["files"] == {"f": "content"}


def test_httpbin_get(httpbin: str, session: requests.Session) -> None:
    found = session.get(f"{httpbin}/get?a=1&a=2&b=%20", headers={"X-Custom-Key": "value"}).json()
    assert found["args"] == {"a": ["1", "2"], "b": " "}
    assert found["headers"]["X-Custom-Key"] == "value"
    assert found["headers"]["Host"] == httpbin.removeprefix("http://")
    assert found["url"] == f"{httpbin}/get?a=1&a=2&b=%20"
    assert found["origin"] == "127.0.0.1"


@pytest.mark.parametrize("kind", ["redirect", "relative-redirect", "absolute-redirect"])
def test_httpbin_redirects(httpbin: str, session: requests.Session, kind: str) -> None:
    response = session.get(f"{httpbin}/{kind}/4")
    assert response.status_code == 200
    assert len(response.history) == 4
    assert response.url == f"{httpbin}/get"


def test_httpbin_cookies(httpbin: str, session: requests.Session) -> None:
    assert session.get(f"{httpbin}/cookies/set?a=1&b=2").json() == {"cookies": {"a": "1", "b": "2"}}
    assert session.get(f"{httpbin}/cookies/delete?a").json() == {"cookies": {"b": "2"}}


def test_httpbin_codings(httpbin: str, session: requests.Session) -> None:
    assert session.get(f"{httpbin}/gzip").json()["gzipped"] is True
    assert session.get(f"{httpbin}/deflate").json()["deflated"] is True
    assert "\u2200" in session.get(f"{httpbin}/encoding/utf8").text


def test_httpbin_streams(httpbin: str, session: requests.Session) -> None:
    lines = list(session.get(f"{httpbin}/stream/20", stream=True).iter_lines())
    assert len(lines) == 20
    assert len(session.get(f"{httpbin}/stream-bytes/100000?chunk_size=777").content) == 100_000
    drip = session.get(f"{httpbin}/drip?duration=0.3&numbytes=6&code=202")
    assert (drip.status_code, drip.content) == (202, b"*" * 6)
    seeded = session.get(f"{httpbin}/bytes/5000?seed=1").content
    assert len(seeded) == 5000
    assert session.get(f"{httpbin}/bytes/5000?seed=1").content == seeded
    assert len(session.get(f"{httpbin}/image/png").content) > 1000


def test_httpbin_ranges(httpbin: str, session: requests.Session) -> None:
    whole = session.get(f"{httpbin}/range/1024").content
    part = session.get(f"{httpbin}/range/1024", headers={"Range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, whole[10:20])
    assert part.headers["Content-Range"] == "bytes 10-19/1024"
    wrong = session.get(f"{httpbin}/range/1024", headers={"Range": "bytes=2000-"})
    assert wrong.status_code == 416


def test_httpbin_authentication(httpbin: str, session: requests.Session) -> None:
    url = f"{httpbin}/basic-auth/me/secret"
    assert session.get(url).status_code == 401
    assert session.get(url, auth=HTTPBasicAuth("me", "secret")).json()["authenticated"]
    for algorithm in ("MD5", "SHA-256"):
        url = f"{httpbin}/digest-auth/auth/me/secret/{algorithm}"
        assert session.get(url, auth=HTTPDigestAuth("me", "wrong")).status_code == 401
        assert session.get(url, auth=HTTPDigestAuth("me", "secret")).json()["authenticated"]
    bearer = {"Authorization": "Bearer token"}
    assert session.get(f"{httpbin}/bearer", headers=bearer).json()["token"] == "token"


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "DELETE"])
def test_httpbin_statuses(httpbin: str, session: requests.Session, method: str) -> None:
    for status in (200, 201, 204, 304, 400, 401, 404, 418, 429, 500, 503):
        response = session.request(method, f"{httpbin}/status/{status}", allow_redirects=False)
        assert response.status_code == status


def test_httpbin_conditions(httpbin: str, session: requests.Session) -> None:
    url = f"{httpbin}/etag/tag"
    assert session.get(url).headers["ETag"] == "tag"
    assert session.get(url, headers={"If-None-Match": "tag"}).status_code == 304
    assert session.get(url, headers={"If-Match": "other"}).status_code == 412
    assert session.get(f"{httpbin}/cache", headers={"If-None-Match": "x"}).status_code == 304


def test_httpbin_rest(httpbin: str, session: requests.Session) -> None:
    headers = session.get(f"{httpbin}/response-headers?X-A=b&X-C=d%20e").headers
    assert (headers["X-A"], headers["X-C"]) == ("b", "d e")
    assert session.get(f"{httpbin}/delay/1").status_code == 200
    anything = session.post(f"{httpbin}/anything/a/b%2Fc?x=y", data=DATA).json()
    assert anything["method"] == "POST"
    assert len(anything["data"]) > len(DATA)  # Base64.
    assert session.options(f"{httpbin}/get").headers["Allow"]
    links = session.get(f"{httpbin}/links/5/0")
    assert links.text.count("<a ") == 4
