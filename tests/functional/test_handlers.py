"""What a handler may do, and what becomes of it when it does something else (PEP 3333)."""

import contextlib
import json
import re
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from functional.serving import Gateway, wait_until
from functional.wire import Response, Truncated, WireClient

StartGateway = Callable[..., Gateway]


@pytest.fixture(scope="module")
def catalogue(start_shared_gateway: StartGateway) -> Gateway:
    return start_shared_gateway("catalogue:handler", "--threads", "2", "--tracebacks")


@pytest.fixture
def client(catalogue: Gateway) -> Iterator[WireClient]:
    with catalogue.connect() as connection:
        yield connection


def notes(gateway: Gateway) -> list[str]:
    with gateway.connect() as client:
        found: list[str] = client.ask("/log").json()
        return found


def check_failed(response: Response, kind: str, message: str | None = None) -> dict[str, Any]:
    """It is FC's answer for a handler that failed."""
    assert response.status == 502
    assert response["X-Fc-Error-Type"] == "UnhandledInvocationError"
    assert response["Content-Type"] == "application/json"
    body: dict[str, Any] = response.json()
    assert set(body) == {"errorMessage", "errorType", "stackTrace"}
    assert body["errorType"] == kind
    if message is not None:
        assert body["errorMessage"] == message
    return body


# wsgiref's validator.


@pytest.fixture(scope="module")
def validated(start_shared_gateway: StartGateway) -> Iterator[Gateway]:
    gateway = start_shared_gateway("validated:handler")
    yield gateway
    errors = gateway.errors
    assert "AssertionError" not in errors, errors[-3000:]
    assert "without being closed" not in errors, errors[-3000:]


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
@pytest.mark.parametrize("form", ["list", "parts", "write", "lines"])
@pytest.mark.parametrize("body_form", ["none", "empty", "length", "chunked"])
def test_the_validator_finds_no_fault(
    validated: Gateway, method: str, form: str, body_form: str
) -> None:
    head = f"{method} /{form}?a=b HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\nX-A: b\r\n"
    more = {
        "none": "\r\n",
        "empty": "Content-Length: 0\r\n\r\n",
        "length": "Content-Length: 12\r\n\r\nsome content",
        "chunked": "Transfer-Encoding: chunked\r\n\r\nc\r\nsome content\r\n0\r\n\r\n",
    }[body_form]
    body = b"some content" if body_form in ("length", "chunked") else b""
    with validated.connect() as client:
        client.send((head + more).encode())
        response = client.read_response(method)
        assert response.status == 200, response.body
        assert response.body == (b"" if method == "HEAD" else f"{method} ".encode() + body)


@pytest.mark.parametrize("status", [204, 304])
def test_the_validator_finds_no_fault_without_content(validated: Gateway, status: int) -> None:
    with validated.connect() as client:
        response = client.ask(f"/list/{status}")
        assert response.status == status
        assert not response.has("Transfer-Encoding")
        assert client.ask("/list").status == 200


def test_wsgi_errors_is_standard_error(validated: Gateway) -> None:
    form = f"f{uuid.uuid4().hex}"
    with validated.connect() as client:
        assert client.ask(f"/{form}").status == 200
    wait_until(lambda: f"form {form}\n" in validated.errors, "the line is written")


# Right and leniently taken ways.


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/generator", b"one two"),
        ("/generator-function-late-head", b"late"),
        ("/empty-list", b""),
        ("/empty-parts", b""),
        ("/parts/x", b"one two"),
        ("/write", b"one two three"),
        ("/write-with-length", b"one two!"),
        ("/tuple-of-bytes", b"one two"),
        ("/file-wrapper/x/0", b""),
        ("/file-wrapper/x/1", b"f"),
        ("/file-wrapper/x/8192", b"f" * 8192),
        ("/file-wrapper/x/100000", b"f" * 100_000),
        ("/file-like-iterable", b"line 1\nline 2\n"),
        ("/bare-bytes", b"bare bytes"),
        ("/bare-text", "bare text: ü".encode()),
        ("/text-items", "text: ü and bytes".encode()),
        ("/text-parts", "text: ü".encode()),
        ("/bytearrays", b"one two"),
        ("/raising-in-close", b"one two"),
    ],
)
def test_results(client: WireClient, path: str, body: bytes) -> None:
    response = client.ask(path)
    assert response.status == 200
    assert response.body == body
    assert response["Content-Type"] == "text/plain"
    again = client.ask(path, "HEAD")
    assert again.status == 200
    assert client.ask("/empty-list").status == 200  # The connection is in step.


@pytest.mark.parametrize(
    "path", ["/empty-list", "/empty-parts", "/tuple-of-bytes", "/bare-bytes", "/text-items"]
)
def test_a_length_is_told_where_it_is_known(client: WireClient, path: str) -> None:
    response = client.ask(path)
    assert response["Content-Length"] == str(len(response.body))


@pytest.mark.parametrize("path", ["/bare-bytes", "/text-items", "/reserved"])
def test_what_is_leniently_taken_is_warned_of_once(start_gateway: StartGateway, path: str) -> None:
    gateway = start_gateway("catalogue:handler")
    with gateway.connect() as client:
        assert client.ask("/empty-list").status == 200
        assert "WARNING" not in gateway.errors
        for _ in range(5):
            assert client.ask(path).status == 200
    warnings = [line for line in gateway.errors.splitlines() if "WARNING" in line]
    assert warnings
    assert len(warnings) == len({line.partition("WARNING")[2] for line in warnings})


@pytest.mark.parametrize(
    "path",
    [
        "/parts/NAME",
        "/empty-parts/NAME",
        "/file-wrapper/NAME/100000",
        "/raising-in-first-part/NAME",
        "/raising-after-empty-part/NAME",
    ],
)
def test_close_is_called(catalogue: Gateway, client: WireClient, path: str) -> None:
    name = uuid.uuid4().hex
    client.ask(path.replace("NAME", name))
    wait_until(lambda: notes(catalogue).count(f"{name} closed") == 1, "close() is called")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_close_is_called_once(catalogue: Gateway, client: WireClient, method: str) -> None:
    name = uuid.uuid4().hex
    client.ask(f"/parts/{name}", method)
    client.ask("/empty-list")
    wait_until(lambda: f"{name} closed" in notes(catalogue), "close() is called")
    assert notes(catalogue).count(f"{name} closed") == 1


@pytest.mark.parametrize("path", ["/endless/NAME", "/waiting/NAME"])
@pytest.mark.parametrize("leave", [WireClient.reset, WireClient.close])
def test_close_is_called_when_the_client_leaves(
    catalogue: Gateway, path: str, leave: Callable[[WireClient], None]
) -> None:
    name = uuid.uuid4().hex
    with catalogue.connect() as client:
        client.request(path.replace("NAME", name))
        client.read_exactly(200)
        assert f"{name} closed" not in notes(catalogue)
        leave(client)
    wait_until(lambda: notes(catalogue).count(f"{name} closed") == 1, "close() is called")


def test_exc_info_before_the_head_replaces_it(client: WireClient) -> None:
    response = client.ask("/exc-info-before")
    assert (response.status, response.reason) == (500, "Replaced")
    assert response["X-Replaced"] == "yes"
    assert not response.has("Content-Type")
    assert response.body == b"sorry"


def test_fields_keep_order_and_repetitions(client: WireClient) -> None:
    response = client.ask("/many-fields")
    assert response.values("Set-Cookie") == ["a=1", "b=2"]
    assert response["X-Latin"] == "Zo\xeb"


@pytest.mark.parametrize(
    ("path", "status", "reason"),
    [
        ("/status/200", 200, "OK"),
        ("/status/404", 404, "Not Found"),
        ("/status/418/I%20am%20a%20teapot", 418, "I am a teapot"),
        ("/status/299", 299, ""),
        ("/status/599/Own", 599, "Own"),
        ("/status/999/Odd", 999, "Odd"),
    ],
)
def test_statuses(client: WireClient, path: str, status: int, reason: str) -> None:
    response = client.ask(path)
    assert (response.status, response.reason) == (status, reason)
    assert response.body == b"body"


@pytest.mark.parametrize("form", ["body-where-none-may-be", "body-in-parts-where-none-may-be"])
@pytest.mark.parametrize("code", [204, 304])
def test_a_body_where_none_may_be_is_dropped(client: WireClient, form: str, code: int) -> None:
    for _ in range(2):
        response = client.ask(f"/{form}/{code}")
        assert response.status == code
        assert not response.has("Transfer-Encoding")
    assert client.ask("/generator").body == b"one two"


def test_head_tells_the_length_that_get_would_have(client: WireClient) -> None:
    assert client.ask("/length-of-head", "HEAD")["Content-Length"] == "1234"
    assert client.ask("/tuple-of-bytes", "HEAD")["Content-Length"] == "7"
    assert client.ask("/length-of-head")["Content-Length"] == "1234"


def test_reserved_fields_are_dropped(client: WireClient) -> None:
    response = client.ask("/reserved")
    assert response.status == 200
    assert "forged" not in str(response.fields)
    assert response["X-Kept"] == "yes"
    assert response["X-Fc-Request-Id"]
    assert response["Date"]


def test_context_variables_are_fresh_for_each_request(start_gateway: StartGateway) -> None:
    gateway = start_gateway("catalogue:handler", "--threads", "1")
    with gateway.connect() as client:
        for _ in range(3):
            assert client.ask("/variable").body == b"unset set"


@pytest.mark.parametrize(
    ("target", "body"),
    [
        ("catalogue:instance", b"instance"),
        ("catalogue:method", b"method"),
        ("catalogue:instance.method", b"method"),
        ("catalogue:Class", b"class /x"),
        ("catalogue.instance", b"instance"),
    ],
)
def test_kinds_of_handlers(start_gateway: StartGateway, target: str, body: bytes) -> None:
    with start_gateway(target).connect() as client:
        for _ in range(2):
            response = client.ask("/x")
            assert response.status == 200
            assert response.body == body


# Faults before the head has been sent.


@pytest.mark.parametrize(
    ("path", "kind", "message"),
    [
        ("/raising", "ValueError", "before the head"),
        ("/raising-behind-start-response", "KeyError", "'behind start_response'"),
        ("/raising-in-first-part/x", "ValueError", "in the first part"),
        ("/raising-after-empty-part/x", "ValueError", "behind an empty part"),
        ("/raising-without-text", "Silent", None),
        ("/system-exit", "SystemExit", "ending the process"),
        ("/keyboard-interrupt", "KeyboardInterrupt", ""),
        ("/generator-exit", "GeneratorExit", ""),
        ("/no-start-response", "RuntimeError", None),
        ("/no-start-response-parts", "RuntimeError", None),
        ("/twice", "RuntimeError", None),
        ("/none", "TypeError", None),
        ("/number", "TypeError", None),
        ("/numbers", "TypeError", None),
        ("/dictionary-items", "TypeError", None),
        ("/bad-head/status-number", "TypeError", None),
        ("/bad-head/status-bytes", "TypeError", None),
        ("/bad-head/status-none", "TypeError", None),
        ("/bad-head/status-word", "ValueError", None),
        ("/bad-head/status-short", "ValueError", None),
        ("/bad-head/status-interim", "ValueError", None),
        ("/bad-head/status-switch", "ValueError", None),
        ("/bad-head/status-line-break", "ValueError", None),
        ("/bad-head/fields-none", "TypeError", None),
        ("/bad-head/fields-dict", "TypeError", None),
        ("/bad-head/field-list", "TypeError", None),
        ("/bad-head/field-triple", "TypeError", None),
        ("/bad-head/name-bytes", "TypeError", None),
        ("/bad-head/name-empty", "ValueError", None),
        ("/bad-head/name-space", "ValueError", None),
        ("/bad-head/name-colon", "ValueError", None),
        ("/bad-head/name-line-break", "ValueError", None),
        ("/bad-head/value-bytes", "TypeError", None),
        ("/bad-head/value-number", "TypeError", None),
        ("/bad-head/value-none", "TypeError", None),
        ("/bad-head/value-line-break", "ValueError", None),
        ("/bad-head/value-line-feed", "ValueError", None),
        ("/bad-head/value-nul", "ValueError", None),
        ("/bad-head/value-beyond-latin-1", "ValueError", None),
        ("/bad-head/length-negative", "ValueError", None),
        ("/bad-head/length-word", "ValueError", None),
        ("/bad-head/length-twice", "ValueError", None),
        ("/bad-head/transfer-encoding", "ValueError", None),
        ("/bad-head/te", "ValueError", None),
        ("/bad-head/trailer", "ValueError", None),
        ("/bad-head/proxy-connection", "ValueError", None),
        ("/bad-head/proxy-authenticate", "ValueError", None),
    ],
)
def test_faults_of_handlers(client: WireClient, path: str, kind: str, message: str | None) -> None:
    for _ in range(2):
        response = client.ask(path)
        check_failed(response, kind, message)
        assert not response.has("X-Evil")
    assert client.ask("/generator").body == b"one two"  # Neither connection nor thread is lost.


def test_the_stack_trace_shows_the_own_code_only(client: WireClient) -> None:
    body = check_failed(client.ask("/raising"), "ValueError")
    *_, (where, line) = body["stackTrace"]
    assert re.fullmatch(r'File ".*/catalogue\.py", line \d+, in raising', where)
    assert line == 'raise ValueError("before the head")'
    assert all("/gateway/" not in where for where, _ in body["stackTrace"])


def test_the_stack_trace_is_hidden_by_default(start_gateway: StartGateway) -> None:
    gateway = start_gateway("catalogue:handler")
    with gateway.connect() as client:
        body = check_failed(client.ask("/raising"), "ValueError", "before the head")
    assert body["stackTrace"] == []
    assert 'raise ValueError("before the head")' in gateway.errors  # The log has it.


def test_faults_are_logged_with_their_request_id(catalogue: Gateway, client: WireClient) -> None:
    response = client.ask("/raising")
    wait_until(lambda: response["X-Fc-Request-Id"] in catalogue.errors, "the fault is logged")


def test_a_fault_answers_head_without_a_body(client: WireClient) -> None:
    response = client.ask("/raising", "HEAD")
    assert response.status == 502
    assert client.ask("/generator").body == b"one two"


# Faults behind the head.


@pytest.mark.parametrize(
    "path",
    ["/raising-after-head/NAME", "/raising-after-head-with-length/NAME", "/exc-info-after/NAME"],
)
def test_a_fault_behind_the_head_is_visible_as_truncation(
    catalogue: Gateway, client: WireClient, path: str
) -> None:
    name = uuid.uuid4().hex
    client.request(path.replace("NAME", name))
    assert client.read_head().status == 200
    with contextlib.suppress(ConnectionResetError):
        rest = client.read_to_end()
        assert not rest.endswith(b"0\r\n\r\n")
        assert b"HTTP/1.1" not in rest
        assert len(rest) < 100
    wait_until(lambda: f"{name} closed" in notes(catalogue), "close() is called")
    assert "too late" in catalogue.errors


def test_truncation_is_seen_by_a_strict_client(client: WireClient) -> None:
    with pytest.raises((Truncated, ConnectionResetError)):
        client.ask("/raising-after-head/x")


@pytest.mark.parametrize("form", ["list", "parts"])
def test_a_length_that_is_too_short_bounds_the_body(
    catalogue: Gateway, client: WireClient, form: str
) -> None:
    response = client.ask(f"/length-too-short/{form}")
    assert response.status == 200
    if form == "parts":
        assert response["Content-Length"] == "5"
    assert response.body[:5] == b"hello"
    assert len(response.body) == int(response["Content-Length"])
    with catalogue.connect() as other:
        assert other.ask("/generator").body == b"one two"
    if not response.closes:
        assert client.ask("/generator").body == b"one two"
    wait_until(
        lambda: f"{response['X-Fc-Request-Id']}: the body is longer" in catalogue.errors,
        "the fault is logged",
    )


def test_a_length_that_is_too_long_is_put_right_or_visible(
    catalogue: Gateway, client: WireClient
) -> None:
    response = client.ask("/length-too-long/list")
    assert response.body == b"hello"  # All is known before the head is sent.
    assert response["Content-Length"] == "5"
    client.request("/length-too-long/parts")
    head = client.read_head()
    assert head["Content-Length"] == "50"
    with contextlib.suppress(ConnectionResetError):
        assert client.read_to_end() == b"hello"
    wait_until(
        lambda: f"{head['X-Fc-Request-Id']}: the body is shorter" in catalogue.errors,
        "the fault is logged",
    )


# What Function Compute adds.


def test_context(start_gateway: StartGateway) -> None:
    source = """
        import json

        def handler(environ, start_response):
            start_response("200 OK", [("Content-Type", "application/json")])
            context = environ["fc.context"]
            return [json.dumps({
                "request_id": [context.request_id, context.requestId],
                "function": [context.function.name, context.function.handler,
                             context.function.memory, context.function.timeout],
                "service": [context.service.name, context.service.qualifier,
                            context.service.log_project, context.service.log_store],
                "region": context.region,
                "account_id": context.account_id,
                "credentials": [context.credentials.access_key_id,
                                context.credentials.accessKeySecret,
                                context.credentials.security_token],
                "json": json.loads(context.to_json()),
                "repr": repr(context) + str(context) + repr(context.credentials),
            }).encode()]
    """
    gateway = start_gateway(
        "index.handler", "--function-name", "fn", "--function-memory", "1GB",
        "--handler-timeout", "89.5s", "--service-name", "svc", "--qualifier", "7",
        "--region", "cn-hangzhou", "--account-id", "123", "--log-project", "lp",
        "--log-store", "ls",
        source=source,
        environ={
            "ALIBABA_CLOUD_ACCESS_KEY_ID": "key-id",
            "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "key-secret",
            "ALIBABA_CLOUD_SECURITY_TOKEN": "key-token",
        },
    )  # fmt: skip
    with gateway.connect() as client:
        response = client.ask("/")
    found = response.json()
    assert found["request_id"] == [response["X-Fc-Request-Id"]] * 2
    assert found["function"] == ["fn", "index.handler", 1024, 90]
    assert found["service"] == ["svc", "7", "lp", "ls"]
    assert (found["region"], found["account_id"]) == ("cn-hangzhou", "123")
    assert found["credentials"] == ["key-id", "key-secret", "key-token"]
    assert found["json"]["function"]["memory"] == 1024
    assert found["json"]["requestId"] == response["X-Fc-Request-Id"]
    assert "key-secret" not in found["repr"]
    assert "key-token" not in found["repr"]


@pytest.mark.parametrize(
    ("target", "path", "query", "owner"),
    [
        ("/2016-08-15/proxy/svc.qual/fn/a%20b/c?x=1", "/a b/c", "x=1", ("svc", "qual", "fn")),
        ("/2016-08-15/proxy/svc/fn/", "/", "", ("svc", "LATEST", "fn")),
        ("/2016-08-15/proxy/svc/fn", "/", "", ("svc", "LATEST", "fn")),
        ("/2016-08-15/proxy/svc.2/fn?q", "/", "q", ("svc", "2", "fn")),
        ("/2016-08-15/proxy/svc", "/2016-08-15/proxy/svc", "", ("own", "LATEST", "own-fn")),
        ("/2016-08-15/other/a/b", "/2016-08-15/other/a/b", "", ("own", "LATEST", "own-fn")),
    ],
)
def test_default_url(
    addressed: Gateway, target: str, path: str, query: str, owner: tuple[str, str, str]
) -> None:
    with addressed.connect() as client:
        found = json.loads(client.ask(target).body)
    assert found == {
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "SCRIPT_NAME": "",
        "fc.request_uri": target,
        "owner": [*owner],
    }


@pytest.fixture(scope="module")
def addressed(start_shared_gateway: StartGateway) -> Gateway:
    source = """
        import json

        def handler(environ, start_response):
            start_response("200 OK", [])
            context = environ["fc.context"]
            keys = ("PATH_INFO", "QUERY_STRING", "SCRIPT_NAME", "fc.request_uri")
            return [json.dumps({key: environ[key] for key in keys} | {
                "owner": [context.service.name, context.service.qualifier, context.function.name],
            }).encode()]
    """
    return start_shared_gateway(
        "index:handler", "--service-name", "own", "--function-name", "own-fn", source=source
    )


def test_the_environment_of_the_process_is_not_in_environ(start_gateway: StartGateway) -> None:
    gateway = start_gateway("recording:handler", environ={"SECRET_OF_MINE": "leaked-secret"})
    with gateway.connect() as client:
        assert "leaked-secret" not in client.ask("/").body.decode()
