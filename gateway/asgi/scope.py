"""The scope of an HTTP request (ASGI, "HTTP Connection Scope")."""

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote_to_bytes

from gateway.fc.context import FCContext
from gateway.http.connection.exchange import Exchange
from gateway.http.message import fields as roles
from gateway.http.message.head import RequestHead

if TYPE_CHECKING:
    from asgiref.typing import HTTPScope

EXTENSION: Final = "gateway.fc"
"""Key in `scope["extensions"]` of what Function Compute adds: a dict of `request_id`, `context`
(`environ["fc.context"]` of a WSGI handler) and `request_uri` (`environ["fc.request_uri"]`)."""


def http_scope(
    exchange: Exchange,
    head: RequestHead,
    path: str,
    context: FCContext,
    state: dict[str, Any] | None,
) -> "HTTPScope":
    """The scope of the request of `exchange`, whose head is `head`.

    `path` is the path that the application sees, percent-encoded.  `state` is the lifespan's; the
    scope gets a copy.
    """
    raw_path = path.encode("latin-1")
    host, scheme = head.host, "http"
    connection = exchange.connection
    client, server = connection.peer, connection.local
    proxies = connection.site.proxies
    if proxies is not None:
        client, server, scheme, forwarded_host = proxies.origin(head, connection)
        host = forwarded_host or host
    host_value = host.encode("latin-1")
    scope: HTTPScope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.0" if head.is_http_1_0 else "1.1",
        "method": head.method,
        "scheme": scheme,
        # Bytes that are not UTF-8 are replaced, as in other servers; `raw_path` keeps them.
        "path": (unquote_to_bytes(raw_path) if b"%" in raw_path else raw_path).decode(
            "utf-8", "replace"
        ),
        "raw_path": raw_path,
        "query_string": head.query.encode("latin-1"),
        "root_path": "",
        # The authority of an absolute target overrides Host (RFC 9112 §3.2.2).
        "headers": [
            (name.lower, value if name.role != roles.HOST else host_value)
            for name, value in head.fields
        ],
        "client": client,
        "server": server,
        "extensions": {
            EXTENSION: {
                "request_id": exchange.request_id,
                "context": context,
                "request_uri": head.target,
            }
        },
    }
    if state is not None:
        scope["state"] = state.copy()
    return scope
