"""`--methods` and `--cors`: who may ask how, and pages of other origins, WSGI and ASGI alike."""

from collections.abc import Callable
from pathlib import Path

import pytest
import requests
from functional.serving import Gateway, run_command
from functional.wire import Response

StartGateway = Callable[..., Gateway]

ORIGIN = "https://page.example"
FROM_PAGE = [("Origin", ORIGIN)]
PREFLIGHT = [*FROM_PAGE, ("Access-Control-Request-Method", "PUT")]


@pytest.fixture(scope="module", params=["handler", "application"])
def open_to_pages(request: pytest.FixtureRequest, start_shared_gateway: StartGateway) -> Gateway:
    """`--cors`, with methods."""
    return start_shared_gateway(
        f"counting:{request.param}",
        *("--cors", "--methods", "GET,POST,HEAD", "--max-body", "1000"),
    )


def check_open(answer: Response, origin: str = ORIGIN) -> None:
    assert answer["Access-Control-Allow-Origin"] == origin
    assert answer["Access-Control-Allow-Credentials"] == "true"
    assert "x-fc-request-id" in answer["Access-Control-Expose-Headers"].split(",")
    assert answer["Vary"] == "Origin"


def check_closed(answer: Response) -> None:
    assert not [name for name, _ in answer.fields if name.lower().startswith("access-control")]


def test_answers_to_pages(open_to_pages: Gateway) -> None:
    with open_to_pages.connect() as client:
        for method in ("GET", "POST", "HEAD"):
            answer = client.ask("/", method, fields=FROM_PAGE)
            assert answer.status == 200
            check_open(answer)
        check_open(client.ask("/", fields=[("Origin", "null")]), "null")
        without = client.ask("/")
        check_closed(without)
        assert without["Vary"] == "Origin"
        for origin in ("https://a, https://b", "*", "https://a/x", "https://a\tb", ""):
            check_closed(client.ask("/", fields=[("Origin", origin)]))


def test_the_handler_has_the_word(open_to_pages: Gateway) -> None:
    with open_to_pages.connect() as client:
        answer = client.ask("/own-cors", fields=FROM_PAGE)
        assert answer["Access-Control-Allow-Origin"] == "https://own.example"
        assert not answer.has("Access-Control-Allow-Credentials")


def test_pages_can_read_errors(open_to_pages: Gateway) -> None:
    with open_to_pages.connect() as client:
        denied = client.ask("/", "PUT", fields=FROM_PAGE)
        assert denied.status == 403
        check_open(denied)
        large = client.ask("/", "POST", fields=[*FROM_PAGE, ("Content-Length", "1001")])
        assert large.status == 400
        check_open(large)


def test_preflights_are_answered_by_the_gateway(open_to_pages: Gateway) -> None:
    with open_to_pages.connect() as client:
        before = client.ask("/runs").json()["runs"]
        answer = client.ask(
            "/", "OPTIONS", fields=[*PREFLIGHT, ("Access-Control-Request-Headers", "x-a,x-b")]
        )
        assert (answer.status, answer.body) == (200, b"")
        check_open(answer)
        assert answer["Access-Control-Allow-Methods"] == "GET,POST,HEAD"
        assert answer["Access-Control-Allow-Headers"] == "x-a,x-b"
        assert answer["Access-Control-Max-Age"] == "3600"
        # Not each OPTIONS is one.
        for fields in ([], FROM_PAGE, PREFLIGHT[1:]):
            assert client.ask("/", "OPTIONS", fields=fields).status == 403
        assert client.ask("/runs").json()["runs"] == before
        unread = client.ask("/", "OPTIONS", fields=PREFLIGHT, body=b"never read")
        assert unread.status == 200
        assert unread.closes


def test_methods(open_to_pages: Gateway) -> None:
    with open_to_pages.connect() as client:
        before = client.ask("/runs").json()["runs"]
        for method in ("PUT", "DELETE", "PATCH", "OPTIONS"):
            answer = client.ask("/", method)
            assert (answer.status, answer.json()["ErrorCode"]) == (403, "AccessDenied")
            assert not answer.closes
        large = client.ask("/", "PUT", fields=[("Content-Length", "900")])
        assert large.status == 403
        assert large.closes
    with open_to_pages.connect() as client:
        assert client.ask("/runs").json()["runs"] == before


def test_where_options_is_a_method_the_handler_answers(start_gateway: StartGateway) -> None:
    gateway = start_gateway("counting:handler", "--cors", "--methods", "OPTIONS,GET")
    with gateway.connect() as client:
        answer = client.ask("/", "OPTIONS", fields=PREFLIGHT)
        assert answer.json()["method"] == "OPTIONS"
        check_open(answer)
        broken = client.ask("/broken", fields=FROM_PAGE)
        assert broken.status == 502
        check_open(broken)


def test_preflights_need_no_credential(start_gateway: StartGateway) -> None:
    gateway = start_gateway(
        "counting:handler", "--cors", "--auth", "function", environ={"FC_ACCESS_KEYS": "a:b"}
    )
    with gateway.connect() as client:
        answer = client.ask("/", "OPTIONS", fields=PREFLIGHT)
        assert answer.status == 200
        assert answer["Access-Control-Allow-Methods"] == "PUT"
        refused = client.ask("/", "PUT", fields=FROM_PAGE)
        assert refused.status == 400
        check_open(refused)
        assert client.ask("/", "OPTIONS").status == 400


def test_plain_statuses(start_gateway: StartGateway) -> None:
    gateway = start_gateway("counting:handler", "--methods", "GET,PUT", "--error-style", "plain")
    with gateway.connect() as client:
        answer = client.ask("/", "POST")
        assert answer.status == 405
        assert answer["Allow"] == "GET, PUT"
        assert answer["Content-Type"] == "application/problem+json"
        assert client.ask("/").status == 200


def test_without_the_option_nothing_is_added(recorder: Gateway) -> None:
    answer = requests.get(recorder.address, headers=dict(FROM_PAGE), timeout=10)
    assert not [name for name in answer.headers if name.lower().startswith(("access", "vary"))]


@pytest.mark.parametrize("methods", ["GET POST", "G", "GET;POST"])
def test_what_is_no_list_of_methods(tmp_path: Path, methods: str) -> None:
    done = run_command("check", "--methods", methods, folder=tmp_path)
    assert done.returncode == 2
    assert "is not a list of methods" in done.stderr
