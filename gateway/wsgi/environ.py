"""PEP 3333's environ, from a request head.

Strings are "native": bytes decoded as latin-1.  So is `PATH_INFO`, after its percent-encoding is
decoded.  (Function Compute itself puts real Unicode there; frameworks encode it as latin-1 and
break.)
"""

import sys
from typing import IO, Any
from urllib.parse import unquote_to_bytes

from gateway.fc import names
from gateway.fc.context import FCContext
from gateway.http.message.head import CHUNKED, RequestHead
from gateway.version import __version__
from gateway.wsgi.file_wrapper import FileWrapper


def connection_environ(
    local: tuple[str, int] | None,
    peer: tuple[str, int] | None,
    *,
    scheme: str,
    is_multithread: bool,
    is_multiprocess: bool,
) -> dict[str, Any]:
    """The part that all requests of a connection share.

    `local` and `peer` are address and port of the two ends, `None` for a unix socket.  PEP 3333
    demands a server name and port: for a unix socket they are `localhost` and the scheme's port.
    The peer's port is 0 where it is not known.
    """
    default_port = 443 if scheme == "https" else 80
    host, port = local or ("localhost", default_port)
    environ: dict[str, Any] = {
        "SCRIPT_NAME": "",
        # In brackets (RFC 3875 §4.1.14): PEP 3333 has applications make URLs of it.
        "SERVER_NAME": f"[{host}]" if ":" in host else host,
        "SERVER_PORT": str(port),
        "SERVER_SOFTWARE": f"fc-gateway/{__version__}",
        "REMOTE_ADDR": peer[0] if peer else "",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scheme,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": is_multithread,
        "wsgi.multiprocess": is_multiprocess,
        "wsgi.run_once": False,
        "wsgi.input_terminated": True,
        "wsgi.file_wrapper": FileWrapper,
    }
    if peer and peer[1]:
        environ["REMOTE_PORT"] = str(peer[1])
    if scheme == "https":
        environ["HTTPS"] = "on"  # Not in a standard, but CGI programs look at it.
    return environ


def head_environ(shared: dict[str, Any], head: RequestHead, *, path: str) -> dict[str, Any]:
    """A fresh environ of `shared` and a request head, complete except body and context.

    `path` becomes PATH_INFO; it is percent-encoded.
    """
    environ = shared.copy()
    environ["REQUEST_METHOD"] = head.method
    environ["SERVER_PROTOCOL"] = "HTTP/1.0" if head.is_http_1_0 else "HTTP/1.1"
    environ["PATH_INFO"] = path_info(path)
    environ["QUERY_STRING"] = head.query
    repeated: dict[str, list[str]] | None = None
    for name, value in head.fields:
        key = name.environ_key
        text = value.decode("latin-1")
        if key not in environ:
            environ[key] = text
        elif repeated is None:
            repeated = {key: [environ[key], text]}
        else:
            repeated.setdefault(key, [environ[key]]).append(text)
    if repeated is not None:
        _join(environ, repeated)
    if head.host:
        environ["HTTP_HOST"] = head.host
    if head.content_length == CHUNKED:
        del environ["HTTP_TRANSFER_ENCODING"]  # wsgi.input has the decoded body.
    else:
        environ["CONTENT_LENGTH"] = str(head.content_length) if head.content_length else "0"
    environ[names.ENVIRON_REQUEST_URI] = head.target
    # Placeholders: adding two keys later costs as much as the copy itself.
    environ["wsgi.input"] = environ[names.ENVIRON_CONTEXT] = None
    return environ


def request_environ(
    of_head: dict[str, Any], body: IO[bytes], content_length: int | None, context: FCContext
) -> dict[str, Any]:
    """A fresh environ for one request; `of_head` is a result of `head_environ`.

    `content_length` is the body's length in bytes.  `None` leaves CONTENT_LENGTH to the head:
    there is no body, or it is still arriving.
    """
    environ = of_head.copy()
    if content_length is not None:
        environ["CONTENT_LENGTH"] = str(content_length)
    environ["wsgi.input"] = body
    environ[names.ENVIRON_CONTEXT] = context
    return environ


def path_info(path: str) -> str:
    """PATH_INFO of a percent-encoded path."""
    return unquote_to_bytes(path).decode("latin-1") if "%" in path else path


def _join(environ: dict[str, Any], repeated: dict[str, list[str]]) -> None:
    """Join repeated fields with commas (RFC 9110 §5.3), Cookie with `; ` (RFC 9113 §8.2.3)."""
    for key, texts in repeated.items():
        environ[key] = ("; " if key == "HTTP_COOKIE" else ",").join(texts)
