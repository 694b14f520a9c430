"""Proxies in front: whose words on the client are believed, by the running gateway."""

import json
import os
import select
import socket
import stat
import struct
from pathlib import Path
from typing import Any

import pytest
from functional.conftest import StartGateway
from functional.serving import Gateway, wait_until

pytestmark = pytest.mark.family("trust")

CLIENT = "203.0.113.9"
FIELDS = [
    ("X-Forwarded-For", f"1.2.3.4, {CLIENT}:4711"),
    ("X-Forwarded-Proto", "https"),
    ("X-Forwarded-Host", "shop.example"),
    ("X-Forwarded-Port", "8443"),
    ("Forwarded", "for=6.6.6.6;host=evil;proto=https"),
    ("X_Forwarded_For", "6.6.6.6"),
]
PASSED_ON = {
    "HTTP_X_FORWARDED_FOR": f"1.2.3.4, {CLIENT}:4711",
    "HTTP_X_FORWARDED_PROTO": "https",
    "HTTP_X_FORWARDED_HOST": "shop.example",
    "HTTP_X_FORWARDED_PORT": "8443",
    "HTTP_FORWARDED": "for=6.6.6.6;host=evil;proto=https",
}

ASGI = """
import json

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        return
    told = {name: scope[name] for name in ("client", "server", "scheme")}
    told["headers"] = [[name.decode(), value.decode()] for name, value in scope["headers"]]
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": json.dumps(told).encode()})
"""


def environ_of(gateway: Gateway, fields: list[tuple[str, str]]) -> dict[str, Any]:
    with gateway.connect() as client:
        return client.ask("/a?b=c", fields=fields).json()["environ"]


def records_of(gateway: Gateway, count: int) -> list[dict[str, Any]]:
    wait_until(lambda: gateway.output.count("\n") >= count, f"{count} lines of the log")
    return [json.loads(line) for line in gateway.output.splitlines()]


@pytest.mark.parametrize("options", [(), ("--trusted-proxies", "10.0.0.0/8,::1,unix")])
def test_nobody_is_believed_without_being_listed(
    start_gateway: StartGateway, options: tuple[str, ...], tally: Any
) -> None:
    gateway = start_gateway("recording:handler", "--access-log", "json", *options)
    environ = environ_of(gateway, FIELDS)
    assert environ["REMOTE_ADDR"] == "127.0.0.1"
    assert environ["wsgi.url_scheme"] == "http"
    assert environ["HTTP_HOST"] == "gateway.test"
    assert environ["SERVER_PORT"] == str(gateway.port)
    assert "HTTPS" not in environ
    # What the client says is passed on as such.
    assert {name: environ[name] for name in PASSED_ON} == PASSED_ON
    assert records_of(gateway, 1)[0]["client"] == "127.0.0.1"
    tally(refused=1)


def test_a_listed_proxy_is_believed(start_gateway: StartGateway, tally: Any) -> None:
    gateway = start_gateway(
        "recording:handler",
        "--access-log",
        "json",
        "--trusted-proxies",
        "127.0.0.0/8",
        "--forwarded-headers",
        "x-forwarded-for,x-forwarded-proto,x-forwarded-host,x-forwarded-port",
    )
    environ = environ_of(gateway, FIELDS)
    assert environ["REMOTE_ADDR"] == CLIENT
    assert environ["REMOTE_PORT"] == "4711"
    assert environ["wsgi.url_scheme"] == "https"
    assert environ["HTTPS"] == "on"
    assert environ["HTTP_HOST"] == "shop.example:8443"
    assert environ["SERVER_NAME"] == "shop.example"
    assert environ["SERVER_PORT"] == "8443"
    assert environ["fc.request_uri"] == "/a?b=c"
    assert {name: environ[name] for name in PASSED_ON} == PASSED_ON
    assert records_of(gateway, 1)[0]["client"] == CLIENT
    tally(served=1)


def test_by_default_two_fields_count(start_gateway: StartGateway, tally: Any) -> None:
    gateway = start_gateway("recording:handler", "--trusted-proxies", "127.0.0.1")
    environ = environ_of(gateway, FIELDS)
    assert (environ["REMOTE_ADDR"], environ["wsgi.url_scheme"]) == (CLIENT, "https")
    assert (environ["HTTP_HOST"], environ["SERVER_PORT"]) == ("gateway.test", str(gateway.port))
    tally(served=1)


def test_clients_behind_one_connection_are_told_apart(
    start_gateway: StartGateway, tally: Any
) -> None:
    gateway = start_gateway(
        "recording:handler", "--trusted-proxies", "127.0.0.1", "--access-log", "json"
    )
    told = [["1.1.1.1"], ["2.2.2.2"], ["2.2.2.2"], [], ["1.1.1.1"], ["x"]]
    with gateway.connect() as client:
        found = [
            client.ask(fields=[("X-Forwarded-For", text) for text in texts]).json()["environ"]
            for texts in told
        ]
        # Who is refused by the parser, and by a limit, is known too.
        client.request(fields=[("X-Forwarded-For", "3.3.3.3"), ("Expect", "more")])
        assert client.read_response().status == 417
    expected = ["1.1.1.1", "2.2.2.2", "2.2.2.2", "127.0.0.1", "1.1.1.1", ""]
    assert [environ["REMOTE_ADDR"] for environ in found] == expected
    assert ["REMOTE_PORT" in environ for environ in found] == [False] * 3 + [True] + [False] * 2
    assert [record["client"] for record in records_of(gateway, 7)] == [*expected, "3.3.3.3"]
    tally(served=6, refused=1)


def test_forwarded_is_the_only_one_then(start_gateway: StartGateway, tally: Any) -> None:
    gateway = start_gateway(
        "recording:handler",
        "--trusted-proxies",
        "*",
        environ={"GATEWAY_FORWARDED_HEADERS": "forwarded"},
    )
    fields = [
        ("Forwarded", "for=6.6.6.6;proto=http;host=evil"),
        ("Forwarded", 'for="[2001:db8::9]:4711";proto=https;host=shop.example'),
        ("X-Forwarded-For", "6.6.6.6"),
        ("X-Forwarded-Host", "evil"),
    ]
    environ = environ_of(gateway, fields)
    assert (environ["REMOTE_ADDR"], environ["REMOTE_PORT"]) == ("2001:db8::9", "4711")
    assert (environ["HTTP_HOST"], environ["SERVER_PORT"]) == ("shop.example", "443")
    tally(served=1)


def test_an_asgi_application_is_told_the_same(start_gateway: StartGateway, tally: Any) -> None:
    gateway = start_gateway(
        "told:app",
        "--trusted-proxies",
        "127.0.0.1",
        "--forwarded-headers",
        "x-forwarded-for,x-forwarded-proto,x-forwarded-host",
        source=ASGI,
    )
    with gateway.connect() as client:
        for _ in range(2):
            told = client.ask(fields=FIELDS).json()
            assert told["client"] == [CLIENT, 4711]
            assert told["scheme"] == "https"
            assert told["server"] == ["shop.example", 443]
            assert ["host", "shop.example"] in told["headers"]
        told = client.ask().json()
    assert told["client"][0] == "127.0.0.1"
    assert told["scheme"] == "http"
    assert ["host", "gateway.test"] in told["headers"]
    tally(served=3)


@pytest.mark.parametrize(
    ("proxies", "client"), [("unix", CLIENT), ("127.0.0.1", ""), ("*", CLIENT)]
)
def test_a_unix_socket(
    start_gateway: StartGateway, tmp_path: Path, proxies: str, client: str, tally: Any
) -> None:
    path = tmp_path / "gateway.sock"
    gateway = start_gateway(
        "recording:handler", "--unix", str(path), "--trusted-proxies", proxies,
        "--unix-mode", "660",
    )  # fmt: skip
    assert stat.S_IMODE(path.stat().st_mode) == 0o660
    environ = environ_of(gateway, FIELDS)
    assert environ["REMOTE_ADDR"] == client
    port, scheme = ("443", "https") if client else ("80", "http")
    assert (environ["SERVER_NAME"], environ["SERVER_PORT"]) == ("localhost", port)
    assert environ["wsgi.url_scheme"] == scheme
    tally(served=1)


def test_a_unix_socket_is_its_owner_s(start_gateway: StartGateway, tmp_path: Path) -> None:
    path = tmp_path / "gateway.sock"
    before = os.umask(0)
    try:
        start_gateway("recording:handler", "--unix", str(path))
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


# --- the PROXY protocol ------------------------------------------------------------------------

V1 = f"PROXY TCP4 {CLIENT} 192.0.2.9 4711 443\r\n".encode()
V2 = (
    b"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c"
    + socket.inet_aton(CLIENT)
    + socket.inet_aton("192.0.2.9")
    + struct.pack(">HH", 4711, 443)
)
LOCAL = b"\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00"


@pytest.mark.parametrize("header", [V1, V2])
@pytest.mark.parametrize("piece", [1, 1000])
def test_a_connection_with_its_header(
    start_gateway: StartGateway, header: bytes, piece: int, tally: Any
) -> None:
    gateway = start_gateway(
        "recording:handler",
        "--access-log",
        "json",
        "--proxy-protocol",
        "--trusted-proxies",
        "127.0.0.1",
    )
    with gateway.connect() as client:
        body = b"b" * 100_000
        request = b"POST /%s HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n"
        client.send_in_pieces(header + request % (b"0", 2) + b"ab", piece)
        found = [client.read_response().json()]
        client.send(request % (b"1", len(body)) + body)
        found.append(client.read_response().json())
        found.append(client.ask(fields=FIELDS).json())  # Of somebody who is not listed.
    for description in found:
        environ = description["environ"]
        assert (environ["REMOTE_ADDR"], environ["REMOTE_PORT"]) == (CLIENT, "4711")
        assert (environ["SERVER_NAME"], environ["SERVER_PORT"]) == ("192.0.2.9", "443")
        assert environ["wsgi.url_scheme"] == "http"
    assert found[1]["length"] == len(body)
    assert [record["client"] for record in records_of(gateway, 3)] == [CLIENT] * 3
    tally(served=3)


def test_a_proxy_that_speaks_for_itself(start_gateway: StartGateway, tally: Any) -> None:
    gateway = start_gateway(
        "recording:handler", "--proxy-protocol", "--trusted-proxies", "127.0.0.1"
    )
    with gateway.connect() as client:
        client.send(LOCAL)
        assert client.ask().json()["environ"]["REMOTE_ADDR"] == "127.0.0.1"
    with gateway.connect() as client:
        client.send(b"PROXY UNKNOWN\r\n")
        environ = client.ask(fields=FIELDS).json()["environ"]
        assert (environ["REMOTE_ADDR"], environ["wsgi.url_scheme"]) == ("", "http")
        assert environ["SERVER_PORT"] == str(gateway.port)
    tally(served=2)


@pytest.mark.parametrize("trusted", ["127.0.0.1", "10.0.0.0/8"])
def test_who_does_not_begin_with_it_is_not_served(
    start_gateway: StartGateway, trusted: str, tally: Any
) -> None:
    """Nor is who is not listed, whatever it begins with."""
    gateway = start_gateway(
        "recording:handler",
        "--access-log",
        "json",
        "--proxy-protocol",
        "--trusted-proxies",
        trusted,
    )
    request = b"GET /secret HTTP/1.1\r\nHost: a\r\n\r\n"
    attempts = [request, V1[:-2] + b" \r\n" + request, V2[:12] + b"\x11" + V2[13:] + request]
    attempts += [V1 + request, V2 + request] if trusted == "10.0.0.0/8" else []
    for attempt in attempts:
        with gateway.connect() as client:
            client.send_in_pieces(attempt, 1000)
            client.wait_for_end()
            assert client._unread == b""
    wait_until(lambda: "connections were closed" in gateway.errors, "a line about it")
    assert gateway.errors.count("1 connections were closed: ") == 1
    assert "from 127.0.0.1)" in gateway.errors
    assert "secret" not in gateway.errors
    assert gateway.output == ""
    tally(refused=len(attempts))


def test_silence_is_cut_and_nothing_is_left(start_gateway: StartGateway, tally: Any) -> None:
    gateway = start_gateway(
        "recording:handler",
        "--proxy-protocol",
        "--trusted-proxies",
        "127.0.0.1",
        "--head-timeout",
        "300ms",
    )
    before = gateway.descriptors
    clients = [gateway.connect() for _ in range(20)]
    for number, client in enumerate(clients):
        client.send(V1[:number])
    for client in clients:
        client.wait_for_end()
        client.close()
    wait_until(lambda: gateway.descriptors == before, "every descriptor is given back")
    with gateway.connect() as client:
        client.send(V1)
        assert client.ask().status == 200
    tally(faults=20, served=1)


def test_the_end_does_not_wait_for_a_header(start_gateway: StartGateway, tally: Any) -> None:
    gateway = start_gateway(
        "recording:handler", "--proxy-protocol", "--trusted-proxies", "127.0.0.1"
    )
    with gateway.connect() as silent, gateway.connect() as half, gateway.connect() as idle:
        half.send(V1[:9])
        idle.send(V1)
        assert idle.ask().status == 200
        assert gateway.stop() == 0
        silent.wait_for_end()
    assert "drain timeout" not in gateway.errors
    tally(faults=2, served=1)


def test_who_sends_no_header_makes_room(start_gateway: StartGateway, tally: Any) -> None:
    gateway = start_gateway(
        "recording:handler", "--proxy-protocol", "--trusted-proxies", "127.0.0.1",
        "--max-connections", "3",
    )  # fmt: skip
    silent = [gateway.connect() for _ in range(3)]
    for _ in range(5):
        with gateway.connect() as client:
            client.send(V1)
            assert client.ask().status == 200
    ended, _, _ = select.select([client.socket for client in silent], [], [], 5.0)
    assert ended
    for client in silent:
        client.close()
    tally(served=5, faults=1)
