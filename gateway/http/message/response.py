"""Statuses, and the framing of response bodies (RFC 9112 §6)."""

from http import HTTPStatus
from typing import Final, NamedTuple

from gateway.http.message.head import RequestHead

CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"

LAST_CHUNK: Final = b"0\r\n\r\n"


class Status(NamedTuple):
    """A status code, and the status line without the version: `200 OK`."""

    code: int
    line: str

    @property
    def has_body(self) -> bool:
        """Whether a response of this status may carry content."""
        return self.code not in BODILESS


CLIENT_CLOSED_REQUEST: Final = 499
"""Status in the record of a request whose client left before it had the response."""

BODILESS: Final = frozenset({204, 304})
"""Statuses whose responses never carry content (RFC 9110 §6.4.1), besides 1xx."""


def interim_refusal(code: int) -> str:
    """Why a handler may not give status `code`, one of 1xx."""
    return (
        f"status {code} is refused: 1xx is interim (RFC 9110, 15.2), and the server's to send; "
        "give the final status, from 200 on"
    )


def status_of(code: int) -> Status:
    """The status of a code, with its reason phrase in RFC 9110, if it has one."""
    return Status(code, f"{code} {phrase_of(code)}")


def phrase_of(code: int) -> str:
    """The reason phrase of a code; "" if it has none."""
    phrase = _RENAMED.get(code)
    if phrase is not None:
        return phrase
    try:
        return HTTPStatus(code).phrase
    except ValueError:
        return ""


_RENAMED: Final = {
    413: "Content Too Large",
    414: "URI Too Long",
    416: "Range Not Satisfiable",
    422: "Unprocessable Content",
}
"""Phrases of RFC 9110 §15 that differ from the standard library's in Python 3.11 and 3.12."""


def kind_of(value: object) -> str:
    """The type of a wrong value, for a message.  The value itself may be a secret."""
    return f"an object of type {type(value).__name__}"


# The framing of a response body.
NO_BODY: Final = 0
"""HEAD, 204, 304: no bytes follow the head."""
LENGTH: Final = 1
CHUNKED: Final = 2
UNTIL_CLOSE: Final = 3


def body_form(request: RequestHead | None, status: Status, length: int | None) -> int:
    """The framing of the response to `request` (`None`: it could not be parsed).

    `length` is the body's length in bytes, `None` if unknown.
    """
    if status.code in BODILESS or (request is not None and request.method == "HEAD"):
        return NO_BODY
    if length is not None:
        return LENGTH
    if request is None or request.is_http_1_0:
        return UNTIL_CLOSE
    return CHUNKED


def encode_chunk(data: bytes) -> bytes:
    """One chunk of a chunked body (RFC 9112 §7.1); `data` must not be empty."""
    return b"%x\r\n%b\r\n" % (len(data), data)
