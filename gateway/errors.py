"""The gateway's refusals of requests, and the mistakes that a command-line user can mend.

Code that finds a broken rule raises a `Refusal`.  A refusal carries its own HTTP response: status,
Function Compute's error code and a message for the client, so the code that catches it needs no
table.  The subclasses are the table; `docs/errors.md` is generated from them.
"""

import json
from typing import ClassVar, Final

from gateway.fc import names


class UsageError(Exception):
    """A mistake that the command-line user can mend; the text is one line."""

    @property
    def details(self) -> list[str]:
        """Lines to show below the text."""
        return []


class CodeError(UsageError):
    """A mistake in the user's code; a server that watches the code waits for its next change."""


class Refusal(Exception):
    """A request to which the gateway itself responds, without the handler.

    `closes`: the connection cannot be used afterwards, because the bytes behind the request cannot
    be parsed, or its body has not been read.

    Source of the codes: FC's public error reference; the body is FC 2.0's
    `{"ErrorCode", "ErrorMessage"}`.
    """

    status: ClassVar[int] = 400
    code: ClassVar[str] = names.INVALID_ARGUMENT
    error_type: ClassVar[str] = names.FC_COMMON_ERROR
    closes: ClassVar[bool] = True
    retry_after: int | None = None
    """Seconds, sent as `Retry-After` (RFC 9110 §10.2.3); set by the class or by one refusal."""
    plain_status: ClassVar[int | None] = None
    """The status for `--error-style plain`, if it differs from Function Compute's."""
    plain_fields: tuple[tuple[str, str], ...] = ()
    """Header fields that RFC 9110 requires with that status, such as `Allow`; set by the class or
    by one refusal."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    def body(self) -> bytes:
        """The JSON body of the response."""
        return json.dumps({"ErrorCode": self.code, "ErrorMessage": self.message}).encode()

    def headers(self) -> list[tuple[str, str]]:
        """The header fields of the response, without its framing."""
        fields = [("Content-Type", "application/json"), (names.ERROR_TYPE, self.error_type)]
        if self.retry_after is not None:
            fields.append(("Retry-After", str(self.retry_after)))
        if self.plain_status is None:
            fields += self.plain_fields  # They belong to the status, which both styles share.
        return fields


class MalformedRequest(Refusal):
    """The bytes are not a request of RFC 9112, or two parsers could read them differently."""

    def __init__(self, message: str, spoken: str = "") -> None:
        """`spoken` names the protocol that the client speaks, if it is recognised."""
        super().__init__(message)
        self.spoken = spoken


class HeadersTooLarge(Refusal):
    """The header fields are too many, or their names and values are larger than FC allows."""

    plain_status = 431


class PathTooLong(Refusal):
    """Path and query together are longer than FC allows."""

    plain_status = 414


class BodyTooLarge(Refusal):
    """The body is larger than FC allows for this kind of invocation."""

    plain_status = 413


class PathNotSupported(Refusal):
    """The gateway does not have this operation of FC's API on functions."""

    plain_status = 404
    code = names.PATH_NOT_SUPPORTED
    closes = False


class RequestTimeout(Refusal):
    """The request did not arrive in time (RFC 9110 §15.5.9)."""

    status = 408
    code = "RequestTimeout"


class ExpectationFailed(Refusal):
    """`Expect` has a value other than `100-continue` (RFC 9110 §10.1.1)."""

    status = 417
    code = "ExpectationFailed"


class NotImplementedByGateway(Refusal):
    """The gateway does not support this method or transfer coding (RFC 9112 §6.1)."""

    status = 501
    code = "NotImplemented"


class VersionNotSupported(Refusal):
    """The HTTP version is neither 1.0 nor 1.1 (RFC 9110 §15.6.6)."""

    status = 505
    code = "HTTPVersionNotSupported"


class QueueFull(Refusal):
    """Every thread is busy, and the queue is full or the expected wait in it too long."""

    status = 429
    plain_status = 503
    code = names.RESOURCE_EXHAUSTED
    closes = False
    retry_after = 1

    def __init__(self, message: str, retry_after: int = 1) -> None:
        """`retry_after`, in seconds, is the expected wait of the requests in the queue."""
        super().__init__(message)
        self.retry_after = retry_after


class QueueTimeout(Refusal):
    """The request waited too long for a thread; its handler did not run."""

    status = 503
    code = names.RESOURCE_THROTTLED
    closes = False
    retry_after = 1


class ConnectionLimit(Refusal):
    """The gateway has its maximum of connections, and cannot close any of them."""

    status = 503
    code = names.RESOURCE_THROTTLED
    retry_after = 1


class BudgetTimeout(Refusal):
    """The memory for request bodies stayed full for longer than a body may wait."""

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
    """The trigger does not allow this method."""

    status = 403
    plain_status = 405
    code = names.ACCESS_DENIED
    closes = False

    def __init__(self, message: str, methods: tuple[str, ...] = ()) -> None:
        """`methods` are the allowed ones."""
        super().__init__(message)
        self.plain_fields = (("Allow", ", ".join(methods)),)


_SIGN: Final = (("WWW-Authenticate", "FC"),)
"""A 401 names a scheme (RFC 9110 §15.5.2); Function Compute's documentation defines this one."""


class CredentialMissing(Refusal):
    """The request must be signed, but has no `Authorization` or no date."""

    plain_status = 401
    plain_fields = _SIGN
    code = names.MISSING_REQUIRED_HEADER
    closes = False


class UnknownAccessKey(Refusal):
    """The request is signed with a key that the gateway does not know, or no longer accepts."""

    status = 403
    plain_status = 401
    plain_fields = _SIGN
    code = names.INVALID_ACCESS_KEY_ID
    closes = False


class SignatureNotMatch(Refusal):
    """The signature does not match this request and key, or is malformed."""

    status = 403
    plain_status = 401
    plain_fields = _SIGN
    code = names.SIGNATURE_NOT_MATCH
    closes = False


class StaleSignature(Refusal):
    """The signature matches, but its date is too far from the gateway's clock."""

    status = 403
    plain_status = 401
    plain_fields = _SIGN
    code = "RequestTimeTooSkewed"
    closes = False


class SignedUrlExpired(Refusal):
    """The signature matches, but the signed URL has expired."""

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
    """The JSON Web Token is malformed, or none of the keys has signed it."""

    status = 401
    code = "JWTInvalid"
    plain_fields = (("WWW-Authenticate", 'Bearer error="invalid_token"'),)
    closes = False


class TokenExpired(Refusal):
    """The JSON Web Token has expired."""

    status = 401
    code = "JWTExpired"
    plain_fields = (("WWW-Authenticate", 'Bearer error="invalid_token"'),)
    closes = False


class TokenNotMeant(Refusal):
    """The JSON Web Token is signed, but its audience, issuer or start time does not fit."""

    status = 401
    code = "JWTClaimInvalid"
    plain_fields = (("WWW-Authenticate", 'Bearer error="invalid_token"'),)
    closes = False


class KeysUnavailable(Refusal):
    """The keys for JSON Web Tokens could not be fetched yet."""

    status = 503
    code = "JWKSUnavailable"
    closes = False
    retry_after = 1


class VerifierBusy(Refusal):
    """Too many JSON Web Tokens wait for verification; one more would wait too long."""

    status = 503
    code = names.RESOURCE_THROTTLED
    closes = False
    retry_after = 1


class ClientDisconnected(ConnectionError):
    """The client is gone, or takes nothing any more; nobody reads the response."""
