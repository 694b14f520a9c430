"""Frameworks on the default URL: with the prefix as SCRIPT_NAME, their links lead back there.

Function Compute leaves SCRIPT_NAME empty there, so who makes links from it sets it first; that is
what teams have in front of their applications, and it has to go on working unchanged.
"""

from collections.abc import Callable

import pytest
import requests
from functional.serving import Gateway

StartGateway = Callable[..., Gateway]

PREFIX = "/2016-08-15/proxy/shop/front"

MODES: dict[str, tuple[str, ...]] = {
    "plain": (),
    "exact environ": ("--exact-environ",),
    "custom container": ("--profile", "custom-container", "--host", "127.0.0.1"),
}


@pytest.fixture(scope="module", params=["prefixed_flask", "prefixed_django"])
def application(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module", params=MODES)
def address(
    start_shared_gateway: StartGateway, application: str, request: pytest.FixtureRequest
) -> str:
    return start_shared_gateway(f"{application}.handler", *MODES[request.param]).address


@pytest.mark.parametrize("prefix", ["", PREFIX], ids=["domain", "default-url"])
def test_links_and_redirects_lead_back(address: str, prefix: str) -> None:
    response = requests.get(f"{address}{prefix}/", timeout=15)
    assert response.url == f"{address}{prefix}/items/first"
    found = response.json()
    assert (found["name"], found["path"]) == ("first", "/items/first")
    assert found["link"] == f"{prefix}/items/other"
    assert found["absolute"] == f"{address}{prefix}/items/other"
    assert requests.get(found["absolute"], timeout=15).json()["name"] == "other"


@pytest.mark.parametrize("prefix", ["", PREFIX], ids=["domain", "default-url"])
def test_path_query_and_body_arrive(address: str, prefix: str) -> None:
    uri = f"{prefix}/items/a%20b?q=%E2%82%AC"
    found = requests.post(f"{address}{uri}", data={"field": "value"}, timeout=15).json()
    assert (found["name"], found["query"], found["form"]) == ("a b", "\u20ac", "value")
    assert found["addressed"] == ["shop" if prefix else "", uri]
