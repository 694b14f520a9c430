"""`--auth function`: the public SDK as client, and everything that is not quite it."""

import json
import re
import time
from collections.abc import Callable
from email.utils import formatdate
from pathlib import Path
from urllib.parse import unquote, urlencode

import fc2
import pytest
import requests
from fc2.auth import Auth
from functional.serving import ROOT, Gateway, run_command, wait_until
from functional.wire import Response, WireClient

StartGateway = Callable[..., Gateway]

ONE = ("LTAI-one", "secret-of-one-0123456789")
TWO = ("LTAI-two", "secret-of-two-0123456789")
STS = ("STS.three", "secret-of-three-01234567")
TOKEN = "token-of-three-0123456789"

FILE = f"""
"{ONE[0]}" = "{ONE[1]}"
["{STS[0]}"]
secret = "{STS[1]}"
security_token = "{TOKEN}"
"""

PROXY = "/2016-08-15/proxy/service/function"


@pytest.fixture(scope="module")
def signed_only(
    start_shared_gateway: StartGateway, tmp_path_factory: pytest.TempPathFactory
) -> Gateway:
    """Lets in who signs with one of three keys."""
    keys = tmp_path_factory.mktemp("keys") / "keys.toml"
    keys.write_text(FILE)
    keys.chmod(0o600)
    return start_shared_gateway(
        "counting:handler",
        *("--auth", "function", "--auth-keys", str(keys)),
        *("--threads", "1", "--access-log", "json"),
        environ={"FC_ACCESS_KEYS": ":".join(TWO)},
    )


def sdk(gateway: Gateway, key: tuple[str, str] = ONE, token: str = "") -> fc2.Client:
    return fc2.Client(
        endpoint=gateway.address, accessKeyID=key[0], accessKeySecret=key[1], securityToken=token
    )


def call(client: fc2.Client, path: str = "/path", method: str = "GET", **more: object):
    return client.do_http_request(method, "service", "function", path, **more)


def fields_of(
    path: str,
    query: dict[str, object] | None = None,
    *,
    method: str = "GET",
    key: tuple[str, str] = ONE,
    age: float = 0,
    **more: str,
) -> list[tuple[str, str]]:
    """The fields of a request that the SDK's own code has signed."""
    fields = {"date": formatdate(time.time() - age, usegmt=True)} | more
    signature = Auth(*key).sign_request(method, unquote(path), fields, query or {})
    return [*fields.items(), ("Authorization", signature)]


def url_of(
    path: str,
    query: dict[str, object] | None = None,
    *,
    key: tuple[str, str] = ONE,
    expires_in: int = 60,
    token: str = "",
) -> str:
    """The target of a signed URL."""
    expires = str(int(time.time()) + expires_in)
    query = (query or {}) | {"x-fc-access-key-id": key[0], "x-fc-expires": expires}
    if token:
        query["x-fc-security-token"] = token
    said = Auth(*key).sign_request("GET", unquote(path), {"date": expires}, query)
    query["x-fc-signature"] = said.partition(":")[2]
    return f"{path}?{urlencode(query, doseq=True)}"


def runs(gateway: Gateway) -> int:
    with gateway.connect() as client:
        return int(client.ask("/runs", fields=fields_of("/runs")).json()["runs"])


def check_refused(answer: Response, status: int, code: str) -> None:
    assert answer.status == status
    assert answer["X-Fc-Error-Type"] == "FcCommonError"
    assert answer.json()["ErrorCode"] == code


@pytest.fixture
def client(signed_only: Gateway):
    with signed_only.connect() as connection:
        yield connection


def test_the_sdk_is_let_in(signed_only: Gateway) -> None:
    client = sdk(signed_only)
    answer = call(client)
    assert answer.status_code == 200
    said = answer.json()
    assert (said["method"], said["path"]) == ("GET", "/path")
    # What a function makes of its own credential is its business: it sees it, as on FC.
    assert said["authorization"].startswith(f"FC {ONE[0]}:")
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        answer = call(client, method=method, body=b"x" * 200_000)
        assert (answer.json()["method"], answer.json()["size"]) == (method, 200_000)
    assert call(client, method="HEAD").status_code == 200


def test_the_sdk_with_queries_and_odd_paths(signed_only: Gateway) -> None:
    client = sdk(signed_only)
    answer = call(client, params={"b": "1 2", "a": ["é", "x&y=z"], "empty": "", "t": "a\nb"})
    assert answer.json()["query"] == "b=1+2&a=%C3%A9&a=x%26y%3Dz&empty=&t=a%0Ab"
    for path in ("", "/", "/a b/c", "/%E4%BD%A0/ü", "/a%2Fb;c=1,2", "/a+b"):
        assert call(client, path).status_code == 200, path
    headers = {"x-fc-trace-id": "1", "content-type": "text/plain", "content-md5": "any"}
    assert call(client, method="POST", headers=headers, body=b"text").json()["size"] == 4


def test_several_keys(signed_only: Gateway) -> None:
    for key, token in ((ONE, ""), (TWO, ""), (STS, TOKEN)):
        assert call(sdk(signed_only, key, token)).status_code == 200
    assert call(sdk(signed_only, STS)).status_code == 403
    assert call(sdk(signed_only, STS, "another")).json()["ErrorCode"] == "SignatureNotMatch"


def test_an_asynchronous_request(signed_only: Gateway) -> None:
    before = runs(signed_only)
    headers = {"x-fc-invocation-type": "Async"}
    assert call(sdk(signed_only), headers=headers).status_code == 202
    wait_until(lambda: runs(signed_only) == before + 1, "it was run")
    assert call(sdk(signed_only, (ONE[0], "wrong")), headers=headers).status_code == 403
    assert runs(signed_only) == before + 1


def test_wrong_keys(signed_only: Gateway) -> None:
    before = runs(signed_only)
    wrong = call(sdk(signed_only, (ONE[0], TWO[1])))
    assert (wrong.status_code, wrong.json()["ErrorCode"]) == (403, "SignatureNotMatch")
    unknown = call(sdk(signed_only, ("LTAI-four", ONE[1])))
    assert (unknown.status_code, unknown.json()["ErrorCode"]) == (403, "InvalidAccessKeyID")
    none = requests.get(signed_only.address + PROXY + "/path", timeout=10)
    assert (none.status_code, none.json()["ErrorCode"]) == (400, "MissingRequiredHeader")
    assert runs(signed_only) == before


def test_the_signature_of_3_is_refused(signed_only: Gateway, client: WireClient) -> None:
    before = runs(signed_only)
    signed = f"ACS3-HMAC-SHA256 Credential={ONE[0]},SignedHeaders=host;x-acs-date,Signature=00"
    fields = [("X-Acs-Date", "2030-01-31T00:00:00Z"), ("Authorization", signed)]
    check_refused(client.ask("/path", fields=fields), 403, "SignatureNotMatch")
    assert runs(signed_only) == before


def test_tampering(signed_only: Gateway, client: WireClient) -> None:
    before = runs(signed_only)
    path = f"{PROXY}/path"
    fields = fields_of(path, {"a": "1"})
    assert client.ask(f"{path}?a=1", fields=fields).status == 200
    for target in (
        f"{path}?a=2", f"{path}?a=1&b=2", path, f"{path}?", f"{path}x?a=1", "/path?a=1",
        f"{PROXY.replace('function', 'other')}/path?a=1", f"{path}%0A?a=1", f"{path}?a=1%0A",
    ):  # fmt: skip
        check_refused(client.ask(target, fields=fields), 403, "SignatureNotMatch")
    more = [*fields, ("X-Fc-Invocation-Type", "Async")]
    check_refused(client.ask(f"{path}?a=1", fields=more), 403, "SignatureNotMatch")
    typed = [*fields, ("Content-Type", "text/html")]
    check_refused(client.ask(f"{path}?a=1", fields=typed), 403, "SignatureNotMatch")
    for method in ("POST", "DELETE", "OPTIONS"):
        check_refused(client.ask(f"{path}?a=1", method, fields=fields), 403, "SignatureNotMatch")
    assert runs(signed_only) == before + 1


def test_the_window(client: WireClient) -> None:
    for age in (0, 890, -890):
        assert client.ask("/x", fields=fields_of("/x", age=age)).status == 200
    for age in (910, -910, 10**6):
        answer = client.ask("/x", fields=fields_of("/x", age=age))
        check_refused(answer, 403, "RequestTimeTooSkewed")
    answer = client.ask("/x", fields=fields_of("/x", date="yesterday"))
    check_refused(answer, 403, "RequestTimeTooSkewed")


def test_equal_heads_are_looked_at_each_time(
    start_gateway: StartGateway,
) -> None:
    """A head that comes again is not parsed again; but its date grows stale."""
    gateway = start_gateway(
        "counting:handler",
        *("--auth", "function", "--signature-max-age", "3"),
        environ={"FC_ACCESS_KEYS": ":".join(ONE)},
    )
    fields = fields_of("/x")
    with gateway.connect() as client:
        assert client.ask("/x", fields=fields).status == 200

        def is_stale() -> bool:
            answer = client.ask("/x", fields=fields)
            if answer.status == 200:
                return False
            check_refused(answer, 403, "RequestTimeTooSkewed")
            return True

        wait_until(is_stale, "the replayed request is too old", 6)
        assert client.ask("/x", fields=fields_of("/x")).status == 200
    worker = Path(f"/proc/{gateway.worker_pid}")
    assert ONE[1] not in gateway.errors
    assert ONE[1].encode() not in (worker / "cmdline").read_bytes()


def test_the_page_s_programs(signed_only: Gateway, capsys: pytest.CaptureFixture[str]) -> None:
    """With this gateway's address and key in the place of theirs."""
    page = (ROOT / "docs" / "triggers.md").read_text("utf-8")
    programs = re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    client, url = (
        program.replace("http://127.0.0.1:9000", signed_only.address)
        .replace("LTAI5tExample", ONE[0])
        .replace("its secret", ONE[1])
        for program in programs
    )
    names: dict[str, object] = {}
    exec(client, names)
    answer = names["answer"]
    assert isinstance(answer, requests.Response)
    assert answer.status_code == 200
    exec(url, {})
    signed = capsys.readouterr().out.strip()
    assert requests.get(signed, timeout=5).status_code == 200
    assert requests.get(signed.replace("a=1", "a=2"), timeout=5).status_code == 403


def test_signed_urls(signed_only: Gateway) -> None:
    for path in (f"{PROXY}/p%20q", "/any/path"):
        for key, token in ((ONE, ""), (TWO, ""), (STS, TOKEN)):
            target = url_of(path, {"a": ["2", "1"], "é": "x y"}, key=key, token=token)
            assert requests.get(signed_only.address + target, timeout=10).status_code == 200
    target = url_of("/x", {"a": "1"})
    for changed, code in (
        (url_of("/x", expires_in=-2), "RequestExpired"),
        (target.replace("a=1", "a=2"), "SignatureNotMatch"),
        (target.replace("/x", "/y"), "SignatureNotMatch"),
        (target + "&more=1", "SignatureNotMatch"),
        (target.replace("x-fc-expires=", "x-fc-expires=9"), "SignatureNotMatch"),
        (target.replace(ONE[0], "nobody"), "InvalidAccessKeyID"),
        (url_of("/x", key=STS), "SignatureNotMatch"),
    ):
        answer = requests.get(signed_only.address + changed, timeout=10)
        assert (answer.status_code, answer.json()["ErrorCode"]) == (403, code)


@pytest.mark.parametrize(
    "framing",
    [
        ("Content-Length", "30000000"),
        ("Transfer-Encoding", "chunked"),
    ],
)
@pytest.mark.parametrize("expect", [(), (("Expect", "100-continue"),)])
def test_no_body_is_read(
    signed_only: Gateway, framing: tuple[str, str], expect: tuple[tuple[str, str], ...]
) -> None:
    before = runs(signed_only)
    with signed_only.connect() as client:
        client.request(PROXY, "POST", [*fields_of("/other", method="POST"), framing, *expect])
        answer = client.read_response()  # The first word: there is no `100 Continue`.
        check_refused(answer, 403, "SignatureNotMatch")
        assert answer.closes
        client.send(b"GET /runs HTTP/1.1\r\nHost: a\r\n\r\n")
        client.half_close()
        client.expect_close()
    assert runs(signed_only) == before


def test_pipelined_requests_behind_a_refusal(client: WireClient) -> None:
    client.request("/x")
    client.request("/x", fields=fields_of("/x"))
    client.request("/x", fields=fields_of("/y"))
    client.request("/z", fields=fields_of("/z"))
    answers = [client.read_response() for _ in range(4)]
    assert [answer.status for answer in answers] == [400, 200, 403, 200]
    assert not any(answer.closes for answer in answers)


def test_names_in_any_case(client: WireClient) -> None:
    fields = [(name.upper(), value) for name, value in fields_of("/x", **{"x-fc-trace": "1"})]
    assert client.ask("/x", fields=fields).status == 200
    fields = [(name, value.replace("FC ", "fc ")) for name, value in fields]
    assert client.ask("/x", fields=fields).status == 200


def test_who_was_refused_is_told_apart_and_no_secret_is_told(
    signed_only: Gateway,
) -> None:
    with signed_only.connect() as client:
        target = url_of("/logged", {"a": "plain"})
        client.ask(target)
        client.ask("/logged", fields=fields_of("/other"))
        client.ask("/logged", fields=fields_of("/logged", age=10_000))
        client.ask("/logged", fields=fields_of("/logged", key=("nobody", "x")))
        client.ask("/logged")
        client.ask(url_of("/logged", expires_in=-9))

    def lines() -> list[dict[str, object]]:
        found = [json.loads(line) for line in signed_only.output.splitlines()]
        return [line for line in found if str(line["target"]).startswith("/logged")]

    wait_until(lambda: len(lines()) == 6, "all is logged")
    assert [line.get("error") for line in lines()] == [
        None, "SignatureNotMatch", "RequestTimeTooSkewed", "InvalidAccessKeyID",
        "MissingRequiredHeader", "RequestExpired",
    ]  # fmt: skip
    assert "a=plain" in str(lines()[0]["target"])
    signature = target.partition("x-fc-signature=")[2]
    told = signed_only.output + signed_only.errors
    for secret in (ONE[1], TWO[1], STS[1], TOKEN, signature, ONE[0]):
        assert secret not in told


def test_a_handler_does_not_see_the_keys(start_gateway: StartGateway) -> None:
    gateway = start_gateway(
        "app:handler",
        *("--auth", "function"),
        environ={"FC_ACCESS_KEYS": ":".join(ONE)},
        source="""
            import os

            at_import = os.environ.get("FC_ACCESS_KEYS", "gone")

            def handler(environ, start_response):
                start_response("200 OK", [])
                return [f"{at_import} {os.environ.get('FC_ACCESS_KEYS', 'gone')}".encode()]
        """,
    )
    with gateway.connect() as client:
        assert client.ask("/x", fields=fields_of("/x")).body == b"gone gone"


def test_keys_are_read_anew(start_gateway: StartGateway, tmp_path: Path) -> None:
    keys = tmp_path / "keys.toml"
    keys.write_text(f'"{ONE[0]}" = "{ONE[1]}"')
    gateway = start_gateway("counting:handler", "--auth", "function", "--auth-keys", str(keys))
    assert call(sdk(gateway)).status_code == 200
    keys.write_text(f'"{TWO[0]}" = "{TWO[1]}"')
    gateway.signal(1)
    wait_until(lambda: call(sdk(gateway, TWO)).status_code == 200, "the new key lets in")
    wait_until(lambda: call(sdk(gateway, ONE)).status_code == 403, "the old key does not")


def test_invoke_function(start_gateway: StartGateway) -> None:
    """The path is all that the SDK signs of it, besides method and fields."""
    gateway = start_gateway(
        "app:handler",
        *("--interface", "fc-event", "--auth", "function"),
        environ={"FC_ACCESS_KEYS": ":".join(ONE)},
        source="""
            def handler(event, context):
                return event[::-1]
        """,
    )
    assert sdk(gateway).invoke_function("service", "function", payload=b"abc").data == b"cba"
    with pytest.raises(fc2.FcError) as caught:
        sdk(gateway, (ONE[0], "wrong")).invoke_function("service", "function", payload=b"abc")
    assert caught.value.err_code == "SignatureNotMatch"
    path = "/2016-08-15/services/service/functions/function/invocations"
    date = {"date": formatdate(time.time(), usegmt=True)}
    signature = Auth(*ONE).sign_request("POST", path, date)
    fields = [*date.items(), ("Authorization", signature)]
    with gateway.connect() as client:
        assert client.ask(path, "POST", fields=fields, body=b"ab").body == b"ba"
    with gateway.connect() as client:
        tampered = client.ask(f"{path}?a=1", "POST", fields=fields, body=b"ab")
        check_refused(tampered, 403, "SignatureNotMatch")


@pytest.mark.parametrize(
    ("options", "environ", "says"),
    [
        (("--auth", "function"), {}, "needs keys"),
        (("--auth-keys", "keys.toml"), {}, "--auth-keys needs --auth function"),
        (("--signature-max-age", "60"), {}, "--signature-max-age needs --auth function"),
        (("--auth", "function", "--auth-keys", "none.toml"), {}, "No such file"),
        (("--auth", "function", "--auth-keys", "bad.toml"), {}, "is not TOML"),
        (("--auth", "function"), {"FC_ACCESS_KEYS": "S3CRET"}, "is not id:secret"),
        (("--auth", "function", "--auth-keys", "keys.toml"), {}, ""),
    ],
)
def test_checks(
    tmp_path: Path, options: tuple[str, ...], environ: dict[str, str], says: str
) -> None:
    (tmp_path / "keys.toml").write_text(FILE)
    (tmp_path / "bad.toml").write_text("S3CRET")
    done = run_command("check", *options, folder=tmp_path, environ=environ)
    if not says:
        assert done.returncode == 0
        return
    assert done.returncode == 2
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("gateway: error: ")
    assert says in line
    assert "S3CRET" not in line
