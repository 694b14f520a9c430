"""The URLs of InvokeFunction."""

import pytest

from gateway.fc.invocation_url import parse_container_call, parse_invocation_url

OF_2016 = "/2016-08-15/services/{}/functions/{}/invocations"
OF_2021 = "/2021-04-06/services/{}/functions/{}/invocations"
OF_2023 = "/2023-03-30/functions/{}/invocations"


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (OF_2016.format("svc", "fn"), ("svc", "", "fn")),
        (OF_2016.format("svc.prod", "fn"), ("svc", "prod", "fn")),
        (OF_2016.format("svc.LATEST", "_f-n_1"), ("svc", "LATEST", "_f-n_1")),
        (OF_2016.format("svc.12", "fn") + "?a=b", ("svc", "12", "fn")),
        (OF_2016.format("my%2Dsvc%2E1", "%66n"), ("my-svc", "1", "fn")),
        (OF_2016.format("s" * 128, "f" * 128), ("s" * 128, "", "f" * 128)),
        (OF_2016.format("svc", "fn") + "?qualifier=prod", ("svc", "", "fn")),
        (OF_2021.format("svc", "fn"), ("svc", "", "fn")),
        (OF_2021.format("svc.prod", "fn"), ("svc", "prod", "fn")),
        (OF_2021.format("svc", "fn") + "?qualifier=prod", ("svc", "prod", "fn")),
        (OF_2021.format("svc.1", "fn") + "?qualifier=prod", ("svc", "1", "fn")),
        (OF_2023.format("fn"), ("", "", "fn")),
        (OF_2023.format("fn") + "?", ("", "", "fn")),
        (OF_2023.format("fn") + "?qualifier=", ("", "", "fn")),
        (OF_2023.format("fn") + "?qualifier=prod", ("", "prod", "fn")),
        (OF_2023.format("%66n") + "?a&qualifier=1%32&b=c", ("", "12", "fn")),
        (OF_2023.format("f" * 128) + "?qualifier=" + "q" * 128, ("", "q" * 128, "f" * 128)),
    ],
)
def test_an_invocation(target, expected):
    assert parse_invocation_url("POST", target) == expected


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "OPTIONS", "post"])
@pytest.mark.parametrize("target", [OF_2016.format("svc", "fn"), OF_2023.format("fn")])
def test_only_post_invokes(method, target):
    assert parse_invocation_url(method, target) is None


@pytest.mark.parametrize(
    "target",
    [
        "/",
        "*",
        "",
        "/2016-08-15/services/",
        "/2016-08-15/services/svc/functions/fn",
        OF_2016.format("svc", "fn") + "/",
        OF_2016.format("svc", "fn") + "/x",
        OF_2016.format("svc", "fn").replace("functions", "function"),
        OF_2016.format("svc", "fn").replace("invocations", "Invocations"),
        OF_2021.format("svc", "fn") + "?qualifier=a+b",
        OF_2021.format("svc", "fn").replace("2021-04-06", "2021-04-07"),
        OF_2016.format("", "fn"),
        OF_2016.format("svc", ""),
        OF_2016.format("1svc", "fn"),
        OF_2016.format("svc.", "fn"),
        OF_2016.format("svc.a.b", "fn"),
        OF_2016.format("svc", "f%0An"),
        OF_2016.format("svc%0A", "fn"),
        OF_2016.format("a%2Fb", "fn"),
        OF_2016.format("s" * 129, "fn"),
        OF_2016.format("svc", "f" * 129),
        "/x" + OF_2016.format("svc", "fn"),
        "/2023-03-30/functions/",
        OF_2023.format(""),
        OF_2023.format("a/b"),
        OF_2023.format("-fn"),
        OF_2023.format("f" * 129),
        OF_2023.format("fn") + "?qualifier=a%0Ab",
        OF_2023.format("fn") + "?qualifier=" + "q" * 129,
        OF_2023.format("fn").replace("2023", "2022"),
    ],
)
def test_an_ordinary_path(target):
    assert parse_invocation_url("POST", target) is None


@pytest.mark.parametrize("target", ["/invoke", "/invoke?", "/invoke?a=b"])
def test_a_call_to_a_container(target):
    assert parse_container_call("POST", target) == ("", "", "")


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("GET", "/invoke"),
        ("POST", "/"),
        ("POST", "/invoke/"),
        ("POST", "/invoke/a"),
        ("POST", "/a/invoke"),
        ("POST", OF_2016.format("svc", "fn")),
        ("POST", OF_2023.format("fn")),
    ],
)
def test_http_requests_to_a_container(method, target):
    assert parse_container_call(method, target) is None
