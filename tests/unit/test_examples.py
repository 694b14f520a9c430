"""The examples do what they show."""

import asyncio
import json
import subprocess
import sys
from io import BytesIO
from pathlib import Path
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

import pytest
from asgiref.testing import ApplicationCommunicator

from gateway import EventHandler
from gateway.code.interface import detect_interface
from gateway.code.loading import load
from gateway.fc.context import context_template

EXAMPLES = Path(__file__).parents[2] / "examples"
TEMPLATE = context_template(
    environ={},
    function_name="hello",
    handler="index.handler",
    memory=512,
    timeout=60,
    service_name="greetings",
)


@pytest.fixture
def load_example(monkeypatch):
    def load_from(name, target):
        monkeypatch.syspath_prepend(EXAMPLES / name)
        monkeypatch.delitem(sys.modules, "index", raising=False)
        return load(target)

    yield load_from
    sys.modules.pop("index", None)


def call(handler, **environ):
    environ = {"QUERY_STRING": "query=1", "fc.context": TEMPLATE.context("an-id"), **environ}
    environ["fc.request_uri"] = "/?query=1"
    setup_testing_defaults(environ)
    answers = []

    def start_response(status, headers, exc_info=None):
        answers.append((status, dict(headers)))
        return lambda data: None

    chunks = handler(environ, start_response)
    content = b"".join(chunks)
    getattr(chunks, "close", lambda: None)()
    return *answers[0], content


def test_bare(load_example, capsys):
    handler = validator(load_example("bare", "index.handler"))
    status, headers, content = call(
        handler,
        REQUEST_METHOD="POST",
        CONTENT_LENGTH="4",
        CONTENT_TYPE="text/csv",
        HTTP_X_CUSTOM_KEY="value",
        **{"wsgi.input": BytesIO(b"body")},
    )
    assert status == "200 OK"
    assert headers == {"Content-type": "text/plain"}
    assert content == b"Hello world!\n"
    assert capsys.readouterr().out == (
        "request_body: b'body'\n"
        "method: POST\n path: /\n query_string: query=1\n server_protocol: HTTP/1.0\n\n"
    )


def test_bare_without_a_usable_length(load_example):
    handler = load_example("bare", "index:handler")
    assert call(handler, CONTENT_LENGTH="")[2] == b"Hello world!\n"


def test_flask(load_example):
    handler = load_example("flask", "index.handler")
    assert detect_interface(handler) == "wsgi"
    status, headers, content = call(validator(handler))
    assert status == "200 OK"
    assert headers["Content-Type"].startswith("text/html")
    assert content == b"Web App with Python Flask!"


def test_django():
    # A process has one Django configuration: the example's must not become the tests'.
    script = """
import sys
sys.path.insert(0, sys.argv[1])
from wsgiref.handlers import SimpleHandler
from wsgiref.util import setup_testing_defaults
from gateway.code.interface import detect_interface
from gateway.code.loading import load
handler = load("index.handler")
assert detect_interface(handler) == "wsgi"
environ = {"HTTP_HOST": "localhost:9000", "QUERY_STRING": "query=1"}
setup_testing_defaults(environ)
streams = sys.stdin.buffer, sys.stdout.buffer, sys.stderr
SimpleHandler(*streams, environ, multithread=False).run(handler)
"""
    command = [sys.executable, "-c", script, EXAMPLES / "django"]
    output = subprocess.run(command, capture_output=True, check=True, input=b"", timeout=50).stdout
    head, _, content = output.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.0 200 OK\r\n")
    assert json.loads(content) == {
        "message": "Web App with Django!",
        "method": "GET",
        "path": "/?query=1",
        "request_id": None,
    }


def test_asgi(load_example):
    app = load_example("asgi", "index:app")
    assert detect_interface(app) == "asgi"

    async def drive():
        request = ApplicationCommunicator(app, {"type": "http"})
        await request.send_input({"type": "http.request", "body": b"", "more_body": False})
        messages = [await request.receive_output(), await request.receive_output()]
        while messages[-1].get("more_body"):
            messages.append(await request.receive_output())
        await request.wait()
        lifespan = ApplicationCommunicator(app, {"type": "lifespan"})
        for event in ("startup", "shutdown"):
            await lifespan.send_input({"type": f"lifespan.{event}"})
            answer = await lifespan.receive_output()
            assert answer == {"type": f"lifespan.{event}.complete"}
        await lifespan.wait()
        return messages

    start, *bodies = asyncio.run(drive())
    assert start["status"] == 200
    assert [body["body"] for body in bodies] == [b"3\n", b"2\n", b"1\n", b"Hello world!\n"]


def test_event(load_example):
    handler = load_example("event", "index.handler")
    assert detect_interface(handler) == "fc-event"
    status, headers, content = call(
        EventHandler(handler),
        REQUEST_METHOD="POST",
        QUERY_STRING="name=FC",
        REMOTE_ADDR="192.0.2.7",
        **{"wsgi.input": BytesIO(b"some body")},
    )
    assert (status, headers) == ("200", {"Content-Type": "text/plain; charset=utf-8"})
    assert content == b"Hello FC! Your body has 9 bytes.\n"
    result = handler(b'{"any": "event"}', TEMPLATE.context("an-id"))
    assert result == {"received": {"any": "event"}, "requestId": "an-id"}


def test_the_page_on_event_handlers_shows_the_example():
    page = (EXAMPLES.parent / "docs" / "event-handlers.md").read_text()
    code = (EXAMPLES / "event" / "index.py").read_text().partition('"""\n\n')[2]
    assert f"```python\n# index.py\n{code}```" in page


def test_each_example_is_in_the_readme():
    readme = (EXAMPLES / "README.md").read_text()
    for folder in EXAMPLES.iterdir():
        if folder.is_dir():
            code = "/code" if (folder / "code").is_dir() else ""
            assert f"--chdir examples/{folder.name}{code}`" in readme
