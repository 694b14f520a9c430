"""ASGI applications served by the gateway itself."""

from pathlib import Path

import pytest
from functional.conftest import StartGateway
from functional.living import wait_until
from functional.serving import HANDLERS, Gateway, run_command


@pytest.fixture(scope="module")
def gateway(start_shared_gateway: StartGateway) -> Gateway:
    return start_shared_gateway("asgi_app:app", "--body-buffer", "64KB")


def test_starlette(gateway: Gateway) -> None:
    with gateway.connect() as client:
        assert client.ask("/echo", "POST", body=b"some").body == b"some"
        response = client.ask("/info?x=1")
        assert response.json() == {
            "state": "pool",
            "request_id": response["X-Fc-Request-Id"],
            "url": "http://gateway.test/info?x=1",
        }
        stream = client.ask("/stream")
        assert (stream.body, stream.is_chunked) == (b"part 0\npart 1\npart 2\n", True)
        assert client.ask("/none").status == 404
        assert client.ask("/echo").status == 405


def test_streamed_body(gateway: Gateway) -> None:
    with gateway.connect() as client:
        for _ in range(2):
            assert client.ask("/length", "POST", body=bytes(3_000_000)).body == b"3000000"


def test_body_that_nobody_reads(gateway: Gateway) -> None:
    with gateway.connect() as client:
        client.request("/info", "POST", [("Content-Length", "3000000")])
        client.send(bytes(100_000))
        assert client.read_response().status == 405


def test_failure(gateway: Gateway) -> None:
    # Starlette answers by itself, and raises again behind its answer.
    with gateway.connect() as client:
        for _ in range(2):
            assert client.ask("/fail").status == 500
    assert "on purpose" in gateway.errors


def test_lifespan(start_gateway: StartGateway) -> None:
    gateway = start_gateway("asgi_app:app")
    assert gateway.output == "lifespan: up\n"
    assert gateway.stop() == 0
    assert gateway.output == "lifespan: up\nlifespan: down\n"


def test_application_that_cannot_start(tmp_path: Path) -> None:
    result = run_command(
        "serve", "asgi_app:cannot_start", "--chdir", str(HANDLERS), "--port", "0", folder=tmp_path
    )
    assert result.returncode == 2
    assert result.stderr.endswith("gateway: error: the application did not start: no database\n")


def test_profile_of_an_application(tmp_path: Path) -> None:
    result = run_command(
        "serve", "asgi_app:app", "--chdir", str(HANDLERS), "--port", "0",
        "--profile-invocations", "table", folder=tmp_path,
    )  # fmt: skip
    assert result.returncode == 2
    assert result.stderr == (
        "gateway: error: --profile-invocations measures WSGI handlers, "
        "and this is an ASGI application\n"
    )


def test_handler_timeout(start_gateway: StartGateway) -> None:
    gateway = start_gateway("asgi_app:app", "--handler-timeout", "0.1")
    with gateway.connect() as client:
        for _ in range(2):
            response = client.ask("/hang")
            assert response.status == 502
            assert response.json() == {"errorMessage": "Function time out after 0.1 seconds"}


def test_bridge_as_an_asgi_application_of_the_gateway(start_gateway: StartGateway) -> None:
    gateway = start_gateway("hosted:app")
    with gateway.connect() as client:
        for _ in range(2):
            assert client.ask("/").body.startswith(b"hello from gateway-")
            assert client.ask("/echo", "POST", body=b"some").body == b"some"
        client.request("/stream")
        client.read_head()
        assert client.read_exactly(11) == b"6\r\nfirst\n\r\n"
        with gateway.connect() as other:
            other.ask("/go-on")
        assert client.read_exactly(17) == b"7\r\nsecond\n\r\n0\r\n\r\n"


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize(
    ("deed", "told"),
    [
        ("/task/SystemExit", "SystemExit: 3"),
        ("/task/KeyboardInterrupt", "KeyboardInterrupt"),
        ("/task/GeneratorExit", "GeneratorExit"),
        ("/task/OwnError", "OwnError: mine"),
        ("/soon/SystemExit", "SystemExit: 3"),
        ("/soon/OwnError", "OwnError: mine"),
        ("/later/SystemExit", "SystemExit: 3"),
        ("/stop", "stopped the event loop"),
    ],
)
def test_what_the_application_raises_in_a_task_of_its_own(
    start_gateway: StartGateway, deed: str, told: str, workers: str
) -> None:
    """A line, the worker goes on, and so do the requests that it handles."""
    gateway = start_gateway("stopping:app", "--workers", workers)
    with gateway.connect() as client, gateway.connect() as other:
        other.request("/")
        pids = {client.ask(deed).body for _ in range(3)}
        assert len(pids) == 1
        assert other.read_response().status == 200
        assert client.ask("/").body in pids
    wait_until(lambda: told in gateway.errors, "it is told")
    assert gateway.stop() == 0
