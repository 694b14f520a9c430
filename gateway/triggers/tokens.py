"""JSON Web Tokens (RFC 7519) in `Authorization: Bearer` (RFC 6750), signed by a key of a set.

The library verifies the signature, the audience and the issuer.  The times are compared here,
because they are checked again when a cached token arrives again.
"""

import asyncio
import math
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from time import time
from typing import Any, Final, NamedTuple

from gateway.bounded_cache import BoundedCache
from gateway.errors import (
    KeysUnavailable,
    Refusal,
    TokenExpired,
    TokenInvalid,
    TokenMissing,
    TokenNotMeant,
    VerifierBusy,
)
from gateway.http.connection.gate import Deferral
from gateway.http.message.fields import lines_of
from gateway.http.message.head import RequestHead
from gateway.triggers.key_set import KeySet, jwt
from gateway.triggers.key_sources import FileSource, KeySource, TextSource, UrlSource
from gateway.triggers.verification import Chain, Verifier

_MAX_KNOWN: Final = 1024
"""The most verified tokens to cache: clients send the same token with every request."""


class _Times(NamedTuple):
    """When a verified token is valid, in seconds since 1970."""

    from_: float
    until: float


def token_check(
    jwks: Path | str, *, audience: str, issuer: str, leeway: float, place: str = "--jwks"
) -> "TokenCheck":
    """The check with the keys of a file, of a URL, or of a JSON text.

    `place` names their setting.

    Raises:
        UsageError: the file cannot be read, or the keys are not a key set.
    """
    source: KeySource
    if isinstance(jwks, Path):
        source = FileSource(jwks, place)
    else:
        source = TextSource(jwks, place) if jwks.startswith("{") else UrlSource(jwks)
    return TokenCheck(source, audience=audience, issuer=issuer, leeway=leeway, now=time)


class TokenCheck:
    """Accepts requests with a valid token."""

    def __init__(
        self,
        source: KeySource,
        *,
        audience: str,
        issuer: str,
        leeway: float,
        now: Callable[[], float],
    ) -> None:
        """`now` returns seconds since 1970; clocks may differ from it by `leeway` seconds.

        A token must name `audience`, or no audience if that is empty, and `issuer` unless that is
        empty.
        """
        self._source = source
        self._audience = audience or None
        self._issuer = issuer or None
        self._leeway = leeway
        self._now = now
        self._known: BoundedCache[bytes, _Times] = BoundedCache(_MAX_KNOWN)
        """The times of verified tokens by their hashes, valid for the keys `_known_of` only."""
        self._known_of: KeySet | None = None
        self._outcome: tuple[bytes, KeySet, _Times | Refusal] | None = None
        """The outcome of the verification that ended in this turn of the loop."""
        self._verifier: Verifier | None = None

    def __repr__(self) -> str:
        return f"<TokenCheck {self._source!r}>"

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin to fetch the keys, on the loop that will use them; verify in a thread from now
        on."""
        self._verifier = Verifier(loop)
        self._source.start(loop)

    def check(self, head: RequestHead, *, may_defer: bool) -> Deferral | None:
        """Return `None` to accept the request, or what to wait for before checking again.

        Raises:
            Refusal: its token is missing, malformed, or not valid here and now.
        """
        token = _token_of(head)
        keys = self._source.keys
        if keys is None:
            waiting = self._source.refresh() if may_defer else None
            if waiting is None:
                raise KeysUnavailable("the keys for tokens could not be fetched; try again soon")
            return self._verified_behind(waiting, token)
        if keys is not self._known_of:
            self._known.clear()
            self._known_of = keys
        mark = sha256(token).digest()
        times = self._known.get(mark)
        if times is None:
            key_id, algorithm = _header_of(token)
            if may_defer and not keys.knows(key_id):
                waiting = self._source.refresh()
                if waiting is not None:
                    return self._verified_behind(waiting, token)
            outcome = self._outcome
            if outcome is not None and outcome[:2] == (mark, keys):
                if isinstance(outcome[2], Refusal):
                    raise type(outcome[2])(outcome[2].message)
                times = outcome[2]
            elif self._verifier is None:
                times = self._verify(token, keys, key_id, algorithm)
            else:
                waiting = self._begin(self._verifier, token) if may_defer else None
                if waiting is None:
                    raise VerifierBusy("too many tokens wait to be verified; try again soon")
                return waiting
        self._compare(times)
        if mark not in self._known:
            self._known.remember(mark, times)
        return None

    def _verified_behind(self, waiting: Deferral, token: bytes) -> Deferral:
        """Wait for the keys, then verify in the thread, not on the loop."""
        verifier = self._verifier
        if verifier is None:
            return waiting
        return Chain(waiting, lambda: self._begin(verifier, token, has_waited=True))

    def _begin(
        self, verifier: Verifier, token: bytes, *, has_waited: bool = False
    ) -> Deferral | None:
        """Verify in a thread; waiting requests check again in the turn of the outcome.

        If the keys have changed by then, it verifies again with the new ones.  It returns `None` if
        there is nothing to verify, or too many tokens wait.
        """
        keys, mark = self._source.keys, sha256(token).digest()
        if keys is None or (keys is self._known_of and mark in self._known):
            return None
        try:
            key_id, algorithm = _header_of(token)
        except Refusal:
            return None  # The next check raises it.
        found: list[_Times | Refusal] = []

        def verify() -> None:
            try:
                found.append(self._verify(token, keys, key_id, algorithm))
            except Refusal as refusal:
                found.append(refusal.with_traceback(None))

        def announce() -> None:
            self._outcome = (mark, keys, found[0]) if found else None

        def look_again() -> Deferral | None:
            if self._source.keys is keys:
                return None
            return self._begin(verifier, token, has_waited=True)

        waiting = verifier.begin(verify, announce, has_waited=has_waited)
        return None if waiting is None else Chain(waiting, look_again)

    def _verify(self, token: bytes, keys: KeySet, key_id: str | None, algorithm: str) -> _Times:
        refusal: Refusal = TokenInvalid("none of the keys fits the token")
        for key in keys.fitting(key_id, algorithm):
            try:
                claims = jwt.decode(
                    token,
                    key.key,
                    algorithms=[algorithm],
                    audience=self._audience,
                    issuer=self._issuer,
                    options={
                        "require": ["exp"],
                        "verify_exp": False,
                        "verify_nbf": False,
                        "verify_iat": False,
                    },
                )
            except jwt.InvalidSignatureError:
                refusal = TokenInvalid("the token's signature is wrong")
                continue
            except (jwt.InvalidAudienceError, jwt.InvalidIssuerError):
                raise TokenNotMeant("the token is for another audience, or another's") from None
            except jwt.MissingRequiredClaimError as missing:
                if missing.claim == "exp":
                    raise TokenInvalid("the token has no exp") from None
                raise TokenNotMeant("the token names no audience, or no issuer") from None
            except Exception:  # Any error of the library means a malformed token.
                raise TokenInvalid("the token is malformed") from None
            return _times(claims)
        raise refusal

    def _compare(self, times: _Times) -> None:
        now = self._now()
        if now >= times.until + self._leeway:
            raise TokenExpired("the token has expired")
        if now < times.from_ - self._leeway:
            raise TokenNotMeant("the token is not valid yet")


def _token_of(head: RequestHead) -> bytes:
    values = [value for name, value in lines_of(head.fields) if name == b"authorization"]
    if not values:
        raise TokenMissing("required HTTP header Authorization was not specified")
    scheme, _, token = values[0].partition(b" ")
    if len(values) > 1:
        raise TokenInvalid("Authorization is there twice")
    if scheme.lower() != b"bearer":
        raise TokenMissing("Authorization is not: Bearer <token>")
    return token.strip(b" \t")


def _header_of(token: bytes) -> tuple[str | None, str]:
    """The unverified `kid` and `alg`."""
    try:
        header = jwt.get_unverified_header(token)
    except Exception:  # As in `_verify`.
        raise TokenInvalid("the token is malformed") from None
    key_id, algorithm = header.get("kid"), header.get("alg")
    if not isinstance(algorithm, str) or not isinstance(key_id, str | None):
        raise TokenInvalid("the token's header is malformed")
    if "crit" in header:  # RFC 7515 §4.1.11: critical extensions must be understood.
        raise TokenInvalid("the token needs an extension that is not known")
    return key_id, algorithm


def _times(claims: dict[str, Any]) -> _Times:
    until = _number(claims["exp"])
    begins = [_number(claims[name]) for name in ("nbf", "iat") if name in claims]
    return _Times(max(begins, default=-math.inf), until)


def _number(value: object) -> float:
    """Check a NumericDate (RFC 7519 §2)."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if math.isfinite(number):
            return number
    raise TokenInvalid("a time in the token is no number")
