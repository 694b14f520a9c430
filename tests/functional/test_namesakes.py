"""User code whose names are the gateway's own."""

from pathlib import Path

import pytest
from functional.conftest import StartGateway
from functional.serving import run_command

APP = """
from gateway import VERSION
from gateway.models import Payment
from gateway.deep.module import NAME
import gateway.models

def handler(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    assert gateway.models.Payment is Payment
    return [f"{Payment.kind} {VERSION} {NAME}".encode()]
"""


def lay_out(folder: Path, app: str) -> None:
    package = folder / "gateway"
    (package / "deep").mkdir(parents=True)
    (package / "__init__.py").write_text("from .models import Payment\nVERSION = Payment.version\n")
    (package / "models.py").write_text("class Payment:\n    kind, version = 'card', 7\n")
    (package / "deep" / "__init__.py").touch()
    (package / "deep" / "module.py").write_text("NAME = __name__\n")
    (package / "errors.py").touch()
    (folder / "app.py").write_text(app)


@pytest.mark.parametrize("word", ["serve", "dev"])
def test_a_package_called_gateway(tmp_path: Path, start_gateway: StartGateway, word: str) -> None:
    lay_out(tmp_path / "code", APP)
    gateway = start_gateway("app:handler", chdir=tmp_path / "code", word=word)
    with gateway.connect() as client:
        assert client.ask("/").body == b"card 7 gateway.deep.module"
    assert "gateway.errors is the gateway's own, not that of the code in " in gateway.errors
    assert "gateway.models is" not in gateway.errors


def test_a_name_that_neither_has(tmp_path: Path) -> None:
    code = tmp_path / "code"
    lay_out(code, "from gateway import nothing\n")
    done = run_command("check", "app:handler", "--chdir", str(code), folder=tmp_path)
    assert done.returncode == 2
    assert "cannot import name 'nothing' from 'gateway'" in done.stderr


def test_variables_of_the_application(tmp_path: Path, start_gateway: StartGateway) -> None:
    gateway = start_gateway("", environ={"GATEWAY_URL": "https://pay.example", "GATEWAY_KEY": "k"})
    assert (
        "gateway: warning: unknown in the environment: GATEWAY_KEY, GATEWAY_URL; ignored"
        in gateway.errors
    )
