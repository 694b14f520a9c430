"""`X-Fc-Status`: how a container tells Function Compute whether an invocation succeeded.

FC takes a response without it for a success, so a function that fails would look healthy in its
metrics ("Specifications" of custom runtimes): 200 is success and 404 failure, whatever the status
of the response.

Theory of operation: each exchange has the field of a success from the start.  A response that the
gateway makes in the function's place has a `FailedHead`, which replaces the field when it is
encoded.  So every response has one of the two, and responses of handlers cost nothing more.
"""

from typing import Final

from gateway.errors import Refusal
from gateway.fc import names
from gateway.http.answers.error_style import ErrorStyle, Response
from gateway.http.message.head import RequestHead
from gateway.http.message.response_head import ResponseHead

SUCCEEDED: Final = f"\r\n{names.STATUS}: 200"
FAILED: Final = f"\r\n{names.STATUS}: 404"
"""Lines for `Exchange.extra_fields`."""


class FailedHead(ResponseHead):
    """The head of a response that reports a failure."""

    __slots__ = ()

    def encode(
        self, request: RequestHead | None, length: int | None, keep_alive: bool, constant: str
    ) -> bytes:
        """The head's bytes, with the field of a failure instead of a success."""
        constant = constant.replace(SUCCEEDED, "") + FAILED
        return super().encode(request, length, keep_alive, constant)


class Verdicts:
    """An error style whose responses report a failure."""

    def __init__(self, style: ErrorStyle) -> None:
        self._style = style

    def refusal(self, refusal: Refusal, request_id: str) -> Response:
        """For a request, or a handler's response, that the gateway refuses."""
        return _failed(self._style.refusal(refusal, request_id))

    def failure(self, error: BaseException, request_id: str) -> Response:
        """For a handler, or an initializer, that let an exception escape."""
        return _failed(self._style.failure(error, request_id))

    def timeout(self, seconds: float, request_id: str) -> Response:
        """For a handler that ran for longer than `seconds`."""
        return _failed(self._style.timeout(seconds, request_id))

    def lost(self, request_id: str) -> Response:
        """For a handler whose thread has ended."""
        return _failed(self._style.lost(request_id))


def _failed(response: Response) -> Response:
    head, body = response
    return FailedHead.of(head.status, head.fields), body
