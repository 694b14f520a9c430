"""The gateway's own answers, in each style."""

import json
import re
import uuid

import pytest

from gateway import errors
from gateway.errors import BodyTooLarge, QueueFull, QueueTimeout, Refusal
from gateway.http.answers import error_style, problem_details
from gateway.http.answers.error_style import FunctionCompute2, FunctionCompute3
from gateway.http.answers.problem_details import ProblemDetails, plain_status
from gateway.http.message.response import phrase_of

ID = "5f2b8c1e-8a57-4c0d-9e43-6a1d0b7f2c90"
ID_3 = "1-672a1c5e-5f2b8c1e-6a1d0b7f2c90"

REFUSALS = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, Refusal) and kind is not Refusal
]
PLAIN = {
    "MalformedRequest": 400,
    "HeadersTooLarge": 431,
    "PathTooLong": 414,
    "BodyTooLarge": 413,
    "RequestTimeout": 408,
    "ExpectationFailed": 417,
    "NotImplementedByGateway": 501,
    "VersionNotSupported": 505,
    "QueueFull": 503,
    "QueueTimeout": 503,
    "ConnectionLimit": 503,
    "BudgetTimeout": 503,
    "BadResponse": 500,
}


class MethodNotAllowed(Refusal):
    """As those who add refusals may write one."""

    status = 403
    plain_status = 405

    def __init__(self, allowed: str) -> None:
        super().__init__("not among the methods")
        self.plain_fields = (("Allow", allowed),)


class Unspecific(Refusal):
    """One that says nothing of plain HTTP."""

    status = 403


def raised(text: str) -> Exception:
    try:
        raise LookupError(text)
    except LookupError as error:
        return error


@pytest.mark.parametrize("kind", REFUSALS)
def test_function_compute_2(kind):
    head, body = FunctionCompute2().refusal(kind('a "b"'), ID)
    assert head.status.code == kind.status
    assert dict(head.fields)["X-Fc-Error-Type"] == kind.error_type
    assert json.loads(body) == {"ErrorCode": kind.code, "ErrorMessage": 'a "b"'}


@pytest.mark.parametrize("kind", REFUSALS)
@pytest.mark.parametrize("request_id", [ID_3, 'from "elsewhere"'])
def test_function_compute_3(kind, request_id):
    head, body = FunctionCompute3().refusal(kind('a "b"'), request_id)
    assert (head.status.code, head.fields) == (kind.status, kind("").headers())
    assert json.loads(body) == {"Code": kind.code, "Message": 'a "b"', "RequestId": request_id}


@pytest.mark.parametrize("style", [FunctionCompute2, FunctionCompute3])
@pytest.mark.parametrize("shows_stack", [False, True])
def test_failures_are_told_alike_by_both(style, shows_stack):
    style = style(shows_stack=shows_stack)
    head, body = style.failure(raised("text"), ID)
    content = json.loads(body)
    assert head.status.code == 502
    assert ("X-Fc-Error-Type", "UnhandledInvocationError") in head.fields
    assert (content["errorMessage"], content["errorType"]) == ("text", "LookupError")
    assert bool(content["stackTrace"]) is shows_stack
    assert json.loads(style.timeout(1.5, ID)[1]) == {
        "errorMessage": "Function time out after 1.5 seconds"
    }
    assert style.timeout(1.5, ID)[0] is style.lost(ID)[0] is head


def test_the_statuses_of_plain_http_are_all_decided():
    assert {kind.__name__: plain_status(kind) for kind in REFUSALS}.items() >= PLAIN.items()


@pytest.mark.parametrize("kind", REFUSALS)
def test_a_refusal_as_a_problem(kind):
    refusal = kind('a "b"')
    head, body = ProblemDetails().refusal(refusal, ID)
    status = plain_status(kind)
    assert head.status.code == status
    assert head.fields[0] == ("Content-Type", "application/problem+json")
    names = [name for name, _ in head.fields]
    assert len(set(names)) == len(names), "none is there twice"
    assert {*head.fields} == {*head.fields[:1], *refusal.headers()[2:], *refusal.plain_fields}
    assert dict(head.fields).get("Retry-After") == (kind.retry_after and str(kind.retry_after))
    assert json.loads(body) == {
        "type": "about:blank",
        "title": phrase_of(status),
        "status": status,
        "detail": 'a "b"',
        "code": kind.__name__,
        "instance": f"urn:uuid:{ID}",
    }


def test_who_is_overloaded_says_when_to_come_again():
    for kind in REFUSALS:
        assert (plain_status(kind) == 503) == (kind.retry_after is not None)


def test_a_challenge_belongs_to_401():
    """RFC 9110 §15.5.2."""
    for kind in REFUSALS:
        if plain_status(kind) == 401:
            head, _ = ProblemDetails().refusal(kind("who?"), ID)
            assert "WWW-Authenticate" in dict(head.fields)


def test_what_a_refusal_does_not_say_is_taken_from_its_status():
    head, body = ProblemDetails().refusal(Unspecific("no"), ID)
    assert head.status.code == 403
    assert json.loads(body)["code"] == "Unspecific"
    assert json.loads(body)["title"] == "Forbidden"


def test_a_refusal_s_own_fields_are_its_own():
    style = ProblemDetails()
    for allowed in ("GET", "GET, POST", "GET"):
        head, _ = style.refusal(MethodNotAllowed(allowed), ID)
        assert (head.status.code, dict(head.fields)["Allow"]) == (405, allowed)
    head, _ = FunctionCompute2().refusal(MethodNotAllowed("GET"), ID)
    assert head.status.code == 403
    assert "Allow" not in dict(head.fields)


def test_no_more_heads_are_remembered_than_fit(monkeypatch):
    monkeypatch.setattr(problem_details, "_MOST_HEADS", 2)
    style = ProblemDetails()
    for number in range(4):
        head, _ = style.refusal(MethodNotAllowed(str(number)), ID)
        assert dict(head.fields)["Allow"] == str(number)
        assert len(style._heads) <= 2
        assert style.refusal(MethodNotAllowed(str(number)), ID)[0] is head


@pytest.mark.parametrize(
    ("request_id", "instance"),
    [
        (ID, f"urn:uuid:{ID}"),
        (ID.upper(), f"urn:uuid:{ID.upper()}"),
        (ID_3, None),
        (f"{ID}\n", None),
        (f"{ID}0", None),
        ("", None),
    ],
)
def test_only_a_uuid_is_an_instance(request_id, instance):
    style = ProblemDetails()
    for _, body in (
        style.refusal(QueueFull("full"), request_id),
        style.failure(raised("x"), request_id),
        style.timeout(1, request_id),
        style.lost(request_id),
    ):
        assert json.loads(body).get("instance") == instance


def test_a_problem_tells_nothing_of_the_exception():
    head, body = ProblemDetails().failure(raised("password=1234"), ID)
    assert head.status.code == 500
    assert head.fields == [("Content-Type", "application/problem+json")]
    assert json.loads(body) == {
        "type": "about:blank",
        "title": "Internal Server Error",
        "status": 500,
        "detail": "the handler failed",
        "code": "HandlerFailed",
        "instance": f"urn:uuid:{ID}",
    }


def test_a_problem_tells_all_of_the_exception_where_it_is_asked_to():
    content = json.loads(ProblemDetails(shows_stack=True).failure(raised("text"), ID)[1])
    assert (content["detail"], content["errorType"]) == ("text", "LookupError")
    ((where, line),) = content["stackTrace"]
    assert where.endswith("in raised")
    assert line == "raise LookupError(text)"


def test_the_other_failures_as_problems():
    style = ProblemDetails()
    for (head, body), status, code in (
        (style.timeout(1.5, ID), 504, "HandlerTimeout"),
        (style.lost(ID), 500, "HandlerLost"),
    ):
        content = json.loads(body)
        assert head.status.code == content["status"] == status
        assert content["code"] == code
        assert content["title"] == phrase_of(status)
    assert "1.5 seconds" in json.loads(style.timeout(1.5, ID)[1])["detail"]


@pytest.mark.parametrize("style", [FunctionCompute2, FunctionCompute3, ProblemDetails])
def test_what_is_remembered_is_the_right_one(style, monkeypatch):
    monkeypatch.setattr(error_style, "_MAX_CACHED", 2)
    style = style()
    told = [QueueFull("a"), QueueTimeout("a"), QueueFull("b"), BodyTooLarge("x" * 300)]
    for _ in range(2):
        for refusal in told:
            request_id = str(uuid.uuid4())
            _, body = style.refusal(refusal, request_id)
            content = json.loads(body)
            assert refusal.message in content.values()
            assert {refusal.code, type(refusal).__name__} & set(content.values())
            if style is not FunctionCompute2 and len(content) > 2:
                assert re.search(request_id, body.decode())
    assert len(style._texts._texts) == 2


@pytest.mark.parametrize(("size", "is_remembered"), [(255, True), (256, True), (257, False)])
def test_long_messages_are_not_remembered(size, is_remembered):
    style = FunctionCompute2()
    style.refusal(BodyTooLarge("x" * size), ID)
    assert bool(style._texts._texts) is is_remembered
