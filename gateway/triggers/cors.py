"""Function Compute's CORS responses to pages of other origins (Fetch standard, "CORS protocol").

If a handler sets Access-Control-Allow-Origin itself, nothing is added.
"""

import re
from typing import Final

from gateway.fc import names
from gateway.http.answers.error_style import Response
from gateway.http.message.fields import lines_of
from gateway.http.message.head import RequestHead
from gateway.http.message.response import status_of
from gateway.http.message.response_head import ResponseHead

_ORIGIN: Final = re.compile(
    rb"null | [A-Za-z][A-Za-z0-9+.\-]* :// (?: \[[0-9A-Fa-f:.]+\] | [A-Za-z0-9.\-_~%]+ )"
    rb"(?: : [0-9]{1,5} )?",
    re.VERBOSE,
)
"""RFC 6454 §7: one serialised origin, or `null` from pages that hide theirs."""

_MAX_ORIGIN_BYTES: Final = 512

_TOKEN: Final = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_TOKENS: Final = re.compile(rb"%b(?:[ \t]*,[ \t]*%b)*" % (_TOKEN.pattern, _TOKEN.pattern))

_MAX_AGE_SECONDS: Final = 3600
"""How long a browser may cache the response to a preflight."""

_EXPOSED: Final = ",".join(names.CORS_EXPOSED)

_OK: Final = status_of(200)

_ALLOW_ORIGIN: Final = "access-control-allow-origin"
_ALLOW_CREDENTIALS: Final = "access-control-allow-credentials"
_EXPOSE_HEADERS: Final = "access-control-expose-headers"


class Cors:
    """Lets pages of every origin read responses, with credentials."""

    def lines(self, request: RequestHead, response: ResponseHead) -> str:
        """The field lines to add to `response`.

        `Vary` is added even without an origin: a cache must not give the response for one origin to
        another.
        """
        own = {name.lower() for name, _ in response.fields}
        if _ALLOW_ORIGIN in own:
            return ""
        origin = _origin_of(request)
        if origin is None:
            return "\r\nVary: Origin"
        lines = f"\r\nVary: Origin\r\nAccess-Control-Allow-Origin: {origin}"
        if _ALLOW_CREDENTIALS not in own:
            lines += "\r\nAccess-Control-Allow-Credentials: true"
        if _EXPOSE_HEADERS not in own:
            lines += f"\r\nAccess-Control-Expose-Headers: {_EXPOSED}"
        return lines

    def preflight(self, head: RequestHead, methods: tuple[str, ...]) -> Response | None:
        """The response to a preflight; `None` if the request is not a preflight.

        `methods` are the trigger's methods, empty for all.
        """
        if head.method != "OPTIONS" or _origin_of(head) is None:
            return None
        wanted = _only(head, b"access-control-request-method")
        if wanted is None or not _TOKEN.fullmatch(wanted):
            return None
        fields = [
            ("Access-Control-Allow-Methods", ",".join(methods) or wanted.decode()),
            ("Access-Control-Max-Age", str(_MAX_AGE_SECONDS)),
        ]
        headers = _only(head, b"access-control-request-headers")
        if headers is not None and _TOKENS.fullmatch(headers):
            fields.append(("Access-Control-Allow-Headers", headers.decode()))
        return ResponseHead.of(_OK, fields), b""


def _origin_of(head: RequestHead) -> str | None:
    """The origin of the requesting page; `None` if it is missing or malformed."""
    value = _only(head, b"origin")
    if value is None or len(value) > _MAX_ORIGIN_BYTES or not _ORIGIN.fullmatch(value):
        return None
    return value.decode()


def _only(head: RequestHead, name: bytes) -> bytes | None:
    """The value of a field that occurs exactly once."""
    values = [value for field, value in lines_of(head.fields) if field == name]
    return values[0] if len(values) == 1 else None
