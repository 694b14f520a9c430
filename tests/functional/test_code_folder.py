"""The folder of the user's code, as Function Compute's environment names it, and what it holds."""

from collections.abc import Callable
from pathlib import Path

import pytest
import requests
from functional.serving import ROOT, Gateway, run_command, wait_until

StartGateway = Callable[..., Gateway]


def test_function_compute_names_folder_and_handler(
    start_gateway: StartGateway, tmp_path: Path
) -> None:
    """A package that `pip install -t .` has put beside the code goes before an installed one."""
    code = tmp_path / "code"
    (code / "flask").mkdir(parents=True)
    (code / "flask" / "__init__.py").write_text("greeting = b'from the code folder'\n", "utf-8")
    (code / "index.py").write_text(
        "import os, sys\n"
        "from flask import greeting\n"
        "def handler(environ, start_response):\n"
        "    start_response('200 OK', [('X-Path', sys.path[0]), ('X-Folder', os.getcwd())])\n"
        "    return [greeting]\n",
        "utf-8",
    )
    environ = {"FC_FUNC_CODE_PATH": str(code), "FC_FUNCTION_HANDLER": "index.handler"}
    response = requests.get(start_gateway("", chdir=None, environ=environ).address, timeout=15)
    assert response.content == b"from the code folder"
    assert response.headers["X-Path"] == response.headers["X-Folder"] == str(code)


def test_the_documented_handler(start_gateway: StartGateway) -> None:
    """It reads what Function Compute's documentation lists, and prints it."""
    gateway = start_gateway("index.handler", chdir=ROOT / "examples" / "bare")
    response = requests.post(
        f"{gateway.address}/a%20path?a=b&c",
        data=b"the body",
        headers={"X-Custom-Key": "value", "Content-Type": "text/x-test"},
        timeout=15,
    )
    assert (response.status_code, response.text) == (200, "Hello world!\n")
    assert response.headers["Content-Type"] == "text/plain"
    wait_until(lambda: "server_protocol" in gateway.output, "the handler's output is passed on")
    assert "request_body: b'the body'\n" in gateway.output
    assert (
        "method: POST\n path: /a path\n query_string: a=b&c\n server_protocol: HTTP/1.1\n"
    ) in gateway.output
    request_id = response.headers["X-Fc-Request-Id"]
    assert (
        f"request {request_id} for /a%20path?a=b&c: text/x-test, {{'HTTP_X_CUSTOM_KEY': 'value'}}"
    ) in gateway.errors


@pytest.mark.parametrize("word", ["check", "serve"])
def test_a_failure_deep_in_the_imports_is_shown_whole(tmp_path: Path, word: str) -> None:
    """One line for programs, and behind it the chain of imports for who has to mend it."""
    (tmp_path / "index.py").write_text("from views import handler\n")
    (tmp_path / "views.py").write_text("import services\n")
    (tmp_path / "services.py").write_text("settings = {}\nhost = settings['host']\n")
    port = ("--port", "0") if word == "serve" else ()
    done = run_command(word, "index.handler", *port, folder=tmp_path)
    assert done.returncode == 2
    first, *rest = done.stderr.splitlines()
    assert first == (
        "gateway: error: Module initialization error: 'host': KeyError at services.py:2 "
        "[UserCodeError]"
    )
    assert all(line.startswith("  | ") for line in rest)
    files = [line for line in rest if "File " in line]
    assert [Path(line.split('"')[1]).name for line in files] == [
        "index.py",
        "views.py",
        "services.py",
    ]
    assert rest[-1] == "  | KeyError: 'host'"
