"""Signatures: what the public SDK signs is let in, and nothing else."""

import base64
import hmac
import logging
from email.utils import formatdate
from time import time
from urllib.parse import quote, unquote, unquote_to_bytes, urlencode

import pytest
from fc2.auth import Auth
from hypothesis import given
from hypothesis import strategies as st
from unit.triggers.heads import head_of

from gateway.errors import (
    CredentialMissing,
    Refusal,
    SignatureNotMatch,
    SignedUrlExpired,
    StaleSignature,
    UnknownAccessKey,
    UsageError,
)
from gateway.triggers.access_keys import AccessKey, AccessKeys
from gateway.triggers.signature import SignatureCheck, _unescaped, signature_check

NOW = 1_800_000_000
MAX_AGE = 900
PROXY = "/2016-08-15/proxy/service/function/path"
DATE = formatdate(NOW, usegmt=True)
KEY = ("id", "secret")

KEYS = AccessKeys(
    {
        "id": AccessKey("secret"),
        "other": AccessKey("other secret"),
        "STS.temporary": AccessKey("sts secret", "sts token", NOW + 100),
    }
)


def checked(head, now=NOW, keys=KEYS):
    SignatureCheck(keys, max_age=MAX_AGE, now=lambda: now).check(head, may_defer=True)


def signed(path=PROXY, query=None, *, method="GET", fields=None, key=KEY, date=DATE, token=""):
    """Target, method and fields of a request that the SDK has signed."""
    fields = {"date": date} | (fields or {})
    if token:
        fields["x-fc-security-token"] = token
    authorization = Auth(*key).sign_request(method, unquote(path), fields, query)
    target = path + ("?" + urlencode(query, doseq=True) if query else "")
    return target, method, [*fields.items(), ("Authorization", authorization)]


def signed_url(path=PROXY, query=None, *, expires=NOW + 10, key=KEY, token="", method="GET"):
    query = (query or {}) | {"x-fc-access-key-id": key[0], "x-fc-expires": str(expires)}
    if token:
        query["x-fc-security-token"] = token
    said = Auth(*key).sign_request(method, unquote(path), {"date": str(expires)}, query)
    query["x-fc-signature"] = said.partition(":")[2]
    return f"{path}?{urlencode(query, doseq=True)}"


@pytest.mark.parametrize(
    "request_",
    [
        signed(),
        signed(key=("other", "other secret")),
        signed("/plain/path"),
        signed(query={}),
        signed(query={"b": "1 2", "a": ["y", "x", "y"], "empty": "", "é": "ü&=+%"}),
        signed("/2016-08-15/services/s/functions/f/invocations", method="POST"),
        signed("/a%20b/%E4%BD%A0%2Fc;d=1"),
        signed(fields={"content-type": "text/plain; charset=utf-8", "content-md5": "any"}),
        signed(
            fields={"x-fc-trace-id": "t", "X-Fc-Account-Id": "1", "x-fc-invocation-type": "Sync"}
        ),
        signed(fields={"x-fc-under_score": "kept by nobody, but signed"}),
        signed(method="PATCH"),
    ],
)
def test_what_the_sdk_signs(request_):
    checked(head_of(*request_))


def test_an_empty_line_behind_the_path_is_there_or_not():
    """Proxy URLs without a query have one; of what is no proxy URL it is not said."""
    for query in (None, {}):
        checked(head_of(*signed("/path", query)))


def test_a_parameter_without_a_value_has_an_empty_one():
    target, method, fields = signed(query={"flag": ""})
    checked(head_of(target.replace("flag=", "flag"), method, fields))


def test_the_scheme_s_case_does_not_matter():
    target, method, fields = signed()
    name, value = fields[-1]
    checked(head_of(target, method, [*fields[:-1], (name, value.replace("FC ", "fc "))]))


WORD = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)
HEADER = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=8)


@given(
    segments=st.lists(WORD.filter(lambda text: "\n" not in text), max_size=3),
    query=st.dictionaries(WORD.filter(bool), st.lists(WORD, min_size=1, max_size=3), max_size=3),
    trace=HEADER,
)
def test_whatever_the_sdk_signs_is_let_in_and_nothing_next_to_it(segments, query, trace):
    path = "/" + "/".join(quote(segment, safe="") for segment in segments)
    target, method, fields = signed(path, query, fields={"x-fc-trace": trace})
    checked(head_of(target, method, fields))
    mark = "&" if query else "?"
    for changed in (
        (target + mark + "added=1", method, fields),
        (target.replace("/", "/x", 1), method, fields),
        (target, "POST", fields),
        (target, method, [("x-fc-added", "1"), *fields]),
        (target, method, [("Content-Type", "a/b"), *fields]),
        (target, method, [("Content-MD5", "0"), *fields]),
        (target, method, [(n, v + "x" if n == "x-fc-trace" else v) for n, v in fields]),
        (target, method, [pair for pair in fields if pair[0] != "x-fc-trace"]),
    ):
        with pytest.raises(SignatureNotMatch):
            checked(head_of(*changed))


def test_another_date_is_not_what_was_signed():
    target, method, fields = signed()
    other = formatdate(NOW + 1, usegmt=True)
    changed = [(name, other if name == "date" else value) for name, value in fields]
    with pytest.raises(SignatureNotMatch):
        checked(head_of(target, method, changed))


@pytest.mark.parametrize(
    ("target", "other"),
    [
        (signed("/p", {"a": "b\n"})[0], "/p%0Aa=b"),
        (signed("/p", {"a": "b"})[0], "/p%0Aa=b"),
        ("/p", "/p%0A"),
    ],
)
def test_a_path_cannot_pass_for_path_and_query(target, other):
    """Each pair has the same string to sign, but for what is refused."""
    path, _, query = target.partition("?")
    name, _, value = query.partition("=")
    _, method, fields = signed(path, {name: unquote(value)} if query else {})
    checked(head_of(target, method, fields))
    with pytest.raises(SignatureNotMatch):
        checked(head_of(other, method, fields))


@pytest.mark.parametrize("side", [-1, 1])
def test_the_window_of_a_date(side):
    request_ = head_of(*signed())
    checked(request_, NOW + side * (MAX_AGE - 1))
    checked(request_, NOW + side * MAX_AGE)
    for late in (MAX_AGE + 0.001, MAX_AGE + 1, 10 * MAX_AGE):
        with pytest.raises(StaleSignature):
            checked(request_, NOW + side * late)


def test_the_date_of_function_compute_goes_before_the_other():
    """Browsers may not set `Date`."""
    own = {"x-fc-date": DATE}
    stale = formatdate(NOW - 10_000, usegmt=True)
    checked(head_of(*signed(fields=own, date=stale)))
    with pytest.raises(StaleSignature):
        checked(head_of(*signed(fields={"x-fc-date": stale})))
    without = signed(fields=own, date="")
    checked(head_of(without[0], without[1], [pair for pair in without[2] if pair[0] != "date"]))
    # It may stand in the place of the date, too.
    target, method, fields = signed(fields=own)
    checked(head_of(target, method, [pair for pair in fields if pair[0] != "date"]))


@pytest.mark.parametrize(
    "date",
    [
        "yesterday", "0", "Mon, 02 Jan 2006", "Mon, 32 Jan 2006 15:04:05 GMT",
        "Mon, 02 Jan 99999999999 15:04:05 GMT", "2006-01-02T15:04:05Z", str(NOW), "-" * 1000,
        formatdate(NOW, usegmt=True).replace(" GMT", ""),
    ],
)  # fmt: skip
def test_what_is_no_date(date):
    with pytest.raises(StaleSignature):
        checked(head_of(*signed(date=date)))


def test_a_date_of_another_zone():
    checked(head_of(*signed(date=formatdate(NOW, localtime=False).replace("-0000", "+0000"))))


@pytest.mark.parametrize(
    ("fields", "refusal"),
    [
        ([], CredentialMissing),
        ([("Date", DATE)], CredentialMissing),
        ([("Authorization", "FC id:sig")], CredentialMissing),
        ([("Authorization", "FC id:sig"), ("Date", "")], CredentialMissing),
        ([("Authorization", ""), ("Date", DATE)], SignatureNotMatch),
        ([("Authorization", "FC"), ("Date", DATE)], SignatureNotMatch),
        ([("Authorization", "FC id"), ("Date", DATE)], SignatureNotMatch),
        ([("Authorization", "FC id:"), ("Date", DATE)], SignatureNotMatch),
        ([("Authorization", "FC id:sig"), ("Date", DATE)], SignatureNotMatch),
        ([("Authorization", "FC id:\xff\xfe"), ("Date", DATE)], SignatureNotMatch),
        ([("Authorization", "Bearer id:sig"), ("Date", DATE)], SignatureNotMatch),
        ([("Authorization", "FC :sig"), ("Date", DATE)], UnknownAccessKey),
        ([("Authorization", "FC nobody:sig"), ("Date", DATE)], UnknownAccessKey),
        ([("Authorization", "FC ID:sig"), ("Date", DATE)], UnknownAccessKey),
        ([("Authorization", "FC a:b:c"), ("Date", DATE)], UnknownAccessKey),
    ],
)
def test_credentials_that_are_none(fields, refusal):
    with pytest.raises(refusal):
        checked(head_of(PROXY, "GET", fields))


@pytest.mark.parametrize("name", ["Authorization", "date", "content-md5", "x-fc-security-token"])
def test_what_is_there_twice_is_not_chosen_from(name):
    target, method, fields = signed(fields={"content-md5": "m"}, token="t")
    again = next(pair for pair in fields if pair[0] == name)
    with pytest.raises(SignatureNotMatch, match="twice"):
        checked(head_of(target, method, [*fields, again]))


def test_another_s_secret():
    with pytest.raises(SignatureNotMatch):
        checked(head_of(*signed(key=("id", "other secret"))))


def test_the_signature_of_a_secret_that_nobody_has():
    """The one that stands in for unknown ids lets nobody in."""
    with pytest.raises(UnknownAccessKey):
        checked(head_of(*signed(key=("nobody", "nobody's"))))


def test_a_signature_in_another_encoding_of_base64():
    target, method, fields = signed()
    name, value = fields[-1]
    for other in (value.rstrip("="), value + "=", value + " x", value.lower()):
        with pytest.raises(SignatureNotMatch):
            checked(head_of(target, method, [*fields[:-1], (name, other)]))


def test_temporary_keys():
    key = ("STS.temporary", "sts secret")
    checked(head_of(*signed(key=key, token="sts token")), NOW + 100)
    with pytest.raises(UnknownAccessKey, match="expired"):
        checked(head_of(*signed(key=key, token="sts token")), NOW + 101)
    for token in ("", "another"):
        with pytest.raises(SignatureNotMatch, match="token"):
            checked(head_of(*signed(key=key, token=token)))
    checked(head_of(signed_url(key=key, token="sts token")))
    with pytest.raises(SignatureNotMatch, match="token"):
        checked(head_of(signed_url(key=key)))


@pytest.mark.parametrize(
    "target",
    [
        signed_url(),
        signed_url("/any/path%20here", {"a": ["2", "1"], "é": "+ &"}),
        signed_url(key=("other", "other secret")),
    ],
)
def test_signed_urls(target):
    checked(head_of(target))


def test_a_signed_url_beside_an_authorization_for_the_handler():
    checked(head_of(signed_url(), "GET", [("Authorization", "Bearer for-the-handler")]))


def test_until_when_a_signed_url_is_valid():
    request_ = head_of(signed_url(expires=NOW))
    checked(request_, NOW - 1)
    checked(request_, NOW)
    with pytest.raises(SignedUrlExpired):
        checked(request_, NOW + 1)


@pytest.mark.parametrize(
    "expires", ["", "-1", "soon", "1e99", "1" * 13, "١٨٠٠٠٠٠٠٠٠", " 1800000001"]
)
def test_what_is_no_time_in_a_signed_url(expires):
    with pytest.raises(SignatureNotMatch, match="x-fc-expires"):
        checked(head_of(signed_url(expires=expires)))


@pytest.mark.parametrize(
    "change",
    [
        lambda url: url + "&added=1",
        lambda url: url.replace("a=1", "a=2"),
        lambda url: url.replace("a=1&", ""),
        lambda url: url.replace("/path", "/other"),
        lambda url: url.replace(str(NOW + 10), str(NOW + 11)),
        lambda url: url.replace("x-fc-access-key-id=id", "x-fc-access-key-id=other"),
        lambda url: url + "&x-fc-expires=9999999999",
        lambda url: "/x?x-fc-expires=9999999999&" + url.partition("?")[2],
        lambda url: url + "&x-fc-access-key-id=other",
        lambda url: url + "&x-fc-signature=other",
        lambda url: url + "&x-fc-security-token=token",
        lambda url: url.replace("x-fc-access-key-id=id&", ""),
        lambda url: url.partition("x-fc-signature=")[0] + "x-fc-signature=",
    ],
)
def test_signed_urls_that_were_changed(change):
    url = signed_url(query={"a": "1"})
    checked(head_of(url))
    with pytest.raises(SignatureNotMatch):
        checked(head_of(change(url)))


def test_a_signed_url_is_for_its_method_and_fields():
    with pytest.raises(SignatureNotMatch):
        checked(head_of(signed_url(), "POST"))
    checked(head_of(signed_url(method="POST"), "POST"))
    for field in (("Content-Type", "a/b"), ("x-fc-invocation-type", "Async")):
        with pytest.raises(SignatureNotMatch):
            checked(head_of(signed_url(), "GET", [field]))


def test_a_signed_field_cannot_be_moved_into_the_url():
    """The signature of a field says nothing of a URL, nor the other way round."""
    target, _, fields = signed()
    signature = dict(fields)["Authorization"].partition(":")[2]
    url = f"{target}?" + urlencode(
        {"x-fc-access-key-id": "id", "x-fc-expires": str(NOW + 9), "x-fc-signature": signature}
    )
    with pytest.raises(SignatureNotMatch):
        checked(head_of(url))


def test_the_string_of_the_page():
    """As Function Compute's reference has it, spelled out, without the SDK."""
    text = "POST\nmd5\ntext/plain\n" + DATE + "\nx-fc-a:1\nx-fc-b:2\n/p q\na=1\na=2\nb=x y"
    signature = base64.b64encode(hmac.digest(b"secret", text.encode(), "sha256")).decode()
    checked(
        head_of(
            "/p%20q?b=x+y&a=2&a=1",
            "POST",
            [
                ("X-FC-B", "2"),
                ("Date", DATE),
                ("Content-Type", "text/plain"),
                ("x-fc-A", "1"),
                ("Content-MD5", "md5"),
                ("Authorization", f"FC id:{signature}"),
            ],
        )
    )


MOST = 200
"""Parameters and x-fc-* fields together."""


@pytest.mark.parametrize("count", [MOST - 1, MOST, MOST + 1])
@pytest.mark.parametrize("own", [0, 3, MOST - 2])
def test_only_so_many_parameters_and_fields_are_signed(count, own):
    fields = {f"x-fc-{number}": "v" for number in range(own)}
    request = head_of(*signed(query={f"p{n}": "v" for n in range(count - own)}, fields=fields))
    if count <= MOST:
        checked(request)
    else:
        with pytest.raises(SignatureNotMatch, match="200 parameters and x-fc-\\* fields"):
            checked(request)


@pytest.mark.parametrize("count", [MOST - 1, MOST, MOST + 1])
def test_only_so_many_parameters_are_in_a_signed_url(count):
    request = head_of(signed_url(query={f"p{n}": "v" for n in range(count - 3)}))
    if count <= MOST:
        checked(request)
    else:
        with pytest.raises(SignatureNotMatch, match="200 parameters"):
            checked(request)


@pytest.mark.parametrize("count", [1399, 1400, 1401])
@pytest.mark.parametrize("in_path", [0, 700, 1399])
def test_only_so_many_percent_signs_are_signed(count, in_path):
    request = head_of(*signed("/" + "%20" * in_path, query={"a": "é" * ((count - in_path) // 2)}))
    escapes = request.path.count("%") + request.query.count("%")
    more = "%20" * (count - escapes)
    request = head_of(
        *signed("/" + "%20" * in_path + more, query={"a": "é" * ((count - in_path) // 2)})
    )
    assert request.path.count("%") + request.query.count("%") == count
    if count <= 1400:
        checked(request)
    else:
        with pytest.raises(SignatureNotMatch, match="1400 percent signs"):
            checked(request)


def test_all_of_four_kib_may_be_percent_signs():
    """Function Compute's limit for path and query: what is within it is never refused for that."""
    checked(head_of(*signed("/" + "%20" * (4095 // 3))))


ANYTHING = st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF), max_size=40)
IN_QUERY = st.text("abc=&+%;x-fc-signature", max_size=40)


@given(value=ANYTHING.map(lambda text: text.replace("\x7f", "")), query=IN_QUERY)
def test_whatever_comes_is_refused_and_nothing_else_is_raised(value, query):
    for fields in (
        [("Authorization", value), ("Date", DATE)],
        [("Authorization", f"FC {value}"), ("Date", value)],
        [("Authorization", f"FC id:{value}"), ("Date", DATE)],
        [],
    ):
        for target in (f"/?{query}", f"/?{query}&x-fc-signature=a", signed_url() + "x"):
            with pytest.raises(Refusal):
                checked(head_of(target, "GET", fields))


def test_keys_come_from_file_and_variable(tmp_path, caplog):
    file = tmp_path / "keys.toml"
    file.write_text('id = "secret"')
    file.chmod(0o600)
    check = signature_check(file, "other:other secret", max_age=MAX_AGE)
    now = time()
    for key in (("id", "secret"), ("other", "other secret")):
        check.check(head_of(*signed(key=key, date=formatdate(now, usegmt=True))), may_defer=True)
    assert not caplog.records
    assert "secret" not in repr(check)
    file.chmod(0o644)
    with caplog.at_level(logging.WARNING):
        signature_check(file, "", max_age=MAX_AGE)
    assert "chmod o-r" in caplog.text
    assert "secret" not in caplog.text


def test_without_a_key_nobody_could_call():
    with pytest.raises(UsageError, match="FC_ACCESS_KEYS"):
        signature_check(None, " , ", max_age=MAX_AGE)


@given(st.text("%aFg0=&\xe9", max_size=30))
def test_escapes_are_read_as_by_the_standard_library(text):
    data = text.encode("latin-1")
    assert _unescaped(data) == unquote_to_bytes(data)
