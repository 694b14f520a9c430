"""What Function Compute tells a container, and what it does not get through."""

import json
from base64 import b64encode
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.container.platform_context import (
    PlatformContexts,
    platform_fields,
    platform_request_id,
)
from gateway.fc.context import Credentials, Function, Service, Tracing, context_template
from gateway.http.connection.shared_state import is_platform
from gateway.http.message.fields import FieldNames
from gateway.http.message.head import RequestHead

TEMPLATE = context_template(
    environ={
        "ALIBABA_CLOUD_ACCESS_KEY_ID": "own-id",
        "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "own-secret",
        "ALIBABA_CLOUD_SECURITY_TOKEN": "own-token",
    },
    function_name="own",
    handler="index.handler",
    memory=512,
    timeout=60,
    service_name="shop",
    qualifier="LATEST",
    region="own-region",
    account_id="1",
    log_project="own-project",
    log_store="own-store",
)
CONTEXTS = PlatformContexts(TEMPLATE)
BAGGAGES = b64encode(json.dumps({"tenant": "t", "user": "\u00fc"}).encode())
ALL = {
    b"x-fc-request-id": b"1-5f1b0c9d-12345678-0123456789ab",
    b"x-fc-access-key-id": b"STS.id",
    b"x-fc-access-key-secret": b"secret",
    b"x-fc-security-token": b"token",
    b"x-fc-function-name": b"orders",
    b"x-fc-function-handler": b"app.handler",
    b"x-fc-function-memory": b"1024",
    b"x-fc-function-timeout": b"120",
    b"x-fc-service-name": b"service",
    b"x-fc-service-logproject": b"project",
    b"x-fc-service-logstore": b"store",
    b"x-fc-qualifier": b"prod",
    b"x-fc-version-id": b"7",
    b"x-fc-region": b"cn-hangzhou",
    b"x-fc-account-id": b"123456",
    b"x-fc-retry-count": b"3",
    b"x-fc-tracing-opentracing-span-context": b"124ed43254b54966:1:0:1",
    b"x-fc-tracing-opentracing-span-baggages": BAGGAGES,
    b"x-fc-tracing-jaeger-endpoint": b"http://tracing.example/api/traces",
}


def context_of(fields, path="/"):
    return CONTEXTS.address(path, "an-id", fields)[1]


def test_everything_that_is_told():
    context = context_of(ALL)
    assert context.request_id == "an-id", "it is the exchange's, which has it from the field"
    assert context.credentials == Credentials("STS.id", "secret", "token")
    service = Service("service", "project", "store", "prod", "7")
    assert context.service == service
    assert context.function == Function.of_service("orders", "app.handler", 1024, 120, service)
    assert context.region == "cn-hangzhou"
    assert context.account_id == "123456"
    assert context.retry_count == 3
    assert context.tracing == Tracing(
        "124ed43254b54966:1:0:1",
        "http://tracing.example/api/traces",
        (("tenant", "t"), ("user", "\u00fc")),
    )


@pytest.mark.parametrize("fields", [{}, dict.fromkeys(ALL, b"")], ids=["none", "all empty"])
def test_what_is_not_told_is_the_template_s(fields):
    assert context_of(fields).to_json() == TEMPLATE.context("an-id").to_json()


@pytest.mark.parametrize("name", sorted(ALL))
def test_each_field_stands_alone(name):
    context = json.loads(context_of({name: ALL[name]}).to_json())
    rest = json.loads(TEMPLATE.context("an-id").to_json())
    changed = [key for key in rest if context[key] != rest[key]]
    if name in CREDENTIALS or name == b"x-fc-request-id":
        assert not changed, "a part of a key is of no use"
    else:
        assert len(changed) == 1


CREDENTIALS = (b"x-fc-access-key-id", b"x-fc-access-key-secret", b"x-fc-security-token")

COMPLETE = ("own-id", "own-secret", "own-token")
PAIR = ("own-id", "own-secret", "")
NONE = ("", "", "")


@pytest.mark.parametrize(
    ("told", "known", "result"),
    [
        # All three are told: they are fresher than those of the start.
        (("new-id", "new-secret", "new-token"), COMPLETE, ("new-id", "new-secret", "new-token")),
        (("new-id", "new-secret", "new-token"), NONE, ("new-id", "new-secret", "new-token")),
        (("own-id", "own-secret", "new-token"), COMPLETE, ("own-id", "own-secret", "new-token")),
        # custom.debian11: without the token.
        (("own-id", "own-secret", ""), COMPLETE, COMPLETE),
        (("own-id", "", ""), COMPLETE, COMPLETE),
        (("own-id", "", "new-token"), COMPLETE, ("own-id", "own-secret", "new-token")),
        (("own-id", "", "new-token"), PAIR, ("own-id", "own-secret", "new-token")),
        (("own-id", "a-secret", ""), ("own-id", "", "a-token"), ("own-id", "a-secret", "a-token")),
        # Another key, and not all of it: never the one's token with the other's key.
        (("new-id", "new-secret", ""), COMPLETE, COMPLETE),
        (("new-id", "", "new-token"), COMPLETE, COMPLETE),
        (("", "new-secret", "new-token"), COMPLETE, COMPLETE),
        (("", "", "new-token"), PAIR, PAIR),
        # Nobody has a token: keys of an account have none.
        (("new-id", "new-secret", ""), PAIR, ("new-id", "new-secret", "")),
        (("new-id", "new-secret", ""), NONE, ("new-id", "new-secret", "")),
        (("new-id", "", ""), PAIR, PAIR),
        (("new-id", "", ""), NONE, NONE),
        (NONE, COMPLETE, COMPLETE),
        (NONE, NONE, NONE),
    ],
)
def test_credentials_are_of_one_source(told, known, result):
    template = replace(TEMPLATE, credentials=Credentials(*known))
    fields = dict(zip(CREDENTIALS, (part.encode() for part in told), strict=True))
    context = PlatformContexts(template).address("/", "an-id", {b"x-fc-region": b"r", **fields})[1]
    assert context.credentials == Credentials(*result)


def test_a_token_that_is_no_text_is_none():
    fields = {name: ALL[name] for name in CREDENTIALS} | {b"x-fc-security-token": b"\xff"}
    assert context_of(fields).credentials == Credentials(*COMPLETE)


@pytest.mark.parametrize(
    "told", [b"-1", b"1.5", b"12x", b"0x10", "\u0663".encode(), b"1" * 10, b"1" * 5000, b" 1"]
)
@pytest.mark.parametrize(
    "name", [b"x-fc-function-memory", b"x-fc-function-timeout", b"x-fc-retry-count"]
)
def test_numbers_that_are_none(name, told):
    assert context_of({name: told}).to_json() == TEMPLATE.context("an-id").to_json()


def test_the_largest_number():
    assert context_of({b"x-fc-retry-count": b"9" * 9}).retry_count == 999_999_999


@pytest.mark.parametrize(
    "told",
    [
        b"not base64!",
        b64encode(b"not json"),
        b64encode(b"[1, 2]"),
        b64encode(b'"text"'),
        b64encode(b"\xff\xfe"),
        b64encode(b"[" * 20_000),
        b64encode(b'{"a": ' * 20_000),
        b64encode(b'{"a": 1, "b": null, "c": ["d"]}'),
        b"====",
    ],
)
def test_baggages_that_are_none(told):
    context = context_of({b"x-fc-tracing-opentracing-span-baggages": told})
    assert context.tracing.span_baggages == {}


@given(
    st.dictionaries(
        st.sampled_from([*sorted(ALL), b"x-fc-base-path", b"x-fc-control-path", b"x-fc-new"]),
        st.binary(max_size=60),
    ),
    st.text(st.characters(codec="latin-1"), max_size=40),
)
def test_nothing_breaks_it(fields, path):
    seen, context = CONTEXTS.address(f"/{path}", "an-id", fields)
    assert seen.startswith("/")
    assert json.loads(context.to_json())["requestId"] == "an-id"
    assert platform_request_id(fields) is None or platform_request_id(fields).isascii()


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (b"1-5f1b0c9d-12345678-0123456789ab", "1-5f1b0c9d-12345678-0123456789ab"),
        (b"951d096c-d9d9-4105-806b-d350f31786c9", "951d096c-d9d9-4105-806b-d350f31786c9"),
        (b"a" * 128, "a" * 128),
        (b"a" * 129, None),
        (b"", None),
        (b"a b", None),
        (b"a\n", None),
        (b'"', None),
        ("\u00e9".encode(), None),
    ],
)
def test_request_ids_go_to_logs_and_answers(told, expected):
    assert platform_request_id({b"x-fc-request-id": told}) == expected


PREFIX = "/2016-08-15/proxy/shop.prod/orders"


@pytest.mark.parametrize(
    ("base", "path", "seen", "function"),
    [
        (None, "/a/b", "/a/b", "own"),
        (None, f"{PREFIX}/a/b", "/a/b", "orders"),
        (f"{PREFIX}/", f"{PREFIX}/a/b", "/a/b", "orders"),
        (PREFIX, f"{PREFIX}/a/b", "/a/b", "orders"),
        (f"{PREFIX}/", PREFIX, "/", "orders"),
        # FC 3.0 fills it with the whole path; a custom domain has the path of its route, or "/".
        ("/a/b", "/a/b", "/a/b", "own"),
        ("/a", "/a/b", "/a/b", "own"),
        ("/", f"{PREFIX}/a/b", f"{PREFIX}/a/b", "own"),
        # A subdomain has no prefix, whatever the field says.
        (f"{PREFIX}/", "/a/b", "/a/b", "own"),
        ("nonsense", "/a%2Fb", "/a%2Fb", "own"),
    ],
)
def test_the_path_that_the_handler_sees(base, path, seen, function):
    fields = {} if base is None else {b"x-fc-base-path": base.encode()}
    assert CONTEXTS.address(path, "an-id", fields)[0] == seen
    assert context_of(fields, path).function.name == function


def test_what_the_platform_tells_goes_before_the_default_url():
    context = context_of({b"x-fc-function-name": b"told"}, f"{PREFIX}/a")
    assert context.function.name == "told"
    assert (context.service.name, context.service.qualifier) == ("shop", "prod")


def test_fields_come_from_the_head():
    head = RequestHead("GET", is_http_1_0=False, keep_alive=True)
    head.set_target(b"/")
    names = FieldNames(lambda _: False, is_platform)
    lines = [
        (b"Host", b"a"),
        (b"X-Fc-Request-Id", b"first"),
        (b"X_Fc_Region", b"forged"),
        (b"x-fc-request-id", b"last"),
        (b"X-Fc-Invocation-Type", b"Async"),
    ]
    head.set_fields(lines, names, None)
    told = platform_fields(head)
    assert platform_request_id(told) == "last"
    assert b"x-fc-region" not in told
    assert not head.is_async, "who waits for it is the platform"
    assert [name.lower for name, _ in head.fields] == [
        *(b"host", b"x-fc-request-id", b"x-fc-request-id", b"x-fc-invocation-type")
    ]
    assert CONTEXTS.of_request(head, "an-id")[0] == "/"
