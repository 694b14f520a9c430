"""The event of an HTTP request."""

import json
from base64 import b64decode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.events.http_event import http_event
from gateway.fc.context import context_template
from gateway.fc.proxy_path import address
from gateway.http.connection.shared_state import is_withheld
from gateway.http.message.fields import FieldNames
from gateway.http.message.parser import HeadParser
from gateway.limits import Limits
from gateway.wsgi.environ import connection_environ, head_environ, request_environ

NOW = 1693896071.8954
TEMPLATE = context_template(
    environ={},
    function_name="fn",
    handler="index.handler",
    memory=512,
    timeout=60,
    service_name="svc",
    account_id="1234567890",
)


def environ_of(line="GET / HTTP/1.1", *fields, body=b""):
    """The environ that the gateway makes of a request: bytes of a request line and field lines."""
    lines = [line.encode("latin-1"), b"Host: h.example:80"]
    lines += [field if isinstance(field, bytes) else field.encode() for field in fields]
    if body:
        lines.append(b"Content-Length: %d" % len(body))
    head = parse(b"\r\n".join([*lines, b"", b""]))
    path, context = address(head.path, "request-1", TEMPLATE)
    shared = connection_environ(
        ("10.0.0.1", 80),
        ("192.0.2.7", 4711),
        scheme="http",
        is_multithread=True,
        is_multiprocess=False,
    )
    return request_environ(head_environ(shared, head, path=path), None, len(body), context)


def parse(data):
    return HeadParser(FieldNames(is_withheld), Limits()).feed(data)


def event_of(*request, body=b""):
    return json.loads(http_event(environ_of(*request, body=body), body, NOW))


def test_a_whole_event():
    event = http_event(
        environ_of(
            "POST /a%20b/%C3%A4?q=1&q=2 HTTP/1.1",
            "user-AGENT: curl/8",
            "X-Custom-key: value",
            "Content-Type: text/plain; charset=utf-8",
            body="Grüße".encode(),
        ),
        "Grüße".encode(),
        NOW,
    )
    assert json.loads(event) == {
        "version": "v1",
        "rawPath": "/a%20b/%C3%A4",
        "body": "Grüße",
        "isBase64Encoded": False,
        "headers": {
            "Host": "h.example:80",
            "User-Agent": "curl/8",
            "X-Custom-Key": "value",
            "Content-Type": "text/plain; charset=utf-8",
            "Content-Length": "7",
        },
        "queryParameters": {"q": "1,2"},
        "requestContext": {
            "accountId": "1234567890",
            "domainName": "h.example",
            "domainPrefix": "h",
            "http": {
                "method": "POST",
                "path": "/a b/ä",
                "protocol": "HTTP/1.1",
                "sourceIp": "192.0.2.7",
                "userAgent": "curl/8",
            },
            "requestId": "request-1",
            "time": "2023-09-05T06:41:11Z",
            "timeEpoch": "1693896071895",
        },
    }


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ((), {}),
        (("x-a: 1", "X-A: 2", "x-a: 3"), {"X-A": "1,2,3"}),
        (("cookie: a=1", "Cookie: b=2"), {"Cookie": "a=1; b=2"}),
        (
            ("ETag: 1", "DNT: 1", "x-UPPER-lower: 1"),
            {"Etag": "1", "Dnt": "1", "X-Upper-Lower": "1"},
        ),
        (("x1a-2b: 1",), {"X1a-2b": "1"}),
        (("x--a-: 1",), {"X--A-": "1"}),
        (("x-empty:", "X-Space:   "), {"X-Empty": "", "X-Space": ""}),
        (("x-a_b: 1",), {}),  # Environ cannot tell it from x-a-b.
        (("x-fc-request-id: 1", "X-Fc-Access-Key-Id: 2"), {}),
        (("x-fc-invocation-type: Sync",), {"X-Fc-Invocation-Type": "Sync"}),
        (("content-type:",), {}),
        (("authorization: Basic YTpi",), {"Authorization": "Basic YTpi"}),
        (("x-a: Grüße",), {"X-A": "Grüße"}),
        ((b"x-a: Gr\xfc\xdfe",), {"X-A": "Grüße"}),
        (('x-a: "quoted\\"',), {"X-A": '"quoted\\"'}),
    ],
)
def test_headers(fields, expected):
    assert event_of("GET / HTTP/1.1", *fields)["headers"] == {"Host": "h.example:80"} | expected


def test_a_request_without_host_or_agent():
    event = event_of("GET / HTTP/1.0")
    assert event["requestContext"]["http"]["userAgent"] == ""
    head = parse(b"GET /x HTTP/1.0\r\n\r\n")
    shared = connection_environ(
        None, None, scheme="http", is_multithread=False, is_multiprocess=False
    )
    environ = request_environ(
        head_environ(shared, head, path="/x"), None, None, TEMPLATE.context("r")
    )
    event = json.loads(http_event(environ, b"", NOW))
    assert event["headers"] == {}
    assert event["requestContext"]["domainName"] == event["requestContext"]["domainPrefix"] == ""
    assert event["requestContext"]["http"]["sourceIp"] == ""
    assert event["requestContext"]["http"]["protocol"] == "HTTP/1.0"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", {}),
        ("?", {}),
        ("?a=1", {"a": "1"}),
        ("?a=1&b=2&a=3", {"a": "1,3", "b": "2"}),
        ("?a=&b&=c&&=", {"a": "", "b": "", "": "c,"}),
        ("?a&a&a=1", {"a": ",,1"}),
        ("?a=b=c", {"a": "b=c"}),
        ("?a+b=c+d%2B", {"a b": "c d+"}),
        ("?%E4%BD%A0=%E5%A5%BD", {"你": "好"}),
        ("?a=%FF%41", {"a": "\ufffdA"}),
        ("?a=%zz%4&b=100%", {"a": "%zz%4", "b": "100%"}),
        ("?a=1;b=2", {"a": "1;b=2"}),
        ("?a=%26%3D%2C", {"a": "&=,"}),
        ("?a=1?b=2", {"a": "1?b=2"}),
        ("?a=%00", {"a": "\0"}),
    ],
)
def test_query_parameters(query, expected):
    assert event_of(f"GET /{query} HTTP/1.1")["queryParameters"] == expected


@pytest.mark.parametrize(
    ("target", "raw_path", "path"),
    [
        ("/", "/", "/"),
        ("/example", "/example", "/example"),
        ("//a//b/", "//a//b/", "//a//b/"),
        ("/a%2Fb%20c+d", "/a%2Fb%20c+d", "/a/b c+d"),
        ("/%FF", "/%FF", "/\ufffd"),
        ("/%zz", "/%zz", "/%zz"),
        ("/a/../b", "/a/../b", "/a/../b"),
        ("http://other.example/a%20b?c", "/a%20b", "/a b"),
        ("/2016-08-15/proxy/s.q/f/a%20b?c", "/a%20b", "/a b"),
        ("/2016-08-15/proxy/s/f", "/", "/"),
        ("/2016-08-15/proxy/9/f/x", "/2016-08-15/proxy/9/f/x", "/2016-08-15/proxy/9/f/x"),
    ],
)
def test_paths(target, raw_path, path):
    event = event_of(f"GET {target} HTTP/1.1")
    assert event["rawPath"] == raw_path
    assert event["requestContext"]["http"]["path"] == path


def test_the_asterisk_of_options():
    event = event_of("OPTIONS * HTTP/1.1")
    assert event["rawPath"] == "*"


def test_bytes_beyond_ascii_that_other_servers_let_through():
    environ = environ_of() | {"QUERY_STRING": "\xe4=\xc3\xa4", "PATH_INFO": "/\xc3\xa4"}
    environ["fc.request_uri"] = "/\xc3\xa4?\xe4=\xc3\xa4"
    event = json.loads(http_event(environ, b"", NOW))
    assert event["queryParameters"] == {"\ufffd": "ä"}
    assert event["rawPath"] == "/\xc3\xa4"
    assert event["requestContext"]["http"]["path"] == "/ä"


def test_where_the_bridge_is_mounted_the_path_is_what_is_left():
    environ = environ_of("GET /mounted/a%20b?c HTTP/1.1") | {"PATH_INFO": "/a b"}
    event = json.loads(http_event(environ, b"", NOW))
    assert event["rawPath"] == "/a%20b"
    assert event["requestContext"]["http"]["path"] == "/a b"


@pytest.mark.parametrize(
    ("host", "name", "prefix"),
    [
        ("fn.cn-hangzhou.fcapp.run", "fn.cn-hangzhou.fcapp.run", "fn"),
        ("fn.cn-hangzhou.fcapp.run:8080", "fn.cn-hangzhou.fcapp.run", "fn"),
        ("localhost:9000", "localhost", "localhost"),
        ("127.0.0.1:9000", "127.0.0.1", "127.0.0.1"),
        ("[::1]:9000", "[::1]", "[::1]"),
        ("[::1]", "[::1]", "[::1]"),
        ("1.example", "1.example", "1"),
    ],
)
def test_domains(host, name, prefix):
    environ = environ_of() | {"HTTP_HOST": host}
    context = json.loads(http_event(environ, b"", NOW))["requestContext"]
    assert (context["domainName"], context["domainPrefix"]) == (name, prefix)


@pytest.mark.parametrize(
    ("content_type", "body", "is_text"),
    [
        ("", b"", True),
        ("application/octet-stream", b"", True),
        ("", b"text", True),
        ("", b"\xff", False),
        ("text/plain", b"\xff", False),
        ("text/plain; charset=utf-16", "text".encode("utf-16"), False),
        ("application/json", b'{"a": "\xe4\xbd\xa0"}', True),
        ("application/x-www-form-urlencoded", b"a=b", True),
        ("application/octet-stream", b"text", False),
        ("Application/OCTET-stream ; x=y", b"text", False),
        ("application/octet-streams", b"text", True),
        ("image/png", b"text", False),
        ("image/svg+xml", b"<svg/>", True),
        ("multipart/form-data; boundary=b", b"--b\r\n\r\ntext\r\n--b--", True),
        ("multipart/form-data; boundary=b", b"--b\r\n\r\n\x89PNG\r\n--b--", False),
        ("application/zip", b"PK", False),
        ("text/plain", b"\0\r\n\x7f", True),
        ("text/plain", b"\xef\xbb\xbfwith a mark", True),
        ("text/plain", b"\xed\xa0\x80", False),  # Half a surrogate pair, which UTF-8 has not.
    ],
)
def test_bodies(content_type, body, is_text):
    event = event_of("POST / HTTP/1.1", f"Content-Type: {content_type}", body=body)
    assert event["isBase64Encoded"] is not is_text
    assert read_body(event) == body


@given(
    body=st.binary() | st.text().map(str.encode),
    content_type=st.sampled_from(["", "text/plain", "image/png", "application/json"]),
)
def test_every_body_comes_through(body, content_type):
    environ = environ_of() | {"CONTENT_TYPE": content_type}
    assert read_body(json.loads(http_event(environ, body, NOW))) == body


@given(st.text(st.characters(max_codepoint=255)), st.text(st.characters(max_codepoint=255)))
def test_every_request_has_an_event(query, value):
    environ = environ_of() | {"QUERY_STRING": query, "HTTP_X_A": value, "PATH_INFO": f"/{query}"}
    assert json.loads(http_event(environ, b"", NOW))["version"] == "v1"


def read_body(event):
    return b64decode(event["body"]) if event["isBase64Encoded"] else event["body"].encode()
