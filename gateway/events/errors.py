"""Responses of InvokeFunction for functions that fail: the invocation itself has succeeded.

So the status is 200, with `X-Fc-Error-Type` (FC, "Error handling").
"""

from gateway.errors import Refusal
from gateway.fc import errors as fc_errors
from gateway.fc.invocation_url import parse_invocation_url
from gateway.http.answers.error_style import ErrorStyle, Response
from gateway.http.message.head import RequestHead
from gateway.http.message.response import status_of
from gateway.http.message.response_head import ResponseHead

_FUNCTION_ERROR = ResponseHead.of(status_of(200), fc_errors.HEADERS)


class EventErrors:
    """The error styles of a gateway with an event handler: one for each kind of request."""

    def __init__(self, style: ErrorStyle, *, shows_stack: bool = False) -> None:
        """`style` is for HTTP requests, and for refusals of the gateway.

        `shows_stack`: whether InvokeFunction shows the stack of a function that failed.
        """
        self._of_http = style
        self._of_invocations = _InvocationErrors(style, shows_stack=shows_stack)

    def of(self, head: RequestHead | None) -> ErrorStyle:
        """The style for a request."""
        if head is None or parse_invocation_url(head.method, head.target) is None:
            return self._of_http
        return self._of_invocations


class _InvocationErrors:
    """The style for InvokeFunction.

    Its bodies are FC's whatever `--error-style` says, because FC's SDKs call this URL.
    """

    def __init__(self, style: ErrorStyle, *, shows_stack: bool) -> None:
        self._style = style
        self._shows_stack = shows_stack

    def refusal(self, refusal: Refusal, request_id: str) -> Response:
        """Like other requests: the function has not run."""
        return self._style.refusal(refusal, request_id)

    def failure(self, error: BaseException, request_id: str) -> Response:  # noqa: ARG002  # of HTTP
        """200, with the exception."""
        return _FUNCTION_ERROR, fc_errors.exception_body(error, has_stack=self._shows_stack)

    def timeout(self, seconds: float, request_id: str) -> Response:  # noqa: ARG002
        """200, with FC's message for a timeout."""
        return _FUNCTION_ERROR, fc_errors.timeout_body(seconds)

    def lost(self, request_id: str) -> Response:  # noqa: ARG002
        """200, with the message for a thread that has ended."""
        return _FUNCTION_ERROR, fc_errors.LOST_BODY
