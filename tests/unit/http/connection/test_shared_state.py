"""What connections share: the fields of every answer, and what clients may not say."""

import pytest

from gateway.http.connection import shared_state as module
from gateway.http.message import fields


def test_constant_fields(make_site, monkeypatch):
    monkeypatch.setattr(module, "time", lambda: 784111777.9)
    site = make_site(server_header="gateway")
    first = "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\nServer: gateway\r\nX-Fc-Request-Id: "
    assert site.constant_fields == first
    site.refresh_date()
    assert site.constant_fields == first
    monkeypatch.setattr(module, "time", lambda: 784111778.0)
    site.refresh_date()
    assert site.constant_fields == first.replace(":37", ":38")


def test_no_server_field(make_site):
    assert "Server" not in make_site(server_header="").constant_fields


@pytest.mark.parametrize(
    ("name", "is_dropped"),
    [
        (b"X-Fc-Account-Id", True),
        (b"x-fc-request-id", True),
        (b"X-FC-ANYTHING", True),
        (b"X-Fc-Invocation-Type", False),
        (b"X-Fc-Log-Type", False),
        (b"X-Fcx", False),
    ],
)
def test_what_a_client_may_not_say(site, name, is_dropped):
    assert (site.names[name].role == fields.DROPPED) == is_dropped


@pytest.mark.parametrize(
    ("name", "role"),
    [
        (b"X-Fc-Account-Id", fields.PLATFORM),
        (b"X-FC-ANYTHING", fields.PLATFORM),
        (b"X-Fc-Invocation-Type", fields.PLATFORM),
        (b"X-Fc-Security-Token", fields.PLATFORM),
        (b"X-Fc_Account-Id", fields.DROPPED),
        (b"X-Fcx", fields.ORDINARY),
        (b"Host", fields.HOST),
    ],
)
def test_what_the_platform_says_is_handed_on(make_site, name, role):
    assert make_site(believes_platform=True).names[name].role == role
