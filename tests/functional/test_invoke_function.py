"""The public SDK of Function Compute, `aliyun-fc2`, as a client of event handlers."""

import io
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from fc2 import Client, FcError
from functional.serving import Gateway, wait_until

StartGateway = Callable[..., Gateway]

MIB = 1024 * 1024


@pytest.fixture(scope="module")
def sdk(start_shared_gateway: StartGateway) -> Client:
    gateway = start_shared_gateway("events:handler", "--interface", "fc-event")
    return client_of(gateway)


def client_of(gateway: Gateway) -> Client:
    return Client(endpoint=gateway.address, accessKeyID="key", accessKeySecret="secret")


def do(sdk: Client, **event: Any) -> Any:
    return sdk.invoke_function("svc", "fn", payload=json.dumps(event).encode())


@pytest.mark.parametrize("payload", [b"\xff\x00", "Grüße 你好".encode(), b'{"a": 1}', b"x" * MIB])
def test_bytes_come_back(sdk: Client, payload: bytes) -> None:
    response = sdk.invoke_function("svc", "fn", payload=payload)
    assert response.data == payload
    assert response.headers["Content-Type"] == "application/octet-stream"


def test_no_payload_and_a_file(sdk: Client) -> None:
    assert sdk.invoke_function("svc", "fn").data == b""
    assert sdk.invoke_function("svc", "fn", payload=io.BytesIO(b"of a file")).data == b"of a file"


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("text", "Grüße".encode()),
        ("bytes", b"\xff\x00"),
        ("none", b"null"),
        ("list", b'[1, "a", null]'),
        ("object", b'{"message": "Hello"}'),
        ("empty", b'{"statusCode": 204}'),
    ],
)
def test_results(sdk: Client, name: str, data: bytes) -> None:
    assert do(sdk, do="result", name=name).data == data


@pytest.mark.parametrize(
    ("headers", "qualifier", "expected"),
    [
        ({}, None, "LATEST"),
        ({}, "prod", "prod"),
        ({"x-fc-invocation-type": "Sync", "x-fc-log-type": "Tail"}, "1", "1"),
        ({"x-fc-log-type": "None", "x-fc-trace-id": "trace"}, "LATEST", "LATEST"),
    ],
)
def test_qualifiers_and_headers(
    sdk: Client, headers: dict[str, str], qualifier: str | None, expected: str
) -> None:
    response = sdk.invoke_function(
        "my-service", "my_function", b'{"do": "context"}', headers, qualifier
    )
    context = json.loads(response.data)
    assert context["service"]["name"] == "my-service"
    assert context["service"]["qualifier"] == expected
    assert context["function"]["name"] == "my_function"
    assert context["requestId"] == response.headers["X-Fc-Request-Id"]


def test_a_function_that_fails(sdk: Client) -> None:
    with pytest.raises(FcError) as caught:
        do(sdk, do="raise")
    error = caught.value
    assert error.status_code == 200
    told = json.loads(error.message)
    assert (told["errorMessage"], told["errorType"]) == ("on purpose", "LookupError")
    assert told["RequestId"] == error.request_id != "unknown"


def test_an_asynchronous_invocation(sdk: Client) -> None:
    response = sdk.invoke_function(
        "svc", "fn", b'{"do": "note", "text": "later"}', {"x-fc-invocation-type": "Async"}
    )
    assert response.data == b""
    expected = ["later", response.headers["X-Fc-Request-Id"]]
    wait_until(
        lambda: expected in json.loads(do(sdk, do="notes").data), "the function has been run"
    )


def test_an_event_that_is_too_large(sdk: Client) -> None:
    event = b"x" * (128 * 1024 + 1)
    with pytest.raises(FcError) as caught:
        sdk.invoke_function("svc", "fn", event, {"x-fc-invocation-type": "Async"})
    assert (caught.value.status_code, caught.value.err_code) == (400, "InvalidArgument")


def test_many_at_a_time(sdk: Client) -> None:
    payloads = [b"%d" % number for number in range(32)]
    with ThreadPoolExecutor(8) as executor:
        answers = executor.map(lambda event: sdk.invoke_function("svc", "fn", event), payloads)
        assert [answer.data for answer in answers] == payloads


def test_a_function_past_its_time(start_gateway: StartGateway) -> None:
    sdk = client_of(start_gateway("events:handler", "--handler-timeout", "0.3"))
    with pytest.raises(FcError, match=r"Function time out after 0\.3 seconds") as caught:
        do(sdk, do="sleep", seconds=1)
    assert caught.value.status_code == 200
