"""What may stand between a request's head and its body: who is let in, and other origins' pages."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from gateway.http.answers.error_style import Response
from gateway.http.message.head import RequestHead
from gateway.http.message.response_head import ResponseHead

if TYPE_CHECKING:
    from gateway.http.connection.exchange import Exchange


class Deferral(Protocol):
    """Something that has to come before a gate can tell, in bounded time."""

    def when_over(self, callback: Callable[[], None]) -> None:
        """Have the loop call `callback`, once, when it has come, or will not."""


class Gate(Protocol):
    """Looks at each request when its head is complete and nothing of its body is read."""

    def check(self, exchange: "Exchange", *, may_defer: bool) -> Response | Deferral | None:
        """`None`: it goes on.  Else its answer, or what the gate, asked again, can tell after.

        Called on the loop; must not block.  Where not `may_defer` it decides.

        Raises:
            Refusal: it goes no further.
        """


class CrossOrigin(Protocol):
    """Adds to answers what lets pages of other origins read them (CORS)."""

    def lines(self, request: RequestHead, response: ResponseHead) -> str:
        """Field lines for `response` to `request`, each behind a line end; from any thread."""
