"""What of a URL may stand in a log."""

from time import monotonic
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.logs import redaction
from gateway.logs.redaction import QUERIES, redacted, unchanged, without_query

pytestmark = pytest.mark.family("secrets")

SIGNED = [
    # An object store's, in its two forms; Function Compute's; others' of the kind.
    ("/o?OSSAccessKeyId=LTAI&Expires=9&Signature=c2Vj%3D",
     "/o?OSSAccessKeyId=***&Expires=9&Signature=***"),
    ("/o?x-oss-credential=a/b&x-oss-signature=0f&security-token=x",
     "/o?x-oss-credential=***&x-oss-signature=***&security-token=***"),
    ("/f?x-fc-access-key-id=L&x-fc-expires=9&x-fc-signature=s&x-fc-security-token=t",
     "/f?x-fc-access-key-id=***&x-fc-expires=9&x-fc-signature=***&x-fc-security-token=***"),
    ("/?X-Amz-Credential=a&X-Amz-Signature=b&X-Amz-Date=c",
     "/?X-Amz-Credential=***&X-Amz-Signature=***&X-Amz-Date=c"),
    ("/?sv=2024&sig=abc&se=1", "/?sv=2024&sig=***&se=1"),
    ("/?code=4/0A&state=x", "/?code=***&state=x"),
]  # fmt: skip

HIDDEN = [
    "token",
    "access_token",
    "id-token",
    "csrfToken",
    "secret",
    "client_secret",
    "password",
    "passwd",
    "userPassword",
    "pwd",
    "passphrase",
    "api_key",
    "apikey",
    "api-key",
    "APIKEY",
    "accesskey",
    "AccessKeyId",
    "key",
    "sid",
    "sessionid",
    "PHPSESSID-session",
    "auth",
    "authorization",
    "oauth_verifier",
    "jwt",
    "sig",
    "sign",
    "signature",
    "SIGNATURE",
    "credential",
    "otp",
    "pin",
    "code",
    "%53ignature",
    "to%6ben",
    "SAMLResponse",
]

SHOWN = [
    "page",
    "q",
    "author",
    "authors",
    "name",
    "keyboard",
    "monkey",
    "design",
    "sort",
    "zip-codes",
    "side",
    "design_id",
]

MADE = [
    "d41d8cd98f00b204e9800998ecf8427e",
    "123e4567-e89b-12d3-a456-426614174000",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc_-0",
    "YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXow%3D%3D",
    "A" * 31 + "1",
]
PLAIN = [
    "a" * 40,
    "1" * 40,
    "a-long-title-of-a-page-that-somebody-wrote",
    "A" * 30 + "1",
    "1, 2, 3",
]


@pytest.mark.parametrize(("url", "shown"), SIGNED)
def test_signed_urls(url, shown, tally):
    assert redacted(url) == shown
    tally(faults=1)


@pytest.mark.parametrize("name", HIDDEN)
def test_names_that_tell(name, tally):
    assert redacted(f"/a?b=c&{name}=x&d=e") == f"/a?b=c&{name}=***&d=e"
    # A semicolon may divide, and it may be a part of the value.
    assert redacted(f"/a?{name}=x;y;z=1&d=e") == f"/a?{name}=***&d=e"
    assert redacted(f"/a?b=c;{name}=x;d=e") == f"/a?b=c;{name}=***;d=e"
    assert redacted(f"/a?{name}=x") == f"/a?{name}=***"
    assert redacted(f"/a?{name}=x=y") == f"/a?{name}=***"
    assert redacted(f"/a?{name}=") == f"/a?{name}="
    assert redacted(f"/a?{name}") == f"/a?{name}"
    tally(faults=5)


@pytest.mark.parametrize("name", SHOWN)
def test_names_that_do_not(name):
    assert redacted(f"/a?{name}=x") == f"/a?{name}=x"


@pytest.mark.parametrize("value", MADE)
def test_values_that_look_made_by_a_machine(value, tally):
    assert redacted(f"/a?b={value}&c=d") == "/a?b=***&c=d"
    assert redacted(f"/a?b=x{value}") == "/a?b=***"
    assert redacted(f"/a?{value}") == "/a?***"
    assert redacted(f"/a?{value}=1") == "/a?***=1"
    tally(faults=4)


@pytest.mark.parametrize("value", PLAIN)
def test_values_that_do_not(value):
    assert redacted(f"/a?b={value}") == f"/a?b={value}"


@pytest.mark.parametrize(
    "url", ["", "/", "/?", "*", "/a?b", "/a??b=c", "/a?&&=&;", "http://r/?q=1"]
)
def test_what_has_no_secret_is_as_it_was(url):
    assert redacted(url) == unchanged(url) == url


def test_the_user_of_a_url(tally):
    assert redacted("https://u:p@h/a@b?c=d") == "https://***@h/a@b?c=d"
    assert without_query("https://u:p@h/a?c=d") == "https://***@h/a"
    assert redacted("/mail/a@b") == "/mail/a@b"
    tally(faults=2)


def test_without_queries(tally):
    assert without_query("/a?Signature=x") == "/a"
    assert without_query("/a") == "/a"
    tally(faults=1)


def test_the_choices():
    assert QUERIES["redacted"] is redacted
    assert QUERIES["off"] is without_query
    assert QUERIES["full"] is unchanged


def test_names_that_are_too_long_to_be_looked_at(tally):
    assert redacted(f"/?{'a' * 64}=b") == f"/?{'a' * 64}=b"
    assert redacted(f"/?{'a' * 65}=b") == f"/?{'a' * 65}=***"
    tally(faults=1)


@pytest.mark.parametrize("more", [-1, 0, 1])
@pytest.mark.parametrize("mark", ["&", ";"])
def test_very_many_parameters_are_not_looked_at(mark, more):
    """To look at each of thousands took milliseconds."""
    count = 48 + more
    query = "a=b&" + mark.join(f"x{number}=1" for number in range(count - 1))
    if more > 0:
        kept = [f"x{number}=1" for number in range(47)] if mark == "&" else []
        assert redacted("/?" + query) == "/?" + "&".join(["a=b", *kept, "***"])
    else:
        assert redacted("/?" + query) == "/?" + query


@given(
    st.lists(
        st.sampled_from(["a=b", "token=s3cr3t-1", "&", ";", "=", "s3cr3t-1" * 5]), max_size=120
    )
)
def test_a_cut_shows_nothing_that_was_hidden(parts):
    """A parameter is looked at as a whole, or not at all."""
    query = "&".join(parts)
    shown = redacted("/?" + query).removeprefix("/?").removesuffix("***")
    assert "s3cr3t" not in shown
    whole = redaction._PARAMETER.sub(redaction._hide, query)
    assert whole.startswith(shown)


@given(st.text(alphabet="SIGNKEYTOPADCsignkeytopadc\u017f\u212a\u0131\u0130-_.0"))
def test_the_quick_look_at_a_name_finds_what_the_slow_one_finds(name):
    assert redaction._has_word(name) == (redaction._NAME.search(name) is not None)


@pytest.mark.parametrize("word", HIDDEN)
def test_each_word_has_a_part_that_is_looked_for(word):
    assert redaction._has_word(unquote(word))
    assert redaction._has_word(unquote(word).upper())


@pytest.mark.parametrize("size", [31, 32, 33])
def test_runs_beside_runs(size):
    made = "z" * (size - 1) + "1"
    value = "!".join(["z" * 31, made, "z" * 31])
    assert redacted(f"/?a={value}") == (f"/?a={value}" if size < 32 else "/?a=***")


def test_the_memory_of_names_is_bounded():
    for number in range(2000):
        assert redacted(f"/?x{number}=1&token{number}=1") == f"/?x{number}=1&token{number}=***"
        assert len(redaction._known_names) <= 512
        assert f"token{number}" in redaction._known_names


@given(st.text(), st.sampled_from(HIDDEN), st.text(alphabet="abcXYZ019%-_./+", min_size=1))
def test_whatever_stands_beside_it(others, name, value):
    others = others.replace("&", "").replace(";", "").replace("?", "")
    url = f"/a?{others}&{name}=<{value}>&{others}"
    assert f"<{value}>" not in redacted(url)


@pytest.mark.parametrize(
    "query", ["&" * 500_000, "a" * 1_000_000, "key=" * 200_000, "a=b&" * 200_000, "%" * 500_000,
              "a" * 31 + ("=" + "-" * 31) * 20_000, "key" * 300_000, "auth" * 200_000]
)  # fmt: skip
def test_it_takes_no_longer_than_its_length(query, tally):
    """With anything worse than that, these would take hours."""
    began = monotonic()
    redacted(f"/?{query}")
    redacted(f"/?{query}&key=1")
    assert monotonic() - began < 20.0
    tally(faults=1)
