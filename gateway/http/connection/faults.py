"""What the gateway records of an invocation that goes wrong, in whatever protocol."""

import logging
from contextlib import suppress
from typing import Protocol

from gateway.error_log.loggers import logger
from gateway.errors import BadResponse, Refusal
from gateway.http.connection.invocation_log import InvocationLog

log = logger("gateway.function")


class Failing(Protocol):
    """An exchange whose invocation has gone wrong."""

    request_id: str
    error: str


def record_message(
    exchange: Failing,
    invocation_log: InvocationLog | None,
    level: int,
    message: str,
    error: BaseException | None = None,
) -> None:
    """Log a message of the gateway about an invocation, in the invocation's log if it has one.

    `error` adds its traceback.  Never raises: a handler that has broken the log gets its response.
    """
    with suppress(Exception):
        if invocation_log is not None and invocation_log.tell(level, message, error):
            return
        log.log(level, "%s: %s", exchange.request_id, message, exc_info=error)


def record_refusal(
    exchange: Failing, invocation_log: InvocationLog | None, refusal: Refusal
) -> None:
    """Record that the gateway refuses an invocation, or what its handler responds with."""
    if isinstance(refusal, BadResponse):
        record_message(exchange, invocation_log, logging.ERROR, refusal.message)
    if invocation_log is not None:
        invocation_log.fail(refusal.message)
    exchange.error = refusal.code


def record_failure(
    exchange: Failing, invocation_log: InvocationLog | None, message: str, error: BaseException
) -> None:
    """Record an exception that the function's code let escape."""
    record_message(exchange, invocation_log, logging.ERROR, message, error)
    if invocation_log is not None:
        invocation_log.fail()
