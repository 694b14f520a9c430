"""The handlers that are served while measuring do what the loads check."""

import io
import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from bench import handlers
from bench.flask_app import app

Handler = Callable[..., Any]


def call(handler: Handler, path: str = "/", body: bytes = b"") -> tuple[str, dict[str, str], bytes]:
    """Status, header fields and body."""
    environ = {
        "REQUEST_METHOD": "POST" if body else "GET",
        "PATH_INFO": path,
        "CONTENT_LENGTH": str(len(body)) if body else "",
        "wsgi.input": io.BytesIO(body),
        "wsgi.url_scheme": "http",
        "wsgi.errors": io.StringIO(),
        "SERVER_NAME": "bench",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
    }
    started: list[tuple[str, dict[str, str]]] = []
    blocks = handler(environ, lambda status, fields, *_: started.append((status, dict(fields))))
    content = b"".join(blocks)
    return *started[0], content


@pytest.mark.parametrize("handler", [handlers.hello, handlers.beside, handlers.sleep, app])
def test_hello(handler: Handler) -> None:
    status, fields, body = call(handler)
    assert (status, body) == ("200 OK", handlers.HELLO)
    assert fields["Content-Type"] == "text/plain"


def test_burning_takes_cpu_time() -> None:
    before = time.thread_time()
    assert call(handlers.beside, "/burn")[2] == handlers.HELLO
    assert time.thread_time() - before >= 0.2


def test_json_of_about_10_kb() -> None:
    _, fields, body = call(handlers.as_json)
    assert len(json.loads(body)) == 145
    assert 10_000 <= len(body) <= 11_000
    assert fields["Content-Length"] == str(len(body))


@pytest.mark.parametrize("handler", [handlers.length, handlers.beside])
def test_the_length_of_a_body(handler: Handler) -> None:
    assert call(handler, "/length", b"x" * 200_001)[2] == b"200001"


def test_the_length_of_a_body_that_is_cut_off() -> None:
    environ = {"CONTENT_LENGTH": "10", "wsgi.input": io.BytesIO(b"abc")}
    assert b"".join(handlers.length(environ, lambda *_: None)) == b"3"


def test_no_body_has_no_length() -> None:
    assert call(handlers.length)[2] == b"0"


@pytest.mark.parametrize("size", [0, 1, 65_535, 65_536, 65_537, 1_000_000])
def test_as_many_bytes_as_the_path_says(size: int) -> None:
    environ = {"PATH_INFO": f"/{size}"}
    blocks = list(handlers.beside(environ, lambda *_: None))
    assert sum(map(len, blocks)) == size
    assert all(len(block) == 65_536 for block in blocks[:-1])
