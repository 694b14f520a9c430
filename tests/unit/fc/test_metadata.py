"""What answers tell of their invocations."""

import pytest

from gateway.fc.context import Service
from gateway.fc.metadata import InvocationMetadata, version_of

METADATA = InvocationMetadata("c-1", "123", lambda: 3 * 1024 * 1024 + 13_000)


def test_fields():
    assert METADATA.fields(0.0205, Service("shop", version_id="4")) == [
        ("X-Fc-Invocation-Duration", "21"),
        ("X-Fc-Max-Memory-Usage", "3.01"),
        ("X-Fc-Invocation-Service-Version", "4"),
        ("X-Fc-Instance-Id", "c-1"),
        ("X-Fc-Code-Checksum", "123"),
    ]


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0.0, "1"), (1e-9, "1"), (0.001, "1"), (0.0010001, "2"), (1.0, "1000"), (1.00001, "1001")],
)
def test_whole_milliseconds_rounded_up(seconds, told):
    assert METADATA.fields(seconds, Service(""))[0][1] == told


@pytest.mark.parametrize(
    ("service", "version"),
    [
        (Service("s"), "LATEST"),
        (Service("s", qualifier=""), "LATEST"),
        (Service("s", qualifier="blue"), "LATEST"),
        (Service("s", qualifier="12"), "12"),
        (Service("s", qualifier="١٢"), "LATEST"),
        (Service("s", qualifier="blue", version_id="3"), "3"),
    ],
)
def test_version(service, version):
    assert version_of(service) == version
