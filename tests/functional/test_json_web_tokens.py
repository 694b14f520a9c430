"""`--auth jwt`: tokens by keys of a file and of a URL, and what tries to pass for one."""

import base64
import hmac
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from functional.serving import Gateway, run_command, wait_until
from functional.wire import Response, WireClient
from unit.triggers.issuer import ALGORITHMS, key_set, private_key, public_jwk, token

StartGateway = Callable[..., Gateway]

KINDS = ("RSA", "P-256", "P-384", "P-521", "Ed25519")
LEEWAY = 30


def claims(lifetime: float = 60, **more: object) -> dict[str, object]:
    said = {"exp": time.time() + lifetime, "aud": "orders", "iss": "https://issuer.test/"} | more
    return {name: value for name, value in said.items() if value is not None}


def bearer(text: str) -> list[tuple[str, str]]:
    return [("Authorization", f"Bearer {text}")]


@pytest.fixture(scope="module")
def by_file(
    start_shared_gateway: StartGateway, tmp_path_factory: pytest.TempPathFactory
) -> Gateway:
    """An ASGI application behind keys of a file."""
    keys = tmp_path_factory.mktemp("jwks") / "keys.json"
    jwks = [public_jwk(kind, kid=kind) for kind in KINDS]
    keys.write_bytes(key_set(*jwks, {"kty": "oct", "k": "c2VjcmV0", "kid": "shared"}))
    return start_shared_gateway(
        "counting:application",
        *("--auth", "jwt", "--jwks", str(keys), "--jwt-leeway", str(LEEWAY)),
        *("--jwt-audience", "orders", "--jwt-issuer", "https://issuer.test/"),
        *("--access-log", "json", "--methods", "GET,POST"),
    )


@pytest.fixture
def client(by_file: Gateway) -> Iterator[WireClient]:
    with by_file.connect() as connection:
        yield connection


def runs(gateway: Gateway) -> int:
    with gateway.connect() as client:
        said = client.ask("/runs", fields=bearer(token(claims(), kid="P-256"))).json()
        return int(said["runs"])


def check_refused(answer: Response, code: str, status: int = 401) -> None:
    assert (answer.status, answer.json()["ErrorCode"]) == (status, code)
    assert answer["X-Fc-Error-Type"] == "FcCommonError"
    if status == 401:
        error = "" if code == "JWTMissing" else ' error="invalid_token"'
        assert answer["WWW-Authenticate"] == f"Bearer{error}"


@pytest.mark.parametrize(("algorithm", "kind"), [*ALGORITHMS.items(), ("EdDSA", "Ed25519")])
def test_each_algorithm(client: WireClient, algorithm: str, kind: str) -> None:
    text = token(claims(), algorithm, kind, kid=kind)
    answer = client.ask("/", "POST", fields=bearer(text), body=b"x" * 100_000)
    assert answer.json()["size"] == 100_000
    # The application sees the token, which it may want to read.
    assert answer.json()["authorization"] == f"Bearer {text}"
    assert client.ask("/", fields=bearer(token(claims(), algorithm, kind))).status == 200


def forged(header: dict[str, object], signature: bytes = b"") -> str:
    parts = [json.dumps(header).encode(), json.dumps(claims()).encode(), signature]
    return b".".join(base64.urlsafe_b64encode(part).rstrip(b"=") for part in parts).decode()


def shared_secret(secret: bytes, **header: object) -> str:
    """HS256 with a secret of the attacker's choice."""
    unsigned = forged({"alg": "HS256", "typ": "JWT"} | header).rpartition(".")[0]
    signature = hmac.digest(secret, unsigned.encode(), "sha256")
    return f"{unsigned}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def test_what_is_no_valid_token(by_file: Gateway, client: WireClient) -> None:
    before = runs(by_file)
    pem = (
        private_key("RSA")
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    good = token(claims(), kid="P-256")
    for text in (
        "", "garbage", "a.b.c", "." * 3, "A" * 7000, good + "A", good[:-4], good.upper(),
        f"{good}.{good}", good.rpartition(".")[0] + ".",
        forged({"alg": "none"}), forged({"alg": "None", "kid": "RSA"}), forged({"alg": ""}),
        forged({"alg": "HS256", "kid": "shared"}), forged({"kid": "RSA"}), forged({"alg": None}),
        shared_secret(pem), shared_secret(pem, kid="RSA"), shared_secret(b"secret", kid="shared"),
        shared_secret(b""), token(claims(), number=1), token(claims(), number=1, kid="P-256"),
        token(claims(), kid="RSA"), token(claims(), number=1, jwk=public_jwk("P-256", 1)),
        token(claims(), kid="P-256", crit=["x"], x=1), token(claims(exp=None), kid="P-256"),
        token(claims(), "RS256", "RSA", 1, kid="RSA"), token(claims(), kid="unknown", number=1),
    ):  # fmt: skip
        check_refused(client.ask("/", fields=bearer(text)), "JWTInvalid")
    for fields in ([], [("Authorization", "Basic eDp5")], [("Authorization", good)]):
        check_refused(client.ask("/", fields=fields), "JWTMissing")
    check_refused(client.ask("/", fields=bearer(good) * 2), "JWTInvalid")
    assert runs(by_file) == before


def test_audience_issuer_and_beginning(client: WireClient) -> None:
    for more in (
        {"aud": "other"}, {"aud": None}, {"aud": ["a", "b"]}, {"iss": "https://issuer.test"},
        {"iss": None}, {"nbf": time.time() + LEEWAY + 5}, {"iat": time.time() + LEEWAY + 5},
    ):  # fmt: skip
        text = token(claims(**more), kid="P-256")
        check_refused(client.ask("/", fields=bearer(text)), "JWTClaimInvalid")
    for more in ({"aud": ["a", "orders"]}, {"nbf": time.time() + LEEWAY - 5}):
        assert client.ask("/", fields=bearer(token(claims(**more), kid="P-256"))).status == 200


def test_until_when_a_token_is_valid(client: WireClient) -> None:
    for lifetime in (1, -LEEWAY + 5):
        text = token(claims(lifetime), kid="P-256")
        assert client.ask("/", fields=bearer(text)).status == 200
    for lifetime in (-LEEWAY, -LEEWAY - 1, -10_000):
        text = token(claims(lifetime), kid="P-256")
        check_refused(client.ask("/", fields=bearer(text)), "JWTExpired")
    # One that was good, on the same connection, with the very same head.
    short = bearer(token(claims(-LEEWAY + 2), kid="P-256"))
    assert client.ask("/", fields=short).status == 200
    wait_until(lambda: client.ask("/", fields=short).status == 401, "it has expired", 5)


def test_a_large_token(client: WireClient) -> None:
    """Nearly as large as a header may be."""
    text = token(claims(fill="x" * 5800), kid="P-256")
    assert 7900 < len(text) < 8000
    assert client.ask("/", fields=bearer(text)).status == 200


@pytest.mark.parametrize(
    "framing", [("Content-Length", "30000000"), ("Transfer-Encoding", "chunked")]
)
def test_no_body_is_read(by_file: Gateway, framing: tuple[str, str]) -> None:
    before = runs(by_file)
    with by_file.connect() as client:
        client.request("/", "POST", [*bearer("x.y.z"), framing, ("Expect", "100-continue")])
        answer = client.read_response()
        check_refused(answer, "JWTInvalid")
        assert answer.closes
    assert runs(by_file) == before


def test_the_method_comes_first(client: WireClient) -> None:
    for method in ("HEAD", "OPTIONS", "PUT", "DELETE", "PATCH"):
        answer = client.ask("/", method, fields=bearer("x"))
        assert answer.status == 403
        if method != "HEAD":
            assert answer.json()["ErrorCode"] == "AccessDenied"


def test_who_was_refused_is_told_apart(by_file: Gateway, client: WireClient) -> None:
    good = token(claims(), kid="P-256")
    client.ask("/told", fields=bearer(good))
    client.ask("/told")
    client.ask("/told", fields=bearer(good + "A"))
    client.ask("/told", fields=bearer(token(claims(-99), kid="P-256")))
    client.ask("/told", fields=bearer(token(claims(aud="x"), kid="P-256")))
    client.ask("/told", "PUT")

    def codes() -> list[object]:
        found = [json.loads(line) for line in by_file.output.splitlines() if "/told" in line]
        return [line.get("error") for line in found]

    wait_until(lambda: len(codes()) == 6, "all is logged")
    assert codes() == [
        None, "JWTMissing", "JWTInvalid", "JWTExpired", "JWTClaimInvalid", "AccessDenied",
    ]  # fmt: skip
    assert good not in by_file.output + by_file.errors


# Keys at a URL.


class Issuer:
    """An HTTP server with a key set that can be exchanged, withheld or delayed."""

    def __init__(self) -> None:
        self.keys = key_set(public_jwk("P-256", kid="first"))
        self.status = 200
        self.asked = 0
        self.may_answer = threading.Event()
        self.may_answer.set()

    @contextmanager
    def serving(self) -> Iterator[str]:
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer.asked += 1
                issuer.may_answer.wait(10)
                self.send_response(issuer.status)
                self.send_header("Content-Length", str(len(issuer.keys)))
                self.end_headers()
                self.wfile.write(issuer.keys)

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/keys.json"
        finally:
            self.may_answer.set()
            server.shutdown()
            thread.join()
            server.server_close()


@pytest.fixture
def issuer() -> Issuer:
    return Issuer()


@pytest.fixture
def issuer_url(issuer: Issuer) -> Iterator[str]:
    with issuer.serving() as url:
        yield url


def ask(gateway: Gateway, text: str, **more: object) -> Response:
    with gateway.connect() as client:
        return client.ask("/", fields=bearer(text), **more)


def plain(kid: str, number: int = 0) -> str:
    return token({"exp": time.time() + 60}, number=number, kid=kid)


def test_keys_come_and_change(start_gateway: StartGateway, issuer: Issuer, issuer_url: str) -> None:
    issuer.may_answer.clear()
    gateway = start_gateway("counting:handler", "--auth", "jwt", "--jwks", issuer_url)
    with gateway.connect() as early, gateway.connect() as other:
        # It was ready before there was an answer.  Who comes now waits, with the body unread.
        early.request("/early", "POST", [*bearer(plain("first")), ("Content-Length", "5")])
        assert not early.has_answer_within(0.2)
        assert other.ask("/other").json()["ErrorCode"] == "JWTMissing"
        issuer.may_answer.set()
        early.send(b"hello")
        assert early.read_response().json()["size"] == 5
    assert issuer.asked == 1
    # Another key, that is asked for when a token names it; the old one is gone.
    issuer.keys = key_set(public_jwk("P-256", 1, kid="second"))
    assert ask(gateway, plain("first")).status == 200
    assert ask(gateway, plain("second", 1), method="POST", body=b"hello").json()["size"] == 5
    check_refused(ask(gateway, plain("first")), "JWTInvalid")
    # Nor does a broken answer take the good keys away.
    issuer.status = 500
    check_refused(ask(gateway, plain("third", 2)), "JWTInvalid")
    assert ask(gateway, plain("second", 1)).status == 200
    # However many unknown keys are named, the issuer is asked a few times only.
    for number in range(30):
        check_refused(ask(gateway, plain(f"unknown-{number}", 2)), "JWTInvalid")
    assert issuer.asked <= 12
    assert "the answer has status 500" in gateway.errors
    assert issuer_url not in gateway.errors


def test_before_there_are_keys(
    start_gateway: StartGateway, issuer: Issuer, issuer_url: str
) -> None:
    issuer.status = 503
    gateway = start_gateway("counting:handler", "--auth", "jwt", "--jwks", issuer_url)
    wait_until(lambda: "status 503" in gateway.errors, "it was asked")
    answer = ask(gateway, plain("first"))
    assert (answer.status, answer.json()["ErrorCode"]) == (503, "JWKSUnavailable")
    assert answer["Retry-After"] == "1"
    issuer.status = 200
    wait_until(lambda: ask(gateway, plain("first")).status == 200, "the keys are there")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--auth", "jwt"), "jwt needs --jwks"),
        (("--jwks", "keys.json"), "--jwks needs --auth jwt"),
        (("--jwt-audience", "a"), "--jwt-audience needs --auth jwt"),
        (("--auth", "jwt", "--jwks", "none.json"), "No such file"),
        (("--auth", "jwt", "--jwks", "bad.json"), "is no JSON"),
        (("--auth", "jwt", "--jwks", "shared.json"), "no key that can be used"),
        (("--auth", "jwt", "--jwks", "ftp://a/keys"), "is not a URL"),
        (("--auth", "jwt", "--jwks", "https://me:S3CRET@a/keys"), "names a user"),
        (("--auth", "jwt", "--jwks", "keys.json"), ""),
        (("--auth", "jwt", "--jwks", "http://127.0.0.1:1/keys.json"), ""),
    ],
)
def test_checks(tmp_path: Path, options: tuple[str, ...], says: str) -> None:
    (tmp_path / "keys.json").write_bytes(key_set(public_jwk("P-256")))
    (tmp_path / "bad.json").write_text("S3CRET")
    (tmp_path / "shared.json").write_bytes(key_set({"kty": "oct", "k": "S3CRET"}))
    done = run_command("check", *options, folder=tmp_path)
    if not says:
        assert done.returncode == 0, done.stderr
        return
    assert done.returncode == 2
    line = done.stderr.splitlines()[-1]
    assert line.startswith("gateway: error: ")
    assert says in line
    assert "S3CRET" not in done.stderr


def test_without_the_library(tmp_path: Path) -> None:
    """The gateway without its extra does not bring it."""
    (tmp_path / "jwt.py").write_text("raise ImportError('not here')")
    (tmp_path / "keys.json").write_bytes(key_set(public_jwk("P-256")))
    done = run_command(
        *("check", "--auth", "jwt", "--jwks", "keys.json"),
        folder=tmp_path,
    )
    assert done.returncode == 2
    assert done.stderr == (
        "gateway: error: --auth jwt needs the package PyJWT with cryptography; install it with: "
        "pip install 'PyJWT[crypto]>=2.10', or the gateway with its extra jwt\n"
    )
