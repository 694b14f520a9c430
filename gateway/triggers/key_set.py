"""JSON Web Key Sets (RFC 7517): public keys for tokens, each with its algorithms.

The key alone determines its algorithms, before any token is seen: a token's `alg` only selects one
of them.  So a public key is never used as a shared secret, and `none` is never accepted.
"""

import json
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from gateway.error_log.loggers import logger
from gateway.errors import UsageError

try:
    import cryptography.hazmat.primitives.asymmetric  # noqa: F401  # PyJWT can do without
    import jwt
    from jwt import PyJWK
    from jwt.exceptions import PyJWTError
except ImportError as error:
    raise UsageError(
        "--auth jwt needs the package PyJWT with cryptography; "
        "install it with: pip install 'PyJWT[crypto]>=2.10', or the gateway with its extra jwt"
    ) from error

log = logger("gateway.triggers")

MAX_BYTES: Final = 1024 * 1024
"""The limit of a key set."""

_MAX_KEYS: Final = 256
_MAX_FITTING: Final = 4
"""The most keys to try for one token, which bounds the cost of invalid tokens."""

_MIN_RSA_BITS: Final = 2048
"""RFC 7518 §3.3."""

_MAX_RSA_BITS: Final = 8192

_RSA: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")

_FITTING: Final[dict[tuple[str, object], tuple[str, ...]]] = {
    ("RSA", None): _RSA,
    ("EC", "P-256"): ("ES256",),
    ("EC", "P-384"): ("ES384",),
    ("EC", "P-521"): ("ES512",),
    ("OKP", "Ed25519"): ("EdDSA",),
    ("OKP", "Ed448"): ("EdDSA",),
}
"""Algorithms by type and curve of a key (RFC 7518 §3.1, RFC 8037 §3.1)."""

_PUBLIC: Final = ("kty", "crv", "n", "e", "x", "y")
"""The members of a public key; private members are never read."""


class BadKeySet(ValueError):
    """A text is not a key set, or has no usable key."""


class PublicKey(NamedTuple):
    """One key."""

    key_id: str
    """Empty if the key has no id."""
    algorithms: tuple[str, ...]
    key: Any
    """The key as the library expects it."""


class KeySet:
    """The keys that sign tokens."""

    def __init__(self, keys: list[PublicKey]) -> None:
        self._keys = keys

    def __repr__(self) -> str:
        return f"<KeySet {[key.key_id for key in self._keys]}>"

    def fitting(self, key_id: str | None, algorithm: str) -> list[PublicKey]:
        """The few keys that may have signed a token with this `kid` and `alg`.

        A key without an id fits any `kid`, and a token without a `kid` fits any key.
        """
        fitting = [key for key in self._keys if algorithm in key.algorithms]
        if key_id is not None:
            named = [key for key in fitting if key.key_id == key_id]
            fitting = named or [key for key in fitting if not key.key_id]
        return fitting[:_MAX_FITTING]

    def knows(self, key_id: str | None) -> bool:
        """Whether a key may have signed a token with this `kid`."""
        return key_id is None or any(key.key_id in ("", key_id) for key in self._keys)


def parse_key_set(data: bytes) -> KeySet:
    """Parse the usable keys of a JSON text; log a warning for each other key.

    Raises:
        BadKeySet: it is not a key set or has no usable key; the message continues a sentence.
    """
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        raise BadKeySet("is no JSON") from None
    entries = found.get("keys") if isinstance(found, dict) else None
    if not isinstance(entries, list):
        raise BadKeySet('is no JSON Web Key Set: it is to be {"keys": [...]}')
    if len(entries) > _MAX_KEYS:
        raise BadKeySet(f"has more than {_MAX_KEYS} keys")
    keys = []
    for number, entry in enumerate(entries, 1):
        try:
            keys.append(_public_key(entry))
        except BadKeySet as fault:
            log.warning("key %d of the key set is left out: it %s", number, fault)
    if not keys:
        raise BadKeySet("has no key that can be used")
    return KeySet(keys)


def _public_key(entry: object) -> PublicKey:
    """A key, checked; raises BadKeySet."""
    if not isinstance(entry, dict):
        raise BadKeySet("is no object")
    if "d" in entry:
        log.warning("the key set holds a private key; only its public part is used")
    algorithms = _algorithms(entry)
    key_id = entry.get("kid", "")
    if not isinstance(key_id, str):
        raise BadKeySet("has a kid that is no text")
    try:
        public = {name: entry[name] for name in _PUBLIC if name in entry}
        key = PyJWK(public, algorithms[0]).key
    except (PyJWTError, ValueError, TypeError, KeyError, OverflowError):
        raise BadKeySet("is broken") from None  # The library's message may quote the key.
    bits = getattr(key, "key_size", 0) if algorithms[0] in _RSA else _MIN_RSA_BITS
    if not _MIN_RSA_BITS <= bits <= _MAX_RSA_BITS:
        raise BadKeySet(f"has {bits} bits; RSA keys have {_MIN_RSA_BITS} to {_MAX_RSA_BITS}")
    return PublicKey(key_id, algorithms, key)


def _algorithms(entry: Mapping[str, Any]) -> tuple[str, ...]:
    """The algorithms of a key; raises BadKeySet."""
    kind, curve = entry.get("kty"), entry.get("crv")
    if kind == "oct":
        raise BadKeySet("is a shared secret; only public keys are used")
    fits = None
    if isinstance(kind, str) and isinstance(curve, str | None):
        fits = _FITTING.get((kind, None if kind == "RSA" else curve))
    if fits is None:
        raise BadKeySet("is of a kind that is not known")
    if entry.get("use", "sig") != "sig":
        raise BadKeySet("is not for signatures")
    operations = entry.get("key_ops")
    if operations is not None and not (isinstance(operations, list) and "verify" in operations):
        raise BadKeySet("is not for verifying")
    algorithm = entry.get("alg")
    if algorithm is None:
        return fits
    if algorithm not in fits:
        raise BadKeySet("is for an algorithm that does not fit it")
    return (algorithm,)


__all__ = ["MAX_BYTES", "BadKeySet", "KeySet", "PublicKey", "jwt", "parse_key_set"]
