"""Event handlers as WSGI applications, behind the bridge under another ASGI server."""

import asyncio
import json
from io import BytesIO
from urllib.parse import unquote

import pytest
from asgiref.testing import ApplicationCommunicator

from gateway import EventHandler, WsgiBridge
from gateway.errors import BadResponse, QueueTimeout
from gateway.events.errors import EventErrors
from gateway.fc.context import context_template
from gateway.http.answers.error_style import FunctionCompute2
from gateway.http.message.head import RequestHead

INVOKE = "/2016-08-15/services/svc.prod/functions/fn/invocations"
TEMPLATE = context_template(
    environ={},
    function_name="own",
    handler="index.handler",
    memory=512,
    timeout=60,
    service_name="own-service",
    log_project="project",
)


def call(handler, method="GET", target="/", body=b"", start_response=None):
    """Status, headers and body of the answer, and the context."""
    answers = []
    path, _, query = target.partition("?")
    context = TEMPLATE.context("request-1")
    environ = {
        "REQUEST_METHOD": method,
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "192.0.2.7",
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "fc.request_uri": target,
        "fc.context": context,
        "wsgi.input": BytesIO(body),
    }
    start = start_response or (lambda status, headers: answers.append((status, headers)))
    content = EventHandler(handler)(environ, start)
    return *answers[0], b"".join(content), context


def test_an_http_request_is_an_event_and_its_result_an_answer():
    seen = []

    def handler(event, context):
        seen.append((json.loads(event), context.request_id, type(event)))
        return {"statusCode": 201, "headers": {"X-A": "b"}, "body": "made"}

    status, headers, content, context = call(handler, "PUT", "/a?b=c", b"body")
    assert (status, content) == ("201", b"made")
    assert headers == [("X-A", "b"), ("Content-Type", "application/json")]
    [(event, request_id, kind)] = seen
    assert kind is bytes
    assert request_id == event["requestContext"]["requestId"] == "request-1"
    assert event["body"] == "body"
    assert context.function.name == "own"


@pytest.mark.parametrize(
    ("target", "names"),
    [
        (INVOKE, ("svc", "prod", "fn")),
        (INVOKE.replace(".prod", ""), ("svc", "LATEST", "fn")),
        ("/2023-03-30/functions/fn/invocations?qualifier=2", ("own-service", "2", "fn")),
    ],
)
@pytest.mark.parametrize("event", [b"", b"\xff\0", b'{"a": 1}'])
def test_an_invocation_is_the_event_itself(target, names, event):
    status, headers, content, context = call(lambda event, _: [len(event)], "POST", target, event)
    assert (status, headers) == ("200", [("Content-Type", "application/octet-stream")])
    assert content == b"[%d]" % len(event)
    assert (context.service.name, context.service.qualifier, context.function.name) == names
    assert context.service.log_project == "project"
    assert (context.function.handler, context.function.memory) == ("index.handler", 512)


def test_a_struct_means_nothing_to_an_invocation():
    content = call(lambda event, context: {"statusCode": "x"}, "POST", INVOKE)[2]
    assert content == b'{"statusCode": "x"}'


def test_headers_that_a_server_may_not_send():
    def refuse(status, headers):
        raise ValueError("the value of response header X-A has a forbidden character")

    with pytest.raises(
        BadResponse, match="of the handler is invalid: the value of response header"
    ):
        call(lambda event, context: "", start_response=refuse)


def test_what_the_handler_raises_is_its_own():
    def handler(event, context):
        raise KeyError("mine")

    for target in ("/", INVOKE):
        with pytest.raises(KeyError, match="mine"):
            call(handler, "POST", target)


def test_repr():
    assert repr(EventHandler(len)) == "<EventHandler <built-in function len>>"


# Errors.

STYLE = FunctionCompute2(shows_stack=True)


def head_of(method, target):
    head = RequestHead(method, is_http_1_0=False, keep_alive=True)
    head.set_target(target.encode())
    return head


@pytest.mark.parametrize(
    "head",
    [None, head_of("POST", "/"), head_of("GET", INVOKE), head_of("POST", INVOKE + "/x")],
)
def test_other_requests_have_the_style_of_the_gateway(head):
    assert EventErrors(STYLE).of(head) is STYLE


@pytest.mark.parametrize("shows_stack", [False, True])
def test_a_failed_function_is_a_successful_invocation(shows_stack):
    style = EventErrors(STYLE, shows_stack=shows_stack).of(head_of("POST", INVOKE))
    try:
        json.loads("{")
    except ValueError as error:
        answers = [
            style.failure(error, "id"),
            style.timeout(3, "id"),
            style.lost("id"),
        ]
    for head, _ in answers:
        assert head.status == (200, "200 OK")
        assert ("X-Fc-Error-Type", "UnhandledInvocationError") in head.fields
        assert ("Content-Type", "application/json") in head.fields
    failure, timeout, lost = (json.loads(body) for _, body in answers)
    assert failure["errorType"] == "JSONDecodeError"
    assert bool(failure["stackTrace"]) is shows_stack
    assert timeout == {"errorMessage": "Function time out after 3 seconds"}
    assert "errorMessage" in lost


def test_what_the_gateway_refuses_keeps_its_status():
    style = EventErrors(STYLE).of(head_of("POST", INVOKE))
    refusal = QueueTimeout("no thread was free")
    assert style.refusal(refusal, "id") == STYLE.refusal(refusal, "id")


# Under another server.


async def ask(application, method, path, body=b""):
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(b"host", b"h.example")],
    }
    request = ApplicationCommunicator(application, scope)
    await request.send_input({"type": "http.request", "body": body, "more_body": False})
    start = await request.receive_output(10)
    content = (await request.receive_output(10))["body"]
    await request.wait()
    return start["status"], dict(start["headers"]), content


def test_the_bridge_hosts_event_handlers():
    def handler(event, context):
        if event == b"fail":
            raise ValueError("as told")
        return event if context.function.name == "fn" else json.loads(event)["rawPath"]

    bridge = WsgiBridge(EventHandler(handler), style_of=EventErrors(FunctionCompute2()).of)

    async def main():
        try:
            status, headers, content = await ask(bridge, "GET", "/a%20b")
            assert (status, headers[b"content-type"]) == (200, b"application/json")
            assert content == b"/a%20b"
            assert (await ask(bridge, "POST", INVOKE, b"\xff"))[::2] == (200, b"\xff")
            status, headers, content = await ask(bridge, "POST", INVOKE, b"fail")
            assert (status, headers[b"x-fc-error-type"]) == (200, b"UnhandledInvocationError")
            assert json.loads(content)["errorMessage"] == "as told"
        finally:
            bridge.stop()

    asyncio.run(main())
