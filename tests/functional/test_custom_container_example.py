"""The example of the guide, as Function Compute runs it."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from functional.serving import ROOT, clean_environ, wait_until
from functional.wire import Response, WireClient

EXAMPLE = ROOT / "examples" / "fc3-custom-runtime"
CODE = EXAMPLE / "code"
COMMON = [
    ("X-Fc-Access-Key-Id", ""),
    ("X-Fc-Access-Key-Secret", ""),
    ("X-Fc-Security-Token", ""),
    ("X-Fc-Account-Id", "123456"),
    ("X-Fc-Function-Handler", "index.handler"),
    ("X-Fc-Function-Memory", "512"),
    ("X-Fc-Function-Name", "prices"),
    ("X-Fc-Qualifier", "LATEST"),
    ("X-Fc-Region", "cn-hangzhou"),
    ("X-Fc-Retry-Count", "0"),
    ("X-Fc-Service-Name", ""),
]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Instance:
    """The bootstrap script, started with the environment of an instance."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self._output = folder / "output.txt"
        environ = clean_environ(
            PATH=f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            FC_CUSTOM_LISTEN_PORT=str(self.port),
            FC_FUNC_CODE_PATH="/code",
            FC_FUNCTION_HANDLER="index.handler",
            FC_FUNCTION_NAME="prices",
            FC_FUNCTION_MEMORY_SIZE="512",
            FC_REGION="cn-hangzhou",
            FC_ACCOUNT_ID="123456",
            FC_INSTANCE_ID="c-5f1b0c9d-0123456789abcdef",
            PYTHONDONTWRITEBYTECODE="1",
        )
        with self._output.open("wb") as output:
            self.process = subprocess.Popen(
                [CODE / "bootstrap"],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd="/",
                env=environ,
            )
        wait_until(lambda: f" on http://0.0.0.0:{self.port} " in self.output, "it starts")

    @property
    def output(self) -> str:
        return self._output.read_text("utf-8")

    def connect(self) -> WireClient:
        return WireClient(f"http://127.0.0.1:{self.port}")


def call(
    client: WireClient, control: str, request_id: str, target: str = "", method: str = "GET"
) -> Response:
    fields = [
        *COMMON,
        ("X-Fc-Control-Path", control),
        ("X-Fc-Request-Id", request_id),
        ("X-Fc-Base-Path", target),
    ]
    return client.ask(
        target or control, method, fields=fields, body=b"" if method == "POST" else None
    )


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[Instance]:
    started = Instance(tmp_path)
    try:
        yield started
    finally:
        started.process.kill()
        started.process.wait(15)


def test_it_lives_as_on_function_compute(instance: Instance) -> None:
    with instance.connect() as client:
        response = call(client, "/initialize", "1-5f1b0c9d-1", method="POST")
        assert (response.status, response["X-Fc-Status"]) == (200, "200")
        response = call(client, "/http-invoke", "1-5f1b0c9d-2", "/price/tea?currency=eur")
        assert response.status == 200
        assert response["X-Fc-Request-Id"] == "1-5f1b0c9d-2"
        assert response["X-Fc-Status"] == "200"
        assert response.json() == {
            "what": "tea",
            "price": 3,
            "function": "prices",
            "request": "1-5f1b0c9d-2",
            "uri": "/price/tea?currency=eur",
        }
        response = call(client, "/http-invoke", "1-5f1b0c9d-3", "/price/milk")
        assert (response.status, response["X-Fc-Status"]) == (404, "200")
        assert call(client, "/pre-stop", "1-5f1b0c9d-4").status == 200
    instance.process.send_signal(signal.SIGTERM)
    assert instance.process.wait(15) == 0
    assert instance.output.count("closing the catalogue") == 1


def test_the_old_default_url_shows_the_handler_what_it_saw(instance: Instance) -> None:
    prefix = "/2016-08-15/proxy/shop/prices"
    with instance.connect() as client:
        fields = [*COMMON, ("X-Fc-Base-Path", f"{prefix}/")]
        answer = client.ask(f"{prefix}/price/coffee", fields=fields).json()
    assert (answer["price"], answer["uri"]) == (4, f"{prefix}/price/coffee")


def test_the_files_agree_with_one_another() -> None:
    settings = tomllib.loads((CODE / "gateway.toml").read_text("utf-8"))
    dockerfile = (EXAMPLE / "Dockerfile").read_text("utf-8")
    command = json.loads(dockerfile.partition("CMD ")[2])
    bootstrap = (CODE / "bootstrap").read_text("utf-8")
    assert f"-m gateway {' '.join(command)}\n" in bootstrap
    for name in ("s.yaml", "s.container.yaml"):
        text = (EXAMPLE / name).read_text("utf-8")
        lifecycle = dict(re.findall(r"^ {8}(\w+):\n {10}handler: (\S+)$", text, re.MULTILINE))
        assert lifecycle == {
            "initializer": settings["initializer"],
            "preStop": settings["pre_stop"],
        }
        assert f"handler: {settings['target']}\n" in text


def test_the_guide_shows_the_files_as_they_are() -> None:
    guide = (ROOT / "docs" / "custom-container.md").read_text("utf-8")
    for name in ("code/bootstrap", "code/gateway.toml", "Dockerfile"):
        assert (EXAMPLE / name).read_text("utf-8").strip() in guide, name
