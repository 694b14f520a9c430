"""What a handler gives `start_response` (PEP 3333, "The start_response() Callable")."""

from typing import Any, Final

from gateway.bounded_cache import remember
from gateway.http.message import grammar
from gateway.http.message.response import Status, kind_of, status_of
from gateway.http.message.response_head import ResponseHead
from gateway.text.exact_types import exact_text

_MOST_REMEMBERED: Final = 512

_known_statuses: Final[dict[object, Status]] = {}
"""Statuses by the text that handlers gave."""

_known_heads: Final[dict[tuple[object, ...], ResponseHead]] = {}
"""Whole heads by all that was given: most handlers say the same again and again, but for the
lengths of bodies, which differ without end."""

_MOST_FIELDS: Final = 16
"""Fields of a head that is remembered."""


def response_head(status: str, headers: list[tuple[str, str]]) -> ResponseHead:
    """The head that a handler asks for, checked.

    Raises:
        TypeError, ValueError: it is none.
    """
    key: tuple[Any, ...] | None = None
    if type(headers) is list:
        key = (status, *headers)
        try:
            return _known_heads[key]
        except (KeyError, TypeError):
            pass  # Not seen before, or not hashable: a fault of the handler's, told below.
        headers = list(key[1:])  # As they were: a class of the handler's may have changed them.
    head = ResponseHead(_known_statuses.get(status) or parse_status(status), headers)
    if key is not None and head.is_steady and len(key) <= _MOST_FIELDS and _is_exact(key):
        remember(_known_heads, _MOST_REMEMBERED, key, head)
    return head


def _is_exact(key: tuple[Any, ...]) -> bool:
    """Whether all in it is what it says: equal only to what holds the same."""
    if type(key[0]) is not str:
        return False
    return all(type(name) is type(value) is str for name, value in key[1:])


def parse_status(status: object) -> Status:
    """The status that a handler gave: `200 OK`, or leniently `200`.

    Raises:
        TypeError, ValueError: it is none.
    """
    if not isinstance(status, str):
        raise TypeError(f"a status is a str such as '200 OK', not {kind_of(status)}")
    status = exact_text(status)
    code, _, phrase = status.partition(" ")
    if not (len(code) == 3 and code.isascii() and code.isdigit() and code >= "200"):
        raise ValueError(f"a status is digits and a phrase, as in '200 OK', not {status!r:.30}")
    if grammar.FORBIDDEN_IN_VALUE.search(phrase):
        raise ValueError("the phrase of the status has a forbidden character")
    parsed = Status(int(code), status) if phrase else status_of(int(code))
    remember(_known_statuses, _MOST_REMEMBERED, status, parsed)
    return parsed
