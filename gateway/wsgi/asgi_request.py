"""A request that another ASGI server has read: its scope, checked, and its body."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, unquote_to_bytes

from gateway.errors import ClientDisconnected, HeadersTooLarge, MalformedRequest, PathTooLong
from gateway.fc.context import FCContext
from gateway.http.body.blocks import BlockPool
from gateway.http.body.body import BodyBuffer
from gateway.http.message.fields import FieldNames
from gateway.http.message.head import RequestHead, body_too_large, too_many_fields
from gateway.limits import Limits
from gateway.wsgi.environ import connection_environ, head_environ, request_environ
from gateway.wsgi.exact_environ import exact_environ, exact_head_environ

if TYPE_CHECKING:
    from asgiref.typing import ASGIReceiveCallable, HTTPScope

_PATH_SAFE: Final = "/:@!$&'()*+,;=~"
"""Characters that RFC 3986 §3.3 allows in a path, besides letters, digits and `-._`."""


class AsgiRequest:
    """A scope of type `http`, checked."""

    __slots__ = ("head", "path", "root")

    head: RequestHead
    path: str
    """The path without `root_path`, percent-encoded."""
    root: str
    """SCRIPT_NAME: `root_path` as PEP 3333 wants it."""

    def __init__(self, scope: "HTTPScope", names: FieldNames, limits: Limits) -> None:
        """Check what the server need not have checked.

        Raises:
            Refusal: the request may not be served, or is larger than `limits` allow.
        """
        # Checked as HTTP/1.0, which needs no Host: where one is needed, the server has checked it.
        head = self.head = RequestHead(scope["method"], is_http_1_0=True, keep_alive=True)
        raw_path = _raw_path(scope)
        query = scope.get("query_string") or b""
        target = raw_path + b"?" + query if query else raw_path
        if len(target) > limits.max_path_bytes:
            raise PathTooLong(f"path and query are longer than {limits.max_path_bytes} bytes")
        head.set_fields(_checked_lines(scope, limits), names, head.set_target(target))
        head.is_http_1_0 = scope["http_version"] == "1.0"
        if head.content_length > (limit := head.body_limit(limits)):
            raise body_too_large(limit)
        root = scope.get("root_path", "").rstrip("/").encode("utf-8", "surrogateescape")
        self.root = root.decode("latin-1")
        self.path = _without(root, head.path) if root else head.path

    def environ(
        self,
        scope: "HTTPScope",
        *,
        path: str,
        body: BodyBuffer,
        context: FCContext,
        is_multithread: bool,
        is_multiprocess: bool,
        variables: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        """PEP 3333's environ, or, with `variables`, Function Compute's own.

        `path` becomes PATH_INFO; it is percent-encoded.  `variables` are those of the process.
        """
        local = scope.get("server")
        peer = scope.get("client")
        if variables is not None:
            of_head = exact_head_environ(
                self.head,
                path=path,
                client=(peer[0], peer[1]) if peer else None,
                host="",
                handler=context.function.handler,
                is_multithread=is_multithread,
                is_multiprocess=is_multiprocess,
            )
            return exact_environ(variables, of_head, body, context)
        shared = connection_environ(
            # A unix socket has no port.
            (local[0], local[1]) if local and local[1] is not None else None,
            (peer[0], peer[1]) if peer else None,
            scheme=scope.get("scheme", "http"),
            is_multithread=is_multithread,
            is_multiprocess=is_multiprocess,
        )
        shared["SCRIPT_NAME"] = self.root
        of_head = head_environ(shared, self.head, path=path)
        return request_environ(of_head, body.open(), body.length, context)


def _raw_path(scope: "HTTPScope") -> bytes:
    """The path as the client sent it, percent-encoded, where the scope has it."""
    path = scope["path"]
    raw_path = scope.get("raw_path")
    if raw_path:
        # Some servers leave the query there.
        raw_path = raw_path.partition(b"?")[0]
        if unquote_to_bytes(raw_path).decode("utf-8", "replace") == path:
            return raw_path
    # There is none, or a middleware has changed `path`, which counts then.
    return quote(path, safe=_PATH_SAFE, errors="surrogateescape").encode("ascii") or b"/"


def _without(root: bytes, path: str) -> str:
    """The path after `root`; the whole path where it does not begin so (ASGI, "root_path")."""
    decoded = unquote_to_bytes(path)
    rest = decoded[len(root) :]
    if decoded.startswith(root) and rest[:1] in (b"/", b""):
        return quote(rest, safe=_PATH_SAFE)
    return path


def _checked_lines(scope: "HTTPScope", limits: Limits) -> list[tuple[bytes, bytes]]:
    """Header fields, without Transfer-Encoding, which concerns the server alone."""
    lines = []
    size = 0
    for name, value in scope["headers"]:
        size += len(name) + len(value)
        if name == b"content-length" and not (value.isdigit() and len(value) < 19):
            raise MalformedRequest("Content-Length is not a number")
        if name and name != b"transfer-encoding":
            lines.append((bytes(name), bytes(value)))
    if size > limits.max_header_bytes:
        raise HeadersTooLarge(
            f"the request headers are larger than {limits.max_header_bytes} bytes"
        )
    if len(scope["headers"]) > limits.max_header_fields:  # type: ignore[arg-type]
        raise too_many_fields(limits.max_header_fields)
    return lines


async def read_body(receive: "ASGIReceiveCallable", limit: int) -> BodyBuffer:
    """The whole body, of up to `limit` bytes.

    Raises:
        BodyTooLarge: the body is larger.
        ClientDisconnected: the client left before the end of the body.
    """
    body = BodyBuffer(BlockPool())
    while True:
        event = await receive()
        if event["type"] != "http.request":
            raise ClientDisconnected("the client has left")
        piece = event.get("body") or b""
        if piece:
            if body.size + len(piece) > limit:
                raise body_too_large(limit)
            body.append(piece)
        if not event.get("more_body"):
            return body
