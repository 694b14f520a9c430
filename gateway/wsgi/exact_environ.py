"""The environ of Function Compute's own Python runtime, also where that breaks frameworks.

`--exact-environ` shows how a handler does there: docs/fc-compatibility.md lists
what differs from `wsgi.environ`.  What is known of the runtime is what it shows of itself to the
code that it runs; where the platform before it decides, such as on bytes that are no UTF-8, it is
inferred, and the page says so.
"""

import sys
from collections.abc import Mapping
from io import BytesIO
from typing import IO, Any, Final
from urllib.parse import unquote_to_bytes

from gateway.fc import names
from gateway.fc.context import FCContext
from gateway.http.body.body import BodyBuffer
from gateway.http.body.body_stream import BodyStream
from gateway.http.message.head import RequestHead
from gateway.wsgi.environ import head_environ

_CONSTANTS: Final[dict[str, Any]] = {
    "HTTP": "on",
    "SCRIPT_NAME": "",
    "SERVER_NAME": "FCRUNTIME",
    "SERVER_PORT": "9000",
    "SERVER_SOFTWARE": "FCRUNTIME/1.0",
    "wsgi.version": (1, 0),
    "wsgi.url_scheme": "http",
    "wsgi.run_once": False,
}

_HANDLER: Final = "HTTP_X_FC_FUNCTION_HANDLER"


def exact_head_environ(
    head: RequestHead,
    *,
    path: str,
    client: tuple[str, int] | None,
    host: str,
    handler: str,
    is_multithread: bool,
    is_multiprocess: bool,
) -> dict[str, Any]:
    """What is the same for equal requests of a connection.

    `path` is what becomes PATH_INFO, percent-encoded; `host` replaces the head's where it is not
    empty; `handler` is the function's.  What is told of threads and processes is true here, too:
    code that believed to run alone, and did not, would give users one another's data.
    """
    environ = head_environ(_CONSTANTS, head, path=path)
    for key, value in environ.items():
        if isinstance(value, str) and not value.isascii():
            environ[key] = _unicode(value)
    environ["PATH_INFO"] = unquote_to_bytes(path.encode("latin-1")).decode("utf-8", "replace")
    environ["SERVER_PROTOCOL"] = "HTTP/1.1"
    environ["REMOTE_ADDR"] = client[0] if client else ""
    environ.setdefault("CONTENT_TYPE", "application/octet-stream")
    cookies = [value for name, value in head.fields if name.environ_key == "HTTP_COOKIE"]
    if len(cookies) > 1:
        environ["HTTP_COOKIE"] = ",".join([value.decode("utf-8", "replace") for value in cookies])
    if host:
        environ["HTTP_HOST"] = host
    environ[_HANDLER] = handler
    environ["wsgi.multithread"] = is_multithread
    environ["wsgi.multiprocess"] = is_multiprocess
    return environ


def exact_environ(
    variables: Mapping[str, str],
    of_head: dict[str, Any],
    body: BodyBuffer | BodyStream | None,
    context: FCContext,
) -> dict[str, Any]:
    """A fresh environ for one request: `variables` are the process's, as they are now."""
    environ: dict[str, Any] = {**_snapshot(variables), **of_head}
    environ["wsgi.errors"] = sys.stderr
    environ["wsgi.input"] = _file(body)
    if body is not None and body.length is not None:
        environ["CONTENT_LENGTH"] = str(body.length)
    environ[names.ENVIRON_CONTEXT] = context
    return environ


def _snapshot(variables: Mapping[str, str]) -> dict[str, str]:
    while True:
        try:
            return dict(variables)
        except KeyError:  # Another thread has deleted one meanwhile.
            continue


def _unicode(text: str) -> str:
    """What came as UTF-8, and was decoded as latin-1."""
    return text.encode("latin-1").decode("utf-8", "replace")


def _file(body: BodyBuffer | BodyStream | None) -> IO[bytes]:
    if body is None:
        return BytesIO()
    if isinstance(body, BodyStream):
        return body.open()  # It is still arriving: whoever wants it whole has a larger buffer.
    file = body.open()
    return file if isinstance(file, BytesIO) else BytesIO(body.take_all())
