"""Hides secrets in URLs for the log.

No rule finds every secret: values have no common form, and applications choose the names.  So a
parameter is hidden if its name suggests a secret, or if its value looks generated: signed URLs of
object stores and Function Compute, tokens, sessions, passwords.  `without_query` is the only safe
choice.
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
"""Matches a name that suggests a secret value."""

_PARTS: Final = (
    *("secret", "token", "sig", "pass", "pw", "cred", "sess", "cookie", "jwt", "key", "auth"),
    *("saml", "assert", "otp", "sid", "code", "pin", "hmac", "ticket", "nonce"),
)
"""Every name that `_NAME` matches contains one of these; this check takes a tenth of the time."""

_RUN: Final = re.compile(r"(?<![\w\-+/=.~])(?:[\w\-+/=.~]|%2[BFbf]|%3[Dd]){32,}+", re.ASCII)
"""A run that may be random: long, of letters, digits and characters of byte encodings.  It matches
only from the beginning of a run, otherwise the search would try each of its characters."""

_SEPARATOR: Final = re.compile(r"[&;]")
_MAX_PARAMETERS: Final = 48
"""The most parameters to examine, at 3 µs each; the rest is hidden unexamined."""

_MIN_GENERATED_CHARACTERS: Final = 32

_DIGIT: Final = re.compile(r"[0-9]")
_LETTER: Final = re.compile(r"[A-Za-z]")

_PARAMETER: Final = re.compile(r"([^&=]*+)=([^&]*+)|[^&=]{32,}+")
"""A name with its value, or a long text without a value."""

_INNER: Final = re.compile(r"([^;=]*+)=([^;]*+)|[^;=]{32,}+")
"""Like `_PARAMETER` with `;` as separator, which only old programs treat like `&`."""

_USER: Final = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]*://)[^/?#@]*@")
"""The user information of a URL (RFC 3986 §3.2.1)."""


def redacted(url: str) -> str:
    """`url` with its secrets hidden, as far as they can be recognized."""
    path, mark, query = url.partition("?")
    if "@" in path:
        path = _USER.sub(rf"\1{HIDDEN}@", path)
    if not mark:
        return path
    if query.count("&") + query.count(";") < _MAX_PARAMETERS:
        return path + mark + _PARAMETER.sub(_hide, query)
    shown = _beginning(query)
    return f"{path}?{_PARAMETER.sub(_hide, shown)}&{HIDDEN}" if shown else f"{path}?{HIDDEN}"


def _beginning(query: str) -> str:
    """The first parameters of very many, whole, because their ends may reveal them as secrets."""
    match = next(islice(_SEPARATOR.finditer(query), _MAX_PARAMETERS - 1, None))
    return query[: max(0, query.rfind("&", 0, match.end()))]


def _hide(match: re.Match[str]) -> str:
    name, value = match.groups()
    if name is None:
        return HIDDEN if _looks_generated(match[0]) else match[0]
    if _looks_generated(name):
        name = HIDDEN
    elif value and _suggests_secret(name):
        return f"{name}={HIDDEN}"
    if _looks_generated(value):
        return f"{name}={HIDDEN}"
    if ";" in value and match.re is _PARAMETER:
        value = _INNER.sub(_hide, value)
    return f"{name}={value}"


_MAX_KNOWN: Final = 512
_MAX_NAME_CHARACTERS: Final = 64

_known_names: Final[BoundedCache[str, bool]] = BoundedCache(_MAX_KNOWN)
"""Caches whether a name suggests a secret: an application has few names, and a check costs 3 µs."""


def _has_word(name: str) -> bool:
    if name.isascii():  # Other alphabets have further letters that differ only in case.
        lower = name.lower()
        if not any(map(lower.__contains__, _PARTS)):
            return False
    return _NAME.search(name) is not None


def _suggests_secret(name: str) -> bool:
    """Whether the name of a parameter suggests a secret; True for very long names."""
    tells = _known_names.get(name)
    if tells is None:
        known = unquote(name) if "%" in name else name
        tells = len(name) > _MAX_NAME_CHARACTERS or _has_word(known)
        if len(name) <= _MAX_NAME_CHARACTERS:
            _known_names.remember(name, tells)
    return tells


def _looks_generated(text: str) -> bool:
    """Whether a part of it looks generated."""
    if len(text) < _MIN_GENERATED_CHARACTERS:
        return False
    return any(_DIGIT.search(run) and _LETTER.search(run) for run in _RUN.findall(text))


def without_query(url: str) -> str:
    """`url` without its query."""
    return _USER.sub(rf"\1{HIDDEN}@", url.partition("?")[0])


def unchanged(url: str) -> str:
    """`url` as it is."""
    return url


QUERIES: Final[dict[str, Callable[[str], str]]] = {
    "redacted": redacted,
    "off": without_query,
    "full": unchanged,
}
"""The functions that prepare a URL, by the value of `--log-query`."""
