"""The gateway's own responses: what clients see of refusals and failures."""

import json
from typing import Final, Protocol

from gateway.bounded_cache import BoundedCache
from gateway.errors import Refusal
from gateway.fc import errors as fc_errors
from gateway.http.message.response_head import FAULT, ResponseHead, refusal_head

Response = tuple[ResponseHead, bytes]
"""Head and body."""

_MAX_CACHED: Final = 64
_MAX_CACHED_CHARACTERS: Final = 256


class ErrorStyle(Protocol):
    """Composes these responses, each for the request with the given id."""

    def refusal(self, refusal: Refusal, request_id: str) -> Response:
        """The response to a refused request."""

    def failure(self, error: BaseException, request_id: str) -> Response:
        """The response for a handler that let an exception escape."""

    def timeout(self, seconds: float, request_id: str) -> Response:
        """The response for a handler that ran for longer than `seconds`."""

    def lost(self, request_id: str) -> Response:
        """The response for a handler whose thread has ended before it."""


class RefusalTexts:
    """JSON bodies of refusals, cached: overload repeats a few of them again and again."""

    def __init__(self) -> None:
        self._texts: BoundedCache[tuple[type[Refusal], str], bytes] = BoundedCache(_MAX_CACHED)

    def of(self, refusal: Refusal) -> bytes:
        """The JSON object: whole, or without its end if that contains the request id."""
        key = (type(refusal), refusal.message)
        text = self._texts.get(key)
        if text is None:
            text = self.compose(refusal)
            if len(refusal.message) <= _MAX_CACHED_CHARACTERS:  # Some quote the client.
                self._texts.remember(key, text)
        return text

    def compose(self, refusal: Refusal) -> bytes:
        """The JSON object of Function Compute 2.0."""
        return refusal.body()


class FunctionCompute2:
    """Function Compute 2.0's style: `{"ErrorCode", "ErrorMessage"}` for refused requests."""

    def __init__(self, *, shows_stack: bool = False) -> None:
        """`shows_stack`: whether clients see the stack trace of a failed handler."""
        self._shows_stack = shows_stack
        self._texts = RefusalTexts()

    def refusal(self, refusal: Refusal, request_id: str) -> Response:  # noqa: ARG002  # 3.0 uses it
        """Status and code of the refusal."""
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
    """Function Compute 3.0's style: `{"Code", "Message", "RequestId"}` for refused requests.

    Statuses, codes and header fields are those of 2.0, and so are the responses for a failed
    function (FC 3.0, "Error codes" and "Error handling").
    """

    def __init__(self, *, shows_stack: bool = False) -> None:
        """`shows_stack`: whether clients see the stack trace of a failed handler."""
        super().__init__(shows_stack=shows_stack)
        self._texts = _Beginnings3()

    def refusal(self, refusal: Refusal, request_id: str) -> Response:
        """Status and code of the refusal."""
        body = self._texts.of(refusal) + json.dumps(request_id).encode() + b"}"
        return refusal_head(refusal), body


class _Beginnings3(RefusalTexts):
    """JSON objects up to the request id."""

    def compose(self, refusal: Refusal) -> bytes:
        text = json.dumps({"Code": refusal.code, "Message": refusal.message})
        return text[:-1].encode() + b', "RequestId": '
