"""PEP 3333's environ."""

import sys
from io import BytesIO
from wsgiref.util import application_uri
from wsgiref.validate import check_environ

import pytest

from gateway import __version__
from gateway.fc.context import FCContext, context_template
from gateway.http.message.fields import FieldNames
from gateway.http.message.parser import HeadParser
from gateway.limits import Limits
from gateway.wsgi.environ import connection_environ, head_environ, request_environ
from gateway.wsgi.file_wrapper import FileWrapper


@pytest.fixture
def context():
    template = context_template(
        environ={}, function_name="f", handler="a:b", memory=1, timeout=1, service_name="s"
    )
    return FCContext("request-1", template)


ALONE = {"is_multithread": False, "is_multiprocess": False}


@pytest.fixture
def make_environ(context):
    def make(data=b"", first=b"GET / HTTP/1.1", *, path=None, content_length=0, body=b""):
        parser = HeadParser(FieldNames(lambda _: False), Limits())
        head = parser.feed(first + b"\r\nHost: a\r\n" + data + b"\r\n")
        shared = connection_environ(
            ("192.0.2.1", 8000),
            ("203.0.113.9", 50123),
            scheme="http",
            is_multithread=True,
            is_multiprocess=False,
        )
        of_head = head_environ(shared, head, path=head.path if path is None else path)
        return request_environ(of_head, BytesIO(body), content_length, context)

    return make


def test_all_keys(make_environ, context):
    environ = make_environ(b"Accept: */*\r\n", b"GET /a%20b/%C3%A4?c=%64 HTTP/1.1")
    body = environ.pop("wsgi.input")
    assert body.read() == b""
    assert environ == {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/a b/\xc3\xa4",
        "QUERY_STRING": "c=%64",
        "CONTENT_LENGTH": "0",
        "SERVER_NAME": "192.0.2.1",
        "SERVER_PORT": "8000",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_SOFTWARE": f"fc-gateway/{__version__}",
        "REMOTE_ADDR": "203.0.113.9",
        "REMOTE_PORT": "50123",
        "HTTP_HOST": "a",
        "HTTP_ACCEPT": "*/*",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "wsgi.input_terminated": True,
        "wsgi.file_wrapper": FileWrapper,
        "fc.context": context,
        "fc.request_uri": "/a%20b/%C3%A4?c=%64",
    }


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("first", [b"GET / HTTP/1.1", b"POST /a?b HTTP/1.0", b"PATCH //x HTTP/1.1"])
def test_the_standard_s_own_check_is_satisfied(make_environ, first):
    check_environ(make_environ(b"Content-Type: text/plain\r\n", first))


@pytest.mark.parametrize(
    ("data", "key", "value"),
    [
        (b"Content-Type: a/b\r\n", "CONTENT_TYPE", "a/b"),
        (b"X-Forwarded-For: 1\r\n", "HTTP_X_FORWARDED_FOR", "1"),
        (b"X: \xe4\xff\r\n", "HTTP_X", "\xe4\xff"),
        (b"X:\r\n", "HTTP_X", ""),
        (b"X: 1\r\nx: 2\r\n", "HTTP_X", "1,2"),
        (b"X: 1\r\nY: 0\r\nX: 2\r\nX: 3\r\n", "HTTP_X", "1,2,3"),
        (b"A: 1\r\nB: 2\r\na: 3\r\nB: 4\r\nA: 5\r\n", "HTTP_A", "1,3,5"),
        (b"A: 1\r\nB: 2\r\na: 3\r\nB: 4\r\nA: 5\r\n", "HTTP_B", "2,4"),
        (b"Cookie: a=1\r\ncookie: b=2\r\n", "HTTP_COOKIE", "a=1; b=2"),
        (b"X_Y: 1\r\nX-Y: 2\r\n", "HTTP_X_Y", "2"),
    ],
)
def test_fields(make_environ, data, key, value):
    assert make_environ(data)[key] == value


@pytest.mark.parametrize(
    "key",
    [
        "HTTP_CONTENT_LENGTH",
        "HTTP_CONTENT_TYPE",
        "HTTP_TRANSFER_ENCODING",
        "HTTP_X_Y",
        "CONTENT_TYPE",
    ],
)
def test_keys_that_are_never_there(make_environ, key):
    data = b"Transfer-Encoding: chunked\r\nX_Y: 1\r\n"
    assert key not in make_environ(data, b"POST / HTTP/1.1")


@pytest.mark.parametrize(
    ("field", "length", "value"),
    [
        (b"Transfer-Encoding: chunked", 0, "0"),
        (b"Transfer-Encoding: chunked", 5, "5"),
        (b"Transfer-Encoding: chunked", None, None),
        (b"Content-Length: 9", 9, "9"),
        (b"Content-Length: 009", 9, "9"),
        (b"Content-Length: 009", None, "9"),
        (b"X: y", 0, "0"),
    ],
)
def test_the_length_is_the_body_s_own(make_environ, field, length, value):
    """`None`: the body is still arriving."""
    environ = make_environ(field + b"\r\n", content_length=length)
    assert environ.get("CONTENT_LENGTH") == value
    assert "HTTP_TRANSFER_ENCODING" not in environ


@pytest.mark.parametrize(
    ("first", "expected"),
    [
        (b"GET http://b:81/c HTTP/1.1", ("b:81", "/c", "/c")),
        (b"OPTIONS * HTTP/1.1", ("a", "", "*")),
        (b"GET //c HTTP/1.1", ("a", "//c", "//c")),
        (b"GET /%2F%00%ff%zz%4 HTTP/1.1", ("a", "//\0\xff%zz%4", "/%2F%00%ff%zz%4")),
    ],
)
def test_targets(make_environ, first, expected):
    environ = make_environ(first=first)
    keys = ("HTTP_HOST", "PATH_INFO", "fc.request_uri")
    assert tuple(environ[key] for key in keys) == expected


def test_a_path_of_the_caller_s_choice(make_environ):
    environ = make_environ(first=b"GET /long/way?q HTTP/1.1", path="/w%61y")
    assert environ["PATH_INFO"] == "/way"
    assert environ["fc.request_uri"] == "/long/way?q"


def test_http_1_0_without_host(context):
    head = HeadParser(FieldNames(lambda _: False), Limits()).feed(b"GET / HTTP/1.0\r\n\r\n")
    shared = connection_environ(None, None, scheme="http", **ALONE)
    environ = request_environ(head_environ(shared, head, path="/"), BytesIO(), 0, context)
    assert environ["SERVER_PROTOCOL"] == "HTTP/1.0"
    assert "HTTP_HOST" not in environ


@pytest.mark.parametrize(
    ("host", "url"), [("::1", "http://[::1]:8000/"), ("192.0.2.1", "http://192.0.2.1:8000/")]
)
def test_a_url_can_be_made_of_the_server_s_name(host, url):
    environ = connection_environ((host, 8000), None, scheme="http", **ALONE)
    assert application_uri(environ) == url


def test_requests_of_a_connection_do_not_share_their_environ(make_environ, context):
    head = HeadParser(FieldNames(lambda _: False), Limits()).feed(
        b"GET / HTTP/1.1\r\nHost: a\r\nX-A: b\r\n\r\n"
    )
    shared = connection_environ(None, None, scheme="http", **ALONE)
    before = dict(shared)
    of_head = head_environ(shared, head, path="/")
    first = request_environ(of_head, BytesIO(), 0, context)
    first["wsgi.x"] = 1
    first["HTTP_X_A"] = "c"
    assert shared == before
    second = request_environ(of_head, BytesIO(), 0, context)
    assert second["HTTP_X_A"] == "b"
    assert "wsgi.x" not in second


@pytest.mark.parametrize(("scheme", "port"), [("http", "80"), ("https", "443")])
def test_a_unix_socket_has_no_addresses(scheme, port):
    environ = connection_environ(None, None, scheme=scheme, **ALONE)
    assert (environ["SERVER_NAME"], environ["SERVER_PORT"]) == ("localhost", port)
    assert environ["REMOTE_ADDR"] == ""
    assert "REMOTE_PORT" not in environ
    assert environ["wsgi.multithread"] is False
    assert environ["wsgi.url_scheme"] == scheme


@pytest.mark.parametrize(("scheme", "told"), [("http", None), ("https", "on")])
def test_cgi_programs_look_at_https(scheme, told):
    assert connection_environ(None, None, scheme=scheme, **ALONE).get("HTTPS") == told
