"""Invocations with somebody listening to what the handler prints and logs.

A type of their own, so that they cost the others nothing.
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
    """An invocation with somebody listening if there is a log, or the client may have its tail."""
    function_log = rules.function_log
    if function_log is None or not (function_log.is_on or wants_tail(exchange, function_log)):
        return Invocation(rules, exchange, make_environ)
    return LoggedInvocation(rules, exchange, make_environ)


class LoggedInvocation(Invocation):
    """One that the function log of its rules listens to."""

    __slots__ = ("_attendance",)

    _attendance: InvocationLog | None

    def __init__(
        self,
        rules: Rules,
        exchange: ExchangeT,
        make_environ: Callable[[ExchangeT], dict[str, Any]],
    ) -> None:
        super().__init__(rules, exchange, make_environ)
        self._attendance = None

    def _invoke(self) -> None:
        function_log = self._rules.function_log
        assert function_log is not None  # Or it would be a plain one.
        exchange, make_environ = self.exchange, self._make_environ
        attendance = function_log.attend(
            INVOKE, exchange.request_id, wants_tail(exchange, function_log)
        )
        self._attendance = attendance
        if not attendance.wants_tail:
            with attendance:
                super()._invoke()
            return
        held = DeferredResponse(exchange, attendance)
        self.exchange = held
        self._make_environ = lambda _: make_environ(exchange)
        try:
            with attendance:
                super()._invoke()
        finally:
            self.exchange = exchange
            held.let_go()

    def _note_given_up(self, error: str) -> None:
        attendance = self._attendance
        if attendance is None:
            return
        attendance.end(error)
        add_tail(self.exchange, attendance)
        if isinstance(self.exchange, DeferredResponse):
            self.exchange = self.exchange.exchange
