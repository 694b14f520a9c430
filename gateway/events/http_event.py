"""The event that an HTTP request becomes for handlers of FC 3.0's built-in runtimes.

Source: FC 3.0, "Use an HTTP trigger to invoke a function", request struct `v1`.  Where the page
leaves a choice, the event loses nothing: a body that is not UTF-8 is base64 whatever its type, and
`rawPath` stays percent-encoded while `requestContext.http.path` is decoded.
"""

import json
import re
from base64 import b64encode
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final
from urllib.parse import quote, unquote_to_bytes

from gateway.fc import names
from gateway.fc.context import FCContext
from gateway.fc.proxy_path import parse_proxy_path

_BINARY_TYPE: Final = re.compile(
    r"(?:audio|font|image(?!/svg\+xml)|video)/"
    r"|application/(?:octet-stream|pdf|zip|gzip|x-gzip|x-tar|x-protobuf|protobuf|wasm)\s*(?:;|$)",
    re.IGNORECASE,
)
"""Media types whose bodies are base64 even if they are valid UTF-8."""

_FC_KEYS: Final = "HTTP_" + names.HEADER_PREFIX.upper().replace("-", "_")

_PATH_SAFE: Final = "/:@!$&'()*+,;=~"
"""Characters that RFC 3986 §3.3 allows in a path, besides letters, digits and `-._`."""


def http_event(
    environ: dict[str, Any], body: bytes, now: float, *, has_fc_headers: bool = True
) -> bytes:
    """The event, as JSON, of a request with `body`; `now` is in seconds since 1970.

    `environ` is PEP 3333's, with `fc.context` and `fc.request_uri`.  `has_fc_headers`: whether
    `X-Fc-*` fields come from the client.  Those of the platform stay out of the event, which
    handlers print; the context has their content.
    """
    text = _text(body, environ.get("CONTENT_TYPE", ""))
    context: FCContext = environ[names.ENVIRON_CONTEXT]
    headers = _headers(environ, len(body), has_fc_headers=has_fc_headers)
    domain = _domain(environ.get("HTTP_HOST", ""))
    event = {
        "version": "v1",
        "rawPath": _raw_path(environ),
        "body": b64encode(body).decode("ascii") if text is None else text,
        "isBase64Encoded": text is None,
        "headers": headers,
        "queryParameters": _query_parameters(environ["QUERY_STRING"]),
        "requestContext": {
            "accountId": context.account_id,
            "domainName": domain,
            "domainPrefix": _first_label(domain),
            "http": {
                "method": environ["REQUEST_METHOD"],
                "path": _decoded(environ["PATH_INFO"].encode("latin-1")),
                "protocol": environ["SERVER_PROTOCOL"],
                "sourceIp": environ["REMOTE_ADDR"],
                "userAgent": headers.get("User-Agent", ""),
            },
            "requestId": context.request_id,
            "time": datetime.fromtimestamp(int(now), UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "timeEpoch": str(int(now * 1000)),
        },
    }
    return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()


def _text(body: bytes, content_type: str) -> str | None:
    """The body as text; `None` where it must be base64."""
    if body and _BINARY_TYPE.match(content_type):
        return None
    try:
        return body.decode()
    except UnicodeDecodeError:
        return None


def _headers(environ: dict[str, Any], length: int, *, has_fc_headers: bool) -> dict[str, str]:
    """The request's header fields; environ has repeated ones joined.

    Each key of environ stands for one name, because names with `_` never get there.
    """
    headers = {
        _header_name(key): _header_text(value)
        for key, value in environ.items()
        if key.startswith("HTTP_") and (has_fc_headers or not key.startswith(_FC_KEYS))
    }
    if environ.get("CONTENT_TYPE"):
        headers["Content-Type"] = _header_text(environ["CONTENT_TYPE"])
    if length:
        headers["Content-Length"] = str(length)
    return headers


@lru_cache(512)
def _header_name(key: str) -> str:
    """`User-Agent` for `HTTP_USER_AGENT`: the spelling of Go's HTTP library, which FC passes on."""
    return "-".join([part.capitalize() for part in key[len("HTTP_") :].split("_")])


def _header_text(value: str) -> str:
    """The value decoded as UTF-8 if it is valid, otherwise as latin-1, which loses nothing."""
    if value.isascii():
        return value
    try:
        return value.encode("latin-1").decode()
    except UnicodeDecodeError:
        return value


def _query_parameters(query: str) -> dict[str, str]:
    """The parameters, decoded like a form (`+` is a space); commas join repeated ones."""
    parameters: dict[str, list[str]] = {}
    for pair in query.replace("+", " ").split("&"):
        if pair:
            name, _, value = (_decoded(part.encode("latin-1")) for part in pair.partition("="))
            parameters.setdefault(name, []).append(value)
    return {name: ",".join(values) for name, values in parameters.items()}


def _decoded(encoded: bytes) -> str:
    """Text of percent-encoded bytes; invalid UTF-8 becomes U+FFFD, because JSON holds only text."""
    return unquote_to_bytes(encoded).decode("utf-8", "replace")


def _raw_path(environ: dict[str, Any]) -> str:
    """The path as the client sent it, without the prefix of a default URL."""
    path: str = environ["PATH_INFO"]
    raw: str = environ[names.ENVIRON_REQUEST_URI].partition("?")[0]
    addressed = parse_proxy_path(raw)
    if addressed is not None:
        raw = addressed.path
    decoded = path.encode("latin-1")
    if raw == "*" or unquote_to_bytes(raw.encode("latin-1")) == decoded:
        return raw
    return quote(decoded, safe=_PATH_SAFE)  # The bridge is mounted below a prefix of the path.


def _domain(host: str) -> str:
    """The name in a `Host`, without the port."""
    name, colon, port = host.rpartition(":")
    return name if colon and not port.endswith("]") else host


def _first_label(domain: str) -> str:
    """The part of a name before the first dot; the whole of an address."""
    label, _, rest = domain.partition(".")
    is_address = domain.startswith("[") or rest.replace(".", "").isdigit()
    return domain if is_address else label
