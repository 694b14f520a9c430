"""Function Compute's signatures, in `Authorization` and in signed URLs.

The signed string has these lines: the method, the values of Content-MD5, Content-Type and Date (in
a signed URL the expiry time), the `x-fc-*` fields as `name:value`, sorted by name, the unescaped
path, and the sorted query parameters, unescaped, as `name=value`.  Without a query public SDKs end
the string after the path (API requests) or with an empty line (proxy URLs); both are accepted,
because both mean the same request.

Source: FC's developer reference ("Signature authentication"); public SDKs for Python, Go, Node.js.

The signature cannot distinguish requests with the same string: `%2F` and `/` in a path, the order
of equal parameters, a `%3D` in a name and the `=` after it, a line break in a value and the next
parameter.  A line break in a path could be the beginning of the query, and is refused.
"""

import asyncio
import hmac
import re
from base64 import b64encode
from collections.abc import Callable, Iterable
from email.utils import parsedate_to_datetime
from pathlib import Path
from string import hexdigits
from time import time
from typing import Final, NamedTuple

from gateway.error_log.loggers import logger
from gateway.errors import (
    CredentialMissing,
    SignatureNotMatch,
    SignedUrlExpired,
    StaleSignature,
    UnknownAccessKey,
    UsageError,
)
from gateway.fc import names
from gateway.http.message.fields import lines_of
from gateway.http.message.head import RequestHead
from gateway.triggers.access_keys import (
    AccessKey,
    AccessKeys,
    is_open_to_all,
    keys_of_variable,
    read_keys,
)

log = logger("gateway.triggers")

_PREFIX: Final = names.HEADER_PREFIX.encode()
_DATE: Final = names.DATE.lower().encode()
_SECURITY_TOKEN: Final = names.SECURITY_TOKEN.lower().encode()

_SIGNATURE: Final = names.QUERY_SIGNATURE.encode()
_EXPIRES: Final = names.QUERY_EXPIRES.encode()
_KEY_ID: Final = names.QUERY_ACCESS_KEY_ID.encode()
_TOKEN: Final = names.QUERY_SECURITY_TOKEN.encode()

_MAX_SIGNED: Final = 200
"""The most parameters and `x-fc-*` fields together.  The event loop sorts them: more would take
longer than a millisecond, and sending them needs no key."""

_MAX_ESCAPES: Final = 1400
"""The most percent signs in path and query, for the same reason: no more fit into 4 KiB, which is
Function Compute's limit for both."""

_ESCAPE: Final = re.compile(rb"%([0-9A-Fa-f]{2})")
_ESCAPED: Final = {(a + b).encode(): bytes([int(a + b, 16)]) for a in hexdigits for b in hexdigits}

_MAX_DIGITS: Final = 12
"""The most digits of a time in seconds, enough for some thirty thousand years."""

_NOBODY: Final = AccessKey("nobody's")
"""Verifies signatures with unknown key ids, so that these take the same time."""

_SINGLE: Final = {b"authorization", b"content-md5", b"date", _DATE, _SECURITY_TOKEN}
"""Fields that are ambiguous if they occur twice."""


class _Claim(NamedTuple):
    """The signature of a request and its parameters."""

    key_id: str
    signature: bytes
    security_token: bytes
    dates: tuple[bytes, ...]
    """The possible values in the date line of the signed string."""


def signature_check(
    file: Path | None, variable: str, *, max_age: float, place: str = "--auth"
) -> "SignatureCheck":
    """The check with the keys of a file and of the environment variable's value.

    `place` names the setting that asks for signatures.

    Raises:
        UsageError: there are no keys, or they cannot be read.
    """
    keys = keys_of_variable(variable)
    if file is not None:
        keys = keys.joined(read_keys(file))
        if is_open_to_all(file):
            log.warning(
                "--auth-keys: all users of this machine may read %s; chmod o-r would do", file
            )
    if not len(keys):
        raise UsageError(
            f"{place}: function needs keys; name their file with --auth-keys, or set "
            f"{names.FC_ACCESS_KEYS} to id:secret"
        )
    return SignatureCheck(keys, max_age=max_age, now=time)


class SignatureCheck:
    """Accepts requests that one of the keys has signed."""

    def __init__(self, keys: AccessKeys, *, max_age: float, now: Callable[[], float]) -> None:
        """A date may differ by `max_age` seconds from `now`, which returns seconds since 1970."""
        self._keys = keys
        self._max_age = max_age
        self._now = now

    def __repr__(self) -> str:
        return f"<SignatureCheck {self._keys!r}>"

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Do nothing: the keys are loaded."""

    def check(self, head: RequestHead, *, may_defer: bool) -> None:  # noqa: ARG002  # it can tell
        """Accept the request or raise.

        Raises:
            Refusal: its credential is missing, wrong or out of date.
        """
        fields, own = _fields(head)
        _check_effort(head, len(own))
        authorization = fields.get(b"authorization")
        parameters = _parameters(head.query)
        is_url = any(name == _SIGNATURE for name, _ in parameters)
        signed = _Signed(head, fields, own, parameters)
        if is_url and (authorization or b"")[:3].upper() != b"FC ":
            self._check_url(signed)
        elif authorization is None:
            raise CredentialMissing("required HTTP header Authorization was not specified")
        else:
            self._check_field(signed, authorization)

    def _check_field(self, signed: "_Signed", authorization: bytes) -> None:
        fields = signed.fields
        scheme, _, credential = authorization.partition(b" ")
        key_id, colon, signature = credential.strip(b" \t").rpartition(b":")
        if scheme.upper() != b"FC" or not colon:
            raise SignatureNotMatch("Authorization is not: FC <access key id>:<signature>")
        own_date, date = fields.get(_DATE), fields.get(b"date")
        said = date if own_date is None else own_date
        if not said:
            raise CredentialMissing("required HTTP header Date was not specified")
        dates = (date or b"",) if own_date is None else (date or b"", own_date)
        claim = _Claim(key_id.decode("latin-1"), signature, fields.get(_SECURITY_TOKEN, b""), dates)
        self._verify(signed, claim)
        age = self._age(said)
        if age is None:
            raise StaleSignature("the signed date is not one such as Mon, 02 Jan 2006 15:04:05 GMT")
        if abs(age) > self._max_age:
            raise StaleSignature(
                f"the signed date differs by more than {self._max_age:g} s from the gateway's clock"
            )

    def _check_url(self, signed: "_Signed") -> None:
        said: dict[bytes, bytes] = {}
        for name, value in signed.parameters:
            if (
                name in (_SIGNATURE, _EXPIRES, _KEY_ID, _TOKEN)
                and said.setdefault(name, value) is not value
            ):
                raise SignatureNotMatch("a parameter of the signed URL is there twice")
        expires = said.get(_EXPIRES, b"")
        if _KEY_ID not in said or not expires.isdigit() or len(expires) > _MAX_DIGITS:
            raise SignatureNotMatch(
                f"a signed URL needs {names.QUERY_ACCESS_KEY_ID}, and {names.QUERY_EXPIRES} in "
                "seconds since 1970"
            )
        claim = _Claim(
            said[_KEY_ID].decode("latin-1"), said[_SIGNATURE], said.get(_TOKEN, b""), (expires,)
        )
        parameters = [pair for pair in signed.parameters if pair[0] != _SIGNATURE]
        self._verify(signed._replace(parameters=parameters), claim)
        if self._now() > int(expires):
            raise SignedUrlExpired("the signed URL has expired")

    def _verify(self, signed: "_Signed", claim: _Claim) -> None:
        """Accept a signature of the claimed key or raise, with equal work for unknown keys."""
        key = self._keys.get(claim.key_id)
        signer = key or _NOBODY
        is_signed = False
        for text in _strings_to_sign(signed, claim.dates):
            signature = b64encode(hmac.digest(signer.secret, text, "sha256"))
            is_signed |= hmac.compare_digest(signature, claim.signature)
        has_token = not signer.security_token or hmac.compare_digest(
            signer.security_token, claim.security_token
        )
        if key is None:
            raise UnknownAccessKey("the access key id is not one that may sign")
        if not is_signed:
            raise SignatureNotMatch(
                "the signature is not that of this request and access key; check the key, and what "
                "is signed"
            )
        if not has_token:
            raise SignatureNotMatch("the security token is not that of the access key")
        if key.expires is not None and self._now() > key.expires:
            raise UnknownAccessKey("the access key has expired")

    def _age(self, date: bytes) -> float | None:
        """Seconds since `date`; `None` if it is malformed."""
        try:
            when = parsedate_to_datetime(date.decode("latin-1"))
            if when.tzinfo is None:
                return None
            return self._now() - when.timestamp()
        except (ValueError, TypeError, OverflowError, IndexError):
            return None


class _Signed(NamedTuple):
    """The signed parts of a request, except its date."""

    head: RequestHead
    fields: dict[bytes, bytes]
    """The fields with their own line in the string, by name."""
    own: list[tuple[bytes, bytes]]
    """The `x-fc-*` fields, including those that the application does not get."""
    parameters: list[tuple[bytes, bytes]]


def _fields(head: RequestHead) -> tuple[dict[bytes, bytes], list[tuple[bytes, bytes]]]:
    """The first two groups of fields of `_Signed`."""
    fields: dict[bytes, bytes] = {}
    lines = lines_of(head.fields)
    for name, value in lines:
        if name in _SINGLE:
            if name in fields:
                raise SignatureNotMatch(f"{name.decode().title()} is there twice")
            fields[name] = value
        elif name == b"content-type":
            fields[name] = value
    own = [line for line in lines + lines_of(head.withheld) if line[0].startswith(_PREFIX)]
    return fields, own


def _check_effort(head: RequestHead, own: int) -> None:
    """Refuse requests with more to decode and to sort than a signed request has.

    `own` is the number of `x-fc-*` fields.

    Raises:
        SignatureNotMatch: there are too many parts.
    """
    if own + bool(head.query) + head.query.count("&") > _MAX_SIGNED:
        raise SignatureNotMatch(
            f"a signed request may have {_MAX_SIGNED} parameters and "
            f"{names.HEADER_PREFIX}* fields together; send fewer"
        )
    if head.path.count("%") + head.query.count("%") > _MAX_ESCAPES:
        raise SignatureNotMatch(
            f"a signed request may have {_MAX_ESCAPES} percent signs in path and query; send "
            "fewer, or put the data into the body"
        )


def _parameters(query: str) -> list[tuple[bytes, bytes]]:
    """Names and values of a query, unescaped; `+` is a space."""
    parameters = []
    # The target is latin-1 text, so other bytes are kept as they are.
    for item in query.encode("latin-1").replace(b"+", b" ").split(b"&"):
        if item:
            name, _, value = item.partition(b"=")
            parameters.append((_unescaped(name), _unescaped(value)))
    return parameters


def _unescaped(data: bytes) -> bytes:
    """Like `urllib.parse.unquote_to_bytes`, which takes four times as long with invalid escapes."""
    if b"%" not in data:
        return data
    pieces = _ESCAPE.split(data)
    pieces[1::2] = map(_ESCAPED.__getitem__, pieces[1::2])
    return b"".join(pieces)


def _strings_to_sign(signed: _Signed, dates: Iterable[bytes]) -> list[bytes]:
    """The strings that the client may have signed; all mean the same request."""
    head, fields, own, parameters = signed
    lines = b"".join(b"%b:%b\n" % field for field in sorted(own))
    query = b"\n".join(sorted(b"%b=%b" % parameter for parameter in parameters))
    path = _unescaped(head.path.encode("latin-1"))
    if b"\n" in path:
        raise SignatureNotMatch("a signed path may not have a line break")
    resources = [b"%b\n%b" % (path, query)] if parameters else [path + b"\n", path]
    return [
        b"%b\n%b\n%b\n%b\n%b%b"
        % (
            head.method.encode(),
            fields.get(b"content-md5", b""),
            fields.get(b"content-type", b""),
            date,
            lines,
            resource,
        )
        for date in dates
        for resource in resources
    ]
