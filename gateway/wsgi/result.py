"""The status that a handler gives `start_response` (PEP 3333, "The start_response() Callable")."""

from typing import Final

from gateway.http import grammar
from gateway.http.response import Status, status_of

_MOST_REMEMBERED: Final = 512

known_statuses: Final[dict[object, Status]] = {}
"""Statuses by the text that handlers gave."""


def parse_status(status: object) -> Status:
    """The status that a handler gave: `200 OK`, or leniently `200`.

    Raises:
        TypeError, ValueError: it is none.
    """
    if type(status) is not str:
        raise TypeError(f"a status is a str such as '200 OK', not {status!r:.100}")
    code, _, phrase = status.partition(" ")
    if not (len(code) == 3 and code.isascii() and code.isdigit() and "200" <= code <= "999"):
        raise ValueError(f"a status is digits and a phrase, as in '200 OK', not {status!r:.100}")
    if grammar.FORBIDDEN_IN_VALUE.search(phrase):
        raise ValueError("the phrase of the status has a forbidden character")
    parsed = Status(int(code), status) if phrase else status_of(int(code))
    if len(known_statuses) < _MOST_REMEMBERED:
        known_statuses[status] = parsed
    return parsed
