"""The event that an HTTP request becomes for handlers of FC 3.0's built-in runtimes.

Source: FC 3.0, "Use an HTTP trigger to invoke a function", request struct `v1`.  Where the page
leaves a choice it is made here, so that nothing is lost: a body that is no UTF-8 is base64 whatever
its type, and `rawPath` stays percent-encoded while `requestContext.http.path` is decoded.
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
"""Media types whose bodies are base64 even where they happen to be text."""

_FC_KEYS: Final = "HTTP_" + names.HEADER_PREFIX.upper().replace("-", "_")

_PATH_SAFE: Final = "/:@!$&'()*+,;=~"
"""What RFC 3986 §3.3 lets stand in a path, besides letters, digits and `-._`."""


def http_event(
    environ: dict[str, Any], body: bytes, now: float, *, has_fc_headers: bool = True
) -> bytes:
    """The event, as JSON, of a request with `body`; `now` is in seconds since 1970.

    `environ` is PEP 3333's, with `fc.context` and `fc.request_uri`.  `has_fc_headers`: whether
    `X-Fc-*` in it are the client's.  Those of the platform are no part of an event, which handlers
    print; what they say is in the context.
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
    """The body as text; `None` where only base64 can tell it."""
    if body and _BINARY_TYPE.match(content_type):
        return None
    try:
        return body.decode()
    except UnicodeDecodeError:
        return None


def _headers(environ: dict[str, Any], length: int, *, has_fc_headers: bool) -> dict[str, str]:
    """The request's header fields; repeated ones are joined in environ already.

    The way back from environ's keys is unique: names with `_` never come there.
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
    """`User-Agent` of `HTTP_USER_AGENT`: the spelling of Go's HTTP library, which FC hands on."""
    return "-".join([part.capitalize() for part in key[len("HTTP_") :].split("_")])


def _header_text(value: str) -> str:
    """UTF-8 where the value is that, as clients mean it; else latin-1, so nothing is lost."""
    if value.isascii():
        return value
    try:
        return value.encode("latin-1").decode()
    except UnicodeDecodeError:
        return value


def _query_parameters(query: str) -> dict[str, str]:
    """The parameters, decoded as forms are (`+` is a space); a repeated one has commas."""
    parameters: dict[str, list[str]] = {}
    for pair in query.replace("+", " ").split("&"):
        if pair:
            name, _, value = (_decoded(part.encode("latin-1")) for part in pair.partition("="))
            parameters.setdefault(name, []).append(value)
    return {name: ",".join(values) for name, values in parameters.items()}


def _decoded(encoded: bytes) -> str:
    """Text of percent-encoded bytes; what is no UTF-8 becomes U+FFFD: JSON holds text only."""
    return unquote_to_bytes(encoded).decode("utf-8", "replace")


def _raw_path(environ: dict[str, Any]) -> str:
    """The path as it arrived, without the prefix of a default URL."""
    path: str = environ["PATH_INFO"]
    raw: str = environ[names.ENVIRON_REQUEST_URI].partition("?")[0]
    addressed = parse_proxy_path(raw)
    if addressed is not None:
        raw = addressed.path
    decoded = path.encode("latin-1")
    if raw == "*" or unquote_to_bytes(raw.encode("latin-1")) == decoded:
        return raw
    return quote(decoded, safe=_PATH_SAFE)  # A part of it is the place where the bridge is mounted.


def _domain(host: str) -> str:
    """The name in a `Host`, without the port."""
    name, colon, port = host.rpartition(":")
    return name if colon and not port.endswith("]") else host


def _first_label(domain: str) -> str:
    """What stands before the first dot of a name; of an address all of it."""
    label, _, rest = domain.partition(".")
    is_address = domain.startswith("[") or rest.replace(".", "").isdigit()
    return domain if is_address else label
