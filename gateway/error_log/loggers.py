"""The gateway's own loggers: what it has to say is said, whatever its user does to `logging`.

Theory of operation.  These loggers stand beside the registry of `logging`.  So
`dictConfig({"version": 1})`, which disables all loggers that exist, `logging.disable`, handlers
that are removed, `setLoggerClass` and record factories do not concern them, and nothing that they
say reaches the user's handlers.  Until `speak` has named a voice, which the command does and a
library must not, records go to the registry's logger of the same name: an application that embeds
the gateway configures and reads them there like those of any other library.
"""

import logging
from collections.abc import Callable
from typing import Any, Final, Protocol

RETRY_SECONDS: Final = 0.25
"""Between two calls of `flush` where something is left to be written."""


class Voice(Protocol):
    """Where records go."""

    def is_enabled(self, name: str, level: int, /) -> bool:
        """Whether records of a logger are wanted."""

    def handle(self, record: logging.LogRecord) -> None:
        """Take a record; does not raise and does not wait."""

    def say(self, text: str) -> None:
        """Take lines that are no record, without the end of the last one; as `handle`."""

    def flush(self) -> bool:
        """Write what had to wait, and do not wait for it; whether that was all."""


class _Registry:
    """The application's: `logging` as it has been configured."""

    def is_enabled(self, name: str, level: int, /) -> bool:
        return logging.getLogger(name).isEnabledFor(level)

    def handle(self, record: logging.LogRecord) -> None:
        logging.getLogger(record.name).handle(record)

    def say(self, text: str) -> None:
        logging.getLogger("gateway").info("%s", text)

    def flush(self) -> bool:
        return True


class _OwnLogger(logging.Logger):
    def isEnabledFor(self, level: int) -> bool:  # noqa: N802 - the library's spelling
        return _voice.is_enabled(self.name, level)

    def makeRecord(self, *values: Any) -> logging.LogRecord:  # noqa: N802
        # By no factory of the user's.  Behind the function's name there is `extra`.
        name, level, file, line, text, arguments, error, function, _, stack = values
        return logging.LogRecord(name, level, file, line, text, arguments, error, function, stack)

    def callHandlers(self, record: logging.LogRecord) -> None:  # noqa: N802 - the library's
        take = _diverted.get(record.name)
        if take is None or not take(record):
            _voice.handle(record)


_voice: Voice = _Registry()
_loggers: dict[str, logging.Logger] = {}
_diverted: dict[str, Callable[[logging.LogRecord], bool]] = {}


def logger(name: str) -> logging.Logger:
    """The gateway's logger of this name, which begins with `gateway.`."""
    return _loggers.setdefault(name, _OwnLogger(name))


def speak(voice: Voice | None) -> None:
    """Have all records go to `voice` from now on; `None`: to the application's logging."""
    global _voice  # noqa: PLW0603  # One process has one.
    _voice = _Registry() if voice is None else voice


def hand_over(record: logging.LogRecord) -> None:
    """Have a record that has been made elsewhere told as one of these loggers."""
    _voice.handle(record)


def say(text: str) -> None:
    """Write lines that are no record, without the end of the last one, in one piece."""
    _voice.say(text)


def flush() -> bool:
    """Write what had to wait for the log's reader, and do not wait; whether that was all."""
    return _voice.flush()


def divert(name: str, take: Callable[[logging.LogRecord], bool] | None) -> None:
    """Show the records of a logger to `take` first; what it returns true for has gone there.

    `None`: to nobody.
    """
    if take is None:
        _diverted.pop(name, None)
    else:
        _diverted[name] = take
