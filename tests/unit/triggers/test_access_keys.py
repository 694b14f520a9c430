"""Access keys: what is one, and that no message shows a secret."""

import pytest

from gateway.errors import UsageError
from gateway.triggers.access_keys import AccessKeys, keys_of_variable, parse_keys, read_keys

SECRET = "s3cret-Value"


def test_entries():
    keys = parse_keys(
        """
        LTAI5t = "one"
        "STS.NU" = { secret = "two", security_token = "token" }
        [short]
        secret = "three"
        expires = 2030-01-31T01:00:00+01:00
        [naive]
        secret = "four"
        expires = 2030-01-31T00:00:00
        """,
        "keys.toml",
    )
    assert len(keys) == 4
    assert keys.get("LTAI5t").secret == b"one"
    assert keys.get("LTAI5t").expires is None
    assert keys.get("STS.NU").security_token == b"token"
    assert keys.get("short").expires == keys.get("naive").expires == 1896048000
    assert keys.get("ltai5t") is None


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "has no keys"),
        (f"id = {SECRET}", r"is not TOML \(at line 1, column \d+\)"),
        (f'id = "{SECRET}', "is not TOML"),
        (f"{SECRET}", "is not TOML"),
        (f'"{SECRET}"', "is not TOML"),
        ('id = ""', "key 1: its secret is none"),
        (f'good = "a"\nid = " {SECRET}"', "key 2: its secret has white space"),
        (f'id = "{SECRET}\\u0007"', "its secret has white space around it, or a control"),
        ("id = 1", "neither a secret nor a table"),
        (f'STS.id = "{SECRET}"', "has no secret; a key id with a dot is to be put in quotes"),
        (f'[id]\nsecret = "{SECRET}"\nother = "x"', "and nothing else"),
        (f'[id]\nsecret = "{SECRET}"\nexpires = "x"', "expires is no time"),
        (f'[id]\nsecret = "{SECRET}"\nexpires = 2030-01-31', "expires is no time"),
        (f'[id]\nsecret = "{SECRET}"\nsecurity_token = 5', "its security_token is none"),
        (f'"a:b" = "{SECRET}"', "its id is none"),
        (f'"a b" = "{SECRET}"', "its id is none"),
        (f'"{"a" * 257}" = "{SECRET}"', "its id is none"),
        (f'id = "{"a" * 4097}"', "its secret is none"),
        ("a = " + "[" * 5000, "is not TOML"),
    ],
)
def test_what_is_no_key(text, says):
    with pytest.raises(UsageError, match=says) as caught:
        parse_keys(text, "keys.toml")
    assert str(caught.value).startswith("keys.toml: ")
    assert SECRET not in str(caught.value)


def test_the_longest_of_all():
    keys = parse_keys(f'"{"a" * 256}" = "{"b" * 4096}"', "")
    assert keys.get("a" * 256).secret == b"b" * 4096


def test_files(tmp_path):
    path = tmp_path / "keys.toml"
    with pytest.raises(UsageError, match=r"cannot read .*No such file"):
        read_keys(path)
    path.write_bytes(b'\xef\xbb\xbfid = "secret"')
    assert len(read_keys(path)) == 1
    path.write_bytes(b"id = '\xff'")
    with pytest.raises(UsageError, match="UTF-8"):
        read_keys(path)
    line = b'id = "secret"'
    path.write_bytes(line.ljust(1024 * 1024))
    assert len(read_keys(path)) == 1
    path.write_bytes(line.ljust(1024 * 1024 + 1))
    with pytest.raises(UsageError, match="larger than 1 MB"):
        read_keys(path)


def test_the_variable():
    keys = keys_of_variable(" id:secret , other:a:b,")
    assert keys.get("id").secret == b"secret"
    assert keys.get("other").secret == b"a:b"
    assert len(keys_of_variable("")) == 0


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (SECRET, "key 1: is not id:secret"),
        (f"a:{SECRET},:{SECRET}", "key 2: its id is none"),
        ("id:", "its secret is none"),
        (f"id:{SECRET},id:{SECRET}", "key 2: its id is there twice"),
    ],
)
def test_what_is_no_variable(text, says):
    with pytest.raises(UsageError, match=says) as caught:
        keys_of_variable(text)
    assert SECRET not in str(caught.value)


def test_a_key_is_in_one_place():
    one, other = keys_of_variable("a:1"), keys_of_variable("b:2")
    assert len(one.joined(other)) == 2
    with pytest.raises(UsageError, match="in --auth-keys and in FC_ACCESS_KEYS"):
        one.joined(keys_of_variable("a:1"))


def test_nothing_shows_a_secret():
    keys = parse_keys(f'[id]\nsecret = "{SECRET}"\nsecurity_token = "{SECRET}"', "")
    assert SECRET not in f"{keys!r} {keys.get('id')!r} {AccessKeys({})}"
