"""What an asynchronous invocation answers to: nobody.  Its client has its 202 already."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Protocol

from gateway.error_log.loggers import logger
from gateway.http.message.head import RequestHead
from gateway.http.message.response import Status, status_of
from gateway.http.message.response_head import ResponseHead

if TYPE_CHECKING:
    from gateway.fc.context import Service

log = logger("gateway.function")

ACCEPTED: Final = ResponseHead.of(status_of(202), ())
"""Of what the client gets in place of the answer."""


class Request(Protocol):
    """What is left of the exchange that brought the request."""

    request_id: str

    @property
    def head(self) -> RequestHead | None: ...
    def release(self) -> None: ...


class DetachedExchange:
    """Stands in for the exchange whose request is run; the answer is dropped.

    Has the methods of `http.exchange` for a pool thread and those for the loop.  Kept in memory
    only: what is queued or running when the process ends is lost.
    """

    def __init__(self, request: Request) -> None:
        self._request = request
        self.request_id = request.request_id
        self.extra_fields = self.error = ""
        self.is_done = self.is_authenticated = False  # Nobody reads its log.
        self.on_over: Callable[[], None] | None = None
        """Called when it has run or is given up, perhaps twice; in any thread."""

    @property
    def head(self) -> RequestHead | None:
        """The request."""
        return self._request.head

    def _note(self, status: Status) -> None:
        if status.code >= 500:
            log.error("%s: asynchronous invocation failed: %s", self.request_id, status.line)

    def release(self) -> None:
        """The request's body is no longer needed."""
        self._request.release()
        self._tell_over()
        self.on_over = None  # It may refer back.

    def _tell_over(self) -> None:
        if self.on_over is not None:
            self.on_over()

    def begin_invocation(self, service: "Service") -> None:
        """Its answer, which would tell of it, is dropped."""

    # From a pool thread.

    def has_left(self) -> bool:
        """It is run for its own sake."""
        return False

    def respond(self, response: ResponseHead, body: bytes, length: int) -> None:  # noqa: ARG002
        """Note the outcome."""
        self.is_done = True
        self._note(response.status)

    def start(self, response: ResponseHead, length: int | None) -> None:  # noqa: ARG002
        """Note the outcome."""
        self._note(response.status)

    def write(self, data: bytes) -> None:
        """Drop a part."""

    def finish(self) -> bool:
        """The handler is done."""
        self.is_done = True
        return True

    def abandon(self) -> None:
        """The handler was not run, or failed."""
        self.is_done = True

    # From the loop.

    def respond_soon(self, response: ResponseHead, body: bytes) -> bool:
        """Note the outcome; False when there was one."""
        if self.is_done:
            return False
        self.respond(response, body, len(body))
        return True

    def start_soon(self, response: ResponseHead, length: int | None) -> bool:
        """Note the outcome; False when there was one."""
        if self.is_done:
            return False
        self.start(response, length)
        return True

    def write_soon(self, data: bytes) -> None:
        """Drop a part."""

    def finish_soon(self) -> bool:
        """The application is done."""
        return self.finish()

    def abandon_soon(self) -> None:
        """The application failed."""
        self.is_done = True

    def expire(self, response: ResponseHead, body: bytes) -> None:
        """The handler is past its time."""
        self.respond_soon(response, body)
        self._tell_over()
