"""The page `docs/errors.md`, made from the refusals, the function errors and the load errors."""

import inspect
import json
from collections.abc import Iterator

from gateway import errors
from gateway.errors import Refusal
from gateway.fc import errors as function_errors
from gateway.fc import names
from gateway.http.answers import problem_details
from gateway.http.answers.error_style import ErrorStyle, FunctionCompute2, FunctionCompute3
from gateway.http.answers.problem_details import ProblemDetails, plain_status

_INTRO = """\
# Errors

Every error response has a JSON body and an `X-Fc-Request-Id`, which the access log has too.
`--error-style` decides the rest:
"""

_INTRO_REST = """\
In the style `fc3` request ids have the form of 3.0: `1-`, the second in hexadecimal digits, and two
groups that make them unique. In the other styles they are UUIDs. With `--fc-headers none` no
response has a field `X-Fc-*`, errors included.

Problem details have the type `application/problem+json` and the members `type` (`about:blank`),
`title` (the status's name), `status`, `detail` (what was wrong), `code` (which distinguishes
problems with one status) and `instance` (`urn:uuid:` and the request id).
"""

_STYLE_ROWS = [
    (
        "`fc2`, Function Compute 2.0's",
        "*status* below",
        "`X-Fc-Error-Type`",
        '`{"ErrorCode", "ErrorMessage"}`',
        '`{"errorMessage", "errorType", "stackTrace"}`',
    ),
    (
        "`fc3`, Function Compute 3.0's",
        "*status* below",
        "`X-Fc-Error-Type`",
        '`{"Code", "Message", "RequestId"}`',
        "the same",
    ),
    (
        "`plain`, for clients that know neither",
        "*plain status* below",
        "those of RFC 9110 for that status",
        "problem details (RFC 9457)",
        "problem details",
    ),
]

_EXAMPLES = """\
The same request, refused in each style:

"""

_REFUSALS = """\
## Refused by the gateway

The handler does not run, except for `BadResponse`. The message says what was wrong in this request.
Where the connection closes, the gateway first sends its response, then reads on for a while, so
that a client that is still sending can read it.
"""

_FUNCTION = """\
## Failures of the handler

In both styles of Function Compute the body is `{"errorMessage": "…", "errorType": "…",
"stackTrace": [["where", "line"], …]}`. Unlike on Function Compute `stackTrace` is empty without
`--tracebacks`. The style `plain` reveals nothing of the exception; with `--tracebacks` its text is
the `detail`, beside `errorType` and `stackTrace`. The log always has all of it. A response that has
begun cannot be replaced: the gateway cuts the connection, so that the client sees that the response
is not whole. The failure of an asynchronous invocation (202) is in the log only.
"""

_LOADING = """\
## Handlers that cannot be loaded

`gateway serve` and `gateway check` print one line on standard error and exit with status 2; nothing
is served.
"""

_LOG = """\
## In the access log only

| status | when |
| --- | --- |
| 499 | The client left before its response, or took nothing of it for too long. |
"""

_ADVICE = {
    "MalformedRequest": "Correct the request; the message names the rule. The same bytes will "
    "fail again.",
    "HeadersTooLarge": "Send fewer or shorter headers, often cookies (`--max-header-bytes`, "
    "`--max-header-fields`).",
    "PathTooLong": "Shorten path and query, or send the data as a body (`--max-path-bytes`).",
    "PathNotSupported": "Use an operation that is served: "
    "[event handlers](event-handlers.md#invokefunction).",
    "BodyTooLarge": "Send a smaller body, or hand the data over in a store (`--max-body`, "
    "`--max-async-body`).",
    "RequestTimeout": "Send faster, or again (`--head-timeout`, `--body-timeout`).",
    "ExpectationFailed": "Leave `Expect` out, or send `100-continue`.",
    "NotImplementedByGateway": "Use another method, or send the body without that coding.",
    "GatewayFault": "Report the request id to the operator of the gateway; a retry may help.",
    "VersionNotSupported": "Speak HTTP/1.1.",
    "QueueFull": "Wait as long as `Retry-After` says, then try again, with growing pauses "
    "(`--threads`, `--queue`).",
    "QueueTimeout": "Wait as long as `Retry-After` says, then try again (`--queue-timeout`).",
    "ConnectionLimit": "Wait as long as `Retry-After` says, then connect again; keep fewer "
    "connections (`--max-connections`).",
    "BudgetTimeout": "Wait as long as `Retry-After` says, then try again (`--body-memory`).",
    "MethodNotAllowed": "Use one of the methods that the message names (`--methods`).",
    "CredentialMissing": "Sign the request (`--auth function`).",
    "UnknownAccessKey": "Sign with a key that may call (`--auth-keys`).",
    "SignatureNotMatch": "Check the key, and what is signed: "
    "[signatures](triggers.md#signatures---auth-function).",
    "StaleSignature": "Sign again, and set the clock (`--signature-max-age`).",
    "SignedUrlExpired": "Ask for a new URL.",
    "TokenMissing": "Send `Authorization: Bearer` with a token (`--auth jwt`).",
    "TokenInvalid": "Get a token from the issuer (`--jwks`).",
    "TokenExpired": "Get a new token (`--jwt-leeway`).",
    "TokenNotMeant": "Get a token for here (`--jwt-audience`, `--jwt-issuer`).",
    "KeysUnavailable": "Wait as long as `Retry-After` says, then try again (`--jwks`).",
    "VerifierBusy": "Wait as long as `Retry-After` says, then try again.",
    "BadResponse": "Nothing; the function has to set fewer or shorter headers.",
}
"""What the client should do, and which option decides; one for each refusal."""

_FUNCTION_ERRORS = [
    (
        "the exception's name",
        f"500 `{problem_details.HANDLER_FAILED}`",
        "The handler raised an exception, returned no iterable of bytes, or broke a rule of "
        "PEP 3333. The log has the traceback.",
        "Nothing; the function must be corrected.",
    ),
    (
        "the exception's name, `HookTimeout` for its time",
        f"500 `{problem_details.HANDLER_FAILED}`",
        "The initializer failed, or ran for longer than `--initializer-timeout`; with "
        "`--initialize lazy`.",
        "Try again: the worker is replaced.",
    ),
    (
        "none, only `errorMessage`",
        f"504 `{problem_details.HANDLER_TIMEOUT}`",
        "The handler ran for longer than `--handler-timeout`.",
        "Try again if the function may be run twice: it may still be running.",
    ),
    (
        "none, only `errorMessage`",
        f"500 `{problem_details.HANDLER_LOST}`",
        "An exception from outside has ended the handler's thread.",
        "Nothing; the code that throws exceptions into threads must be corrected.",
    ),
]

_LOAD_ERRORS = [
    (
        "Unable to import module",
        names.IMPORT_MODULE_ERROR,
        "The module, or one that it imports, is not found.",
    ),
    (
        "Syntax error in module",
        names.USER_CODE_SYNTAX_ERROR,
        "The module, or one that it imports, is not valid Python.",
    ),
    (
        "Module initialization error",
        names.USER_CODE_ERROR,
        "The module raised an exception while it was imported.",
    ),
    (
        "Handler … is missing on module",
        names.HANDLER_NOT_FOUND,
        "The module has no callable of that name.",
    ),
    (
        "Invalid handler",
        names.INVALID_HANDLE_NAME,
        "The target is not spelled as one, or what it names is not a handler.",
    ),
]


def refusals() -> list[type[Refusal]]:
    """Every refusal, by status, then in the order in which they are defined."""
    found = [
        value
        for value in vars(errors).values()
        if inspect.isclass(value) and issubclass(value, Refusal) and value is not Refusal
    ]
    return sorted(found, key=lambda refusal: refusal.status)


def render_errors() -> str:
    """The whole page."""
    parts = [
        _INTRO,
        _table(
            ("style", "status", "header fields", "body of a refusal", "body of a failed handler"),
            iter(_STYLE_ROWS),
        ),
        _INTRO_REST,
        _EXAMPLES + _examples(),
        _REFUSALS,
        _table(
            (
                "status",
                "FC's code",
                "`X-Fc-Error-Type`",
                "plain status and code",
                "when",
                "connection",
                "what to do",
            ),
            (_refusal_row(refusal) for refusal in refusals()),
        ),
        _FUNCTION,
        _table(
            (
                "status",
                "`errorType`",
                "`X-Fc-Error-Type`",
                "plain status and code",
                "when",
                "connection",
                "what to do",
            ),
            (
                (
                    str(function_errors.STATUS),
                    error_type,
                    f"`{names.UNHANDLED_INVOCATION_ERROR}`",
                    plain,
                    when,
                    "stays",
                    advice,
                )
                for error_type, plain, when, advice in _FUNCTION_ERRORS
            ),
        ),
        _LOADING,
        _table(
            ("message", "FC's `errorType`", "when"),
            ((message, f"`{error_type}`", when) for message, error_type, when in _LOAD_ERRORS),
        ),
        _LOG,
    ]
    return "\n".join(parts)


_EXAMPLE = errors.BodyTooLarge("the request body is larger than 33554432 bytes")
_STYLES: list[tuple[ErrorStyle, str]] = [
    (FunctionCompute2(), "5f2b8c1e-8a57-4c0d-9e43-6a1d0b7f2c90"),
    (FunctionCompute3(), "1-672a1c5e-5f2b8c1e-6a1d0b7f2c90"),
    (ProblemDetails(), "5f2b8c1e-8a57-4c0d-9e43-6a1d0b7f2c90"),
]


def _examples() -> str:
    shown = []
    for style, request_id in _STYLES:
        head, body = style.refusal(_EXAMPLE, request_id)
        fields = [("X-Fc-Request-Id", request_id), *head.fields]
        lines = [f"HTTP/1.1 {head.status.line}", *(f"{field}: {value}" for field, value in fields)]
        content = json.dumps(json.loads(body), indent=2)
        shown.append("\n".join([f"```http\n{lines[0]}", *lines[1:], "", f"{content}\n```\n"]))
    return "\n".join(shown)


def _refusal_row(refusal: type[Refusal]) -> tuple[str, ...]:
    advice = _ADVICE[refusal.__name__]
    return (
        str(refusal.status),
        f"`{refusal.code}`",
        f"`{refusal.error_type}`",
        f"{plain_status(refusal)} `{refusal.__name__}`",
        " ".join((refusal.__doc__ or "").split()),
        "closes" if refusal.closes else "stays",
        advice,
    )


def _table(heads: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> str:
    lines = [heads, ("---",) * len(heads), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)
