"""The answers that the gateway gives itself: what clients see of refusals and failures."""

import json
from typing import Final, Protocol

from gateway.bounded_cache import BoundedCache
from gateway.errors import Refusal
from gateway.fc import errors as fc_errors
from gateway.http.message.response_head import FAULT, ResponseHead, refusal_head

Response = tuple[ResponseHead, bytes]
"""Head and body."""

_MOST_REMEMBERED: Final = 64
_LONGEST_REMEMBERED: Final = 256


class ErrorStyle(Protocol):
    """Makes these answers, each for the request with an id."""

    def refusal(self, refusal: Refusal, request_id: str) -> Response:
        """For what is refused without, or in spite of, the handler."""

    def failure(self, error: BaseException, request_id: str) -> Response:
        """For a handler that let an exception escape."""

    def timeout(self, seconds: float, request_id: str) -> Response:
        """For a handler that ran for longer than `seconds`."""

    def lost(self, request_id: str) -> Response:
        """For a handler under which its thread has ended."""


class RefusalTexts:
    """JSON objects that tell refusals, remembered: overload has the same told again and again."""

    def __init__(self) -> None:
        self._texts: BoundedCache[tuple[type[Refusal], str], bytes] = BoundedCache(_MOST_REMEMBERED)

    def of(self, refusal: Refusal) -> bytes:
        """The whole object, or its beginning where the request has a part in it."""
        key = (type(refusal), refusal.message)
        text = self._texts.get(key)
        if text is None:
            text = self.compose(refusal)
            if len(refusal.message) <= _LONGEST_REMEMBERED:  # Some quote the client.
                self._texts.remember(key, text)
        return text

    def compose(self, refusal: Refusal) -> bytes:
        """Make it, as Function Compute 2.0 tells it."""
        return refusal.body()


class FunctionCompute2:
    """Function Compute 2.0's: `{"ErrorCode", "ErrorMessage"}` for what the platform refuses."""

    def __init__(self, *, shows_stack: bool = False) -> None:
        """`shows_stack`: whether the client is shown where a handler failed."""
        self._shows_stack = shows_stack
        self._texts = RefusalTexts()

    def refusal(self, refusal: Refusal, request_id: str) -> Response:  # noqa: ARG002  # 3.0 tells it
        """Its own status and code."""
        return refusal_head(refusal), self._texts.of(refusal)

    def failure(self, error: BaseException, request_id: str) -> Response:  # noqa: ARG002
        """502."""
        return FAULT, fc_errors.exception_body(error, has_stack=self._shows_stack)

    def timeout(self, seconds: float, request_id: str) -> Response:  # noqa: ARG002
        """502."""
        return FAULT, fc_errors.timeout_body(seconds)

    def lost(self, request_id: str) -> Response:  # noqa: ARG002
        """502."""
        return FAULT, fc_errors.LOST_BODY


class FunctionCompute3(FunctionCompute2):
    """Function Compute 3.0's: `{"Code", "Message", "RequestId"}` for what the platform refuses.

    Statuses, codes and header fields are 2.0's, and so is what is told of a function's failure
    (FC 3.0, "Error codes" and "Error handling").
    """

    def __init__(self, *, shows_stack: bool = False) -> None:
        """As for 2.0."""
        super().__init__(shows_stack=shows_stack)
        self._texts = _Beginnings3()

    def refusal(self, refusal: Refusal, request_id: str) -> Response:
        """Its own status and code."""
        body = self._texts.of(refusal) + json.dumps(request_id).encode() + b"}"
        return refusal_head(refusal), body


class _Beginnings3(RefusalTexts):
    """Up to the request id."""

    def compose(self, refusal: Refusal) -> bytes:
        told = json.dumps({"Code": refusal.code, "Message": refusal.message})
        return told[:-1].encode() + b', "RequestId": '
