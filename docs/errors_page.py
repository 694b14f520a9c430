"""The page `docs/errors.md`, made from the refusals, the function errors and the load errors."""

import inspect
from collections.abc import Iterator

from gateway import errors
from gateway.errors import Refusal
from gateway.fc import errors as function_errors
from gateway.fc import names

_INTRO = """\
# Errors

Every error that a client is answered has a JSON body, an `X-Fc-Error-Type` and an
`X-Fc-Request-Id`, which is also in the access log.
"""

_REFUSALS = """\
## Refused by the gateway

The handler is not run (`BadResponse` aside). The body is
`{"ErrorCode": "…", "ErrorMessage": "…"}`; the message says what was wrong in this request. Where
the connection closes, the gateway first sends its answer, then reads on for a while, so that a
client that is still sending can read it.
"""

_FUNCTION = """\
## Failures of the handler

The body is `{"errorMessage": "…", "errorType": "…", "stackTrace": [["where", "line"], …]}`.
`stackTrace` is empty with `--no-tracebacks`. An answer that has begun cannot be replaced: then the
connection is cut, so that the client sees that the answer is not whole. An asynchronous
invocation (202) tells its failure in the log only.
"""

_LOADING = """\
## Handlers that cannot be loaded

`gateway serve` and `gateway check` tell it in one line on standard error and exit with status 2;
nothing is served.
"""

_LOG = """\
## In the access log only

| status | when |
| --- | --- |
| 499 | The client left before it was answered, or took nothing of its answer for too long. |
"""

_ADVICE = {
    "MalformedRequest": "Mend the request; the message names the rule. The same bytes will fail "
    "again.",
    "HeadersTooLarge": "Send fewer or shorter headers, often cookies (`--max-header-bytes`).",
    "PathTooLong": "Shorten path and query, or send the data as a body (`--max-path-bytes`).",
    "BodyTooLarge": "Send a smaller body, or hand the data over in a store (`--max-body`, "
    "`--max-async-body`).",
    "RequestTimeout": "Send faster, or again (`--head-timeout`, `--body-timeout`).",
    "ExpectationFailed": "Leave `Expect` out, or send `100-continue`.",
    "NotImplementedByGateway": "Use another method, or send the body without that coding.",
    "GatewayFault": "Tell whoever runs the gateway, with the request id; a retry may help.",
    "VersionNotSupported": "Speak HTTP/1.1.",
    "QueueFull": "Wait as long as `Retry-After` says, then try again, with growing pauses "
    "(`--threads`, `--queue`).",
    "QueueTimeout": "Wait as long as `Retry-After` says, then try again (`--queue-timeout`).",
    "ConnectionLimit": "Wait as long as `Retry-After` says, then connect again; keep fewer "
    "connections (`--max-connections`).",
    "BudgetTimeout": "Wait as long as `Retry-After` says, then try again (`--body-memory`).",
    "BadResponse": "Nothing; the function has to set fewer or shorter headers.",
}
"""What the client should do, and which option decides; one for each refusal."""

_FUNCTION_ERRORS = [
    (
        "the exception's name",
        "The handler raised an exception, returned no iterable of bytes, or broke a rule of "
        "PEP 3333. The log has the traceback.",
        "Nothing; the function has to be mended.",
    ),
    (
        "none, only `errorMessage`",
        "The handler ran for longer than `--handler-timeout`.",
        "Try again if the function may be run twice: it may still be running.",
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
        "The target is not spelled as one, or names what is no handler.",
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
        _REFUSALS,
        _table(
            ("status", "`ErrorCode`", "`X-Fc-Error-Type`", "when", "connection", "what to do"),
            (_refusal_row(refusal) for refusal in refusals()),
        ),
        _FUNCTION,
        _table(
            ("status", "`errorType`", "`X-Fc-Error-Type`", "when", "connection", "what to do"),
            (
                (
                    str(function_errors.STATUS),
                    error_type,
                    f"`{names.UNHANDLED_INVOCATION_ERROR}`",
                    when,
                    "stays",
                    advice,
                )
                for error_type, when, advice in _FUNCTION_ERRORS
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


def _refusal_row(refusal: type[Refusal]) -> tuple[str, ...]:
    advice = _ADVICE[refusal.__name__]
    return (
        str(refusal.status),
        f"`{refusal.code}`",
        f"`{refusal.error_type}`",
        " ".join((refusal.__doc__ or "").split()),
        "closes" if refusal.closes else "stays",
        advice,
    )


def _table(heads: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> str:
    lines = [heads, ("---",) * len(heads), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)
