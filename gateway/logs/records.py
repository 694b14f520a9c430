"""Collects what a function logs, by any logger, like Function Compute's root logger."""

import logging
from types import TracebackType
from typing import TYPE_CHECKING, Final

from gateway.error_log.loggers import divert, hand_over
from gateway.fc.context import LOGGER, FunctionLogger
from gateway.fc.errors import message_of
from gateway.logs.invocation_log import CURRENT

if TYPE_CHECKING:
    from gateway.logs.function_log import FunctionLog
    from gateway.logs.invocation_log import Output

_FUNCTION: Final = "gateway.function"
"""The gateway's logger for messages about invocations; also the name of `context.logger`."""


class RecordHandler(logging.Handler):
    """Passes records of functions to the output that they belong to.

    With a function log it is a handler of the root logger, like the one on Function Compute.
    Without one the root logger stays untouched, so that `basicConfig` and everything else works as
    without the gateway.  A tail then gets the records without a handler, because this handler
    replaces `logging.lastResort`; of other records it gets what their handlers print.
    """

    def __init__(self, log: "FunctionLog") -> None:
        super().__init__()
        self._log = log
        self._traces = logging.Formatter()
        self._last_resort = logging.lastResort

    def install(self) -> None:
        """Take the records of functions and the gateway's messages about invocations from now
        on."""
        divert(_FUNCTION, self.take_own)
        if self._log.is_on:
            logging.root.handlers.insert(0, self)
        else:
            logging.lastResort = self

    def withdraw(self) -> None:
        """Take no more records."""
        divert(_FUNCTION, None)
        logging.root.removeHandler(self)
        if logging.lastResort is self:
            logging.lastResort = self._last_resort

    def emit(self, record: logging.LogRecord) -> None:
        output = self._log.output() if self._log.is_on else self._log.overheard()
        if output is not None:
            try:
                self._take(output, record)
            except Exception:
                self.handleError(record)
        resort = self._last_resort
        if not self._log.is_on and resort is not None and record.levelno >= resort.level:
            # What it prints must not count as output of the invocation again.
            token = CURRENT.set(None)
            try:
                resort.handle(record)
            finally:
                CURRENT.reset(token)

    def take_own(self, record: logging.LogRecord) -> bool:
        """Take a message of the gateway about an invocation; return whether the function log has
        it."""
        log = self._log
        output = log.output() if log.is_on else log.overheard()
        if output is not None:
            text = record.getMessage().removeprefix(f"{output.request_id}: ")
            self._hand_over(output, record, text)
        return log.is_on

    def _take(self, output: "Output", record: logging.LogRecord) -> None:
        if self.formatter is not None:  # The function has set its own formatter.
            text = self.formatter.format(record)
            output.record(record.created, record.levelname, text, text)
        else:
            self._hand_over(output, record, record.getMessage())

    def tell(self, output: "Output", level: int, message: str, error: BaseException | None) -> None:
        """Pass a message of the gateway to `output`, whatever the function has done to logging."""
        exc_info = None if error is None else (type(error), error, _own_trace(error))
        record = logging.LogRecord(_FUNCTION, level, "", 0, message, None, exc_info)
        self._hand_over(output, record, message)

    def _hand_over(self, output: "Output", record: logging.LogRecord, text: str) -> None:
        output.record(
            record.created,
            record.levelname,
            text + self._trace(record),
            text + self._brief(record),
        )

    def _trace(self, record: logging.LogRecord) -> str:
        """The record's exception and stack for the log."""
        parts = []
        if record.exc_info:
            parts.append(self._traces.formatException(record.exc_info))
        if record.stack_info:
            parts.append(record.stack_info)
        return "".join([f"\n{part}" for part in parts])

    def _brief(self, record: logging.LogRecord) -> str:
        """The part of exception and stack that a client may see."""
        if self._log.shows_stack:
            return self._trace(record)
        if record.exc_info and record.exc_info[1] is not None:
            return "\n" + brief(record.exc_info[1])
        return ""


class ContextRecords(logging.Handler):
    """Sends records of `context.logger` to the gateway's own log if nothing else takes them.

    That is so without a function log if the function has not configured logging.
    """

    def __init__(self, level: str, log: "FunctionLog | None") -> None:
        """Take records of `level`, such as `info`, and above; `log` provides tails, if there are
        any."""
        super().__init__()
        self._least = logging.getLevelNamesMapping()[level.upper()]
        self._log = log

    def install(self) -> None:
        """Become a handler of `context.logger`."""
        LOGGER.addHandler(self)
        if isinstance(LOGGER, FunctionLogger):
            LOGGER.least = self._least

    def emit(self, record: logging.LogRecord) -> None:
        if logging.root.handlers or LOGGER.handlers != [self]:
            return
        output = None if self._log is None else self._log.overheard()
        if output is not None and self._log is not None:
            self._log.take_own(record)
        if record.levelno >= self._least:
            hand_over(record)


def _own_trace(error: BaseException) -> TracebackType | None:
    """The traceback without the gateway's frames at its beginning."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith(_GATEWAY_FOLDER):
        trace = trace.tb_next
    return trace or error.__traceback__


_GATEWAY_FOLDER: Final = __file__.rsplit("/logs/", 1)[0] + "/"


def brief(error: BaseException) -> str:
    """An exception's type and message, without its traceback."""
    message = message_of(error)
    return f"{type(error).__name__}: {message}" if message else type(error).__name__
