"""`--profile-invocations`, on real requests."""

import json
from collections.abc import Callable

import pytest
from functional.serving import Gateway

StartGateway = Callable[..., Gateway]

SLOW = """
import time
def handler(environ, start_response):
    environ["wsgi.input"].read()
    time.sleep(0.002)
    start_response("200 OK", [])
    return [b"done"]
"""


def profile_of(gateway: Gateway) -> str:
    with gateway.connect() as client:
        for number in range(40):
            body = b"x" * (number % 2)
            assert client.ask("/", "POST", body=body).body == b"done"
    assert gateway.stop() == 0
    return gateway.errors


def test_json(start_gateway: StartGateway) -> None:
    gateway = start_gateway("app:handler", "--profile-invocations", "json", source=SLOW)
    facts = json.loads(profile_of(gateway).splitlines()[-1])
    assert facts["sampled"] in (2, 3)
    stages = {stage["name"]: stage["microseconds"] for stage in facts["stages"]}
    assert stages["handler called to returned"]["p50"] >= 2000
    assert min(figures["p50"] for figures in stages.values()) >= 0
    assert facts["price_us"] > 0


def test_table(start_gateway: StartGateway) -> None:
    gateway = start_gateway("app:handler", "--profile-invocations", "table", source=SLOW)
    log = profile_of(gateway)
    assert "handler called to returned" in log
    assert "requests sampled, one in sixteen" in log


@pytest.mark.parametrize("form", ["table", "json"])
def test_without_requests(start_gateway: StartGateway, form: str) -> None:
    gateway = start_gateway("app:handler", "--profile-invocations", form, source=SLOW)
    assert gateway.stop() == 0
    assert "sampled" in gateway.errors
