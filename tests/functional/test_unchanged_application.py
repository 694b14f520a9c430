"""One application, unchanged: by itself and behind Function Compute it sees the same."""

from collections.abc import Callable
from typing import Any

import pytest
from functional.serving import Gateway
from functional.wire import Response

StartGateway = Callable[..., Gateway]

OPTIONS = (
    *("--function-name", "orders", "--function-memory", "1024", "--handler-timeout", "120"),
    *("--service-name", "shop", "--qualifier", "prod", "--region", "cn-hangzhou"),
    *("--account-id", "123456", "--log-project", "project", "--log-store", "store"),
)
"""Say what the platform says."""

KEYS = {
    "ALIBABA_CLOUD_ACCESS_KEY_ID": "STS.id",
    "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "secret",
    "ALIBABA_CLOUD_SECURITY_TOKEN": "token",
}
TOLD = [
    ("X-Fc-Control-Path", "/http-invoke"),
    ("X-Fc-Access-Key-Id", "STS.id"),
    ("X-Fc-Access-Key-Secret", "secret"),
    ("X-Fc-Security-Token", "token"),
    ("X-Fc-Function-Name", "orders"),
    ("X-Fc-Function-Memory", "1024"),
    ("X-Fc-Function-Timeout", "120"),
    ("X-Fc-Service-Name", "shop"),
    ("X-Fc-Service-Logproject", "project"),
    ("X-Fc-Service-Logstore", "store"),
    ("X-Fc-Qualifier", "prod"),
    ("X-Fc-Region", "cn-hangzhou"),
    ("X-Fc-Account-Id", "123456"),
    ("X-Fc-Retry-Count", "0"),
]
PREFIX = "/2016-08-15/proxy/shop.prod/orders"
REQUESTS = [
    ("GET", "/", [], None),
    ("GET", "/a%20b/%E4%BD%A0?c=d&c=%20e", [("Accept", "*/*"), ("Cookie", "a=b; c=d")], None),
    ("POST", "/a//b", [("Content-Type", "text/plain"), ("X-A", "1"), ("X-A", "2")], b"body"),
    ("POST", f"{PREFIX}/a?b", [("Content-Type", "application/octet-stream")], b"\x00\xff"),
    ("GET", PREFIX, [], None),
]
OWN = {"SERVER_NAME", "SERVER_PORT", "REMOTE_PORT"}
"""Keys that tell which of the two gateways it was."""

Pair = tuple[Gateway, Gateway]
Start = Callable[..., Pair]


@pytest.fixture(scope="module", params=["unchanged.handler", "unchanged:app"])
def start(request: pytest.FixtureRequest, start_shared_gateway: StartGateway) -> Start:
    def start_pair(*options: str) -> Pair:
        plain = start_shared_gateway(request.param, *OPTIONS, *options, environ=KEYS)
        container = start_shared_gateway(
            request.param,
            *("--profile", "custom-container", *options),
            environ={"FC_FUNCTION_HANDLER": "not.this"},
        )
        return plain, container

    return start_pair


@pytest.fixture(scope="module")
def pair(start: Start) -> Pair:
    return start()


@pytest.fixture(scope="module")
def exact(start: Start) -> Pair:
    return start("--exact-environ")


def ask(gateway: Gateway, request: Any, more: list[tuple[str, str]]) -> Response:
    method, target, fields, body = request
    with gateway.connect() as client:
        response = client.ask(target, method, fields=[*fields, *more], body=body)
        assert response.status == 200, response
        return response


@pytest.mark.parametrize("request_made", REQUESTS, ids=[target for _, target, *_ in REQUESTS])
def test_it_sees_the_same(pair: Pair, request_made: Any) -> None:
    plain, container = pair
    base = f"{PREFIX}/" if request_made[1].startswith(PREFIX) else "/"
    told = [*TOLD, ("X-Fc-Base-Path", base), ("X-Fc-Request-Id", "an-id")]
    first = ask(plain, request_made, []).json()
    second = ask(container, request_made, told).json()
    assert second["context"].pop("requestId") == "an-id"
    assert first["context"].pop("requestId") != "an-id"
    assert first["context"]["function"].pop("handler").startswith("unchanged")
    assert second["context"]["function"].pop("handler").startswith("unchanged")
    for seen in (first, second):
        assert set(seen["environ"]) >= OWN
        for key in OWN:
            del seen["environ"][key]
    # Behind Function Compute, as there, an application sees the platform's fields besides.
    names = {key for key in second["environ"] if key.startswith("HTTP_X_FC")}
    assert names == {"HTTP_" + name.upper().replace("-", "_") for name, _ in told}
    for name in names:
        del second["environ"][name]
    assert first == second
    assert first["environ"]["SCRIPT_NAME"] == "''"
    assert not [key for key in first["environ"] if key.startswith("HTTP_X_FC")]


CONSTANTS = {
    *(
        "wsgi.multithread",
        "wsgi.input_terminated",
        "wsgi.file_wrapper",
        "wsgi.errors",
        "wsgi.input",
    ),
    *("SERVER_SOFTWARE", "SERVER_PORT", "SERVER_NAME", "REMOTE_PORT", "CONTENT_TYPE", "PATH_INFO"),
}
"""Keys that differ with `--exact-environ`; docs/fc-compatibility.md says how."""


ASCII = [request for request in REQUESTS if "%E4" not in request[1]]
"""There frameworks work with Function Compute's own environ."""


@pytest.mark.parametrize("request_made", ASCII, ids=[target for _, target, *_ in ASCII])
def test_with_the_exact_environ_too(pair: Pair, exact: Pair, request_made: Any) -> None:
    usual, *_ = pair
    base = f"{PREFIX}/" if request_made[1].startswith(PREFIX) else "/"
    told = [*TOLD, ("X-Fc-Base-Path", base), ("X-Fc-Request-Id", "an-id")]
    first = ask(usual, request_made, []).json()
    seen = [
        ask(gateway, request_made, more).json()
        for gateway, more in zip(exact, ([], told), strict=True)
    ]
    for each in seen:
        for known in (first, each):
            known["context"]["requestId"] = known["context"]["function"]["handler"] = "any"
        assert each["context"] == first["context"]
        differing = {
            key for key, value in first["environ"].items() if each["environ"].get(key) != value
        }
        assert differing <= CONSTANTS
    assert seen[0]["environ"]["PATH_INFO"] == seen[1]["environ"]["PATH_INFO"]
