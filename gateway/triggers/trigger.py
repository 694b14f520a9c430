"""An HTTP trigger: which requests it accepts, and what it adds to responses."""

import asyncio
from typing import Protocol

from gateway.errors import MethodNotAllowed
from gateway.http.answers.error_style import Response
from gateway.http.connection.exchange import Exchange
from gateway.http.connection.gate import Deferral
from gateway.http.message.head import RequestHead
from gateway.triggers.cors import Cors


class Authentication(Protocol):
    """Checks the credentials of requests."""

    def check(self, head: RequestHead, *, may_defer: bool) -> Deferral | None:
        """Return `None` to accept the request, or what to wait for before checking again.

        Raises:
            Refusal: the request is refused.
        """

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin with what it does besides, on the loop that will ask it."""


class Trigger:
    """Checks requests in this order: preflights, methods, credentials."""

    def __init__(
        self,
        *,
        methods: tuple[str, ...] = (),
        authentication: Authentication | None = None,
        cors: Cors | None = None,
    ) -> None:
        """`methods` are the allowed methods, empty for all."""
        self.cors = cors
        self._methods = methods
        self._authentication = authentication

    def __repr__(self) -> str:
        return f"<Trigger {self._methods} {self._authentication!r}>"

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin with what it does besides, on the loop that will ask it."""
        if self._authentication is not None:
            self._authentication.start(loop)

    def check(self, exchange: Exchange, *, may_defer: bool) -> Response | Deferral | None:
        """See `http.gate.Gate`."""
        head = exchange.head
        assert head is not None  # A request without a head was refused before.
        if self.cors is not None and "OPTIONS" not in self._methods:
            # First, since browsers send no credentials with a preflight.
            answer = self.cors.preflight(head, self._methods)
            if answer is not None:
                return answer
        if self._methods and head.method not in self._methods:
            raise MethodNotAllowed(
                f"the trigger allows {', '.join(self._methods)}, and no other methods",
                self._methods,
            )
        if self._authentication is None:
            return None
        deferral = self._authentication.check(head, may_defer=may_defer)
        exchange.is_authenticated = deferral is None
        return deferral
