"""Which X-Fc-* fields answers have, and the environment variables that a function's code sees."""

import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from functional.serving import Gateway, run_command, wait_until
from functional.test_under_uvicorn import uvicorn
from functional.wire import Response, WireClient

StartGateway = Callable[..., Gateway]

METADATA = {
    "X-Fc-Invocation-Duration",
    "X-Fc-Max-Memory-Usage",
    "X-Fc-Instance-Id",
    "X-Fc-Invocation-Service-Version",
    "X-Fc-Code-Checksum",
}
INSTANCE_ID = re.compile(r"c-[0-9a-f]{8}-[0-9a-f]{16}")


def fc_fields(response: Response) -> set[str]:
    names = [name for name, _ in response.fields if name.lower().startswith("x-fc-")]
    assert len({name.lower() for name in names}) == len(names), names
    return set(names)


@pytest.fixture(scope="module")
def full(start_shared_gateway: StartGateway) -> Gateway:
    options = ("--fc-headers", "full", "--handler-timeout", "500ms", "--max-body", "1KB")
    return start_shared_gateway("answers:handler", *options, "--body-buffer", "1KB",
                                "--max-async-body", "1KB")  # fmt: skip


@pytest.fixture(scope="module")
def full_asgi(start_shared_gateway: StartGateway) -> Gateway:
    options = ("--fc-headers", "full", "--handler-timeout", "500ms", "--qualifier", "7")
    return start_shared_gateway("answers:app", *options)


@pytest.fixture(scope="module")
def silent(start_shared_gateway: StartGateway) -> Gateway:
    options = ("--fc-headers", "none", "--handler-timeout", "500ms", "--max-connections", "2")
    return start_shared_gateway("answers:handler", *options)


def check_metadata(response: Response, *more: str, version: str = "LATEST") -> None:
    assert fc_fields(response) == METADATA | {"X-Fc-Request-Id", *more}
    assert re.fullmatch(r"[1-9][0-9]*", response["X-Fc-Invocation-Duration"])
    assert re.fullmatch(r"[1-9][0-9]*\.[0-9]{2}", response["X-Fc-Max-Memory-Usage"])
    assert 5 < float(response["X-Fc-Max-Memory-Usage"]) < 1000
    assert INSTANCE_ID.fullmatch(response["X-Fc-Instance-Id"])
    assert response["X-Fc-Invocation-Service-Version"] == version
    assert 0 < int(response["X-Fc-Code-Checksum"]) < 2**64


@pytest.mark.parametrize("path", ["/fine", "/stream", "/reserved"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_full(full: Gateway, path: str, method: str) -> None:
    with full.connect() as client:
        for _ in range(2):
            response = client.ask(path, method)
            assert response.status == 200
            check_metadata(response)


def test_failures_of_an_invocation_tell_of_it_too(full: Gateway) -> None:
    with full.connect() as client:
        for path in ("/raise", "/late", "/header/9000", "/sleep/2"):
            response = client.ask(path)
            assert response.status == 502
            check_metadata(response, "X-Fc-Error-Type")


def test_what_is_refused_was_no_invocation(full: Gateway) -> None:
    with full.connect() as client:
        response = client.ask("/", "POST", body=bytes(1025))
        assert response.status == 400
        assert fc_fields(response) == {"X-Fc-Request-Id", "X-Fc-Error-Type"}


def test_what_is_accepted_for_later_has_not_run_yet(full: Gateway) -> None:
    with full.connect() as client:
        response = client.ask("/fine", fields=[("X-Fc-Invocation-Type", "Async")])
        assert response.status == 202
        assert fc_fields(response) == {"X-Fc-Request-Id"}


def test_the_duration_is_the_handler_s(full: Gateway) -> None:
    with full.connect() as client:
        before = time.monotonic()
        duration = int(client.ask("/sleep/0.2")["X-Fc-Invocation-Duration"])
        assert 200 <= duration <= (time.monotonic() - before) * 1000 + 1
        assert int(client.ask("/fine")["X-Fc-Invocation-Duration"]) < 200


@pytest.mark.parametrize(
    ("path", "version"),
    [
        ("/2016-08-15/proxy/shop.12/orders/fine", "12"),
        ("/2016-08-15/proxy/shop.blue/orders/fine", "LATEST"),
        ("/2016-08-15/proxy/shop/orders/fine", "LATEST"),
    ],
)
def test_the_version_of_the_default_url(full: Gateway, path: str, version: str) -> None:
    with full.connect() as client:
        assert client.ask(path)["X-Fc-Invocation-Service-Version"] == version


def test_asgi_applications_tell_as_much(full_asgi: Gateway) -> None:
    with full_asgi.connect() as client:
        for path in ("/fine", "/stream"):
            check_metadata(client.ask(path), version="7")
        for path in ("/raise", "/sleep"):
            check_metadata(client.ask(path), "X-Fc-Error-Type", version="7")
        response = client.ask("/fine", fields=[("X-Fc-Invocation-Type", "Async")])
        assert (response.status, fc_fields(response)) == (202, {"X-Fc-Request-Id"})


def test_minimal_is_the_default(start_gateway: StartGateway) -> None:
    gateway = start_gateway("answers:handler")
    with gateway.connect() as client:
        assert fc_fields(client.ask("/reserved")) == {"X-Fc-Request-Id"}
        assert fc_fields(client.ask("/raise")) == {"X-Fc-Request-Id", "X-Fc-Error-Type"}


@pytest.mark.parametrize(
    "path", ["/fine", "/stream", "/reserved", "/raise", "/header/9000", "/sleep/2"]
)
def test_none(silent: Gateway, path: str) -> None:
    with silent.connect() as client:
        for method in ("GET", "HEAD"):
            response = client.ask(path, method)
            assert fc_fields(response) == set()
            assert response.has("Date")


def test_none_in_refusals_either(silent: Gateway) -> None:
    with silent.connect() as client:
        client.send(b"rubbish\r\n\r\n")
        response = client.read_response()
        assert (response.status, fc_fields(response)) == (400, set())
    with silent.connect() as client:
        response = client.ask("/fine", fields=[("X-Fc-Invocation-Type", "Async")])
        assert (response.status, fc_fields(response)) == (202, set())


def test_none_where_nobody_gets_in(silent: Gateway) -> None:
    def has_room() -> bool:
        with silent.connect() as client:
            return client.ask("/fine").status == 200

    wait_until(has_room, "the others have left")
    with silent.connect() as first, silent.connect() as second:
        for client in (first, second):
            client.request("/", "POST", [("Content-Length", "10"), ("Expect", "100-continue")])
            assert client.read_head().status == 100
        with silent.connect() as client:
            response = client.read_response()
            assert (response.status, fc_fields(response)) == (503, set())


# Instances and code.


def test_each_worker_is_an_instance(start_gateway: StartGateway) -> None:
    gateway = start_gateway("answers:handler", "--fc-headers", "full", "--workers", "2")
    ids = set()

    def have_both_answered() -> bool:
        with gateway.connect() as client:
            response = client.ask("/variables")
        ids.add(response["X-Fc-Instance-Id"])
        assert response.json()["FC_INSTANCE_ID"] == response["X-Fc-Instance-Id"]
        return len(ids) == 2

    wait_until(have_both_answered, "both workers have answered")
    assert all(INSTANCE_ID.fullmatch(text) for text in ids)


def test_the_instance_id_of_the_environment_stays(start_gateway: StartGateway) -> None:
    given = {"FC_INSTANCE_ID": "c-somewhere", "FC_CUSTOM_LISTEN_PORT": "1234"}
    gateway = start_gateway("answers:handler", "--fc-headers", "full", environ=given)
    with gateway.connect() as client:
        response = client.ask("/variables")
    assert response["X-Fc-Instance-Id"] == "c-somewhere"
    assert response.json().items() >= given.items()


@pytest.mark.parametrize("text", ["a b", "a\tb", "ä", "x" * 129])
def test_an_instance_id_that_fits_no_header(text: str, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("def handler(environ, start_response): ...\n")
    result = run_command(
        "serve", "app:handler", "--port", "0", "--fc-headers", "full",
        folder=tmp_path, environ={"FC_INSTANCE_ID": text},
    )  # fmt: skip
    assert result.returncode == 2
    assert result.stderr.startswith("gateway: error: FC_INSTANCE_ID ")
    assert len(result.stderr.splitlines()) == 1


SOURCE = """
def handler(environ, start_response):
    start_response("200 OK", [])
    return [b"fine"]
"""


def test_the_checksum_is_that_of_the_code(start_gateway: StartGateway) -> None:
    def checksum(source: str) -> str:
        gateway = start_gateway("app:handler", "--fc-headers", "full", source=source)
        with gateway.connect() as client:
            return client.ask("/")["X-Fc-Code-Checksum"]

    assert checksum(SOURCE) == checksum(SOURCE)
    assert checksum(SOURCE) != checksum(SOURCE + "\n")


# Environment variables.


def test_the_code_sees_what_the_context_says(start_gateway: StartGateway) -> None:
    gateway = start_gateway(
        "answers:handler", "--function-name", "orders", "--service-name", "shop", "--qualifier",
        "3", "--region", "cn-shanghai", "--account-id", "12345", "--function-memory", "1024",
        environ={"FC_REGION": "overridden", "FC_FUNC_CODE_PATH": "/nowhere"},
    )  # fmt: skip
    with gateway.connect() as client:
        seen = client.ask("/variables").json()
    assert INSTANCE_ID.fullmatch(seen["FC_INSTANCE_ID"])
    assert seen["FC_FUNC_CODE_PATH"] == str(Path(__file__).parent / "handlers")
    assert seen["FC_CUSTOM_LISTEN_PORT"] == str(gateway.port)
    expected = {
        "FC_ACCOUNT_ID": "12345",
        "FC_FUNCTION_NAME": "orders",
        "FC_FUNCTION_HANDLER": "answers:handler",
        "FC_FUNCTION_MEMORY_SIZE": "1024",
        "FC_REGION": "cn-shanghai",
        "FC_SERVICE_NAME": "shop",
        "FC_QUALIFIER": "3",
    }
    assert seen.items() >= expected.items()
    assert not any(name.startswith("ALIBABA_CLOUD_") for name in seen)


def test_variables_that_are_set_are_the_options(start_gateway: StartGateway) -> None:
    given = {
        "FC_ACCOUNT_ID": "98765",
        "FC_FUNCTION_NAME": "bills",
        "FC_FUNCTION_MEMORY_SIZE": "128",
        "FC_REGION": "cn-beijing",
        "FC_SERVICE_NAME": "books",
        "FC_QUALIFIER": "blue",
        "ALIBABA_CLOUD_ACCESS_KEY_ID": "key",
    }
    gateway = start_gateway("answers:handler", environ=given)
    with gateway.connect() as client:
        seen = client.ask("/variables").json()
    assert seen.items() >= given.items()
    assert "ALIBABA_CLOUD_ACCESS_KEY_SECRET" not in seen


def test_there_is_no_port_at_a_unix_socket(start_gateway: StartGateway, tmp_path: Path) -> None:
    gateway = start_gateway("answers:handler", "--unix", str(tmp_path / "socket"))
    with gateway.connect() as client:
        assert "FC_CUSTOM_LISTEN_PORT" not in client.ask("/variables").json()


# Under another server.


@pytest.mark.parametrize(("target", "is_full"), [("told_app", True), ("silent_app", False)])
def test_under_uvicorn(tmp_path: Path, target: str, is_full: bool) -> None:
    told = {name.lower() for name in METADATA | {"X-Fc-Request-Id"}}
    with (
        uvicorn(f"answers_hosted:{target}", "h11", tmp_path) as server,
        WireClient(server.address) as client,
    ):
        for path, more in (("/fine", set()), ("/stream", set()), ("/raise", {"x-fc-error-type"})):
            assert fc_fields(client.ask(path)) == (told | more if is_full else set())
        if is_full:
            assert int(client.ask("/sleep/0.1")["X-Fc-Invocation-Duration"]) >= 100


def test_problems_under_uvicorn(tmp_path: Path) -> None:
    with (
        uvicorn("answers_hosted:plain_app", "h11", tmp_path) as server,
        WireClient(server.address) as client,
    ):
        for path, status in (("/raise", 500), ("/header/9000", 500), (f"/{'p' * 4096}", 414)):
            response = client.ask(path)
            assert response.status == response.json()["status"] == status
            assert response["Content-Type"] == "application/problem+json"
            assert response.json()["instance"] == f"urn:uuid:{response['X-Fc-Request-Id']}"
            assert not response.has("X-Fc-Error-Type")
            assert int(client.ask(path, "HEAD")["Content-Length"]) == len(response.body)
