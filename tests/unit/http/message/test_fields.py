"""Names of header fields."""

import pytest

from gateway.errors import MalformedRequest
from gateway.http.message import fields
from gateway.http.message.fields import FieldNames


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
        assert len(names) <= 512
    assert names[b"Content-Type"].role == fields.CONTENT_TYPE


def test_names_are_remembered_again_behind_a_flood(names):
    """600 names of one client once made each request of all others dearer for good."""
    for number in range(600):
        names[b"x-%d" % number]
    assert names[b"Accept"] is names[b"Accept"]


@pytest.mark.parametrize(("size", "is_remembered"), [(63, True), (64, True), (65, False)])
def test_long_names_are_not_remembered(names, size, is_remembered):
    name = names[b"n" * size]
    assert (names[b"n" * size] is name) == is_remembered


def lines_of(count, *more):
    return [*[(b"X-%d" % number, b"v%d " % number) for number in range(count)], *more]


MEANT = [(b"Host", b"a"), (b"X_Y", b"1"), (b"X-Fc-Region", b"2"), (b"Content-Length", b"3 ")]


def test_many_fields_are_sifted(names):
    """What `set_fields` finds of few, one by one, is found of many."""
    noted, (kept, withheld) = names.sift(lines_of(300, *MEANT))
    assert noted == [(b"host", b"a"), (b"content-length", b"3")]
    assert [(name.lower, value) for name, value in withheld] == [
        (b"x_y", b"1"),
        (b"x-fc-region", b"2"),
    ]
    assert len(kept) == 302
    found = [(name.lower, name.environ_key, value) for name, value in kept]
    assert found[:2] == [(b"x-0", "HTTP_X_0", b"v0"), (b"x-1", "HTTP_X_1", b"v1")]
    assert found[-2:] == [
        (b"host", "HTTP_HOST", b"a"),
        (b"content-length", "CONTENT_LENGTH", b"3"),
    ]
    assert repr(kept) == "<PackedFields 302>"
    plain = [(names[name], value) for name, value in kept.lines()]
    assert fields.lines_of(kept) == fields.lines_of(plain) == kept.lines()
    assert fields.lines_of(kept)[-1] == (b"content-length", b"3")
    assert fields.lines_of(None) == []


def test_a_line_break_in_a_value_cannot_make_a_field(names):
    with pytest.raises(MalformedRequest):
        names.sift(lines_of(60, (b"a", b"b\nhost:c")))
