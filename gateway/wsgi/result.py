"""What a handler gives `start_response` (PEP 3333, "The start_response() Callable")."""

from typing import Any, Final

from gateway.bounded_cache import remember
from gateway.http.message import grammar
from gateway.http.message.response import Status, interim_refusal, kind_of, status_of
from gateway.http.message.response_head import ResponseHead
from gateway.text.exact_types import exact_text

_MAX_REMEMBERED: Final = 512

_known_statuses: Final[dict[object, Status]] = {}
"""Statuses by the text that handlers pass."""

_known_heads: Final[dict[tuple[object, ...], ResponseHead]] = {}
"""Whole heads by status and headers: most handlers repeat them, except Content-Length, whose
values have no end."""

_MAX_FIELDS: Final = 16
"""A head with more fields is not remembered."""


def response_head(status: str, headers: list[tuple[str, str]]) -> ResponseHead:
    """The head that a handler asks for, checked.

    Raises:
        TypeError, ValueError: PEP 3333 does not allow this status or these headers.
    """
    key: tuple[Any, ...] | None = None
    if type(headers) is list:
        key = (status, *headers)
        try:
            return _known_heads[key]
        except (KeyError, TypeError):
            pass  # New, or not hashable: a fault of the handler's, which is refused below.
        headers = list(key[1:])  # As before hashing, which may run the handler's code.
    head = ResponseHead(_known_statuses.get(status) or parse_status(status), headers)
    if key is not None and head.is_steady and len(key) <= _MAX_FIELDS and _is_exact(key):
        remember(_known_heads, _MAX_REMEMBERED, key, head)
    return head


def _is_exact(key: tuple[Any, ...]) -> bool:
    """Whether all of `key` is exactly `str`: a subclass may equal what it is not."""
    if type(key[0]) is not str:
        return False
    return all(type(name) is type(value) is str for name, value in key[1:])


def parse_status(status: object) -> Status:
    """The status that a handler passes: `200 OK`, or leniently `200`.

    Raises:
        TypeError, ValueError: it is not a status.
    """
    if not isinstance(status, str):
        raise TypeError(f"a status is a str such as '200 OK', not {kind_of(status)}")
    status = exact_text(status)
    code, _, phrase = status.partition(" ")
    if len(code) == 3 and code[0] == "1" and code.isascii() and code.isdigit():
        raise ValueError(interim_refusal(int(code)))
    if not (len(code) == 3 and code.isascii() and code.isdigit() and code >= "200"):
        raise ValueError(f"a status is digits and a phrase, as in '200 OK', not {status!r:.30}")
    if grammar.FORBIDDEN_IN_VALUE.search(phrase):
        raise ValueError("the phrase of the status has a forbidden character")
    parsed = Status(int(code), status) if phrase else status_of(int(code))
    remember(_known_statuses, _MAX_REMEMBERED, status, parsed)
    return parsed
