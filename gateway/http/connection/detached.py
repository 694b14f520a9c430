"""The exchange of an asynchronous invocation, whose client has 202 already."""

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
"""Head of the response that the client gets at once."""


class Request(Protocol):
    """The part of the original exchange that outlives its response."""

    request_id: str

    @property
    def head(self) -> RequestHead | None: ...
    def release(self) -> None: ...


class DetachedExchange:
    """Stands in for an `Exchange` while its request runs, and drops the response.

    It has the methods of `Exchange` for a pool thread and those for the loop.  It is kept in memory
    only: an invocation that is queued or running when the process ends is lost.
    """

    def __init__(self, request: Request) -> None:
        self._request = request
        self.request_id = request.request_id
        self.extra_fields = self.error = ""
        self.is_done = self.is_authenticated = False  # No client gets the tail of its log.
        self.on_over: Callable[[], None] | None = None
        """Called when the invocation is over or given up, perhaps twice; in any thread."""

    @property
    def head(self) -> RequestHead | None:
        """The request's head."""
        return self._request.head

    def _note(self, status: Status) -> None:
        if status.code >= 500:
            log.error("%s: asynchronous invocation failed: %s", self.request_id, status.line)

    def release(self) -> None:
        """Let go of the request's body."""
        self._request.release()
        self._notify_over()
        self.on_over = None  # It may refer back.

    def _notify_over(self) -> None:
        if self.on_over is not None:
            self.on_over()

    def begin_invocation(self, service: "Service") -> None:
        """Ignored: only the response, which is dropped, would describe the invocation."""

    # From a pool thread.

    def has_left(self) -> bool:
        """Never: the invocation does not depend on its client."""
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
        self._notify_over()
