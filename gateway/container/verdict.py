"""`X-Fc-Status`: how a container tells Function Compute whether an invocation succeeded.

FC takes an answer without it for a success, so a function that fails would look well in its metrics
("Specifications" of custom runtimes): 200 is success and 404 failure, whatever the answer's status.

Theory of operation: each exchange is given the field of a success before it is handled.  What the
gateway answers in the function's place is a `FailedHead`, which turns the field round when it is
encoded: so an answer has one of the two, whoever makes it, and a handler's costs nothing more.
"""

from typing import Final

from gateway.errors import Refusal
from gateway.fc import names
from gateway.http.answers.error_style import ErrorStyle, Response
from gateway.http.message.head import RequestHead
from gateway.http.message.response_head import ResponseHead

SUCCEEDED: Final = f"\r\n{names.STATUS}: 200"
FAILED: Final = f"\r\n{names.STATUS}: 404"
"""As `Exchange.extra_fields` has them."""


class FailedHead(ResponseHead):
    """Of an answer that tells of a failure."""

    __slots__ = ()

    def encode(
        self, request: RequestHead | None, length: int | None, keep_alive: bool, constant: str
    ) -> bytes:
        """As it does otherwise, and with the field of a failure."""
        constant = constant.replace(SUCCEEDED, "") + FAILED
        return super().encode(request, length, keep_alive, constant)


class Verdicts:
    """An error style whose answers tell of a failure."""

    def __init__(self, style: ErrorStyle) -> None:
        self._style = style

    def refusal(self, refusal: Refusal, request_id: str) -> Response:
        """For what is refused without, or in spite of, the handler."""
        return _failed(self._style.refusal(refusal, request_id))

    def failure(self, error: BaseException, request_id: str) -> Response:
        """For a handler, or an initializer, that let an exception escape."""
        return _failed(self._style.failure(error, request_id))

    def timeout(self, seconds: float, request_id: str) -> Response:
        """For a handler that ran for longer than `seconds`."""
        return _failed(self._style.timeout(seconds, request_id))

    def lost(self, request_id: str) -> Response:
        """For a handler under which its thread has ended."""
        return _failed(self._style.lost(request_id))


def _failed(answer: Response) -> Response:
    head, body = answer
    return FailedHead.of(head.status, head.fields), body
