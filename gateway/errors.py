"""Everything the gateway answers by itself, and what a user of the command line can mend.

A `Refusal` is raised where a rule is found broken and carries its own HTTP answer: the status,
Function Compute's error code and a message for the client.  Whoever catches it needs no table.
The subclasses are the table; `docs/errors.md` is generated from them.
"""

import json
from typing import ClassVar, Final

from gateway.fc import names


class UsageError(Exception):
    """A mistake that the user of the command line can mend; the text is one line."""

    @property
    def details(self) -> list[str]:
        """Lines to be shown behind it."""
        return []


class CodeError(UsageError):
    """A mistake in the user's code: where that is watched, its next change is waited for."""


class Refusal(Exception):
    """A request that the gateway answers itself, without the handler.

    `closes` says that the connection cannot be used afterwards: either the bytes behind the
    request are not understood, or its body has been left unread.

    Source of the codes: FC's public error reference; the body is FC 2.0's
    `{"ErrorCode", "ErrorMessage"}`.
    """

    status: ClassVar[int] = 400
    code: ClassVar[str] = names.INVALID_ARGUMENT
    error_type: ClassVar[str] = names.FC_COMMON_ERROR
    closes: ClassVar[bool] = True
    retry_after: int | None = None
    """Seconds, sent as `Retry-After` (RFC 9110 §10.2.3); of the class, or set by one refusal."""
    plain_status: ClassVar[int | None] = None
    """The status where answers are not Function Compute's (`--error-style plain`), if another."""
    plain_fields: tuple[tuple[str, str], ...] = ()
    """Header fields that RFC 9110 wants with that status, such as `Allow`: of the class, or set by
    one refusal for itself."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    def body(self) -> bytes:
        """The answer's JSON body."""
        return json.dumps({"ErrorCode": self.code, "ErrorMessage": self.message}).encode()

    def headers(self) -> list[tuple[str, str]]:
        """The answer's own header fields, without those that frame it."""
        fields = [("Content-Type", "application/json"), (names.ERROR_TYPE, self.error_type)]
        if self.retry_after is not None:
            fields.append(("Retry-After", str(self.retry_after)))
        if self.plain_status is None:
            fields += self.plain_fields  # They belong to the status, which is the same here.
        return fields


class MalformedRequest(Refusal):
    """The bytes are not a request of RFC 9112, or one that two parsers could read differently."""

    def __init__(self, message: str, spoken: str = "") -> None:
        """`spoken` names the protocol that they are of, where that can be told."""
        super().__init__(message)
        self.spoken = spoken


class HeadersTooLarge(Refusal):
    """The names and values of the header fields are larger than FC allows, or too many."""

    plain_status = 431


class PathTooLong(Refusal):
    """Path and query together are longer than FC allows."""

    plain_status = 414


class BodyTooLarge(Refusal):
    """The body is larger than FC allows for this kind of invocation."""

    plain_status = 413


class PathNotSupported(Refusal):
    """An operation of FC's API on a function that the gateway does not have."""

    plain_status = 404
    code = names.PATH_NOT_SUPPORTED
    closes = False


class RequestTimeout(Refusal):
    """The request did not arrive in time (RFC 9110 §15.5.9)."""

    status = 408
    code = "RequestTimeout"


class ExpectationFailed(Refusal):
    """`Expect` asks for something other than `100-continue` (RFC 9110 §10.1.1)."""

    status = 417
    code = "ExpectationFailed"


class NotImplementedByGateway(Refusal):
    """A method or a transfer coding that the gateway does not speak (RFC 9112 §6.1)."""

    status = 501
    code = "NotImplemented"


class VersionNotSupported(Refusal):
    """An HTTP version other than 1.0 and 1.1 (RFC 9110 §15.6.6)."""

    status = 505
    code = "HTTPVersionNotSupported"


class QueueFull(Refusal):
    """Every thread is busy, and the queue in front of them is full, or the wait in it too long."""

    status = 429
    plain_status = 503
    code = names.RESOURCE_EXHAUSTED
    closes = False
    retry_after = 1

    def __init__(self, message: str, retry_after: int = 1) -> None:
        """`retry_after`, in seconds, is how long who waits now will have waited."""
        super().__init__(message)
        self.retry_after = retry_after


class QueueTimeout(Refusal):
    """The request waited longer for a thread than it may; its handler was not run."""

    status = 503
    code = names.RESOURCE_THROTTLED
    closes = False
    retry_after = 1


class ConnectionLimit(Refusal):
    """The gateway has as many connections as it may, and none of them can make room."""

    status = 503
    code = names.RESOURCE_THROTTLED
    retry_after = 1


class BudgetTimeout(Refusal):
    """The memory for request bodies was full for as long as a body may wait for it."""

    status = 503
    code = names.RESOURCE_THROTTLED
    retry_after = 1


class BadResponse(Refusal):
    """The handler's response breaks a limit of Function Compute."""

    status = 502
    plain_status = 500
    code = names.BAD_RESPONSE
    error_type = names.UNHANDLED_INVOCATION_ERROR
    closes = False


class GatewayFault(Refusal):
    """The gateway itself failed; its log says why."""

    status = 500
    code = names.INTERNAL_SERVER_ERROR


class MethodNotAllowed(Refusal):
    """The method is not among those that the trigger allows."""

    status = 403
    plain_status = 405
    code = names.ACCESS_DENIED
    closes = False

    def __init__(self, message: str, methods: tuple[str, ...] = ()) -> None:
        """`methods` are those that it allows."""
        super().__init__(message)
        self.plain_fields = (("Allow", ", ".join(methods)),)


_SIGN: Final = (("WWW-Authenticate", "FC"),)
"""A 401 names a scheme (RFC 9110 §15.5.2); of this one Function Compute's documents tell."""


class CredentialMissing(Refusal):
    """The request is to be signed, and has no `Authorization` or no date."""

    plain_status = 401
    plain_fields = _SIGN
    code = names.MISSING_REQUIRED_HEADER
    closes = False


class UnknownAccessKey(Refusal):
    """The request is signed with a key that is not among those that may sign, or is no longer."""

    status = 403
    plain_status = 401
    plain_fields = _SIGN
    code = names.INVALID_ACCESS_KEY_ID
    closes = False


class SignatureNotMatch(Refusal):
    """The signature is not that of this request and this key, or is none."""

    status = 403
    plain_status = 401
    plain_fields = _SIGN
    code = names.SIGNATURE_NOT_MATCH
    closes = False


class StaleSignature(Refusal):
    """The signature is right, but the date that it covers is too far from the gateway's clock."""

    status = 403
    plain_status = 401
    plain_fields = _SIGN
    code = "RequestTimeTooSkewed"
    closes = False


class SignedUrlExpired(Refusal):
    """The signature is right, but the signed URL has expired."""

    status = 403
    code = "RequestExpired"
    closes = False


class TokenMissing(Refusal):
    """The request has no JSON Web Token in `Authorization: Bearer`."""

    status = 401
    code = "JWTMissing"
    plain_fields = (("WWW-Authenticate", "Bearer"),)
    closes = False


class TokenInvalid(Refusal):
    """The JSON Web Token is none, or none of the keys has signed it."""

    status = 401
    code = "JWTInvalid"
    plain_fields = (("WWW-Authenticate", 'Bearer error="invalid_token"'),)
    closes = False


class TokenExpired(Refusal):
    """The JSON Web Token was valid until some time ago."""

    status = 401
    code = "JWTExpired"
    plain_fields = (("WWW-Authenticate", 'Bearer error="invalid_token"'),)
    closes = False


class TokenNotMeant(Refusal):
    """The JSON Web Token is signed, but not for here: its audience, its issuer or its beginning."""

    status = 401
    code = "JWTClaimInvalid"
    plain_fields = (("WWW-Authenticate", 'Bearer error="invalid_token"'),)
    closes = False


class KeysUnavailable(Refusal):
    """The keys that sign JSON Web Tokens could not be fetched yet."""

    status = 503
    code = "JWKSUnavailable"
    closes = False
    retry_after = 1


class VerifierBusy(Refusal):
    """So many JSON Web Tokens wait to be verified that one more would wait for too long."""

    status = 503
    code = names.RESOURCE_THROTTLED
    closes = False
    retry_after = 1


class ClientDisconnected(ConnectionError):
    """The client is gone (or takes nothing any more); writing its answer has no use."""
