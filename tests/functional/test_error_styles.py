"""The gateway's own answers in the styles of Function Compute 3.0 and of plain HTTP."""

import re
import uuid
from collections.abc import Callable
from contextlib import ExitStack
from email.utils import formatdate
from typing import Any

import pytest
from functional.conftest import Gates
from functional.serving import Gateway, wait_until
from functional.wire import Response, WireClient

StartGateway = Callable[..., Gateway]

CROWDED = (
    "--threads", "1", "--queue", "1", "--queue-timeout", "600ms", "--handler-timeout", "1500ms",
    "--max-connections", "4", "--head-timeout", "500ms", "--max-body", "1000", "--max-async-body",
    "100", "--body-buffer", "1KB",
)  # fmt: skip


@pytest.fixture(scope="module")
def shared_gates(tmp_path_factory: pytest.TempPathFactory) -> Gates:
    return Gates(tmp_path_factory.mktemp("gates"))


@pytest.fixture(scope="module")
def plain(start_shared_gateway: StartGateway, shared_gates: Gates) -> Gateway:
    options = ("--error-style", "plain", *CROWDED)
    return start_shared_gateway("answers:handler", *options, environ=shared_gates.environ)


@pytest.fixture(scope="module")
def plain_asgi(start_shared_gateway: StartGateway) -> Gateway:
    options = ("--error-style", "plain", "--handler-timeout", "300ms", "--threads", "1")
    return start_shared_gateway("answers:app", *options, "--queue", "0")


@pytest.fixture(scope="module")
def third(start_shared_gateway: StartGateway, shared_gates: Gates) -> Gateway:
    options = ("--error-style", "fc3", "--tracebacks", *CROWDED)
    return start_shared_gateway("answers:handler", *options, environ=shared_gates.environ)


def check_problem(response: Response, status: int, code: str) -> dict[str, Any]:
    """It is a problem of RFC 9457, and nothing of Function Compute but the request id."""
    assert response.status == status, response
    assert response["Content-Type"] == "application/problem+json"
    assert not response.has("X-Fc-Error-Type")
    problem: dict[str, Any] = response.json()
    request_id = response["X-Fc-Request-Id"]
    assert str(uuid.UUID(request_id)) == request_id
    assert problem.pop("type") == "about:blank"
    assert problem.pop("title") == response.reason
    assert problem.pop("status") == status
    assert problem.pop("code") == code
    assert problem.pop("instance") == f"urn:uuid:{request_id}"
    return problem


def raw(head: str, body: bytes = b"") -> bytes:
    return f"{head}\r\nHost: a\r\n\r\n".encode("latin-1") + body


REFUSED = [
    ("a body that is too large", raw("POST / HTTP/1.1\r\nContent-Length: 1001"), 413,
     "BodyTooLarge"),
    ("the same of an asynchronous request",
     raw("POST / HTTP/1.1\r\nX-Fc-Invocation-Type: Async\r\nContent-Length: 101"), 413,
     "BodyTooLarge"),
    ("a chunk that is too large",
     raw("POST / HTTP/1.1\r\nTransfer-Encoding: chunked", b"3e9\r\n"), 413, "BodyTooLarge"),
    ("a path that is too long", raw(f"GET /{'p' * 4096} HTTP/1.1"), 414, "PathTooLong"),
    ("headers that are too large", raw(f"GET / HTTP/1.1\r\nA: {'a' * 8192}"), 431,
     "HeadersTooLarge"),
    ("too many headers", raw("GET / HTTP/1.1\r\n" + "\r\n".join(["a:"] * 8193)), 431,
     "HeadersTooLarge"),
    ("no request", b"rubbish\r\n\r\n", 400, "MalformedRequest"),
    ("an expectation", raw("GET / HTTP/1.1\r\nExpect: wonders"), 417, "ExpectationFailed"),
    ("a method that is unknown", raw("CONNECT a:80 HTTP/1.1"), 501, "NotImplementedByGateway"),
    ("a version that is unknown", raw("GET / HTTP/3.0"), 505, "VersionNotSupported"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("request_bytes", "status", "code"),
    [case[1:] for case in REFUSED],
    ids=[case[0] for case in REFUSED],
)
def test_refused_requests(plain: Gateway, request_bytes: bytes, status: int, code: str) -> None:
    with plain.connect() as client:
        client.send(request_bytes)
        response = client.read_response()
        problem = check_problem(response, status, code)
        assert list(problem) == ["detail"]
        assert response.closes


@pytest.mark.parametrize(("size", "status"), [(999, 200), (1000, 200), (1001, 413)])
def test_the_limits_are_the_same(plain: Gateway, size: int, status: int) -> None:
    with plain.connect() as client:
        assert client.ask("/", "POST", body=bytes(size)).status == status


def test_a_late_request(plain: Gateway) -> None:
    with plain.connect() as client:
        client.send(b"GET / HT")
        response = client.read_response()
        check_problem(response, 408, "RequestTimeout")
        assert response.closes


@pytest.mark.parametrize("style", ["plain", "third"])
@pytest.mark.parametrize(("target", "length"), [("/raise", 0), ("/header/9000", 0), ("/", 5000)])
def test_head_has_the_length_and_no_body(
    request: pytest.FixtureRequest, style: str, target: str, length: int
) -> None:
    gateway: Gateway = request.getfixturevalue(style)
    fields = [("Content-Length", str(length))] if length else []
    with gateway.connect() as client:
        told = client.ask(target, fields=fields)
    with gateway.connect() as client:
        response = client.ask(target, "HEAD", fields=fields)
        assert response.status == told.status >= 400
        assert int(response["Content-Length"]) == len(told.body)
        if length:
            client.expect_close()
        else:
            assert client.ask("/fine").body == b"fine"


@pytest.mark.parametrize(
    "head",
    [
        f"HEAD /{'p' * 4096} HTTP/1.1\r\nHost: a",
        f"HEAD / HTTP/1.1\r\nHost: a\r\nA: {'a' * 8192}",
        "HEAD / HTTP/1.1",
        "HEAD / HTTP/3.0\r\nHost: a",
        "HEAD /\0 HTTP/1.1\r\nHost: a",
        "\r\n\r\nHEAD / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip",
    ],
)
@pytest.mark.parametrize("is_cut", [False, True])
def test_no_refusal_of_head_has_a_body(plain: Gateway, head: str, is_cut: bool) -> None:
    with plain.connect() as client:
        data = f"{head}\r\n\r\n".encode()
        if is_cut:
            client.send_in_pieces(data[:12])
            data = data[12:]
        client.send(data)
        response = client.read_response("HEAD")
        assert response.status >= 400
        assert int(response["Content-Length"]) > 100
        client.expect_close()


def test_a_failed_handler(plain: Gateway) -> None:
    with plain.connect() as client:
        for target in ("/raise", "/late"):
            response = client.ask(target)
            problem = check_problem(response, 500, "HandlerFailed")
            assert problem == {"detail": "the handler failed"}
        assert client.ask("/fine").body == b"fine"
    assert "the password is 1234" in plain.errors


def test_a_failed_handler_with_tracebacks(start_gateway: StartGateway) -> None:
    gateway = start_gateway("answers:handler", "--error-style", "plain", "--tracebacks")
    with gateway.connect() as client:
        problem = check_problem(client.ask("/raise"), 500, "HandlerFailed")
    assert problem["detail"] == "the password is 1234"
    assert problem["errorType"] == "ValueError"
    *_, (where, line) = problem["stackTrace"]
    assert "answers.py" in where
    assert line.startswith("raise ValueError")


def test_response_headers_that_are_too_large(plain: Gateway) -> None:
    with plain.connect() as client:
        problem = check_problem(client.ask("/header/9000"), 500, "BadResponse")
        assert "8192 bytes" in problem["detail"]
        assert client.ask("/header/8000").status == 200


def occupy(gateway: Gateway, gates: Gates, name: str, stack: ExitStack) -> WireClient:
    """Somebody who has the only thread until the gate is opened."""
    client: WireClient = stack.enter_context(gateway.connect())
    client.request(f"/until/{name}")
    gates.await_start(name)
    return client


def is_free(gateway: Gateway) -> bool:
    with gateway.connect() as client:
        return client.ask("/fine").status == 200


def test_overload_as_problems(plain: Gateway, shared_gates: Gates) -> None:
    with ExitStack() as stack:
        running = occupy(plain, shared_gates, "plain", stack)
        waiting = stack.enter_context(plain.connect())
        waiting.request("/fine")
        refused = stack.enter_context(plain.connect())
        response = refused.ask("/fine")
        check_problem(response, 503, "QueueFull")
        assert response["Retry-After"] == "1"
        assert not response.closes
        response = waiting.read_response()
        check_problem(response, 503, "QueueTimeout")
        assert response["Retry-After"] == "1"
        shared_gates.open("plain")
        assert running.read_response().body == b"fine"


def test_a_connection_too_many_is_told_a_problem(plain: Gateway) -> None:
    with ExitStack() as stack:
        for _ in range(4):
            client = stack.enter_context(plain.connect())
            client.request("/", "POST", [("Content-Length", "10"), ("Expect", "100-continue")])
            assert client.read_head().status == 100  # It has a request under way.
        client = stack.enter_context(plain.connect())
        response = client.read_response()
        check_problem(response, 503, "ConnectionLimit")
        assert response["Retry-After"] == "1"
        assert response.closes
    wait_until(lambda: is_free(plain), "the gateway has seen that they have left")


def test_a_handler_past_its_time(plain: Gateway) -> None:
    with plain.connect() as client:
        problem = check_problem(client.ask("/sleep/3"), 504, "HandlerTimeout")
        assert "1.5 seconds" in problem["detail"]


@pytest.mark.parametrize(
    ("target", "status", "code"),
    [
        ("/raise", 500, "HandlerFailed"),
        ("/header", 500, "BadResponse"),
        ("/sleep", 504, "HandlerTimeout"),
    ],
)
def test_asgi_applications(plain_asgi: Gateway, target: str, status: int, code: str) -> None:
    with plain_asgi.connect() as client:
        response = client.ask(target)
        problem = check_problem(response, status, code)
        assert "1234" not in problem["detail"]


def test_overload_of_asgi_applications(plain_asgi: Gateway) -> None:
    with plain_asgi.connect() as busy:
        busy.request("/sleep")
        with plain_asgi.connect() as client:
            check_problem(client.ask("/"), 503, "QueueFull")
        check_problem(busy.read_response(), 504, "HandlerTimeout")


def test_who_does_not_sign(start_gateway: StartGateway) -> None:
    options = ("--auth", "function", "--methods", "GET,PUT", "--error-style", "plain")
    keys = {"FC_ACCESS_KEYS": "LTAI-one:secret-of-one-0123456789"}
    gateway = start_gateway("answers:handler", *options, environ=keys)
    signed = [("Date", formatdate(usegmt=True)), ("Authorization", "FC LTAI-one:AAAA")]
    unknown = [signed[0], ("Authorization", "FC LTAI-two:AAAA")]
    with gateway.connect() as client:
        for fields, code in (
            ([], "CredentialMissing"),
            (signed, "SignatureNotMatch"),
            (unknown, "UnknownAccessKey"),
        ):
            response = client.ask("/fine", fields=fields)
            check_problem(response, 401, code)
            assert response["WWW-Authenticate"] == "FC"
        response = client.ask("/fine", "POST")
        check_problem(response, 405, "MethodNotAllowed")
        assert response["Allow"] == "GET, PUT"


def test_asynchronous_requests_are_accepted_as_ever(plain: Gateway) -> None:
    with plain.connect() as client:
        response = client.ask(fields=[("X-Fc-Invocation-Type", "Async")])
    assert (response.status, response.body) == (202, b"")


# Function Compute 3.0.

ID_3 = re.compile(r"1-[0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{12}")


def check_third(response: Response, status: int, code: str) -> str:
    assert response.status == status
    assert response["Content-Type"] == "application/json"
    assert response["X-Fc-Error-Type"] in ("FcCommonError", "UnhandledInvocationError")
    request_id = response["X-Fc-Request-Id"]
    assert ID_3.fullmatch(request_id)
    content = response.json()
    message: str = content.pop("Message")
    assert content == {"Code": code, "RequestId": request_id}
    return message


@pytest.mark.parametrize(
    ("request_bytes", "status", "code"),
    [
        (REFUSED[0][1], 400, "InvalidArgument"),
        (REFUSED[3][1], 400, "InvalidArgument"),
        (REFUSED[4][1], 400, "InvalidArgument"),
        (REFUSED[6][1], 400, "InvalidArgument"),
        (b"GET /header/9000 HTTP/1.1\r\nHost: a\r\n\r\n", 502, "BadResponse"),
    ],
)
def test_refusals_of_3(third: Gateway, request_bytes: bytes, status: int, code: str) -> None:
    with third.connect() as client:
        client.send(request_bytes)
        assert check_third(client.read_response(), status, code)


def test_overload_of_3(third: Gateway, shared_gates: Gates) -> None:
    with ExitStack() as stack:
        running = occupy(third, shared_gates, "third", stack)
        waiting = stack.enter_context(third.connect())
        waiting.request("/fine")
        client = stack.enter_context(third.connect())
        response = client.ask("/fine")
        check_third(response, 429, "ResourceExhausted")
        assert response["Retry-After"] == "1"
        check_third(waiting.read_response(), 503, "ResourceThrottled")
        shared_gates.open("third")
        assert running.read_response().status == 200


def test_failures_of_functions_are_told_as_2_tells_them(third: Gateway) -> None:
    with third.connect() as client:
        response = client.ask("/raise")
        assert response.status == 502
        assert response["X-Fc-Error-Type"] == "UnhandledInvocationError"
        content = response.json()
        assert content.pop("stackTrace")
        assert content == {"errorMessage": "the password is 1234", "errorType": "ValueError"}
        assert client.ask("/sleep/3").json() == {
            "errorMessage": "Function time out after 1.5 seconds"
        }


def test_the_ids_of_3_are_those_of_the_context(third: Gateway) -> None:
    def is_served() -> bool:
        with third.connect() as client:
            return client.ask("/fine").status == 200

    wait_until(is_served, "another worker has taken over from one that was stuck")
    ids = set()
    with third.connect() as client:
        for _ in range(600):  # More than two batches.
            response = client.ask("/fine")
            assert ID_3.fullmatch(response["X-Fc-Request-Id"])
            ids.add(response["X-Fc-Request-Id"])
        response = client.ask("/id")
    assert len(ids) == 600
    assert response.body.decode() == response["X-Fc-Request-Id"]
