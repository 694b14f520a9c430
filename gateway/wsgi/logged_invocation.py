"""Invocations whose handler's output is collected.

They are a type of their own, so that other invocations do not pay for them.
"""

from collections.abc import Callable
from typing import Any

from gateway.http.connection.invocation_log import INVOKE, InvocationLog, add_tail, wants_tail
from gateway.wsgi.deferred_response import DeferredResponse
from gateway.wsgi.invocation import Invocation, Rules
from gateway.wsgi.responder import ExchangeT


def invocation(
    rules: Rules, exchange: ExchangeT, make_environ: Callable[[ExchangeT], dict[str, Any]]
) -> Invocation:
    """An invocation, with a log if all have one or the client asks for its tail and may read it."""
    function_log = rules.function_log
    if function_log is None or not (function_log.is_on or wants_tail(exchange, function_log)):
        return Invocation(rules, exchange, make_environ)
    return LoggedInvocation(rules, exchange, make_environ)


class LoggedInvocation(Invocation):
    """An invocation inside the function log of its rules."""

    __slots__ = ("_invocation_log",)

    _invocation_log: InvocationLog | None

    def __init__(
        self,
        rules: Rules,
        exchange: ExchangeT,
        make_environ: Callable[[ExchangeT], dict[str, Any]],
    ) -> None:
        super().__init__(rules, exchange, make_environ)
        self._invocation_log = None

    def _invoke(self) -> None:
        function_log = self._rules.function_log
        assert function_log is not None  # Without one, invocations are of the plain type.
        exchange, make_environ = self.exchange, self._make_environ
        invocation_log = function_log.attend(
            INVOKE, exchange.request_id, wants_tail(exchange, function_log)
        )
        self._invocation_log = invocation_log
        if not invocation_log.wants_tail:
            with invocation_log:
                super()._invoke()
            return
        held = DeferredResponse(exchange, invocation_log)
        self.exchange = held
        self._make_environ = lambda _: make_environ(exchange)
        try:
            with invocation_log:
                super()._invoke()
        finally:
            self.exchange = exchange
            held.let_go()

    def _note_given_up(self, error: str) -> None:
        invocation_log = self._invocation_log
        if invocation_log is None:
            return
        invocation_log.end(error)
        add_tail(self.exchange, invocation_log)
        if isinstance(self.exchange, DeferredResponse):
            self.exchange = self.exchange.exchange
