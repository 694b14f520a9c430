"""The answers that the gateway gives itself: what clients see of refusals and failures."""

from typing import Protocol

from gateway.errors import Refusal
from gateway.fc import errors as fc_errors
from gateway.http.response_head import FAULT, ResponseHead, refusal_head

Answer = tuple[ResponseHead, bytes]
"""Head and body."""


class ErrorStyle(Protocol):
    """Makes these answers, each for the request with an id."""

    def refusal(self, refusal: Refusal, request_id: str) -> Answer:
        """For what is refused without, or in spite of, the handler."""

    def failure(self, error: BaseException, request_id: str) -> Answer:
        """For a handler that let an exception escape."""

    def timeout(self, seconds: float, request_id: str) -> Answer:
        """For a handler that ran for longer than `seconds`."""

    def lost(self, request_id: str) -> Answer:
        """For a handler under which its thread has ended."""


class FunctionCompute2:
    """Function Compute 2.0's: `{"ErrorCode", "ErrorMessage"}` for what the platform refuses."""

    def __init__(self, *, shows_stack: bool = False) -> None:
        """`shows_stack`: whether the client is shown where a handler failed."""
        self._shows_stack = shows_stack

    def refusal(self, refusal: Refusal, request_id: str) -> Answer:  # noqa: ARG002  # 3.0 tells it
        """Its own status and code."""
        return refusal_head(refusal), refusal.body()

    def failure(self, error: BaseException, request_id: str) -> Answer:  # noqa: ARG002
        """502."""
        return FAULT, fc_errors.exception_body(error, has_stack=self._shows_stack)

    def timeout(self, seconds: float, request_id: str) -> Answer:  # noqa: ARG002
        """502."""
        return FAULT, fc_errors.timeout_body(seconds)

    def lost(self, request_id: str) -> Answer:  # noqa: ARG002
        """502."""
        return FAULT, fc_errors.LOST_BODY
