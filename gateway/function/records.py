"""What a function logs, by any logger, as Function Compute's root logger has it."""

import logging
from types import TracebackType
from typing import TYPE_CHECKING, Final

from gateway.fc.errors import message_of

if TYPE_CHECKING:
    from gateway.function.attendance import Output
    from gateway.function.log import FunctionLog

_GATEWAY: Final = "gateway"
_FUNCTION: Final = "gateway.function"
"""The logger of `context.logger`, and of what the gateway tells of an invocation."""

_NEVER: Final = 1 << 30
"""A level that no record has."""


def is_own(record: logging.LogRecord) -> bool:
    """Whether a record is the gateway's own, and of no function."""
    name = record.name
    if name == _FUNCTION:
        return False
    return name == _GATEWAY or name.startswith(_GATEWAY + ".")


class RecordHandler(logging.Handler):
    """Hands records of functions to whom they belong."""

    def __init__(self, log: "FunctionLog") -> None:
        super().__init__()
        self._log = log
        self._traces = logging.Formatter()

    def install(self) -> None:
        """Stand at the root logger, before other handlers: as the one that functions find there."""
        logging.root.handlers.insert(0, self)

    def ignore(self, is_so: bool) -> None:
        """Whether records pass by: a comparison for each."""
        self.setLevel(_NEVER if is_so else logging.NOTSET)

    def emit(self, record: logging.LogRecord) -> None:
        if is_own(record):
            return
        output = self._log.output() if self._log.is_on else self._log.overheard()
        if output is None:
            return
        try:
            if self.formatter is not None:  # The function's own.
                text = self.formatter.format(record)
                output.record(record.created, record.levelname, text, text)
                return
            text = record.getMessage()
            if record.name == _FUNCTION:
                text = text.removeprefix(f"{output.request_id}: ")
            self._hand_over(output, record, text)
        except Exception:
            self.handleError(record)

    def tell(self, output: "Output", level: int, message: str, error: BaseException | None) -> None:
        """Hand `output` a message of the gateway, by whatever the function has done to logging."""
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
        """What the log has of the record's exception and stack."""
        parts = []
        if record.exc_info:
            parts.append(self._traces.formatException(record.exc_info))
        if record.stack_info:
            parts.append(record.stack_info)
        return "".join([f"\n{part}" for part in parts])

    def _brief(self, record: logging.LogRecord) -> str:
        """What a client may see of them."""
        if self._log.shows_stack:
            return self._trace(record)
        if record.exc_info and record.exc_info[1] is not None:
            return "\n" + brief(record.exc_info[1])
        return ""


def _own_trace(error: BaseException) -> TracebackType | None:
    """Where the function raised it, without the gateway's way to the function."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith(_GATEWAY_FOLDER):
        trace = trace.tb_next
    return trace or error.__traceback__


_GATEWAY_FOLDER: Final = __file__.rsplit("/function/", 1)[0] + "/"


def brief(error: BaseException) -> str:
    """An exception's type and message, without where it was raised."""
    message = message_of(error)
    return f"{type(error).__name__}: {message}" if message else type(error).__name__
