"""Who may read what a handler prints: `X-Fc-Log-Type: Tail` of strangers and of known callers."""

import time
from collections.abc import Callable
from email.utils import formatdate
from pathlib import Path

import pytest
from fc2.auth import Auth
from functional.serving import Gateway
from functional.wire import Response
from unit.triggers.issuer import key_set, public_jwk, token

StartGateway = Callable[..., Gateway]

TAIL = ("X-Fc-Log-Type", "Tail")
RESULT = "X-Fc-Log-Result"
KEY = ("LTAI-one", "secret-of-one-0123456789")

PRINTING = """
    def handler(environ, start_response):
        print("not for strangers")
        if environ["PATH_INFO"] == "/fail":
            raise ValueError("no luck")
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"ok"]

    def event(event, context):
        print("not for strangers")
        return {}

    async def application(scope, receive, send):
        if scope["type"] == "lifespan":
            return
        print("not for strangers")
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"ok"})
"""

INVOKE = "/2016-08-15/services/s/functions/f/invocations"


def ask(gateway: Gateway, target: str, method: str = "GET", *more: tuple[str, str]) -> Response:
    with gateway.connect() as client:
        return client.ask(target, method, fields=[TAIL, *more])


def signed(target: str, *, method: str = "GET") -> list[tuple[str, str]]:
    """The fields of a request that a key has signed, its wish for the tail among them."""
    fields = {"date": formatdate(time.time(), usegmt=True), TAIL[0].lower(): TAIL[1]}
    signature = Auth(*KEY).sign_request(method, target, fields, {})
    return [*fields.items(), ("Authorization", signature)]


@pytest.mark.parametrize("target", ["app:handler", "app:application", "app:event"])
@pytest.mark.parametrize("more", [[], ["--function-log", "text"]], ids=["overheard", "logged"])
def test_a_stranger_reads_nothing(
    start_gateway: StartGateway, target: str, more: list[str]
) -> None:
    gateway = start_gateway(target, "--workers", "0", *more, source=PRINTING)
    for path, method in (("/", "GET"), ("/fail", "GET"), (INVOKE, "POST")):
        answer = ask(gateway, path, method, ("Authorization", "FC LTAI-one:c2lnbmF0dXJl"))
        assert answer.status in (200, 400, 502)  # 400: no InvokeFunction of WSGI and ASGI.
        assert not answer.has(RESULT)


def test_who_has_signed_reads_it(start_gateway: StartGateway) -> None:
    gateway = start_gateway(
        "app:handler",
        *("--auth", "function", "--workers", "0", "--cors"),
        source=PRINTING,
        environ={"FC_ACCESS_KEYS": ":".join(KEY)},
    )
    with gateway.connect() as client:
        assert client.ask("/", fields=signed("/")).has(RESULT)
        assert client.ask("/fail", fields=signed("/fail")).has(RESULT)
        assert not client.ask("/", fields=[TAIL]).has(RESULT)
        # A connection on which somebody was known is not known.
        assert client.ask("/", fields=signed("/elsewhere")).status == 403
        preflight = [("Origin", "https://a"), ("Access-Control-Request-Method", "PUT"), TAIL]
        assert not client.ask("/", "OPTIONS", fields=preflight).has(RESULT)


def test_who_has_a_token_reads_it(start_gateway: StartGateway, tmp_path: Path) -> None:
    keys = tmp_path / "keys.json"
    keys.write_bytes(key_set(public_jwk("P-256", kid="P-256")))
    gateway = start_gateway(
        *("app:application", "--auth", "jwt", "--jwks", str(keys), "--workers", "0"),
        source=PRINTING,
    )
    said = token({"exp": time.time() + 60}, kid="P-256")
    assert ask(gateway, "/", "GET", ("Authorization", f"Bearer {said}")).has(RESULT)
    assert not ask(gateway, "/", "GET", ("Authorization", f"Bearer {said}x")).has(RESULT)


@pytest.mark.parametrize(
    ("word", "options", "is_shown"),
    [
        ("serve", ["--log-tail"], True),
        ("serve", ["--log-tail", "--error-style", "plain"], True),
        ("serve", ["--auth", "function", "--error-style", "plain"], False),
        ("serve", ["--auth", "function", "--no-log-tail"], False),
        ("dev", [], True),
        ("dev", ["--no-log-tail"], False),
    ],
)
def test_what_the_operator_says_counts(
    start_gateway: StartGateway, word: str, options: list[str], is_shown: bool
) -> None:
    environ = {"FC_ACCESS_KEYS": ":".join(KEY)}
    gateway = start_gateway("app:handler", *options, source=PRINTING, word=word, environ=environ)
    with gateway.connect() as client:
        answer = client.ask("/", fields=signed("/"))
    assert (answer.status, answer.has(RESULT)) == (200, is_shown)


def test_behind_function_compute_the_tail_is_the_platform_s(start_gateway: StartGateway) -> None:
    """It reads the function's log, and answers the client: the container's answer has none."""
    gateway = start_gateway(
        *("app:handler", "--profile", "custom-container", "--host", "127.0.0.1", "--log-tail"),
        source=PRINTING,
    )
    assert not ask(gateway, "/").has(RESULT)
