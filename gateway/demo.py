"""The handler that the gateway serves by default: for a first look, for trials and benchmarks.

Plain WSGI (PEP 3333), for any server; only `/context` needs what Function Compute adds.
"""

import html
import json
import time
from collections.abc import Callable, Iterable, Iterator
from http import HTTPStatus
from itertools import chain, repeat
from typing import TYPE_CHECKING, NamedTuple

from gateway.fc.names import ENVIRON_CONTEXT

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

MAX_MILLISECONDS = 60_000
MAX_BYTES = 1 << 30
MAX_CHUNKS = 1_000_000

# Zeroes; the kernel needs no memory for them until they are sent.
_BLOCK = bytes(1 << 20)

# Parts of environ names whose values do not belong on a page.  Function Compute adds fields of its
# own for a container; they are not the client's.
_HIDDEN = ("AUTHORIZATION", "COOKIE", "SECRET", "TOKEN", "KEY", "HTTP_X_FC_")

_PLAIN = "text/plain; charset=utf-8"
_BINARY = "application/octet-stream"


class _ArgumentError(ValueError):
    """A request that a route cannot serve; the text is for the client."""


class _Route(NamedTuple):
    path: str
    example: str
    about: str
    respond: "Callable[[WSGIEnvironment, StartResponse, list[str]], Iterable[bytes]]"


def handler(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
    """Respond to one request."""
    name, *arguments = environ.get("PATH_INFO", "").strip("/").split("/")
    route = _ROUTES.get(name)
    if route is None or len(arguments) != route.path.count("<"):
        return _text(start_response, "404 Not Found", "Nothing here; / lists what there is.\n")
    try:
        return route.respond(environ, start_response, arguments)
    except _ArgumentError as error:
        return _text(start_response, "400 Bad Request", f"{error}\n")


# --- routes ------------------------------------------------------------------------------------


def _index(
    environ: "WSGIEnvironment", start_response: "StartResponse", _: list[str]
) -> Iterable[bytes]:
    headers = _PAGE_HEADERS if "text/html" in environ.get("HTTP_ACCEPT", "") else _LIST_HEADERS
    start_response("200 OK", headers.copy())
    return [_PAGE if headers is _PAGE_HEADERS else _LIST]


def _echo(
    environ: "WSGIEnvironment", start_response: "StartResponse", _: list[str]
) -> Iterable[bytes]:
    length = environ.get("CONTENT_LENGTH") or "0"
    if environ.get("wsgi.input_terminated"):
        body = environ["wsgi.input"].read(-1)
    else:
        body = environ["wsgi.input"].read(_number(length, "the content length", MAX_BYTES))
    headers = [
        ("Content-Type", environ.get("CONTENT_TYPE") or _BINARY),
        ("Content-Length", str(len(body))),
        # A client's content must not run as a page of this site.
        ("X-Content-Type-Options", "nosniff"),
        ("Content-Security-Policy", "sandbox"),
    ]
    start_response("200 OK", headers)
    return [body]


def _delay(
    _: "WSGIEnvironment", start_response: "StartResponse", arguments: list[str]
) -> Iterable[bytes]:
    milliseconds = _number(arguments[0], "the delay", MAX_MILLISECONDS)
    time.sleep(milliseconds / 1000)
    return _text(start_response, "200 OK", f"waited {milliseconds} ms\n")


def _cpu(
    _: "WSGIEnvironment", start_response: "StartResponse", arguments: list[str]
) -> Iterable[bytes]:
    milliseconds = _number(arguments[0], "the CPU time", MAX_MILLISECONDS)
    end = time.thread_time_ns() + milliseconds * 1_000_000
    while time.thread_time_ns() < end:
        pass
    return _text(start_response, "200 OK", f"computed {milliseconds} ms\n")


def _bytes(
    _: "WSGIEnvironment", start_response: "StartResponse", arguments: list[str]
) -> Iterable[bytes]:
    size = _number(arguments[0], "the size", MAX_BYTES)
    start_response("200 OK", [("Content-Type", _BINARY), ("Content-Length", str(size))])
    if size <= len(_BLOCK):
        return [_BLOCK[:size]]
    whole, rest = divmod(size, len(_BLOCK))
    return chain(repeat(_BLOCK, whole), [_BLOCK[:rest]] if rest else [])


def _stream(
    _: "WSGIEnvironment", start_response: "StartResponse", arguments: list[str]
) -> Iterable[bytes]:
    count = _number(arguments[0], "the number of chunks", MAX_CHUNKS)
    size = _number(arguments[1], "the size of a chunk", len(_BLOCK))
    if count * size > MAX_BYTES:
        raise _ArgumentError(f"all chunks together may have {MAX_BYTES} bytes, not {count * size}")
    start_response("200 OK", [("Content-Type", _BINARY)])
    return _chunks(count, _BLOCK[:size])


def _chunks(count: int, chunk: bytes) -> Iterator[bytes]:
    for _ in range(count):
        yield chunk


def _status(
    _: "WSGIEnvironment", start_response: "StartResponse", arguments: list[str]
) -> Iterable[bytes]:
    code = _number(arguments[0], "the status", 599)
    if code < 200:
        raise _ArgumentError(f"the status of a response is 200 to 599 (RFC 9110 §15), not {code}")
    try:
        status = f"{code} {HTTPStatus(code).phrase}"
    except ValueError:
        status = f"{code} Unassigned"
    if code in (204, 304):  # No body (RFC 9110 §15.3.5, §15.4.5).
        start_response(status, [])
        return []
    # The body of 205 is empty (RFC 9110 §15.3.6).
    return _text(start_response, status, "" if code == 205 else f"{status}\n")


def _headers(
    environ: "WSGIEnvironment", start_response: "StartResponse", _: list[str]
) -> Iterable[bytes]:
    content = {
        name: "(hidden)" if any(part in name for part in _HIDDEN) else value
        for name, value in sorted(environ.items())
        if name.startswith(("HTTP_", "CONTENT_", "REMOTE_", "REQUEST_METHOD", "SERVER_"))
        or name in ("PATH_INFO", "QUERY_STRING", "SCRIPT_NAME", "fc.request_uri")
    }
    return _json(start_response, content)


def _context(
    environ: "WSGIEnvironment", start_response: "StartResponse", _: list[str]
) -> Iterable[bytes]:
    context = environ.get(ENVIRON_CONTEXT)
    if context is None:
        return _json(start_response, {"error": f"this server gives no {ENVIRON_CONTEXT}"})
    content = json.loads(context.to_json())
    # Any client may ask: the function's names are public, its account is not.
    for key in ("credentials", "accountId", "tracing"):
        del content[key]
    for key in ("logProject", "logStore"):
        del content["service"][key]
    return _json(start_response, content)


# --- responses ---------------------------------------------------------------------------------


def _number(text: str, what: str, largest: int) -> int:
    # int() alone would accept "+1", "1_0" and digits of other scripts.
    if not (text.isascii() and text.isdigit()) or len(text) > 10 or int(text) > largest:
        raise _ArgumentError(f"{what} is a whole number up to {largest}, not {text[:20]!r}")
    return int(text)


def _text(start_response: "StartResponse", status: str, text: str) -> list[bytes]:
    # `text` may quote the path, which may hold single surrogates under other servers.
    body = text.encode("utf-8", "backslashreplace")
    start_response(status, [("Content-Type", _PLAIN), ("Content-Length", str(len(body)))])
    return [body]


def _json(start_response: "StartResponse", content: object) -> list[bytes]:
    body = json.dumps(content, indent=2).encode() + b"\n"
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    start_response("200 OK", headers)
    return [body]


_ROUTES = {
    route.path.split("/")[1]: route
    for route in (
        _Route("/", "/", "this list", _index),
        _Route("/echo", "/echo", "the request's body and content type, any method", _echo),
        _Route("/delay/<ms>", "/delay/250", f"sleeps, at most {MAX_MILLISECONDS} ms", _delay),
        _Route("/cpu/<ms>", "/cpu/50", f"computes, at most {MAX_MILLISECONDS} ms", _cpu),
        _Route("/bytes/<n>", "/bytes/1024", "n zero bytes, at most 1 GiB", _bytes),
        _Route("/stream/<chunks>/<size>", "/stream/10/1024", "chunks without a length", _stream),
        _Route("/status/<code>", "/status/404", "a response with this status", _status),
        _Route("/headers", "/headers", "what the handler gets about the request", _headers),
        _Route(
            "/context", "/context", "Function Compute's context, without keys and account", _context
        ),
    )
}

_LIST = "".join(
    ["gateway is running its demonstration handler.\n\n"]
    + [f"{route.path:<24} {route.about}\n" for route in _ROUTES.values()]
).encode()

_PAGE = (
    """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>gateway</title>
<style>
:root { color-scheme: light dark }
body { font: 1rem/1.6 system-ui, sans-serif; max-width: 42rem; margin: 3rem auto; padding: 0 1rem }
th { font-weight: normal; text-align: left; padding-right: 2rem; white-space: nowrap }
</style>
</head>
<body>
<main>
<h1>gateway</h1>
<p>This is its demonstration handler. To serve your own:
<code>gateway serve index.handler</code></p>
<table>
<thead><tr><th scope="col"><b>Path</b></th><th scope="col"><b>Response</b></th></tr></thead>
<tbody>
"""
    + "".join(
        f'<tr><th scope="row"><a href="{route.example}"><code>{html.escape(route.path)}</code></a>'
        f"</th><td>{html.escape(route.about)}</td></tr>\n"
        for route in _ROUTES.values()
    )
    + "</tbody>\n</table>\n</main>\n</body>\n</html>\n"
).encode()

_LIST_HEADERS = [
    ("Content-Type", _PLAIN),
    ("Content-Length", str(len(_LIST))),
    ("Vary", "Accept"),
]
_PAGE_HEADERS = [
    ("Content-Type", "text/html; charset=utf-8"),
    ("Content-Length", str(len(_PAGE))),
    ("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'"),
    ("Vary", "Accept"),
]
