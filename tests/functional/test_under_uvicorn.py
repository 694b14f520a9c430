"""`gateway.WsgiBridge` as an ASGI application of another server: uvicorn, with both its parsers."""

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from functional.serving import HANDLERS, START_TIMEOUT, STOP_TIMEOUT, clean_environ, wait_until
from functional.wire import Truncated, WireClient

_RUNNING = re.compile(r"Uvicorn running on (http://\S+)")


class Uvicorn:
    """A running uvicorn; `log` is what it has written."""

    def __init__(self, target: str, parser: str, folder: Path) -> None:
        self._log = folder / "log.txt"
        options = ["--port", "0", "--lifespan", "on", "--http", parser]
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "uvicorn", target, *options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=HANDLERS,
                env=clean_environ(),
            )

    @property
    def log(self) -> str:
        return self._log.read_text("utf-8", "replace")

    def has_started(self) -> bool:
        assert self.process.poll() is None, self.log
        match = _RUNNING.search(self.log)
        self.address = match[1] if match else ""
        return bool(match)

    def connect(self, **options: int) -> WireClient:
        return WireClient(self.address, **options)

    def notes(self) -> str:
        with self.connect() as client:
            return client.ask("/notes").body.decode()


@contextmanager
def uvicorn(target: str, parser: str, folder: Path) -> Iterator[Uvicorn]:
    server = Uvicorn(target, parser, folder)
    try:
        wait_until(server.has_started, "uvicorn starts", START_TIMEOUT)
        yield server
        server.process.send_signal(signal.SIGTERM)
        server.process.wait(STOP_TIMEOUT)
        assert "Application shutdown complete" in server.log
    finally:
        if server.process.poll() is None:
            server.process.kill()
        server.process.wait(STOP_TIMEOUT)


@pytest.fixture(scope="module", params=["h11", "httptools"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory):
    with uvicorn("hosted:app", request.param, tmp_path_factory.mktemp("uvicorn")) as running:
        yield running


@pytest.fixture
def client(server: Uvicorn) -> Iterator[WireClient]:
    with server.connect() as connection:
        yield connection


def test_hello_from_a_thread_of_the_pool(client: WireClient) -> None:
    for _ in range(3):
        response = client.ask()
        assert response.status == 200
        assert re.fullmatch(rb"hello from gateway-\d", response.body)
        assert response["Content-Length"] == str(len(response.body))
        assert response["X-Fc-Request-Id"]


def test_echo(client: WireClient) -> None:
    for size in (1, 100_000, 5_000_000):
        body = bytes(range(250)) * (size // 250) + b"x"
        assert client.ask("/echo", "POST", body=body).body == body


def test_chunked_upload(client: WireClient) -> None:
    client.send(b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
    for piece in (b"one", b"two"):
        client.send(b"%x\r\n%b\r\n" % (len(piece), piece))
    client.send(b"0\r\n\r\n")
    assert client.read_response().body == b"onetwo"


def test_head(client: WireClient) -> None:
    assert client.ask("/", "HEAD").body == b""
    assert client.ask("/stream", "HEAD").body == b""
    assert client.ask().status == 200


def test_body_over_the_limit(client: WireClient) -> None:
    client.request("/echo", "POST", [("Content-Length", str(33 << 20))])
    response = client.read_response()
    assert response.status == 400
    assert response.json()["ErrorCode"] == "InvalidArgument"


def test_stream_arrives_chunk_by_chunk(server: Uvicorn, client: WireClient) -> None:
    client.request("/stream")
    assert client.read_head()["Transfer-Encoding"] == "chunked"
    assert client.read_exactly(11) == b"6\r\nfirst\n\r\n"
    with server.connect() as other:
        other.ask("/go-on")
    assert client.read_exactly(17) == b"7\r\nsecond\n\r\n0\r\n\r\n"


def test_client_that_leaves_closes_the_generator(server: Uvicorn) -> None:
    before = server.notes().count("endless")
    with server.connect(receive_buffer=4096) as client:
        client.request("/endless")
        client.read_head()
        client.read_exactly(20_000)
    wait_until(lambda: server.notes().count("endless") > before, "the generator is closed")


def test_failure(client: WireClient) -> None:
    response = client.ask("/fail")
    assert response.status == 502
    assert response["X-Fc-Error-Type"] == "UnhandledInvocationError"
    assert response.json()["errorMessage"] == "on purpose"
    assert client.ask().status == 200


def test_failure_within_a_response_is_visible(client: WireClient) -> None:
    with pytest.raises(Truncated):
        client.ask("/broken")


def test_flask(tmp_path: Path) -> None:
    with uvicorn("hosted:flask_app", "auto", tmp_path) as server, server.connect() as client:
        fields = [("Content-Type", "application/x-www-form-urlencoded")]
        for _ in range(2):
            response = client.ask("/form/%C3%A9", "POST", fields=fields, body=b"a=1&b=%C3%A9")
            answer = response.json()
            assert answer.pop("request_id") == response["X-Fc-Request-Id"]
            assert answer == {
                "name": "é",
                "form": {"a": "1", "b": "é"},
                "url": "http://gateway.test/form/%C3%BC",
            }
