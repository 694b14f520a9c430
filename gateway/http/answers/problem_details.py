"""The gateway's own responses in plain HTTP: statuses of RFC 9110, problem details of RFC 9457.

For use away from Function Compute: plain clients know neither its codes nor that a broken limit is
always 400 there.  The `code` of a problem distinguishes problems with one status: it is the name of
the refusal's class, or one of those below.  `instance` is the request id, if that is a UUID.
"""

import json
import re
from typing import Any, Final

from gateway.bounded_cache import BoundedCache
from gateway.errors import Refusal
from gateway.fc import errors as fc_errors
from gateway.fc import names
from gateway.http.answers.error_style import RefusalTexts, Response
from gateway.http.message.response import phrase_of, status_of
from gateway.http.message.response_head import ResponseHead

MEDIA_TYPE: Final = "application/problem+json"

HANDLER_FAILED: Final = "HandlerFailed"
HANDLER_TIMEOUT: Final = "HandlerTimeout"
HANDLER_LOST: Final = "HandlerLost"

_MOST_HEADS: Final = 64
"""Cached response heads: a refusal may set fields of its own."""

_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


class ProblemDetails:
    """`--error-style plain`."""

    def __init__(self, *, shows_stack: bool = False) -> None:
        """`shows_stack`: whether clients see what a failed handler raised, and where.

        Otherwise they see nothing of it, not even its text, which may contain secrets.
        """
        self._shows_stack = shows_stack
        self._texts = _Beginnings()
        self._heads: BoundedCache[
            tuple[type[Refusal], int | None, tuple[tuple[str, str], ...]], ResponseHead
        ]
        self._heads = BoundedCache(_MOST_HEADS)

    def refusal(self, refusal: Refusal, request_id: str) -> Response:
        """The refusal's plain status, and the header fields of that status."""
        key = (type(refusal), refusal.retry_after, refusal.plain_fields)
        head = self._heads.get(key)
        if head is None:
            head = _head(plain_status(type(refusal)), _fields(refusal))
            self._heads.remember(key, head)
        return head, _end(self._texts.of(refusal), request_id)

    def failure(self, error: BaseException, request_id: str) -> Response:
        """500."""
        if not self._shows_stack:
            return _FAILED, _end(_FAILED_BEGINNING, request_id)
        shown = fc_errors.exception_content(error, has_stack=True)
        beginning = _beginning(500, HANDLER_FAILED, shown.pop("errorMessage"), **shown)
        return _FAILED, _end(beginning, request_id)

    def timeout(self, seconds: float, request_id: str) -> Response:
        """504."""
        detail = f"the handler ran for more than {seconds:g} seconds"
        return _TIMEOUT, _end(_beginning(504, HANDLER_TIMEOUT, detail), request_id)

    def lost(self, request_id: str) -> Response:
        """500."""
        beginning = _beginning(500, HANDLER_LOST, "the thread of the handler was ended")
        return _FAILED, _end(beginning, request_id)


def plain_status(kind: type[Refusal]) -> int:
    """The status of a kind of refusal in plain HTTP."""
    return kind.status if kind.plain_status is None else kind.plain_status


class _Beginnings(RefusalTexts):
    """Problems up to the `instance`."""

    def compose(self, refusal: Refusal) -> bytes:
        kind = type(refusal)
        return _beginning(plain_status(kind), kind.__name__, refusal.message)


def _beginning(status: int, code: str, detail: str, **more: Any) -> bytes:
    """A problem without its instance and its end.

    RFC 9457 §4.2.1: a problem of type `about:blank` has the phrase of its status as title.
    """
    content = {
        "type": "about:blank",
        "title": phrase_of(status),
        "status": status,
        "detail": detail,
        "code": code,
        **more,
    }
    return json.dumps(content)[:-1].encode()


def _end(beginning: bytes, request_id: str) -> bytes:
    if _UUID.fullmatch(request_id) is None:
        return beginning + b"}"
    return b'%b, "instance": "urn:uuid:%b"}' % (beginning, request_id.encode())


def _head(status: int, fields: list[tuple[str, str]]) -> ResponseHead:
    return ResponseHead.of(status_of(status), [("Content-Type", MEDIA_TYPE), *fields])


def _fields(refusal: Refusal) -> list[tuple[str, str]]:
    """The refusal's header fields, without media type and FC's fields, with those of RFC 9110."""
    own = [
        (name, value)
        for name, value in refusal.headers()
        if name.lower() != "content-type" and not name.lower().startswith(names.HEADER_PREFIX)
    ]
    return [*own, *(field for field in refusal.plain_fields if field not in own)]


_FAILED: Final = _head(500, [])
_TIMEOUT: Final = _head(504, [])
_FAILED_BEGINNING: Final = _beginning(500, HANDLER_FAILED, "the handler failed")
