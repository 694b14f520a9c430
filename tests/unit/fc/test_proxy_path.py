"""The default URL of a function."""

import pytest

from gateway.fc.proxy_path import parse_proxy_path


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/2016-08-15/proxy/svc/fn", ("svc", "", "fn", "/")),
        ("/2016-08-15/proxy/svc/fn/", ("svc", "", "fn", "/")),
        ("/2016-08-15/proxy/svc/fn/a/b", ("svc", "", "fn", "/a/b")),
        ("/2016-08-15/proxy/svc/fn//a/", ("svc", "", "fn", "//a/")),
        ("/2016-08-15/proxy/svc.prod/fn/a", ("svc", "prod", "fn", "/a")),
        ("/2016-08-15/proxy/svc.LATEST/fn", ("svc", "LATEST", "fn", "/")),
        ("/2016-08-15/proxy/svc.12/_f-n_1", ("svc", "12", "_f-n_1", "/")),
        ("/2016-08-15/proxy/my%2Dsvc%2Eprod/%66n/a%2Fb", ("my-svc", "prod", "fn", "/a%2Fb")),
        ("/2016-08-15/proxy/svc/fn/\xe4%C3%A4", ("svc", "", "fn", "/\xe4%C3%A4")),
        ("/2016-08-15/proxy/svc/fn/../x", ("svc", "", "fn", "/../x")),
        (f"/2016-08-15/proxy/{'s' * 128}/fn", ("s" * 128, "", "fn", "/")),
    ],
)
def test_a_default_url(path, expected):
    assert parse_proxy_path(path) == expected


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "/index",
        "*",
        "/2016-08-15/proxy",
        "/2016-08-15/proxy/",
        "/2016-08-15/proxy/svc",
        "/2016-08-15/proxy/svc/",
        "/2016-08-15/proxy//fn",
        "/2016-08-15/proxy/svc//fn",
        "/2016-08-15/proxy/svc./fn",
        "/2016-08-15/proxy/.prod/fn",
        "/2016-08-15/proxy/a.b.c/fn",
        "/2016-08-15/proxy/1svc/fn",
        "/2016-08-15/proxy/svc/-fn",
        "/2016-08-15/proxy/svc.-1/fn",
        "/2016-08-15/proxy/svc%0A/fn",
        "/2016-08-15/proxy/svc/f%00n",
        "/2016-08-15/proxy/svc/a%2Fb",
        "/2016-08-15/proxy/sv\xe4/fn",
        "/2016-08-15/proxy/svc%2/fn",
        f"/2016-08-15/proxy/{'s' * 129}/fn",
        "/2016-08-15/services/svc/functions/fn",
        "/prefix/2016-08-15/proxy/svc/fn",
        "/2016-08-16/proxy/svc/fn",
    ],
)
def test_an_ordinary_path(path):
    assert parse_proxy_path(path) is None
