"""The invocation context: FC's names, no secrets shown, nothing shared that can be changed."""

import copy
import json
import logging
import pickle
from dataclasses import FrozenInstanceError, replace
from operator import attrgetter

import pytest

from gateway.fc.context import Credentials, Function, Service, Tracing, context_template

ENVIRON = {
    "ALIBABA_CLOUD_ACCESS_KEY_ID": "STS.id",
    "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "a-secret",
    "ALIBABA_CLOUD_SECURITY_TOKEN": "a-token",
    "PATH": "/bin",
}


def make_template(environ=ENVIRON):
    return context_template(
        environ=environ,
        function_name="hello",
        handler="index.handler",
        memory=512,
        timeout=60,
        service_name="greetings",
        qualifier="prod",
        region="cn-hangzhou",
        account_id="123456",
        log_project="project",
        log_store="store",
    )


def test_attributes():
    context = make_template().context("an-id")
    assert context.request_id == context.requestId == "an-id"
    assert context.service == Service("greetings", "project", "store", "prod", version_id="")
    assert context.function == Function.of_service(
        "hello", "index.handler", memory=512, timeout=60, service=context.service
    )
    assert context.region == "cn-hangzhou"
    assert context.account_id == "123456"
    assert context.retry_count == 0
    assert context.tracing == Tracing("", "", ())


# Each attribute of FC 2.0's context and of FC 3.0's, and what it is called besides.
NAMES = {
    "request_id": ("an-id", ["requestId"]),
    "account_id": ("123456", ["accountId"]),
    "region": ("cn-hangzhou", []),
    "retry_count": (2, ["retryCount"]),
    "credentials.access_key_id": ("STS.id", ["credentials.accessKeyId"]),
    "credentials.access_key_secret": ("a-secret", ["credentials.accessKeySecret"]),
    "credentials.security_token": ("a-token", ["credentials.securityToken"]),
    "function.name": ("hello", []),
    "function.handler": ("index.handler", []),
    "function.memory": (512, []),
    "function.timeout": (60, []),
    "function.qualifier": ("prod", []),
    "function.version_id": ("7", ["function.versionId"]),
    "function.log_project": ("project", ["function.logProject"]),
    "function.log_store": ("store", ["function.logStore"]),
    "service.name": ("greetings", []),
    "service.qualifier": ("prod", []),
    "service.version_id": ("7", ["service.versionId"]),
    "service.log_project": ("project", ["service.logProject"]),
    "service.log_store": ("store", ["service.logStore"]),
    "tracing.span_context": ("span", ["tracing.spanContext", "tracing.openTracingSpanContext"]),
    "tracing.span_baggages": (
        {"k": "v"},
        ["tracing.spanBaggages", "tracing.openTracingSpanBaggages"],
    ),
    "tracing.jaeger_endpoint": ("http://jaeger", ["tracing.jaegerEndpoint"]),
}


def make_full_context():
    service = Service("greetings", "project", "store", "prod", "7")
    template = replace(
        make_template(),
        service=service,
        function=Function.of_service("hello", "index.handler", 512, 60, service),
        retry_count=2,
        tracing=Tracing("span", "http://jaeger", (("k", "v"),)),
    )
    return template.context("an-id")


@pytest.mark.parametrize("name", NAMES)
def test_every_name_and_its_aliases(name):
    value, aliases = NAMES[name]
    context = make_full_context()
    for spelling in (name, *aliases):
        assert attrgetter(spelling)(context) == value, spelling


def test_aliases_tell_what_was_set_for_the_request():
    context = make_template().context("an-id")
    context.account_id, context.retry_count = "other", 3
    assert (context.accountId, context.retryCount) == ("other", 3)


def test_a_name_that_nobody_knows():
    context = make_template().context("an-id")
    for owner in (context, context.function, context.service, context.tracing, context.credentials):
        with pytest.raises(AttributeError):
            owner.accountID  # noqa: B018


@pytest.mark.parametrize(
    "again",
    [copy.copy, copy.deepcopy, lambda context: pickle.loads(pickle.dumps(context))],
    ids=["copy", "deepcopy", "pickle"],
)
def test_a_copy_tells_the_same(again):
    """Also in another process, where the keys are needed as well."""
    context = make_full_context()
    context.retry_count = 5
    copied = again(context)
    assert copied.to_json() == context.to_json()
    assert copied.accountId == "123456"
    assert "a-secret" not in repr(copied)
    copied.retry_count = 6
    assert context.retry_count == 5


def test_credentials_come_from_the_given_environment():
    credentials = make_template().context("an-id").credentials
    assert credentials.access_key_id == credentials.accessKeyId == "STS.id"
    assert credentials.access_key_secret == credentials.accessKeySecret == "a-secret"
    assert credentials.security_token == credentials.securityToken == "a-token"


def test_credentials_are_empty_without_them():
    assert make_template({}).context("an-id").credentials == Credentials("", "", "")


def test_logger_is_one_logger():
    context = make_template().context("an-id")
    assert isinstance(context.logger, logging.Logger)
    assert context.getLogger() is context.logger


def test_json_has_the_keys_of_fc():
    template = replace(
        make_template(), retry_count=2, tracing=Tracing("span", "http://jaeger", (("k", "v"),))
    )
    assert json.loads(template.context("an-id").to_json()) == {
        "requestId": "an-id",
        "credentials": {
            "accessKeyId": "STS.id",
            "accessKeySecret": "a-secret",
            "securityToken": "a-token",
        },
        "function": {"name": "hello", "handler": "index.handler", "memory": 512, "timeout": 60},
        "service": {
            "name": "greetings",
            "logProject": "project",
            "logStore": "store",
            "qualifier": "prod",
            "versionId": "",
        },
        "region": "cn-hangzhou",
        "accountId": "123456",
        "retryCount": 2,
        "tracing": {
            "openTracingSpanContext": "span",
            "openTracingSpanBaggages": {"k": "v"},
            "jaegerEndpoint": "http://jaeger",
        },
    }


def test_no_text_form_shows_a_secret():
    template = make_template()
    context = template.context("an-id")
    for value in (context, context.credentials, template, [context], {"c": context.credentials}):
        for text in (repr(value), str(value), f"{value}"):
            assert "a-secret" not in text
            assert "a-token" not in text
            assert "STS.id" not in text
    assert "an-id" in repr(context)
    assert repr(context.credentials) == "Credentials(hidden)"
    assert repr(Credentials()) == "Credentials(none)"


def test_contexts_do_not_leak_into_one_another():
    template = replace(make_template(), tracing=Tracing(baggages=(("k", "v"),)))
    first, second = template.context("1"), template.context("2")
    first.retry_count = 7
    first.tracing.span_baggages["k"] = "changed"
    with pytest.raises(FrozenInstanceError):
        first.credentials.access_key_id = "changed"
    with pytest.raises(FrozenInstanceError):
        first.function.name = "changed"
    assert second.retry_count == 0
    assert second.tracing.span_baggages == {"k": "v"}
    assert second.function.name == "hello"


def test_a_context_can_be_copied():
    context = make_template().context("an-id")
    assert copy.deepcopy(context).to_json() == context.to_json()


def test_the_default_url_names_service_qualifier_and_function():
    template = make_template()
    context = template.addressed_context("an-id", "other", "2", "bye")
    assert context.request_id == "an-id"
    assert context.service == Service("other", "project", "store", "2")
    assert context.function == Function.of_service("bye", "index.handler", 512, 60, context.service)
    assert context.credentials is template.credentials
    assert template.context("next").service.name == "greetings"


def test_a_default_url_without_a_qualifier_leaves_the_configured_one():
    context = make_template().addressed_context("an-id", "other", "", "bye")
    assert context.service.qualifier == "prod"
