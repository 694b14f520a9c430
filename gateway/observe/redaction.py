"""What of a URL may stand in a log.

Nobody can tell a secret by its looks alone, and names are the application's.  So a parameter is
hidden by its name, where that says what it holds, or by its value, where that looks made by a
machine: signed URLs of object stores and of Function Compute, tokens, sessions, passwords.
`WITHOUT_QUERY` leaves nothing to luck.
"""

import re
from collections.abc import Callable
from typing import Final
from urllib.parse import unquote

HIDDEN: Final = "***"

_NAME: Final = re.compile(
    r"""secret | token | signature | passw | passphrase | pwd | credential | session | cookie | jwt
      | access.?key | api.?key | private.?key | auth (?!ors?(?:[^a-z]|$)) | saml | assertion | otp
      | (?:^|[^a-z]) (?: key | sign | sig | sid | code | pin | pw | pass | hmac | ticket | nonce )
        (?:[^a-z]|$)""",
    re.IGNORECASE | re.VERBOSE,
)
"""What in the name of a parameter says that its value is nobody else's business."""

_MADE: Final = re.compile(
    r"(?=[^0-9]*[0-9])(?=[^A-Za-z]*[A-Za-z])(?:[\w\-+/=.~]|%2[BFbf]|%3[Dd]){32,}"
)
"""A value that looks random: long, of letters and digits and what encodings of bytes add."""

_PARAMETER: Final = re.compile(r"([^&;=]*)(=?)([^&;]*)")

_USER: Final = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]*://)[^/?#@]*@")
"""User and password of a URL (RFC 3986 §3.2.1)."""


def redacted(url: str) -> str:
    """`url` with its secrets hidden, as far as they can be told."""
    path, mark, query = url.partition("?")
    path = _USER.sub(rf"\1{HIDDEN}@", path)
    return path + mark + _PARAMETER.sub(_hide, query) if mark else path


def _hide(match: re.Match[str]) -> str:
    name, equals, value = match.groups()
    if not equals:
        return HIDDEN if _MADE.fullmatch(name) else name
    known = unquote(name) if "%" in name else name
    if value and (_NAME.search(known) or _MADE.search(value)):
        return f"{name}={HIDDEN}"
    return match[0] if not _MADE.fullmatch(name) else f"{HIDDEN}={value}"


def without_query(url: str) -> str:
    """`url` up to its query."""
    return _USER.sub(rf"\1{HIDDEN}@", url.partition("?")[0])


def unchanged(url: str) -> str:
    """`url` as it is."""
    return url


QUERIES: Final[dict[str, Callable[[str], str]]] = {
    "redacted": redacted,
    "off": without_query,
    "full": unchanged,
}
"""What is shown of a URL, by the name of the choice."""
