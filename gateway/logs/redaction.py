"""What of a URL may stand in a log.

Nobody can tell a secret by its looks alone, and names are the application's.  So a parameter is
hidden by its name, where that says what it holds, or by its value, where that looks made by a
machine: signed URLs of object stores and of Function Compute, tokens, sessions, passwords.
`WITHOUT_QUERY` leaves nothing to luck.
"""

import re
from collections.abc import Callable
from itertools import islice
from typing import Final
from urllib.parse import unquote

from gateway.bounded_cache import BoundedCache

HIDDEN: Final = "***"

_NAME: Final = re.compile(
    r"""secret | token | signature | passw | passphrase | pwd | credential | session | cookie | jwt
      | access.?key | api.?key | private.?key | auth (?!ors?(?:[^a-z]|$)) | saml | assertion | otp
      | (?:^|[^a-z]) (?: key | sign | sig | sid | code | pin | pw | pass | hmac | ticket | nonce )
        (?:[^a-z]|$)""",
    re.IGNORECASE | re.VERBOSE,
)
"""What in the name of a parameter says that its value is nobody else's business."""

_PARTS: Final = (
    *("secret", "token", "sig", "pass", "pw", "cred", "sess", "cookie", "jwt", "key", "auth"),
    *("saml", "assert", "otp", "sid", "code", "pin", "hmac", "ticket", "nonce"),
)
"""A name that `_NAME` finds has one of these; to look for them takes a tenth of the time."""

_RUN: Final = re.compile(r"(?<![\w\-+/=.~])(?:[\w\-+/=.~]|%2[BFbf]|%3[Dd]){32,}+", re.ASCII)
"""What may be random: long, of letters and digits and what encodings of bytes add.  It is looked
for from the beginning of a run only, or each of its characters would be tried."""

_SEPARATOR: Final = re.compile(r"[&;]")
_MOST_PARAMETERS: Final = 48
"""Parameters of a query that are looked at, which takes 3 µs each; the rest is hidden unseen."""

_SHORTEST_MADE: Final = 32

_DIGIT: Final = re.compile(r"[0-9]")
_LETTER: Final = re.compile(r"[A-Za-z]")

_PARAMETER: Final = re.compile(r"([^&=]*+)=([^&]*+)|[^&=]{32,}+")
"""A name and its value, or something longer without one."""

_INNER: Final = re.compile(r"([^;=]*+)=([^;]*+)|[^;=]{32,}+")
"""The same where `;` divides, which old programs take for another `&`, and new ones do not."""

_USER: Final = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]*://)[^/?#@]*@")
"""User and password of a URL (RFC 3986 §3.2.1)."""


def redacted(url: str) -> str:
    """`url` with its secrets hidden, as far as they can be told."""
    path, mark, query = url.partition("?")
    if "@" in path:
        path = _USER.sub(rf"\1{HIDDEN}@", path)
    if not mark:
        return path
    if query.count("&") + query.count(";") < _MOST_PARAMETERS:
        return path + mark + _PARAMETER.sub(_hide, query)
    shown = _beginning(query)
    return f"{path}?{_PARAMETER.sub(_hide, shown)}&{HIDDEN}" if shown else f"{path}?{HIDDEN}"


def _beginning(query: str) -> str:
    """Some parameters of very many, each of them whole: its end may say what its beginning is."""
    match = next(islice(_SEPARATOR.finditer(query), _MOST_PARAMETERS - 1, None))
    return query[: max(0, query.rfind("&", 0, match.end()))]


def _hide(match: re.Match[str]) -> str:
    name, value = match.groups()
    if name is None:
        return HIDDEN if _is_made(match[0]) else match[0]
    if _is_made(name):
        name = HIDDEN
    elif value and _tells(name):
        return f"{name}={HIDDEN}"
    if _is_made(value):
        return f"{name}={HIDDEN}"
    if ";" in value and match.re is _PARAMETER:
        value = _INNER.sub(_hide, value)
    return f"{name}={value}"


_MOST_KNOWN: Final = 512
_LONGEST_NAME: Final = 64

_known_names: Final[BoundedCache[str, bool]] = BoundedCache(_MOST_KNOWN)
"""Names, and whether they tell: an application has few, and to look at one costs 3 µs."""


def _has_word(name: str) -> bool:
    if name.isascii():  # Beyond it there are more letters that are equal but for their case.
        lower = name.lower()
        if not any(map(lower.__contains__, _PARTS)):
            return False
    return _NAME.search(name) is not None


def _tells(name: str) -> bool:
    """Whether the name of a parameter says that its value is a secret; one too long may."""
    tells = _known_names.get(name)
    if tells is None:
        known = unquote(name) if "%" in name else name
        tells = len(name) > _LONGEST_NAME or _has_word(known)
        if len(name) <= _LONGEST_NAME:
            _known_names.remember(name, tells)
    return tells


def _is_made(text: str) -> bool:
    """Whether a part of it looks as if a machine had made it."""
    if len(text) < _SHORTEST_MADE:
        return False
    return any(_DIGIT.search(run) and _LETTER.search(run) for run in _RUN.findall(text))


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
