"""Event handlers behind HTTP: `--interface fc-event`."""

import hashlib
import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from functional.serving import HANDLERS, Gateway, run_command, wait_until
from functional.wire import Response, WireClient

StartGateway = Callable[..., Gateway]

MIB = 1024 * 1024
INVOKE = "/2016-08-15/services/svc.prod/functions/fn/invocations"
INVOKE_3 = "/2023-03-30/functions/fn/invocations"


@pytest.fixture(scope="module")
def events(start_shared_gateway: StartGateway) -> Gateway:
    return start_shared_gateway(
        "events:handler",
        *("--interface", "fc-event", "--account-id", "1234567890", "--service-name", "own"),
        "--tracebacks",
    )


@pytest.fixture(scope="module")
def impatient(start_shared_gateway: StartGateway) -> Gateway:
    """One thread, one place in its queue, half a second for a handler; other forms of answers."""
    return start_shared_gateway(
        *("events:handler", "--threads", "1", "--queue", "1", "--handler-timeout", "0.5"),
        *("--exact-environ", "--error-style", "fc3"),
    )


@pytest.fixture
def client(events: Gateway) -> Iterator[WireClient]:
    with events.connect() as connection:
        yield connection


def invoke(client: WireClient, event: object, target: str = INVOKE, **fields: str) -> Response:
    body = event if isinstance(event, bytes) else json.dumps(event).encode()
    named = [(name.replace("_", "-"), value) for name, value in fields.items()]
    return client.ask(target, "POST", fields=named, body=body)


# What is taken for an event handler.

DECORATED = """
    import functools
    import json

    def logged(function):
        @functools.wraps(function)
        def wrapper(*args, **kwargs):
            return function(*args, **kwargs)
        return wrapper

    def opaque(function):
        def wrapper(*args, **kwargs):
            return function(*args, **kwargs)
        return wrapper

    class Handlers:
        @logged
        def method(self, evt, ctx):
            return [json.loads(evt), ctx.function.name]

    @logged
    @logged
    def wrapped(event, context):
        return [json.loads(event), context.function.name]

    @logged
    def renamed(evt, ctx):
        return [json.loads(evt), ctx.function.name]

    def configured(extra, event, context):
        return [json.loads(event), context.function.name]

    partial = functools.partial(configured, "extra")
    method = Handlers().method
    hidden = opaque(lambda event, context: {})
"""


@pytest.mark.parametrize("name", ["wrapped", "renamed", "partial", "method"])
def test_decorated_handlers_are_known(start_gateway: StartGateway, name: str) -> None:
    gateway = start_gateway(f"decorated.{name}", "--workers", "0", source=DECORATED)
    with gateway.connect() as client:
        assert invoke(client, 1).json() == [1, "fn"]
    assert "--interface" not in gateway.errors


def test_what_hides_its_parameters_is_told(start_gateway: StartGateway) -> None:
    """At the start, and when it has failed; the client hears nothing of options."""
    gateway = start_gateway("decorated.hidden", "--workers", "0", source=DECORATED)
    assert "decorated.hidden: its parameters (*args, **kwargs) do not tell" in gateway.errors
    with gateway.connect() as client:
        failed = client.ask("/")
    assert failed.json()["errorMessage"] == "the handler did not call start_response"
    wait_until(lambda: "  | A WSGI handler is called with" in gateway.errors, "the hint")
    gateway.stop()
    chosen = start_gateway(
        *("decorated.hidden", "--workers", "0", "--interface", "fc-event"), source=DECORATED
    )
    with chosen.connect() as client:
        assert invoke(client, 1).json() == {}
    assert "do not tell" not in chosen.errors


# HTTP events.


def test_a_request_is_an_event(client: WireClient) -> None:
    fields = [("x-Custom-key", "value"), ("X-Custom-Key", "other"), ("Content-Type", "text/plain")]
    before = time.time()
    response = client.ask("/a%20b?q=1&q=2&e=", "PUT", fields=fields, body="Grüße".encode())
    event = response.json()
    context = event.pop("requestContext")
    assert event == {
        "version": "v1",
        "rawPath": "/a%20b",
        "body": "Grüße",
        "isBase64Encoded": False,
        "headers": {
            "Host": "gateway.test",
            "X-Custom-Key": "value,other",
            "Content-Type": "text/plain",
            "Content-Length": "7",
        },
        "queryParameters": {"q": "1,2", "e": ""},
    }
    epoch = int(context.pop("timeEpoch")) / 1000
    assert before - 1 <= epoch <= time.time() + 1
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", context.pop("time"))
    assert context == {
        "accountId": "1234567890",
        "domainName": "gateway.test",
        "domainPrefix": "gateway",
        "http": {
            "method": "PUT",
            "path": "/a b",
            "protocol": "HTTP/1.1",
            "sourceIp": "127.0.0.1",
            "userAgent": "",
        },
        "requestId": response["X-Fc-Request-Id"],
    }


def test_a_chunked_body_is_an_event_like_any_other(client: WireClient) -> None:
    client.send(
        b"POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\n\r\n"
    )
    event = client.read_response().json()
    assert event["body"] == "abcdefg"
    assert event["headers"] == {"Host": "h", "Content-Length": "7"}


@pytest.mark.parametrize(
    ("name", "status", "content_type", "body"),
    [
        ("text", 200, "application/json", "Grüße".encode()),
        ("bytes", 200, "application/json", b"\xff\x00"),
        ("none", 200, "application/json", b"null"),
        ("list", 200, "application/json", b'[1, "a", null]'),
        ("object", 200, "application/json", b'{"message": "Hello"}'),
        ("json-text", 418, "application/json", b"short"),
        ("struct", 201, "text/plain", "Grüße".encode()),
        ("base64", 200, "application/json", b"\xff\x00"),
        ("reserved", 200, "application/json", b"b"),
        ("length", 200, "application/json", b"body"),
        ("wrong-length", 200, "application/json", b"body"),
    ],
)
def test_results(
    client: WireClient, name: str, status: int, content_type: str, body: bytes
) -> None:
    for method in ("GET", "HEAD"):
        response = client.ask(f"/result/{name}", method)
        assert (response.status, response["Content-Type"]) == (status, content_type)
        assert response["Content-Length"] == str(len(body))
        assert response.body == (body if method == "GET" else b"")
        assert not response.has("X-Fc-Error-Type")
        assert not response.closes


def test_headers_of_a_struct(client: WireClient) -> None:
    response = client.ask("/result/struct")
    assert response["X-A"] == "1"
    assert response.values("Set-Cookie") == ["a=1", "b=2"]
    response = client.ask("/result/reserved")
    assert not response.has("X-Fc-Own")
    assert not response.has("Server")
    assert response["Date"] != "now"


@pytest.mark.parametrize(("name", "status"), [("empty", 204), ("content", 304)])
def test_statuses_without_content(client: WireClient, name: str, status: int) -> None:
    response = client.ask(f"/result/{name}")
    assert (response.status, response.body) == (status, b"")
    assert not response.has("Content-Length")
    assert not response.has("Content-Type") or name == "content"
    assert client.ask("/result/text").status == 200


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("bad-status", "statusCode is no number from 200 to 999"),
        ("bad-name", "not a token"),
        ("split", "X-A has a forbidden character"),
        ("beyond-latin", "X-A has a forbidden character"),
        ("hop-by-hop", "hop-by-hop"),
        ("bad-base64", "body is not base64"),
        ("bad-body", "body is not text"),
    ],
)
def test_a_struct_of_which_no_answer_can_be_made(
    events: Gateway, client: WireClient, name: str, words: str
) -> None:
    response = client.ask(f"/result/{name}")
    assert (response.status, response["X-Fc-Error-Type"]) == (502, "UnhandledInvocationError")
    answer = response.json()
    assert answer["ErrorCode"] == "BadResponse"
    assert words in answer["ErrorMessage"]
    assert response["X-Fc-Request-Id"] in events.errors


@pytest.mark.parametrize(
    ("path", "kind", "message"),
    [
        ("/raise", "LookupError", "on purpose"),
        ("/exit", "SystemExit", "3"),
        ("/result/unspeakable", "TypeError", "Object of type object is not JSON serializable"),
        ("/result/bytes-in-struct", "TypeError", "Object of type bytes is not JSON serializable"),
    ],
)
def test_a_handler_that_fails(client: WireClient, path: str, kind: str, message: str) -> None:
    response = client.ask(path)
    assert (response.status, response["X-Fc-Error-Type"]) == (502, "UnhandledInvocationError")
    answer = response.json()
    assert (answer["errorType"], answer["errorMessage"]) == (kind, message)
    assert not any("gateway/events" in place for place, _ in answer["stackTrace"])
    assert not response.closes


@pytest.mark.parametrize("excess", [-1, 0, 1])
def test_the_limit_of_response_headers(client: WireClient, excess: int) -> None:
    others = len("Content-Type" + "a/b" + "X-A")
    response = client.ask(f"/header/{8192 - others + excess}")
    if excess <= 0:
        assert response.status == 200
        return
    assert (response.status, response["X-Fc-Error-Type"]) == (502, "UnhandledInvocationError")
    assert response.json()["ErrorCode"] == "BadResponse"


@pytest.mark.parametrize("is_text", [True, False])
def test_a_body_that_is_streamed_past_the_buffer(client: WireClient, is_text: bool) -> None:
    body = ("ä" * 5 if is_text else "\u00ff\u0001").encode("utf-8" if is_text else "latin-1")
    body *= 9 * MIB // len(body)
    answer = client.ask("/digest", "POST", body=body).body.decode()
    assert answer == f"{len(body)} {hashlib.sha256(body).hexdigest()} {not is_text}"


def test_a_default_url(client: WireClient) -> None:
    event = client.ask("/2016-08-15/proxy/svc.prod/fn/a%20b?c=d").json()
    assert event["rawPath"] == "/a%20b"
    assert event["queryParameters"] == {"c": "d"}


def test_the_exact_environ_changes_no_event(impatient: Gateway) -> None:
    with impatient.connect() as client:
        event = client.ask("/%C3%A4").json()
    assert (event["rawPath"], event["requestContext"]["http"]["path"]) == ("/%C3%A4", "/ä")
    assert event["headers"] == {"Host": "gateway.test"}


# InvokeFunction.


def test_the_event_is_the_body(client: WireClient) -> None:
    for event in (b"", b"\xff\x00", "Grüße".encode(), b"x" * 100_000):
        for target in (INVOKE, INVOKE_3):
            response = invoke(client, event, target)
            assert (response.status, response.body) == (200, event)
            assert response["Content-Type"] == "application/octet-stream"
            assert not response.has("X-Fc-Error-Type")
            assert not response.closes


@pytest.mark.parametrize(
    ("target", "service", "qualifier", "function"),
    [
        (INVOKE, "svc", "prod", "fn"),
        (INVOKE.replace(".prod", ""), "svc", "LATEST", "fn"),
        (INVOKE_3, "own", "LATEST", "fn"),
        (INVOKE_3 + "?qualifier=7", "own", "7", "fn"),
    ],
)
def test_the_context_tells_what_the_url_names(
    client: WireClient, target: str, service: str, qualifier: str, function: str
) -> None:
    response = invoke(client, {"do": "context"}, target)
    context = response.json()
    assert (context["service"]["name"], context["service"]["qualifier"]) == (service, qualifier)
    assert (context["function"]["name"], context["function"]["handler"]) == (
        function,
        "events:handler",
    )
    assert context["requestId"] == response["X-Fc-Request-Id"]
    assert context["accountId"] == "1234567890"


@pytest.mark.parametrize("target", [INVOKE, INVOKE_3])
def test_a_function_that_fails_was_invoked_all_the_same(client: WireClient, target: str) -> None:
    unspeakable = {"do": "result", "name": "unspeakable"}
    for event, kind in (({"do": "raise"}, "LookupError"), (unspeakable, "TypeError")):
        response = invoke(client, event, target)
        assert (response.status, response["X-Fc-Error-Type"]) == (200, "UnhandledInvocationError")
        assert response["Content-Type"] == "application/json"
        assert response.json()["errorType"] == kind
        assert response.json()["stackTrace"]
        assert not response.closes


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("GET", INVOKE.removesuffix("/invocations")),
        ("PUT", INVOKE_3.replace("invocations", "Invocations")),
        ("POST", "/x" + INVOKE),
        ("POST", INVOKE.replace("functions", "function")),
    ],
)
def test_other_requests_are_http_events(client: WireClient, method: str, target: str) -> None:
    event = client.ask(target, method, body=b"").json()
    assert event["rawPath"] == target
    assert event["requestContext"]["http"]["method"] == method


@pytest.mark.parametrize("excess", [-1, 0, 1])
def test_the_limit_of_an_event(events: Gateway, excess: int) -> None:
    size = 32 * MIB + excess
    with events.connect() as client:
        client.send(f"POST {INVOKE} HTTP/1.1\r\nHost: h\r\nContent-Length: {size}\r\n\r\n".encode())
        if excess > 0:
            response = client.read_response()
            assert (response.status, response["X-Fc-Error-Type"]) == (400, "FcCommonError")
            assert response.json()["ErrorCode"] == "InvalidArgument"
            return
        sender = threading.Thread(target=client.send, args=(b"x" * size,))
        sender.start()
        response = client.read_response()
        sender.join()
        assert response.status == 200
        assert len(response.body) == size


@pytest.mark.parametrize("excess", [-1, 0, 1])
def test_the_limit_of_an_asynchronous_event(client: WireClient, excess: int) -> None:
    event = b"x" * (128 * 1024 + excess)
    response = invoke(client, event, X_Fc_Invocation_Type="Async")
    if excess <= 0:
        assert (response.status, response.body) == (202, b"")
        return
    assert (response.status, response["X-Fc-Error-Type"]) == (400, "FcCommonError")
    assert response.json()["ErrorCode"] == "InvalidArgument"


def test_an_asynchronous_invocation(client: WireClient) -> None:
    response = invoke(client, {"do": "note", "text": "later"}, X_Fc_Invocation_Type="Async")
    assert (response.status, response.body) == (202, b"")
    assert not response.has("X-Fc-Error-Type")
    expected = ["later", response["X-Fc-Request-Id"]]
    wait_until(
        lambda: expected in invoke(client, {"do": "notes"}).json(), "the function has been run"
    )


def test_eight_at_a_time(events: Gateway) -> None:
    def meet(_: int) -> int:
        with events.connect() as client:
            return int(invoke(client, {"do": "meet"}).body)

    with ThreadPoolExecutor(8) as executor:
        assert sorted(executor.map(meet, range(8))) == list(range(8))


def test_pipelined_invocations_and_requests(client: WireClient) -> None:
    request = f"POST {INVOKE} HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n".encode()
    client.send((request + b"ab" + b"GET /result/text HTTP/1.1\r\nHost: h\r\n\r\n") * 3)
    for _ in range(3):
        assert client.read_response().body == b"ab"
        assert client.read_response().body == "Grüße".encode()


# Time and room.


@pytest.mark.parametrize(("target", "status"), [("/sleep/5", 502), (INVOKE, 200), (INVOKE_3, 200)])
def test_a_handler_past_its_time(impatient: Gateway, target: str, status: int) -> None:
    event = b'{"do":"sleep","seconds":1}'
    with impatient.connect() as client:
        response = client.ask(target, "POST", body=event)
        assert (response.status, response["X-Fc-Error-Type"]) == (
            status,
            "UnhandledInvocationError",
        )
        assert response.json() == {"errorMessage": "Function time out after 0.5 seconds"}


def test_a_full_queue_refuses_invocations_with_its_own_status(
    impatient: Gateway, tmp_path: Path
) -> None:
    hold = json.dumps({"do": "hold", "folder": str(tmp_path)}).encode()
    with impatient.connect() as first, impatient.connect() as second, impatient.connect() as third:
        first.request(INVOKE, "POST", body=hold)
        wait_until((tmp_path / "held").exists, "the handler runs")
        second.request(INVOKE, "POST", body=b"second")
        assert not second.has_answer_within(0.05)
        refused = third.ask(INVOKE, "POST", body=b"third")
        (tmp_path / "go").touch()
        assert (refused.status, refused["X-Fc-Error-Type"]) == (429, "FcCommonError")
        assert refused.json()["Code"] == "ResourceExhausted"
        assert second.read_response().body == b"second"


def test_events_in_a_container(start_gateway: StartGateway) -> None:
    gateway = start_gateway("events:handler", "--profile", "custom-container")
    with gateway.connect() as client:
        assert invoke(client, b"\xff\x00", "/invoke").body == b"\xff\x00"
        context = invoke(client, {"do": "context"}, "/invoke").json()
        assert context["function"]["name"] == "events"
        failed = invoke(client, {"do": "raise"}, "/invoke")
        assert (failed.status, failed["X-Fc-Error-Type"]) == (502, "UnhandledInvocationError")
        event = client.ask(INVOKE, "POST", body=b"text").json()
        assert (event["rawPath"], event["body"]) == (INVOKE, "text")


# The command.


def test_check_says_what_it_is(tmp_path: Path) -> None:
    checked = run_command("check", "events:handler", "--chdir", str(HANDLERS), folder=tmp_path)
    assert checked.stdout.startswith("events:handler: event handler handler of events; 8 threads")


@pytest.mark.parametrize(
    "result", ["float('nan')", "{'a': [float('inf')]}", "{'statusCode': 200, 'a': float('nan')}"]
)
def test_a_result_that_is_no_json(start_gateway: StartGateway, result: str) -> None:
    source = f"""
        def handler(event, context):
            return {result}
    """
    gateway = start_gateway("nan.handler", "--workers", "0", source=source)
    with gateway.connect() as client:
        for target, status in (("/", 502), (INVOKE, 200)):
            failed = client.ask(target, "POST", body=b"{}")
            assert (failed.status, failed["X-Fc-Error-Type"]) == (
                status,
                "UnhandledInvocationError",
            )
            assert failed.json()["errorType"] == "ValueError"


# Function Compute's API, of which InvokeFunction is served.

INVOKE_2021 = "/2021-04-06/services/svc/functions/fn/invocations?qualifier=prod"
NOT_SERVED = [
    ("GET", "/2016-08-15/services/svc/functions/fn/stateful-async-invocations"),
    ("PUT", "/2021-04-06/services/svc/functions/fn/stateful-async-invocations/a-task"),
    ("GET", "/2023-03-30/functions/fn/async-tasks?limit=10"),
    ("GET", "/2023-03-30/functions/fn/async-tasks/a-task"),
    ("PUT", "/2023-03-30/functions/fn/async-tasks/a-task/stop"),
    ("GET", INVOKE_3),
    ("POST", "/2021-04-06/services/1bad/functions/fn/invocations"),
]


def test_every_version_of_invoke_function(client: WireClient) -> None:
    for target, service, qualifier in (
        (INVOKE, "svc", "prod"),
        (INVOKE_2021, "svc", "prod"),
        (INVOKE_3 + "?qualifier=prod", "own", "prod"),
    ):
        context = invoke(client, {"do": "context"}, target).json()
        assert (context["function"]["name"], context["service"]["name"]) == ("fn", service)
        assert context["service"]["qualifier"] == qualifier
        failed = invoke(client, {"do": "raise"}, target)
        assert (failed.status, failed["X-Fc-Error-Type"]) == (200, "UnhandledInvocationError")
        assert invoke(client, {}, target, X_Fc_Invocation_Type="Async").status == 202


@pytest.mark.parametrize(("method", "target"), NOT_SERVED)
def test_what_is_not_served_of_the_api_is_refused(
    client: WireClient, method: str, target: str
) -> None:
    """As FC refuses paths that it does not have; also asynchronously, and the connection stays."""
    body = None if method == "GET" else b"{}"
    for fields in ([], [("X-Fc-Invocation-Type", "Async")]):
        refused = client.ask(target, method, fields=fields, body=body)
        assert (refused.status, refused["X-Fc-Error-Type"]) == (400, "FcCommonError")
        path = target.partition("?")[0]
        assert refused.json() == {
            "ErrorCode": "PathNotSupported",
            "ErrorMessage": f"'{method}' against '{path}' is not supported",
        }
    assert client.ask("/").status == 200


@pytest.mark.parametrize("target", ["recording:handler", "counting:application"])
def test_wsgi_and_asgi_have_no_invocations(start_gateway: StartGateway, target: str) -> None:
    """They are invoked by HTTP, as functions with an HTTP handler are on FC."""
    gateway = start_gateway(target, "--error-style", "plain")
    with gateway.connect() as client:
        for path in (INVOKE, INVOKE_2021, INVOKE_3, "/2023-03-30/functions/fn/async-tasks"):
            refused = client.ask(path, "POST", body=b"event")
            assert (refused.status, refused["Content-Type"]) == (404, "application/problem+json")
        for path in ("/2016-08-15/proxy/svc/fn/invocations", "/2023-03-30/functions/fn"):
            assert client.ask(path, "POST", body=b"event").status == 200


def test_in_a_container_such_paths_are_the_application_s(start_gateway: StartGateway) -> None:
    """Function Compute itself has its API, before the container."""
    gateway = start_gateway("counting:handler", "--profile", "custom-container")
    with gateway.connect() as client:
        assert client.ask("/2023-03-30/functions/fn/async-tasks").json()["method"] == "GET"
