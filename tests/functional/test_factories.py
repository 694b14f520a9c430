"""Application factories, served by the real command."""

from collections.abc import Callable
from pathlib import Path

import pytest
from functional.serving import Gateway, run_command

StartGateway = Callable[..., Gateway]

FACTORIES = """
import os
from flask import Flask

def create_app(name="default", *, debug=False):
    app = Flask(__name__)

    @app.get("/")
    def index():
        return f"{name} {debug}"

    return app

def create_asgi():
    async def app(scope, receive, send):
        if scope["type"] != "http":
            raise RuntimeError
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"asgi"})

    return app

def create_events():
    def handler(event, context):
        return {"statusCode": 200, "body": "event"}

    return handler

def from_environment():
    return connect(os.environ["DATABASE_URL"])

def connect(url): ...

def nothing(): ...
"""


@pytest.mark.parametrize(
    ("target", "kind", "body"),
    [
        ("shop:create_app", "WSGI handler", b"default False"),
        ("shop:create_app()", "WSGI handler", b"default False"),
        ("shop:create_app('test.a:b', debug=True)", "WSGI handler", b"test.a:b True"),
        ("shop.create_app()", "WSGI handler", b"default False"),
        ("shop:create_asgi", "ASGI application", b"asgi"),
        ("shop:create_asgi()", "ASGI application", b"asgi"),
        ("shop:create_events", "event handler", b"event"),
    ],
)
def test_what_a_factory_makes_is_served(
    start_gateway: StartGateway, tmp_path: Path, target: str, kind: str, body: bytes
) -> None:
    (tmp_path / "shop.py").write_text(FACTORIES)
    gateway = start_gateway(target, "--chdir", str(tmp_path))
    with gateway.connect() as client:
        answer = client.ask("/")
    assert (answer.status, answer.body) == (200, body)
    (line,) = [line for line in gateway.errors.splitlines() if line.startswith("Gateway ")]
    assert f" serves {target} ({kind}) with 1 worker" in line
    checked = run_command("check", target, folder=tmp_path)
    assert (checked.returncode, checked.stderr) == (0, "")
    assert checked.stdout.startswith(f"{target}: {kind} ")


def test_it_is_called_once_in_each_worker(start_gateway: StartGateway, tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(
        "import os\n"
        "def create_app():\n"
        f"    with open({str(tmp_path / 'calls')!r}, 'a') as file:\n"
        "        file.write(f'{os.getpid()}\\n')\n"
        "    def app(environ, start_response):\n"
        "        start_response('200 OK', [])\n"
        "        return [b'']\n"
        "    return app\n"
    )
    gateway = start_gateway("shop:create_app", "--chdir", str(tmp_path), "--workers", "2")
    called = [int(pid) for pid in (tmp_path / "calls").read_text().split()]
    assert sorted(called) == sorted(gateway.worker_pids)


@pytest.mark.parametrize("target", ["shop:from_environment", "shop:from_environment()"])
@pytest.mark.parametrize("word", ["serve", "check"])
def test_the_failure_of_a_factory_has_the_user_s_own_stack(
    tmp_path: Path, word: str, target: str
) -> None:
    (tmp_path / "shop.py").write_text(FACTORIES)
    ended = run_command(word, target, "--port", "0", folder=tmp_path)
    assert ended.returncode == 2
    first, *details = ended.stderr.splitlines()
    number = 1 + FACTORIES.splitlines().index('    return connect(os.environ["DATABASE_URL"])')
    assert first == (
        "gateway: error: Module initialization error: 'DATABASE_URL': KeyError at "
        f"shop.py:{number}, from '{target}' called as a factory [UserCodeError]"
    )
    assert details[0] == "  | Traceback (most recent call last):"
    assert details[1] == (
        f'  |   File "{tmp_path / "shop.py"}", line {number}, in from_environment'
    )
    assert details[-1] == "  | KeyError: 'DATABASE_URL'"
    assert not [line for line in details if "/gateway/" in line]


@pytest.mark.parametrize(
    ("target", "line"),
    [
        (
            "shop:nothing",
            "Invalid handler 'shop:nothing': it was called, and returned None, which is no "
            "application [InvalidHandleName]",
        ),
        (
            "shop:create_app(os.environ)",
            "Invalid handler 'shop:create_app(os.environ)': write literals between its "
            "parentheses, as in app:create_app('test', debug=True) [InvalidHandleName]",
        ),
        (
            "shop:create_app(1, 2)",
            "Invalid handler 'shop:create_app(1, 2)': it takes (name, debug): too many positional "
            "arguments [InvalidHandleName]",
        ),
        (
            "shop:create_app(",
            "TARGET: Invalid handler 'shop:create_app(': its call has no end; give "
            "package.module:create_app() [InvalidHandleName]",
        ),
    ],
)
def test_what_cannot_be_called_is_one_line(tmp_path: Path, target: str, line: str) -> None:
    (tmp_path / "shop.py").write_text(FACTORIES)
    ended = run_command("check", target, folder=tmp_path)
    assert (ended.returncode, ended.stderr) == (2, f"gateway: error: {line}\n")


def test_hooks_are_named_and_not_called(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(FACTORIES)
    ended = run_command(
        "check", "shop:create_app", "--initializer", "shop.nothing()", folder=tmp_path
    )
    assert ended.returncode == 2
    assert ended.stderr.startswith(
        "gateway: error: --initializer: Invalid handler 'shop.nothing()'"
    )
