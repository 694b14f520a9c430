"""The folder of the user's code, as Function Compute's environment names it, and what it holds."""

from collections.abc import Callable
from pathlib import Path

import requests
from functional.serving import ROOT, Gateway, wait_until

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
