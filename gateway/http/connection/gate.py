"""Checks between a request's head and its body: who may call (gates), from which pages (CORS)."""

from collections.abc import Callable
from typing import Protocol

from gateway.http.answers.error_style import Response
from gateway.http.connection.exchange import Exchange
from gateway.http.message.head import RequestHead
from gateway.http.message.response_head import ResponseHead


class Deferral(Protocol):
    """Something that a gate has to wait for, in bounded time, before it can decide."""

    def when_over(self, callback: Callable[[], None]) -> None:
        """Let the loop call `callback`, once, when the wait is over, successful or not."""


class Gate(Protocol):
    """Checks each request when its head is complete and nothing of its body is read."""

    def check(self, exchange: Exchange, *, may_defer: bool) -> Response | Deferral | None:
        """`None` lets the request in; a response ends it.  A deferral: ask again after it.

        Called on the loop; must not block.  Unless `may_defer`, the gate must decide.

        Raises:
            Refusal: the request must not go on.
        """


class CrossOrigin(Protocol):
    """Adds the fields to responses that let pages of other origins read them (CORS)."""

    def lines(self, request: RequestHead, response: ResponseHead) -> str:
        """Field lines for `response`, each with a line end in front; from any thread."""
