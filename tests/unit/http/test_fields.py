"""Names of header fields."""

import pytest

from gateway.http import fields
from gateway.http.fields import FieldNames


@pytest.fixture
def names():
    return FieldNames(lambda name: name.startswith(b"x-fc-"))


@pytest.mark.parametrize(
    ("spelling", "key", "role"),
    [
        (b"Host", "HTTP_HOST", fields.HOST),
        (b"content-LENGTH", "CONTENT_LENGTH", fields.CONTENT_LENGTH),
        (b"Content-Type", "CONTENT_TYPE", fields.CONTENT_TYPE),
        (b"X-Forwarded-For", "HTTP_X_FORWARDED_FOR", fields.ORDINARY),
        (b"X_Forwarded_For", None, fields.DROPPED),
        (b"Content_Length", None, fields.DROPPED),
        (b"X-Fc-Account-Id", None, fields.DROPPED),
        (b"x.a!", "HTTP_X.A!", fields.ORDINARY),
    ],
)
def test_a_name(names, spelling, key, role):
    name = names[spelling]
    assert name.lower == spelling.lower()
    assert name.role == role
    if key:
        assert name.environ_key == key
    assert names[spelling] is name
    assert repr(name) == f"<FieldName {spelling.lower()!r} {role}>"


def test_the_memory_of_names_is_bounded(names):
    for number in range(10_000):
        assert names[b"x-%d" % number].role == fields.ORDINARY
    assert len(names) == 512
    assert names[b"Content-Type"].role == fields.CONTENT_TYPE
