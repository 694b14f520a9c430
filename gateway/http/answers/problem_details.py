"""The gateway's own answers in plain HTTP: the statuses of RFC 9110, problem details of RFC 9457.

For those who serve away from Function Compute, whose clients know neither its codes nor that its
limits are all answered 400.  A problem's `code` tells problems of one status apart: it is the name
of the refusal's class, or one of those below.  Its `instance` is the request id, where that is a
UUID.
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
"""BoundedCache, of refusals that set fields of their own."""

_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


class ProblemDetails:
    """`--error-style plain`."""

    def __init__(self, *, shows_stack: bool = False) -> None:
        """`shows_stack`: whether the client is shown what a handler raised, and where.

        Otherwise nothing of it is told, not even its text, which may hold anything.
        """
        self._shows_stack = shows_stack
        self._texts = _Beginnings()
        self._heads: BoundedCache[
            tuple[type[Refusal], int | None, tuple[tuple[str, str], ...]], ResponseHead
        ]
        self._heads = BoundedCache(_MOST_HEADS)

    def refusal(self, refusal: Refusal, request_id: str) -> Response:
        """Its plain status, and what belongs to that."""
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
        told = fc_errors.exception_content(error, has_stack=True)
        beginning = _beginning(500, HANDLER_FAILED, told.pop("errorMessage"), **told)
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
    """The status of a refusal away from Function Compute."""
    return kind.status if kind.plain_status is None else kind.plain_status


class _Beginnings(RefusalTexts):
    """Up to where the request is named."""

    def compose(self, refusal: Refusal) -> bytes:
        kind = type(refusal)
        return _beginning(plain_status(kind), kind.__name__, refusal.message)


def _beginning(status: int, code: str, detail: str, **more: Any) -> bytes:
    """A problem, but for its instance and its end.

    RFC 9457 §4.2.1: a problem of the type `about:blank` has the title of its status.
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
    """What it says in its header besides the form of its body, and what RFC 9110 wants more."""
    own = [
        (name, value)
        for name, value in refusal.headers()
        if name.lower() != "content-type" and not name.lower().startswith(names.HEADER_PREFIX)
    ]
    return [*own, *(field for field in refusal.plain_fields if field not in own)]


_FAILED: Final = _head(500, [])
_TIMEOUT: Final = _head(504, [])
_FAILED_BEGINNING: Final = _beginning(500, HANDLER_FAILED, "the handler failed")
