"""Each answer has one verdict on its invocation."""

import pytest

from gateway.container.verdict import SUCCEEDED, Verdicts
from gateway.errors import BodyTooLarge
from gateway.http.answers.error_style import FunctionCompute2
from gateway.http.message.response import status_of
from gateway.http.message.response_head import ResponseHead

STYLE = FunctionCompute2()
VERDICTS = Verdicts(STYLE)
CONSTANT = "Date: now\r\nX-Fc-Request-Id: an-id"


def verdicts(head, constant):
    lines = head.encode(None, 2, True, constant).split(b"\r\n")
    return [line for line in lines if line.startswith(b"X-Fc-Status:")]


def test_a_success():
    head = ResponseHead(status_of(500), [("A", "b")])
    assert verdicts(head, CONSTANT + SUCCEEDED) == [b"X-Fc-Status: 200"]


@pytest.mark.parametrize(
    "constant", [CONSTANT, CONSTANT + SUCCEEDED, CONSTANT + SUCCEEDED + "\r\nA: b"]
)
@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("refusal", (BodyTooLarge("too large"), "an-id")),
        ("failure", (ValueError("boom"), "an-id")),
        ("timeout", (1.0, "an-id")),
        ("lost", ("an-id",)),
    ],
)
def test_a_failure(name, arguments, constant):
    plain_head, plain_body = getattr(STYLE, name)(*arguments)
    head, body = getattr(VERDICTS, name)(*arguments)
    assert verdicts(head, constant) == [b"X-Fc-Status: 404"]
    assert body == plain_body
    assert (head.status, head.fields) == (plain_head.status, plain_head.fields)
    rest = head.encode(None, 2, True, constant).replace(b"\r\nX-Fc-Status: 404", b"")
    assert rest == plain_head.encode(None, 2, True, constant.replace(SUCCEEDED, ""))
