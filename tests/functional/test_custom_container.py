"""Behind Function Compute: its calls to a container, the context in its header fields, verdicts."""

import json
import signal
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from functional.living import Hooks
from functional.serving import Gateway, wait_until
from functional.wire import Response, WireClient
from unit.triggers.issuer import key_set, public_jwk

StartGateway = Callable[..., Gateway]

HOOKS = (
    *("--initializer", "living.initialize"),
    *("--pre-freeze", "living.pre_freeze"),
    *("--pre-stop", "living.pre_stop"),
)
TOLD = [
    ("X-Fc-Request-Id", "1-5f1b0c9d-12345678-0123456789ab"),
    ("X-Fc-Access-Key-Id", "STS.id"),
    ("X-Fc-Access-Key-Secret", "C4nAry-secret"),
    ("X-Fc-Security-Token", "C4nAry-token" * 120),
    ("X-Fc-Function-Name", "orders"),
    ("X-Fc-Function-Handler", "index.handler"),
    ("X-Fc-Function-Memory", "1024"),
    ("X-Fc-Function-Timeout", "120"),
    ("X-Fc-Service-Name", "shop"),
    ("X-Fc-Service-Logproject", "project"),
    ("X-Fc-Service-Logstore", "store"),
    ("X-Fc-Qualifier", "prod"),
    ("X-Fc-Version-Id", "7"),
    ("X-Fc-Region", "cn-hangzhou"),
    ("X-Fc-Account-Id", "123456"),
    ("X-Fc-Retry-Count", "2"),
    ("X-Fc-Tracing-Opentracing-Span-Context", "124ed43254b54966:1:0:1"),
    ("X-Fc-Tracing-Opentracing-Span-Baggages", b64encode(b'{"tenant": "t"}').decode()),
    ("X-Fc-Tracing-Jaeger-Endpoint", "http://tracing.example/api/traces"),
]
CONTEXT = {
    "requestId": "1-5f1b0c9d-12345678-0123456789ab",
    "credentials": {
        "accessKeyId": "STS.id",
        "accessKeySecret": "C4nAry-secret",
        "securityToken": "C4nAry-token" * 120,
    },
    "function": {"name": "orders", "handler": "index.handler", "memory": 1024, "timeout": 120},
    "service": {
        "name": "shop",
        "logProject": "project",
        "logStore": "store",
        "qualifier": "prod",
        "versionId": "7",
    },
    "region": "cn-hangzhou",
    "accountId": "123456",
    "retryCount": 2,
    "tracing": {
        "openTracingSpanContext": "124ed43254b54966:1:0:1",
        "openTracingSpanBaggages": {"tenant": "t"},
        "jaegerEndpoint": "http://tracing.example/api/traces",
    },
}

NO_TOKENS = key_set(public_jwk("P-256")).decode()


def control(path: str, request_id: str = "an-id") -> list[tuple[str, str]]:
    return [("X-Fc-Control-Path", path), ("X-Fc-Request-Id", request_id)]


def call(
    client: WireClient, path: str, method: str = "POST", request_id: str = "an-id"
) -> Response:
    """As Function Compute calls for a hook."""
    body = b"" if method == "POST" else None
    return client.ask(path, method, fields=control(path, request_id), body=body)


@pytest.fixture
def serve(start_gateway: StartGateway, hooks: Hooks) -> StartGateway:
    def start(*options: str, target: str = "living.handler", **more: Any) -> Gateway:
        profile = ("--profile", "custom-container")
        return start_gateway(target, *profile, *options, environ=hooks.environ, **more)

    return start


@pytest.fixture(scope="module")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("hooks")


@pytest.fixture(scope="module")
def container(start_shared_gateway: StartGateway, shared_folder: Path) -> Gateway:
    """A gateway without hooks, of a WSGI handler."""
    return start_shared_gateway(
        "living.handler",
        *("--profile", "custom-container", "--access-log", "json"),
        environ={"GATES": str(shared_folder)},
    )


@pytest.fixture
def client(container: Gateway) -> Iterator[WireClient]:
    with container.connect() as connection:
        yield connection


# Invocations.

SAMPLE = """
    import sys

    from flask import Flask, request

    REQUEST_ID_HEADER = "x-fc-request-id"

    app = Flask(__name__)

    @app.route("/initialize", methods=["POST"])
    def init_invoke():
        rid = request.headers.get(REQUEST_ID_HEADER)
        print("FC Initialize Start RequestId: " + rid)
        print("FC Initialize End RequestId: " + rid)
        return "OK"

    @app.route("/invoke", methods=["POST"])
    def event_invoke():
        rid = request.headers.get(REQUEST_ID_HEADER)
        print("FC Invoke Start RequestId: " + rid)
        data = request.stream.read()
        if request.headers["x-fc-access-key-secret"] == "fail":
            raise ValueError("no luck")
        print("FC Invoke End RequestId: " + rid)
        return rid + " " + data.decode() + " " + request.headers["X-Fc-Region"]
"""


def test_the_documented_sample_reads_the_platform_s_fields(start_gateway: StartGateway) -> None:
    """A custom runtime's Flask application, which serves the hooks itself."""
    gateway = start_gateway("sample:app", "--profile", "custom-container", source=SAMPLE)
    told = [field for field in TOLD if field[0] != "X-Fc-Request-Id"]
    with gateway.connect() as client:
        assert call(client, "/initialize").body == b"OK"
        fields = [*control("/invoke"), *told]
        answer = client.ask("/invoke", "POST", fields=fields, body=b"an event")
        assert (answer.status, answer.body) == (200, b"an-id an event cn-hangzhou")
        fields = [*control("/invoke"), ("X-Fc-Access-Key-Secret", "fail")]
        assert client.ask("/invoke", "POST", fields=fields, body=b"").status == 500
    wait_until(lambda: "no luck" in gateway.output + gateway.errors, "what Flask says of it")
    assert "C4nAry" not in gateway.output + gateway.errors


def test_environ_of_function_compute_2_has_them_too(serve: StartGateway) -> None:
    gateway = serve("--exact-environ")
    with gateway.connect() as client:
        environ = client.ask("/", fields=TOLD).json()["environ"]
    assert environ["HTTP_X_FC_REGION"] == "cn-hangzhou"
    assert environ["HTTP_X_FC_FUNCTION_HANDLER"] == "index.handler"


def test_an_event_has_the_client_s_fields_only(start_gateway: StartGateway) -> None:
    """Handlers print events; what the platform tells is in the context."""
    gateway = start_gateway("events:handler", "--profile", "custom-container")
    with gateway.connect() as client:
        fields = [*TOLD, ("X-Fc-Control-Path", "/http-invoke"), ("X-Own", "1")]
        event = client.ask("/path", "POST", fields=fields, body=b"body").json()
    assert event["headers"]["X-Own"] == "1"
    assert "C4nAry" not in json.dumps(event)
    assert not [name for name in event["headers"] if name.lower().startswith("x-fc-")]
    assert event["requestContext"]["requestId"] == CONTEXT["requestId"]


def test_the_context_is_what_the_platform_tells(client: WireClient, container: Gateway) -> None:
    fields = [*TOLD, ("X-Fc-Control-Path", "/http-invoke"), ("X-Fc-Base-Path", "/a/b")]
    response = client.ask("/a/b?c=d", fields=[*fields, ("X-Custom-Key", "value")])
    found = response.json()
    assert found["context"] == CONTEXT
    assert response["X-Fc-Request-Id"] == CONTEXT["requestId"]
    assert response["X-Fc-Status"] == "200"
    assert found["environ"]["HTTP_X_CUSTOM_KEY"] == "value"
    assert found["environ"]["PATH_INFO"] == "/a/b"
    assert found["environ"]["fc.request_uri"] == "/a/b?c=d"
    told = {"HTTP_" + name.upper().replace("-", "_"): value for name, value in fields}
    assert {name: text for name, text in found["environ"].items() if "X_FC" in name} == told
    wait_until(lambda: CONTEXT["requestId"] in container.output, "the log has its id")
    assert "C4nAry" not in container.output + container.errors


def test_the_next_request_of_the_connection_is_another(client: WireClient) -> None:
    client.ask("/", fields=TOLD)
    second = client.ask("/").json()["context"]
    assert second["requestId"] != CONTEXT["requestId"]
    assert second["credentials"]["accessKeyId"] == ""
    third = client.ask("/", fields=[("X-Fc-Region", "eu-central-1")]).json()["context"]
    assert third["region"] == "eu-central-1"


@pytest.mark.parametrize(
    ("base", "path", "seen"),
    [
        ("/2016-08-15/proxy/shop/orders/", "/2016-08-15/proxy/shop/orders/a%20b", "/a b"),
        ("/2016-08-15/proxy/shop/orders/", "/a", "/a"),
        ("/", "/2016-08-15/proxy/shop/orders/a", "/2016-08-15/proxy/shop/orders/a"),
        ("/a", "/a", "/a"),
    ],
)
def test_the_prefix_of_the_default_url_is_not_the_handler_s(
    client: WireClient, base: str, path: str, seen: str
) -> None:
    found = client.ask(f"{path}?b=c", fields=[("X-Fc-Base-Path", base)]).json()
    environ = found["environ"]
    assert (environ["SCRIPT_NAME"], environ["PATH_INFO"]) == ("", seen)
    assert environ["fc.request_uri"] == f"{path}?b=c"


def test_values_that_are_none_do_not_break_a_request(client: WireClient) -> None:
    names = [name for name, _ in TOLD]
    for value in ("-1", "\u00ff\u00fe", "[", "a" * 1000, ""):
        response = client.ask("/", fields=[(name, value) for name in names])
        assert response.status == 200
        context = response.json()["context"]
        assert context["function"]["memory"] == 512
        assert context["retryCount"] == 0
        assert context["tracing"]["openTracingSpanBaggages"] == {}
        if value in ("", "\u00ff\u00fe"):
            assert response["X-Fc-Request-Id"] != value


def test_an_invocation_that_fails_is_told_as_one(client: WireClient) -> None:
    response = client.ask("/fail", fields=[("X-Fc-Request-Id", "an-id")])
    assert (response.status, response["X-Fc-Status"]) == (502, "404")
    assert response["X-Fc-Error-Type"] == "UnhandledInvocationError"
    assert response["X-Fc-Request-Id"] == "an-id"


def test_what_is_refused_is_told_as_a_failure(container: Gateway) -> None:
    with container.connect() as client:
        response = client.ask("/", "POST", fields=[("Content-Length", str(1 << 40))])
        assert (response.status, response["X-Fc-Status"]) == (400, "404")


def test_the_platform_s_fields_are_more_than_a_client_s(container: Gateway) -> None:
    with container.connect() as client:
        used = sum(len(name) + len(value) for name, value in TOLD)
        fields = [*TOLD, ("X-Big", "a" * (8192 - len("X-Big")))]
        assert used > 2000
        assert client.ask("/", fields=fields).status == 200


def test_controls_of_clients_are_the_platform_s(client: WireClient) -> None:
    """It runs an asynchronous invocation itself, and waits for the answer."""
    fields = [("X-Fc-Invocation-Type", "Async"), ("X-Fc-Log-Type", "Tail")]
    response = client.ask("/", "POST", fields=fields, body=b"event")
    assert response.status == 200
    assert response.json()["body"] == "event"


def test_an_event_is_a_request_for_a_wsgi_handler(client: WireClient) -> None:
    fields = [*control("/invoke"), ("Content-Type", "application/octet-stream")]
    response = client.ask("/invoke", "POST", fields=fields, body=b'{"key": 1}')
    found = response.json()
    assert (found["environ"]["PATH_INFO"], found["body"]) == ("/invoke", '{"key": 1}')
    assert response["X-Fc-Status"] == "200"


def test_a_client_cannot_make_up_events_by_its_path(start_gateway: StartGateway) -> None:
    gateway = start_gateway("events:handler", "--profile", "custom-container")
    with gateway.connect() as client:
        fields = control("/invoke")
        response = client.ask("/invoke", "POST", fields=fields, body=b"an event")
        assert (response.body, response["X-Fc-Status"]) == (b"an event", "200")
        fields = control("/http-invoke")
        event = client.ask("/invoke", "POST", fields=fields, body=b"made up").json()
        assert (event["rawPath"], event["body"]) == ("/invoke", "made up")
        fields = control("/invoke")
        response = client.ask("/invoke", "POST", fields=fields, body=b'{"do": "raise"}')
        assert (response.status, response["X-Fc-Status"]) == (502, "404")


@pytest.mark.parametrize("fc_headers", ["full", "none"])
def test_the_verdict_is_there_whatever_clients_are_told(
    start_gateway: StartGateway, hooks: Hooks, fc_headers: str
) -> None:
    gateway = start_gateway(
        "living.handler",
        *("--profile", "custom-container", "--fc-headers", fc_headers),
        environ=hooks.environ,
    )
    with gateway.connect() as client:
        for path, status, verdict in (("/", 200, "200"), ("/fail", 502, "404")):
            response = client.ask(path, fields=TOLD)
            assert (response.status, response["X-Fc-Status"]) == (status, verdict)
            ids = response.values("X-Fc-Request-Id")
            assert ids == ([CONTEXT["requestId"]] if fc_headers == "full" else [])
            assert response.has("X-Fc-Invocation-Duration") == (fc_headers == "full")


def test_what_is_refused_has_the_platform_s_id(client: WireClient) -> None:
    fields = [*control("/http-invoke", "its-own"), ("Transfer-Encoding", "chunked")]
    client.request("/", "POST", fields=fields)
    client.send(b"no chunk\r\n")
    response = client.read_response()
    assert (response.status, response["X-Fc-Request-Id"]) == (400, "its-own")
    assert response["X-Fc-Status"] == "404"


@pytest.mark.parametrize("path", ["/initialize", "/pre-freeze", "/pre-stop"])
def test_hooks_that_the_gateway_does_not_have_are_the_application_s(
    client: WireClient, path: str
) -> None:
    assert call(client, path).json()["environ"]["PATH_INFO"] == path


def test_asgi(serve: StartGateway) -> None:
    with serve(*HOOKS, target="living:application").connect() as client:
        fields = [*TOLD, ("X-Fc-Base-Path", "/2016-08-15/proxy/shop/orders/")]
        response = client.ask("/2016-08-15/proxy/shop/orders/a", fields=fields)
        found = response.json()
        assert found["context"] == CONTEXT
        assert found["path"] == "/a"
        assert found["initialized"] == 1
        told = [[name.lower(), value] for name, value in fields]
        assert [field for field in found["headers"] if field[0].startswith("x-fc-")] == told
        assert response["X-Fc-Status"] == "200"
        assert call(client, "/pre-freeze", "GET").status == 200


# Hooks.


def test_a_life_as_the_platform_leads_it(serve: StartGateway, hooks: Hooks) -> None:
    gateway = serve(*HOOKS)
    assert hooks.notes() == []
    with gateway.connect() as client:
        response = call(client, "/initialize", request_id="first")
        assert (response.status, response.body) == (200, b"initialize done")
        assert (response["X-Fc-Status"], response["X-Fc-Request-Id"]) == ("200", "first")
        assert client.ask("/", fields=control("/http-invoke", "second")).status == 200
        assert call(client, "/initialize", request_id="again").body == b"initialize done"
        assert call(client, "/pre-freeze", "GET", "third").body == b"pre_freeze done"
        assert client.ask("/", fields=control("/http-invoke", "fourth")).status == 200
        assert call(client, "/pre-stop", "GET", "fifth").body == b"pre_stop done"
    assert gateway.stop() == 0
    calls = [(note["hook"], note["request_id"]) for note in hooks.notes()]
    assert calls == [
        ("initialize", "first"),
        ("handler", "second"),
        ("pre_freeze", "third"),
        ("handler", "fourth"),
        ("pre_stop", "fifth"),
    ]


def test_hooks_have_the_context_of_their_call(serve: StartGateway, hooks: Hooks) -> None:
    with serve(*HOOKS).connect() as client:
        client.ask("/initialize", "POST", fields=[*control("/initialize"), *TOLD], body=b"")
    (note,) = hooks.notes("initialize")
    assert (note["function"], note["request_id"]) == ("orders", CONTEXT["requestId"])


def test_without_a_call_the_first_request_initialises(serve: StartGateway, hooks: Hooks) -> None:
    gateway = serve(*HOOKS)
    with gateway.connect() as client:
        assert client.ask("/", fields=TOLD).json()["initialized"] == 1
        assert call(client, "/initialize").body == b"initialize done"
    (note,) = hooks.notes("initialize")
    assert (note["function"], note["request_id"]) == ("orders", CONTEXT["requestId"])


def test_requests_wait_for_the_initializer_that_was_called_for(
    serve: StartGateway, hooks: Hooks
) -> None:
    hooks.hold("initialize")
    gateway = serve(*HOOKS)
    with gateway.connect() as platform, gateway.connect() as client:
        platform.request("/initialize", "POST", fields=control("/initialize"), body=b"")
        hooks.await_call("initialize")
        client.request("/")
        hooks.let_go("initialize")
        assert platform.read_response().status == 200
        assert client.read_response().json()["initialized"] == 1
    assert hooks.names() == ["initialize", "handler"]


def test_a_hook_that_fails_is_404_with_its_error(serve: StartGateway, hooks: Hooks) -> None:
    hooks.fail("pre_freeze")
    hooks.fail("initialize")
    gateway = serve(*HOOKS)
    first_pid = gateway.worker_pid
    with gateway.connect() as client:
        response = call(client, "/initialize")
        assert (response.status, response["X-Fc-Status"]) == (404, "404")
        body = response.json()
        assert (body["errorType"], body["errorMessage"]) == ("ValueError", "initialize fails")
        response = client.ask("/")
        assert (response.status, response["X-Fc-Status"]) == (502, "404")
        assert response.json()["errorMessage"] == "initialize fails"
    hooks.mend("initialize")
    wait_until(lambda: first_pid not in gateway.worker_pids, "the worker is replaced")
    with gateway.connect() as client:
        assert call(client, "/initialize").status == 200
        response = call(client, "/pre-freeze", "GET")
        assert (response.status, response["X-Fc-Status"]) == (404, "404")
        assert response.json()["errorMessage"] == "pre_freeze fails"
        assert client.ask("/").status == 200, "the function goes on"


def test_a_hook_past_its_time_is_404(serve: StartGateway, hooks: Hooks) -> None:
    """In Function Compute's words, whatever clients are told."""
    hooks.hold("pre_freeze")
    gateway = serve(*HOOKS, "--pre-freeze-timeout", "100ms", "--error-style", "plain")
    with gateway.connect() as client:
        assert call(client, "/initialize").status == 200
        response = call(client, "/pre-freeze", "GET")
        assert response.status == 404
        assert response.json()["errorMessage"] == "Function pre-freeze time out after 0.1 seconds"


def test_a_hook_that_runs_is_not_cut_off_by_the_end(serve: StartGateway, hooks: Hooks) -> None:
    hooks.hold("pre_stop")
    gateway = serve(*HOOKS)
    with gateway.connect() as client:
        assert call(client, "/initialize").status == 200
        client.request("/pre-stop", fields=control("/pre-stop"))
        hooks.await_call("pre_stop")
        gateway.signal(signal.SIGTERM)
        wait_until(lambda: "draining" in gateway.errors, "it drains")
        hooks.let_go("pre_stop")
        assert client.read_response().status == 200
    assert gateway.wait() == 0
    assert len(hooks.notes("pre_stop")) == 1


def test_a_trigger_is_for_clients_and_not_for_hooks(serve: StartGateway, hooks: Hooks) -> None:
    """Function Compute has no credential; clients who tell of other calls need one."""
    gateway = serve(*HOOKS, *("--auth", "jwt", "--methods", "PUT", "--jwks", NO_TOKENS))
    with gateway.connect() as client:
        for path, method in (("/initialize", "POST"), ("/pre-freeze", "GET"), ("/pre-stop", "GET")):
            assert call(client, path, method).status == 200
        for path in ("", "/", "/invoke", "/http-invoke", "/Initialize", "/initialize/", "/other"):
            refused = client.ask("/initialize", "GET", fields=control(path))
            assert (refused.status, refused["X-Fc-Status"]) == (403, "404")
            assert client.ask("/initialize", "PUT", fields=control(path), body=b"").status == 401
    assert hooks.names() == ["initialize", "pre_freeze", "pre_stop"]


# Elsewhere.


def test_only_behind_function_compute_is_it_believed(
    start_gateway: StartGateway, hooks: Hooks
) -> None:
    gateway = start_gateway("living.handler", *HOOKS, environ=hooks.environ)
    with gateway.connect() as client:
        for path in ("/initialize", "/pre-freeze", "/pre-stop"):
            response = call(client, path)
            assert response.json()["environ"]["PATH_INFO"] == path
            assert not response.has("X-Fc-Status")
        response = client.ask("/", fields=TOLD)
        found = response.json()
        assert found["context"]["region"] == ""
        assert found["context"]["retryCount"] == 0
        assert found["context"]["credentials"]["accessKeySecret"] == ""
        assert response["X-Fc-Request-Id"] == found["context"]["requestId"] != "an-id"
    assert hooks.names() == ["initialize", *["handler"] * 4]


def test_it_listens_for_all_function_compute_connects(
    serve: StartGateway, hooks: Hooks, tmp_path: Path
) -> None:
    gateway = serve()
    assert gateway.address.startswith("http://0.0.0.0:")
    assert "--profile function-compute" not in gateway.errors, "another profile than this one"
