"""The gateway's own loggers, which work whatever the user's code does to `logging`.

Theory of operation.  These loggers are outside the registry of `logging`.  So they are not affected
by `dictConfig({"version": 1})`, which disables all existing loggers, nor by `logging.disable`,
removed handlers, `setLoggerClass` and record factories, and their records do not reach the user's
handlers.  Until `speak` sets a voice, which the command does and a library must not, records go to
the registry's logger of the same name: an application that embeds the gateway configures and reads
them there, as for any other library.
"""

import logging
from collections.abc import Callable
from typing import Any, Final, Protocol

RETRY_SECONDS: Final = 0.25
"""The interval of calls of `flush` while something is left to write."""


class Voice(Protocol):
    """Writes the records."""

    def is_enabled(self, name: str, level: int, /) -> bool:
        """Whether records of this logger and level are wanted."""

    def handle(self, record: logging.LogRecord) -> None:
        """Take a record; must not raise and must not wait."""

    def say(self, text: str) -> None:
        """Write lines that are not a record, without the last line end; must not raise or wait."""

    def flush(self) -> bool:
        """Write queued output without waiting; return whether all is written."""


class _Registry:
    """A voice that passes records to `logging` as the application has configured it."""

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
        # Without the user's record factory.  The ignored argument is `extra`.
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
    """The gateway's logger of this name, which must begin with `gateway.`."""
    return _loggers.setdefault(name, _OwnLogger(name))


def speak(voice: Voice | None) -> None:
    """Send all records to `voice` from now on; `None` means the application's logging."""
    global _voice  # noqa: PLW0603  # A process has one voice.
    _voice = _Registry() if voice is None else voice


def hand_over(record: logging.LogRecord) -> None:
    """Send a record of another logger to the voice."""
    _voice.handle(record)


def say(text: str) -> None:
    """Write lines that are not a record in one piece, without the last line end."""
    _voice.say(text)


def flush() -> bool:
    """Write queued output without waiting; return whether all is written."""
    return _voice.flush()


def divert(name: str, take: Callable[[logging.LogRecord], bool] | None) -> None:
    """Offer the records of a logger to `take` first; a record for which it returns true goes no
    further.

    `None` ends this.
    """
    if take is None:
        _diverted.pop(name, None)
    else:
        _diverted[name] = take
