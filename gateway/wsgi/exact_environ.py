"""The environ of Function Compute's own Python runtime, also where that breaks frameworks.

`--exact-environ` shows how a handler behaves there; docs/fc-compatibility.md lists what differs
from `wsgi.environ`.  The source is what the runtime shows to the code that it runs.  Where the
platform in front of the runtime decides, such as on bytes that are not UTF-8, the behaviour is
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
    """The part of environ that equal requests of a connection share.

    `path` becomes PATH_INFO; it is percent-encoded.  `host` replaces the head's unless it is empty;
    `handler` is the function's.  `wsgi.multithread` and `wsgi.multiprocess` are true here as well:
    code that wrongly assumed to run alone would show users each other's data.
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
    """A fresh environ for one request: `variables` are the present ones of the process."""
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
        except KeyError:  # Another thread has deleted a variable meanwhile.
            continue


def _unicode(text: str) -> str:
    """Text that was sent as UTF-8 and decoded as latin-1."""
    return text.encode("latin-1").decode("utf-8", "replace")


def _file(body: BodyBuffer | BodyStream | None) -> IO[bytes]:
    if body is None:
        return BytesIO()
    if isinstance(body, BodyStream):
        return body.open()  # Still arriving; an operator who wants it whole raises --body-buffer.
    file = body.open()
    return file if isinstance(file, BytesIO) else BytesIO(body.take_all())
