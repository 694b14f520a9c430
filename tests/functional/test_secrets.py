"""Secrets stay where they are, and no record of a log can be forged, whatever goes wrong.

Every test plants what must not be found, and looks for it in all that the gateway says: its
answers, its log and its access log.
"""

import json
import re
from collections.abc import Iterable
from pathlib import Path
from select import select
from typing import Any

import pytest
from functional.conftest import StartGateway
from functional.serving import (
    Gateway,
    run_command,
    wait_until,
)
from functional.wire import WireClient

pytestmark = pytest.mark.family("secrets")

CANARY = "C4nAry"
CREDENTIALS = {
    "ALIBABA_CLOUD_ACCESS_KEY_ID": f"{CANARY}-id",
    "ALIBABA_CLOUD_ACCESS_KEY_SECRET": f"{CANARY}-secret",
    "ALIBABA_CLOUD_SECURITY_TOKEN": f"{CANARY}-token",
}
QUERY = (
    f"?Signature={CANARY}1&OSSAccessKeyId={CANARY}2&security-token={CANARY}3&a=b"
    f"&x-fc-signature={CANARY}4"
)
FIELDS = [
    f"Authorization: Bearer {CANARY}-a",
    f"Cookie: session={CANARY}-c",
    f"X-Fc-Security-Token: {CANARY}-f",
    f"X-Api-Key: {CANARY}-k",
    f"Proxy-Authorization: Basic {CANARY}-p",
    f"Referer: https://{CANARY}:pw@r.test/?token={CANARY}-r",
]
BODY = f"password={CANARY}-b".encode()

FAULTY = '''
import logging
import sys
import time

secret = None

class Stuck:
    def __init__(self, parts):
        self.parts = iter(parts)
    def __iter__(self):
        return self
    def __next__(self):
        part = next(self.parts)
        if isinstance(part, Exception):
            raise part
        return part
    def close(self):
        raise RuntimeError("close")

def handler(environ, start_response):
    """Does what the path says, with its secrets in its variables."""
    password = environ["wsgi.input"].read()
    context, authorization = environ["fc.context"], environ.get("HTTP_AUTHORIZATION")
    cookie = ("Set-Cookie", environ.get("HTTP_COOKIE", "").encode())
    what = environ["PATH_INFO"].strip("/")
    log = context.logger
    if what == "repr":
        text = f"{context} {context!r} {context.credentials} {context.credentials!r}"
        text += "".join(repr(getattr(context, name)) for name in ("function", "service", "tracing"))
        log.error("%s %r %s", context, context, environ["fc.context"].credentials)
        log.error("%s", repr(environ["wsgi.input"]))
        start_response("200 OK", [])
        return [text.encode()]
    if what == "raise":
        raise ValueError("it failed")
    if what == "vars":
        start_response("200 OK", [])
        try:
            return [repr(vars(context)).encode()]
        except TypeError:
            return [b"none"]
    if what == "exit":
        sys.exit(3)
    if what == "attribute":
        return context.credentials.password
    if what == "unknown":
        return context.passwords
    if what == "bytes-value":
        start_response("200 OK", [cookie])
    if what == "bytes-name":
        start_response("200 OK", [(cookie[1], "x")])
    if what == "no-tuple":
        start_response("200 OK", [[*cookie]])
    if what == "bytes-status":
        start_response(cookie[0].encode(), [])
    if what == "control":
        start_response("200 OK", [("Set-Cookie", authorization + "\\r\\n")])
    if what == "length":
        start_response("200 OK", [("Content-Length", "many")])
    if what == "reserved":
        start_response("200 OK", [("X-Fc-Own", authorization), ("Date", authorization)])
        return [b"x"]
    if what == "large":
        start_response("200 OK", [("X-Large", authorization * 5000)])
    if what == "twice":
        start_response("200 OK", [])
        start_response("200 OK", [])
    if what == "number":
        start_response("200 OK", [])
        return 7
    if what == "items":
        start_response("200 OK", [])
        return [password, 7]
    if what == "text":
        start_response("200 OK", [])
        return "plain"
    if what == "short":
        start_response("200 OK", [("Content-Length", "5")])
        return iter([b"a"])
    if what == "stream":
        start_response("200 OK", [])
        return Stuck([b"a", RuntimeError("it failed")])
    if what == "close":
        start_response("200 OK", [])
        return Stuck([b"a"])
    if what == "sleep":
        time.sleep(1.5)
        start_response("200 OK", [])
        return [b"late"]
    return None
'''

ASGI = """
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        raise RuntimeError("no lifespan")
    what = scope["path"].strip("/")
    password = (await receive())["body"]
    headers = dict(scope["headers"])
    context = scope["extensions"]["gateway.fc"]["context"]
    start = {"type": "http.response.start", "status": 200, "headers": []}
    if what == "raise":
        raise ValueError("it failed")
    if what == "text-value":
        start["headers"] = [(b"set-cookie", headers[b"cookie"].decode())]
    if what == "status":
        start["status"] = headers[b"cookie"]
    if what == "control":
        start["headers"] = [(b"set-cookie", headers[b"cookie"] + b"\\r\\n")]
    if what == "event":
        start["type"] = "http.response.nothing"
    if what == "repr":
        await send(start)
        return await send({"type": "http.response.body", "body": repr(context).encode()})
    if what == "sleep":
        import asyncio
        await asyncio.sleep(1.5)
    await send(start)
    if what == "cut":
        await send({"type": "http.response.body", "body": b"a", "more_body": True})
    raise RuntimeError("behind the start")
"""

WSGI_WAYS = re.findall(r'what == "([a-z-]+)"', FAULTY)
ASGI_WAYS = re.findall(r'what == "([a-z-]+)"', ASGI)


def request(target: str, body: bytes = BODY, *more: str, fields: Iterable[str] = FIELDS) -> bytes:
    lines = [f"POST {target} HTTP/1.1", "Host: a", *fields, *more]
    if body or not more:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def answers(gateway: Gateway, data: bytes) -> bytes:
    """All that comes for `data`, until the other side closes."""
    with gateway.connect() as client:
        client.send_in_pieces(data, 1 << 20)
        client.half_close()
        try:
            return client.read_to_end()
        except ConnectionResetError:
            return b""


def assert_nothing_is_told(gateway: Gateway, heard: bytes) -> None:
    """Not in an answer, nor in a log; and what is in the logs is what it should be."""
    assert gateway.stop() == 0
    for text in (heard.decode("latin-1"), gateway.errors, gateway.output):
        assert CANARY.lower() not in text.lower(), excerpt(text)


def excerpt(text: str) -> str:
    at = text.lower().index(CANARY.lower())
    return text[max(0, at - 300) : at + 50]


@pytest.mark.parametrize("form", ["text", "json"])
def test_faults_of_handlers(start_gateway: StartGateway, form: str, tally: Any) -> None:
    gateway = start_gateway(
        "faulty:handler", "--access-log", form, "--log-level", "debug",
        "--handler-timeout", "700ms", source=FAULTY, environ=CREDENTIALS,
    )  # fmt: skip
    heard = b"".join(answers(gateway, request(f"/{way}{QUERY}")) for way in WSGI_WAYS)
    assert heard.count(b"HTTP/1.1 ") == len(WSGI_WAYS)
    assert heard.count(b"HTTP/1.1 502 ") > 12
    assert b"hidden" in heard
    wait_until(lambda: gateway.output.count("\n") == len(WSGI_WAYS), "every line of the log")
    assert gateway.output.count("&x-fc-signature=***") == len(WSGI_WAYS)
    assert "it failed" in gateway.errors
    assert_nothing_is_told(gateway, heard)
    tally(faults=len(WSGI_WAYS))


def test_faults_of_asgi_applications(start_gateway: StartGateway, tally: Any) -> None:
    gateway = start_gateway(
        "faulty:app", "--access-log", "json", "--log-level", "debug",
        "--handler-timeout", "700ms", source=ASGI, environ=CREDENTIALS,
    )  # fmt: skip
    heard = b"".join(answers(gateway, request(f"/{way}{QUERY}")) for way in ASGI_WAYS)
    assert heard.count(b"HTTP/1.1 502 ") > 4
    assert b"hidden" in heard
    assert_nothing_is_told(gateway, heard)
    tally(faults=len(ASGI_WAYS))


REFUSED: dict[str, tuple[bytes, int]] = {
    "no request": (f"{CANARY}\r\n\r\n".encode(), 400),
    "method": (request(f"/{QUERY}").replace(b"POST", CANARY.encode(), 1), 501),
    "version": (request(f"/{QUERY}").replace(b"HTTP/1.1", b"HTTP/2.0", 1), 505),
    "protocol": (request(f"/{QUERY}").replace(b"HTTP/1.1", b"RTSP/1.1", 1), 400),
    "target": (request(f"/{QUERY}").replace(b"POST /", b"POST ", 1), 400),
    "fragment": (request(f"/{QUERY}#{CANARY}"), 400),
    "path too long": (request(f"/{QUERY}{CANARY * 1000}"), 400),
    "host": (request(f"/{QUERY}", BODY, f"Host: {CANARY}"), 400),
    "user in host": (request(f"/{QUERY}").replace(b": a\r", f": {CANARY}@a\r".encode(), 1), 400),
    "field name": (request(f"/{QUERY}", BODY, f"{CANARY} : x"), 400),
    "field value": (request(f"/{QUERY}", BODY, f"X-A: {CANARY}\x00"), 400),
    "folded": (request(f"/{QUERY}", BODY, f"X-A: a\r\n {CANARY}"), 400),
    "headers too large": (request(f"/{QUERY}", BODY, f"X-A: {CANARY * 2000}"), 400),
    "length": (request(f"/{QUERY}", BODY, f"Content-Length: {CANARY}"), 400),
    "lengths": (request(f"/{QUERY}", BODY, "Content-Length: 3"), 400),
    "coding": (request(f"/{QUERY}", b"", f"Transfer-Encoding: {CANARY}"), 400),
    "gzip": (request(f"/{QUERY}", b"", "Transfer-Encoding: gzip, chunked"), 501),
    "chunk": (request(f"/{QUERY}", b"", "Transfer-Encoding: chunked") + BODY + b"\r\n", 400),
    "extension": (
        request(f"/{QUERY}", b"", "Transfer-Encoding: chunked") + f"1;{CANARY} x\r\n".encode(),
        400,
    ),
    "trailer": (
        request(f"/{QUERY}", b"", "Transfer-Encoding: chunked") + f"0\r\n{CANARY}\r\n".encode(),
        400,
    ),
    "expectation": (request(f"/{QUERY}", BODY, f"Expect: {CANARY}"), 417),
    "body too large": (request(f"/{QUERY}", BODY * 1000), 400),
    "tunnel": (f"CONNECT {CANARY}:443 HTTP/1.1\r\nHost: {CANARY}\r\n\r\n".encode(), 501),
    "early end": (request(f"/{QUERY}")[:-3], 400),
    "early end of the head": (request(f"/{QUERY}")[:200], 400),
}


@pytest.mark.parametrize("form", ["text", "json"])
def test_refusals(start_gateway: StartGateway, form: str, tally: Any) -> None:
    gateway = start_gateway(
        "faulty:handler", "--access-log", form, "--log-level", "debug", "--max-body", "1KB",
        source=FAULTY, environ=CREDENTIALS,
    )  # fmt: skip
    heard = b""
    for name, (data, status) in REFUSED.items():
        answer = answers(gateway, data)
        assert answer.startswith(b"HTTP/1.1 %d " % status), (name, answer[:300])
        heard += answer
    wait_until(lambda: gateway.output.count("\n") == len(REFUSED), "every line of the log")
    assert_nothing_is_told(gateway, heard)
    tally(refused=len(REFUSED))


def test_what_takes_too_long(start_gateway: StartGateway, tally: Any) -> None:
    """Slow heads and bodies, a full queue, a wait in it, a client that leaves."""
    gateway = start_gateway(
        "faulty:handler", "--access-log", "json", "--log-level", "debug", "--threads", "1",
        "--queue", "1", "--queue-timeout", "200ms", "--head-timeout", "300ms",
        "--body-timeout", "300ms", source=FAULTY, environ=CREDENTIALS,
    )  # fmt: skip
    clients: list[WireClient] = [gateway.connect() for _ in range(6)]
    clients[0].send(request(f"/sleep{QUERY}"))
    wait_until(lambda: gateway.status_value("Threads") > 1, "the handler runs")
    for client in clients[1:3]:
        client.send(request(f"/raise{QUERY}"))
    # One of them waits in the queue; the other finds it full, and is told so at once.
    assert select([client.socket for client in clients[1:3]], [], [], 15)[0]
    clients[3].send(request(f"/{QUERY}")[:150])
    clients[4].send(request(f"/{QUERY}")[:-5])
    clients[5].send(request(f"/raise{QUERY}"))
    clients[5].reset()
    heard = b""
    for client in clients[:5]:
        client.half_close()
        heard += client.read_to_end()
        client.close()
    assert heard.count(b"HTTP/1.1 ") == 5
    assert_nothing_is_told(gateway, heard)
    tally(refused=4, served=1)


@pytest.mark.parametrize(
    "source",
    [
        "secret = __import__('os').environ['ALIBABA_CLOUD_SECURITY_TOKEN']; raise ValueError('no')",
        "import os; secret = dict(os.environ); nothing.there",
        "import nothing_of_that_name",
        "def handler(:",
        "handler = 7",
        "handler = dict(__import__('os').environ)",
        "",
    ],
)
def test_handlers_that_cannot_be_loaded(source: str, tmp_path: Path, tally: Any) -> None:
    (tmp_path / "index.py").write_text(source, "utf-8")
    for word in ("check", "serve"):
        done = run_command(
            word, "index:handler", "--log-level", "debug", folder=tmp_path, environ=CREDENTIALS
        )
        assert done.returncode == 2
        told, *frames = done.stderr.splitlines()
        assert told.startswith("gateway: error: ")
        assert all(frame.startswith("  | ") for frame in frames)
        assert CANARY not in done.stderr + done.stdout
    tally(refused=2)


@pytest.mark.parametrize(
    "mistake",
    [
        {"GATEWAY_THREADS": "many"},
        {"GATEWAY_TOKEN": f"{CANARY}-x", "GATEWAY_STRICT_ENVIRONMENT": "true"},
        {"GATEWAY_CONFIG": "nowhere.toml"},
        {"FC_FUNCTION_MEMORY_SIZE": "much"},
    ],
)
def test_settings_that_are_wrong(mistake: dict[str, str], tmp_path: Path, tally: Any) -> None:
    done = run_command("serve", folder=tmp_path, environ=CREDENTIALS | mistake)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert CANARY not in done.stderr + done.stdout
    tally(refused=1)


# --- records -----------------------------------------------------------------------------------

FORGED = '2026-01-01 00:00:00,000 INFO gateway.server: forged"}'
RECORD = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} [A-Z]+ [\w.]+\[\d+\]: .*")
ANNOUNCED = re.compile(r"Gateway \S+ serves .*")
TEXT_LINE = re.compile(
    r'\S+ - - \[[^]]+\] "(?:[^"\\]|\\x[0-9a-f]{2})*" [0-9]{3} [0-9]+ '
    r'"(?:[^"\\]|\\x[0-9a-f]{2})*" "(?:[^"\\]|\\x[0-9a-f]{2})*" \S+ [0-9]+\.[0-9]ms(?: [A-Za-z]+)?'
)
ODD = [chr(code) for code in (*range(32), 0x7F, *range(0x80, 0xA1), 0xAD, 0xFF)] + [
    '"',
    "\\",
    "%0a",
]

FORGING = '''
import json
FORGED = """@"""

def handler(environ, start_response):
    what = environ["PATH_INFO"].strip("/")
    odd = "\\r\\n" + FORGED + "\\x1b[2J\\x85\\u2028\\u202e\\n" + FORGED
    log = environ["fc.context"].logger
    if what == "message":
        raise ValueError(odd)
    if what == "name":
        raise type(odd.replace("\\0", ""), (Exception,), {})(odd)
    if what == "note":
        error = KeyError(odd)
        error.add_note(odd)
        raise error from RuntimeError(odd)
    if what == "reason":
        start_response("200 " + odd, [])
    if what == "status":
        start_response(odd, [])
    if what == "value":
        start_response("200 OK", [("X-A", odd)])
    if what == "field":
        start_response("200 OK", [(odd, "a")])
    if what == "length":
        start_response("200 OK", [("Content-Length", odd)])
    if what == "log":
        log.error(odd)
        log.error("%s", odd)
        try:
            raise ValueError(odd)
        except ValueError:
            log.exception(odd, stack_info=True)
    if what == "close":
        class Closing(list):
            def close(self):
                raise ValueError(odd)
        start_response("200 OK", [])
        return Closing([b"a"])
    return type(odd, (), {})()
'''.replace("@", FORGED)

FORGING_WAYS = [*re.findall(r'what == "([a-z-]+)"', FORGING), "other"]


def assert_records(text: str) -> None:
    """Each line is a record, or marked as part of one, and steers no terminal."""
    lines = text.removesuffix("\n").split("\n")
    for line in lines:
        assert line.isprintable(), ascii(line)
        assert RECORD.fullmatch(line) or ANNOUNCED.fullmatch(line) or line.startswith("  | "), line
        assert not line.startswith(FORGED)


def test_records_of_the_gateway_cannot_be_forged(start_gateway: StartGateway, tally: Any) -> None:
    gateway = start_gateway("forging:handler", "--log-level", "debug", source=FORGING)
    heard = b"".join(answers(gateway, request(f"/{way}")) for way in FORGING_WAYS)
    assert heard.count(b"HTTP/1.1 502 ") == len(FORGING_WAYS) - 1  # `close` was answered before.
    assert gateway.stop() == 0
    assert gateway.errors.count("forged") > 10
    assert_records(gateway.errors)
    tally(faults=len(FORGING_WAYS))


@pytest.mark.parametrize("form", ["text", "json"])
def test_lines_of_the_access_log_cannot_be_forged(
    start_gateway: StartGateway, form: str, tally: Any
) -> None:
    gateway = start_gateway("faulty:handler", "--access-log", form, source=FAULTY)
    count = refused = 0
    for odd in ODD:
        forged = f"a{odd}{odd}{FORGED}".encode("latin-1")
        for data in (
            b"GET /%b HTTP/1.1\r\nHost: a\r\n\r\n" % forged.replace(b" ", b"_"),
            b"GET /text?%b HTTP/1.1\r\nHost: a\r\n\r\n" % forged.replace(b" ", b"_"),
            b"GET /text HTTP/1.1\r\nHost: a\r\nUser-Agent: %b\r\nReferer: %b\r\n\r\n"
            % (forged, forged),
            b"%b /text HTTP/1.1\r\nHost: a\r\n\r\n" % forged,
        ):
            answer = answers(gateway, data)
            found = answer.count(b"HTTP/1.1 ")
            assert found, data
            count += found
            refused += b"HTTP/1.1 400 " in answer
    wait_until(lambda: gateway.output.count("\n") >= count, "every line of the log")
    assert gateway.stop() == 0
    lines = gateway.output.removesuffix("\n").split("\n")
    assert len(lines) == count
    for line in lines:
        assert line.isascii()
        assert line.isprintable()
        if form == "json":
            assert set(json.loads(line)) >= {"time", "request_id", "target", "status"}
        else:
            assert TEXT_LINE.fullmatch(line), line
    assert_records(gateway.errors)
    tally(refused=refused, served=count - refused)


def test_what_is_not_http_is_no_line_either(start_gateway: StartGateway, tally: Any) -> None:
    gateway = start_gateway(
        "faulty:handler", "--proxy-protocol", "--trusted-proxies", "127.0.0.1",
        "--log-level", "debug", source=FAULTY,
    )  # fmt: skip
    for odd in ODD:
        for data in (f"PROXY TCP4 {odd}{FORGED}\r\n", f"PROXY {odd}\r\n", f"{odd}{FORGED}"):
            assert answers(gateway, data.encode("latin-1")) == b""
    assert gateway.stop() == 0
    assert "forged" not in gateway.errors
    assert_records(gateway.errors)
    tally(refused=3 * len(ODD))


def test_a_path_is_told_in_a_line(start_gateway: StartGateway, tmp_path: Path, tally: Any) -> None:
    path = tmp_path / "a\n|b\x1b\u202e.sock"
    gateway = start_gateway("faulty:handler", "--unix", str(path), source=FAULTY)
    assert_records(gateway.errors)
    assert r"a\n|b\x1b\u202e.sock" in gateway.errors
    tally(faults=1)
