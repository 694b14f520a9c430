"""The demonstration handler, under wsgiref's validator."""

import json
from html.parser import HTMLParser
from io import BytesIO
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

import pytest

from gateway import demo
from gateway.fc.context import context_template


def call(path, method="GET", body=b"", **environ):
    environ = {
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "QUERY_STRING": "",
        "SCRIPT_NAME": "",
        **environ,
    }
    if body:
        environ["CONTENT_LENGTH"] = str(len(body))
    environ["wsgi.input"] = BytesIO(body)
    setup_testing_defaults(environ)
    answers = []

    def start_response(status, headers, exc_info=None):
        answers.append((status, headers))
        return lambda data: None

    chunks = validator(demo.handler)(environ, start_response)
    try:
        content = list(chunks)
    finally:
        chunks.close()
    [(status, headers)] = answers
    fields = dict(headers)
    assert len(fields) == len(headers)
    length = fields.get("Content-Length")
    assert length is None or int(length) == sum(map(len, content))
    return status, fields, content


class Links(HTMLParser):
    def __init__(self, page):
        super().__init__()
        self.targets = []
        self.tags = set()
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        if tag == "a":
            self.targets.append(dict(attrs)["href"])


@pytest.mark.parametrize("accept", [{}, {"HTTP_ACCEPT": "*/*"}, {"HTTP_ACCEPT": "text/plain"}])
def test_the_list_is_text(accept):
    status, fields, content = call("/", **accept)
    assert status == "200 OK"
    assert fields["Content-Type"] == "text/plain; charset=utf-8"
    assert b"/stream/<chunks>/<size>" in b"".join(content)


def test_the_list_is_a_page_in_a_browser_and_its_links_work():
    status, fields, content = call("/", HTTP_ACCEPT="text/html,application/xhtml+xml,*/*;q=0.8")
    assert status == "200 OK"
    assert fields["Content-Type"] == "text/html; charset=utf-8"
    assert fields["Vary"] == "Accept"
    page = Links(b"".join(content).decode())
    assert {"title", "h1", "main", "th"} <= page.tags
    assert "/echo" in page.targets
    for target in page.targets:
        expected = "404 Not Found" if target == "/status/404" else "200 OK"
        if not target.startswith(("/delay", "/cpu")):
            assert call(target)[0] == expected


def test_who_changes_the_headers_does_not_change_the_next_answer():
    answers = []
    demo.handler({"PATH_INFO": "/"}, lambda status, headers: answers.append(headers))
    answers[0].clear()
    assert call("/")[1]["Content-Type"] == "text/plain; charset=utf-8"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_echo(method):
    _, fields, content = call("/echo", method, b"\x00body\xff", CONTENT_TYPE="text/html")
    assert content == [b"\x00body\xff"]
    assert fields["Content-Type"] == "text/html"
    assert fields["X-Content-Type-Options"] == "nosniff"


def test_echo_without_body_and_type():
    _, fields, content = call("/echo", CONTENT_LENGTH="", CONTENT_TYPE="")
    assert b"".join(content) == b""
    assert fields["Content-Type"] == "application/octet-stream"


def test_echo_of_a_body_without_length():
    environ = {"PATH_INFO": "/echo", "wsgi.input": BytesIO(b"chunked")}
    environ["wsgi.input_terminated"] = True
    assert demo.handler(environ, lambda status, headers: None) == [b"chunked"]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/delay/0", b"waited 0 ms\n"),
        ("/delay/1", b"waited 1 ms\n"),
        ("/cpu/0", b"computed 0 ms\n"),
        ("/cpu/1", b"computed 1 ms\n"),
    ],
)
def test_waiting_and_computing(path, text):
    assert call(path)[2] == [text]


@pytest.mark.parametrize("size", [0, 1, 1024, (1 << 20) - 1, 1 << 20])
def test_bytes_in_one_chunk(size):
    _, fields, content = call(f"/bytes/{size}")
    assert content == [bytes(size)]
    assert fields["Content-Length"] == str(size)


@pytest.mark.parametrize("size", [(1 << 20) + 1, 2 << 20, (3 << 20) + 5])
def test_bytes_in_chunks(size):
    _, fields, content = call(f"/bytes/{size}")
    assert fields["Content-Length"] == str(size)
    assert len(content) > 1
    assert sum(map(len, content)) == size


@pytest.mark.parametrize(("chunks", "size"), [(0, 10), (1, 0), (3, 7), (100, 1024)])
def test_stream(chunks, size):
    _, fields, content = call(f"/stream/{chunks}/{size}")
    assert "Content-Length" not in fields
    assert content == [bytes(size)] * chunks


@pytest.mark.parametrize(
    ("code", "status"),
    [(200, "200 OK"), (404, "404 Not Found"), (418, "418 I'm a Teapot"), (599, "599 Unassigned")],
)
def test_status(code, status):
    answered, _, content = call(f"/status/{code}")
    assert answered.casefold() == status.casefold()
    assert b"".join(content).decode() == f"{answered}\n"


@pytest.mark.parametrize("code", [204, 205, 304])
def test_status_without_content(code):
    status, _, content = call(f"/status/{code}")
    assert status.startswith(f"{code} ")
    assert b"".join(content) == b""


def test_headers_hide_secrets():
    _, fields, content = call(
        "/headers",
        HTTP_X_CUSTOM_KEY="hidden for its name",
        HTTP_X_CUSTOM="shown",
        HTTP_AUTHORIZATION="Bearer 123",
        HTTP_COOKIE="session=123",
        HTTP_X_FC_SECURITY_TOKEN="123",
        CONTENT_TYPE="text/csv",
        REMOTE_ADDR="192.0.2.1",
        HOME="/root",
    )
    assert fields["Content-Type"] == "application/json"
    told = json.loads(b"".join(content))
    assert told["HTTP_X_CUSTOM"] == "shown"
    assert told["CONTENT_TYPE"] == "text/csv"
    assert told["REMOTE_ADDR"] == "192.0.2.1"
    assert told["REQUEST_METHOD"] == "GET"
    assert told["PATH_INFO"] == "/headers"
    assert told["HTTP_AUTHORIZATION"] == told["HTTP_COOKIE"] == "(hidden)"
    assert "123" not in str(content)
    assert "HOME" not in told


def test_context():
    template = context_template(
        environ={"ALIBABA_CLOUD_ACCESS_KEY_SECRET": "a-secret"},
        function_name="hello",
        handler="index.handler",
        memory=512,
        timeout=60,
        service_name="greetings",
        account_id="1234567890",
        log_project="a-project",
        log_store="a-store",
    )
    _, _, content = call("/context", **{"fc.context": template.context("an-id")})
    told = json.loads(b"".join(content))
    assert told["requestId"] == "an-id"
    assert told["function"]["name"] == "hello"
    assert set(told) == {"requestId", "function", "service", "region", "retryCount"}
    assert set(told["service"]) == {"name", "qualifier", "versionId"}


def test_context_under_another_server():
    status, _, content = call("/context")
    assert status == "200 OK"
    assert json.loads(b"".join(content)) == {"error": "this server gives no fc.context"}


@pytest.mark.parametrize(
    "path", ["/nothing", "/echo/more", "/delay", "/delay/1/2", "/stream/1", "/\xff", "/Echo"]
)
def test_an_unknown_path(path):
    status, _, content = call(path)
    assert status == "404 Not Found"
    assert content == [b"Nothing here; / lists what there is.\n"]


@pytest.mark.parametrize(
    "path",
    [
        "/delay/x",
        "/delay/-1",
        "/delay/1.5",
        "/delay/60001",
        "/cpu/60001",
        "/bytes/1_000",
        "/bytes/+1",
        "/bytes/\xb2",
        f"/bytes/{(1 << 30) + 1}",
        f"/bytes/{'9' * 5000}",
        "/stream/x/1",
        "/stream/1/x",
        "/stream/1000001/1",
        "/stream/1/1048577",
        "/stream/1000000/1048576",
        "/status/199",
        "/status/600",
        "/status/0",
    ],
)
def test_a_number_that_is_none_or_too_large(path):
    status, _, content = call(path)
    assert status == "400 Bad Request"
    assert len(content[0]) < 150


def test_a_wrong_content_length():
    assert call("/echo", CONTENT_LENGTH="99999999999")[0] == "400 Bad Request"


def test_a_trailing_slash_is_no_difference():
    assert call("/bytes/5/")[2] == [bytes(5)]
