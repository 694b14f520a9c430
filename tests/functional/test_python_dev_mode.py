"""With PYTHONDEVMODE=1 Python tells what nobody has closed: nothing of the gateway's own."""

import os
import re
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from functional.serving import LATER, Gateway, run_command, wait_until
from functional.wire import WireClient

StartGateway = Callable[..., Gateway]

WATCHFUL = {"PYTHONDEVMODE": "1"}

APP = """
import time

def handler(environ, start_response):
    length = len(environ["wsgi.input"].read())
    start_response("200 OK", [("Content-Type", "text/plain")])
    if environ["PATH_INFO"] == "/fail":
        raise ValueError("asked for")
    if environ["PATH_INFO"] == "/slow":
        time.sleep(1)
    if environ["PATH_INFO"] == "/endless":
        return (b"x" * 65536 for _ in range(10**9))
    return [b"%d" % length]

def hook(context):
    pass

def leaky(environ, start_response):
    open(__file__)
    start_response("200 OK", [])
    return [b""]

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            kind = (await receive())["type"]
            await send({"type": f"{kind}.complete"})
            if kind == "lifespan.shutdown":
                return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"ok"})

def events(event, context):
    return {"statusCode": 200, "body": "ok"}
"""

# What is wrong is told by interpreters in different words.
FOUND = re.compile(r"^.*(?:Warning: |Exception ignored|never awaited|Enable tracemalloc).*$", re.M)


def assert_silent(gateway: Gateway) -> None:
    assert "serves" in gateway.errors
    assert FOUND.findall(gateway.errors) == [], gateway.errors


SETTINGS: dict[str, tuple[str, ...]] = {
    "alone": ("app:handler", "--workers", "0", "--body-buffer", "1KB"),
    "in the main thread, alone": ("app:handler", "--threads", "1", "--workers", "0"),
    "many": ("app:handler", "--workers", "2", "--function-log", "text", "--access-log", "json"),
    "asgi": ("app:app",),
    "asgi, alone": ("app:app", "--workers", "0"),
    "profile of fc": (
        *("app:handler", "--profile", "function-compute", "--profile-invocations", "table"),
        *("--initializer", "app.hook", "--pre-stop", "app.hook"),
    ),
    "events": ("app:events",),
}


@pytest.mark.parametrize("name", SETTINGS)
def test_nothing_is_left_open(start_gateway: StartGateway, name: str) -> None:
    # One of the requests is never complete: the drain does not wait for it for long.
    gateway = start_gateway(*SETTINGS[name], "--drain-timeout", "1s", source=APP, environ=WATCHFUL)
    with gateway.connect() as idle, gateway.connect() as client:
        assert idle.ask("/").status == 200
        assert client.ask("/", method="POST", body=b"x" * 100_000).status == 200
        client.ask("/fail")
        client.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nnot")
        assert gateway.stop() == 0
    assert_silent(gateway)


@pytest.mark.parametrize("target", ["app:handler", "app:app"])
def test_nothing_is_left_open_on_a_unix_socket(
    start_gateway: StartGateway, tmp_path: Path, target: str
) -> None:
    path = tmp_path / "gw.sock"
    gateway = start_gateway(target, "--unix", str(path), source=APP, environ=WATCHFUL)
    with WireClient(f"unix:{path}") as client:
        assert client.ask("/").status == 200
    assert gateway.stop() == 0
    assert_silent(gateway)


@pytest.mark.parametrize("workers", ["0", "1"])
def test_nothing_is_left_open_of_an_inherited_socket(
    start_gateway: StartGateway, workers: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        gateway = start_gateway(
            *("app:handler", "--fd", str(listener.fileno()), "--workers", workers),
            source=APP,
            environ=WATCHFUL,
            pass_fds=(listener.fileno(),),
        )
        with gateway.connect() as client:
            assert client.ask("/").status == 200
        assert gateway.stop() == 0
    assert_silent(gateway)


@pytest.mark.parametrize("workers", ["0", "1"])
def test_nothing_is_left_open_when_it_must_end_at_once(
    start_gateway: StartGateway, workers: str
) -> None:
    gateway = start_gateway("app:handler", "--workers", workers, source=APP, environ=WATCHFUL)
    with gateway.connect() as slow, gateway.connect() as endless:
        slow.request("/slow")
        endless.request("/endless")
        endless.read_head()
        gateway.signal(signal.SIGTERM)
        time.sleep(LATER)
        gateway.signal(signal.SIGTERM)
        gateway.wait()
    assert_silent(gateway)


def test_nothing_is_left_open_by_a_reload(start_gateway: StartGateway) -> None:
    gateway = start_gateway("app:handler", "--workers", "2", source=APP, environ=WATCHFUL)
    old = gateway.worker_pids
    gateway.signal(signal.SIGHUP)
    wait_until(lambda: not {*old} & {*gateway.worker_pids}, "the workers are new", 30)
    with gateway.connect() as client:
        assert client.ask("/").status == 200
    assert gateway.stop() == 0
    assert_silent(gateway)


def test_nothing_is_left_open_by_a_worker_that_is_killed(start_gateway: StartGateway) -> None:
    gateway = start_gateway("app:handler", source=APP, environ=WATCHFUL)
    old = gateway.worker_pid
    os.kill(old, signal.SIGKILL)
    wait_until(lambda: gateway.worker_pids and old not in gateway.worker_pids, "it is replaced")
    with gateway.connect() as client:
        assert client.ask("/").status == 200
    assert gateway.stop() == 0
    assert_silent(gateway)


def test_nothing_is_left_open_by_development(start_gateway: StartGateway, tmp_path: Path) -> None:
    gateway = start_gateway("app:handler", source=APP, environ=WATCHFUL, word="dev")
    (path,) = tmp_path.rglob("app.py")
    path.write_text(APP + "\n# changed\n")
    wait_until(lambda: "app.py changed: reloaded" in gateway.errors, "it reloads", 30)
    with gateway.connect() as client:
        assert client.ask("/").status == 200
    assert gateway.stop() == 0
    assert_silent(gateway)


@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "app:handler"),
        ("check", "app:missing"),
        ("serve", "app:missing", "--port", "0"),
        ("serve", "app:handler", "--port", "0", "--unix-mode", "600"),
        ("serve", "app:handler", "--unix", "/nowhere/gw.sock"),
        ("help",),
        ("version",),
    ],
)
def test_nothing_is_left_open_by_what_ends_by_itself(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    (tmp_path / "app.py").write_text(APP)
    ended = run_command(*arguments, folder=tmp_path, environ=WATCHFUL)
    assert ended.returncode in (0, 2)
    assert FOUND.findall(ended.stderr) == [], ended.stderr


def test_what_a_handler_leaves_open_is_told(start_gateway: StartGateway) -> None:
    """So the silence above says something."""
    gateway = start_gateway("app:leaky", source=APP, environ=WATCHFUL)
    with gateway.connect() as client:
        assert client.ask("/").status == 200
    assert gateway.stop() == 0
    assert len(FOUND.findall(gateway.errors)) >= 1
    assert "ResourceWarning: unclosed file" in gateway.errors
