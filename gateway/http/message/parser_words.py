"""What the parser finds wrong with a head, in the gateway's own words.

These reach clients and logs: another release of the parser, or another parser, must not change
them.  A message that is missing here is new, or never about a request head.
"""

from typing import Final

_REQUEST_LINE: Final = "the request line is not: method SP target SP HTTP/1.1"
_TARGET: Final = "the request target has a forbidden character"
_LINE_END: Final = "a line of the head does not end with CR LF"
_LENGTH: Final = "Content-Length is not a number"
_CODING: Final = "Transfer-Encoding must be chunked"
_BOTH: Final = "the request has both Content-Length and Transfer-Encoding"

_REASONS: Final = {
    "Chunk size overflow": "Content-Length is too large",
    "Content-Length can't be present with Transfer-Encoding": _BOTH,
    "Content-Length overflow": "Content-Length is too large",
    "Empty Content-Length": _LENGTH,
    "Empty Transfer-Encoding": _CODING,
    "Expected CRLF after version": _LINE_END,
    "Expected HTTP/, RTSP/ or ICE/": _REQUEST_LINE,
    "Expected LF after CR": _LINE_END,
    "Expected LF after headers": _LINE_END,
    "Invalid `Transfer-Encoding` header value": _CODING,
    "Invalid char in url fragment start": _TARGET,
    "Invalid char in url path": _TARGET,
    "Invalid char in url query": _TARGET,
    "Invalid character in Content-Length": _LENGTH,
    "Invalid characters in url": _TARGET,
    "Invalid header field char": "the name of a header field has a forbidden character",
    "Invalid header token": "the name of a header field is not a token",
    "Invalid header value char": "the value of a header field has a forbidden character",
    "Invalid method for HTTP/x.x request": _REQUEST_LINE,
    "Invalid method for RTSP/x.x request": _REQUEST_LINE,
    "Missing expected CR after header value": _LINE_END,
    "Missing expected LF after header value": _LINE_END,
    "Request has invalid `Transfer-Encoding`": _CODING,
    "Transfer-Encoding can't be present with Content-Length": _BOTH,
    "Unexpected char in url schema": _TARGET,
    "Unexpected char in url server": _TARGET,
    "Unexpected space after start line": "a line of the head begins with white space",
    "Unexpected start char in url": _TARGET,
    "Unexpected whitespace after header value": "a header field is folded",
}


def in_our_words(reason: str) -> str:
    """The message for a client, for the parser's `reason`."""
    return _REASONS.get(reason, "the request is not valid HTTP/1.1")
