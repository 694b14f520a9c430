"""The logs of a worker on standard output, from the settings: a part of `app.py`."""

import logging
import os
import sys
from time import time
from types import TracebackType

from gateway.config import Config
from gateway.error_log.loggers import flush as flush_own_log
from gateway.errors import UsageError
from gateway.hooks.hooks import Attend
from gateway.http.connection.invocation_log import Readers
from gateway.logs.access_log import AccessLog
from gateway.logs.colours import wants_colour
from gateway.logs.function_log import FunctionLog
from gateway.logs.line_buffer import LineBuffer
from gateway.logs.line_forms import Form, JsonForm, TextForm
from gateway.logs.line_writer import LineWriter
from gateway.logs.records import ContextRecords

_CLOSE_SECONDS = 2.0
"""Time for a reader to take the end of the log."""


class Logs:
    """Access log and function log, with one writer so that their lines do not mix."""

    def __init__(
        self,
        config: Config,
        function_name: str,
        lock: int | None,
        buffer: LineBuffer | None = None,
    ) -> None:
        """For `lock` and `buffer` see `LineWriter`.  The caller must call `close`.

        Raises:
            UsageError: there is no standard output.
        """
        self._is_closed = False
        self._buffer = buffer
        self.access = _open_access_log(config, lock, buffer)
        self.function: FunctionLog | None = None
        self._writer: LineWriter | None = None if self.access is None else self.access.writer
        if config.function_log != "off" or tail_readers(config) != "nobody":
            self.function = self._function_log(config, function_name, lock)
            self.function.install()
        if config.function_log == "off":
            ContextRecords(config.log_level, self.function).install()

    def _function_log(self, config: Config, function_name: str, lock: int | None) -> FunctionLog:
        form: Form | None = None
        if config.function_log != "off":
            lines = JsonForm(function_name) if config.function_log == "json" else TextForm()
            if self._writer is None:
                output = _standard_output("--function-log")
                self._writer = LineWriter(
                    output, lambda count: lines.missing(time(), count), lock, self._buffer
                )
            form = lines
            _set_root_level(config.log_level)
        return FunctionLog(
            form,
            self._put,
            memory=config.function_memory,
            shows_stack=config.tracebacks,
            tail_readers=tail_readers(config),
        )

    def _put(self, line: str) -> None:
        if self._writer is not None:
            self._writer.put(line)
            self._writer.rouse()

    @property
    def attend(self) -> Attend | None:
        """Makes the context manager in which hooks run; `None` if their output is not logged."""
        function = self.function
        return function.attend if function is not None and function.is_on else None

    def flush(self) -> None:
        """Start to write the queued lines, without waiting."""
        if self.access is not None:
            self.access.flush()
        elif self._writer is not None:
            self._writer.flush()
        flush_own_log()

    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close; after an error restore the standard streams first: its report is the gateway's."""
        if kind is not None:
            self.withdraw()
        self.close()

    def withdraw(self) -> None:
        """Restore `sys.stdout` and `sys.stderr`."""
        if self.function is not None:
            self.function.withdraw()

    def close(self) -> None:
        """Write the queued lines; later output is written directly.  May be called twice."""
        if self._is_closed:
            return
        self._is_closed = True
        if self.function is not None:
            self.function.leave()
        if self._writer is not None:
            self._writer.close(_CLOSE_SECONDS)


def tail_readers(config: Config) -> Readers:
    """Which clients may read what the handler prints for their requests."""
    if config.log_tail is None:
        return "nobody" if config.auth == "anonymous" else "authenticated"
    return "everybody" if config.log_tail else "nobody"


def _open_access_log(
    config: Config, lock: int | None, buffer: LineBuffer | None = None
) -> AccessLog | None:
    """The access log on standard output, if it is on; for `lock` and `buffer` see `LineWriter`.

    Raises:
        UsageError: there is no standard output.
    """
    if config.access_log == "off":
        return None
    descriptor = _standard_output("--access-log")
    in_colour = wants_colour(os.environ, is_terminal=os.isatty(descriptor))
    return AccessLog(
        config.access_log,
        descriptor,
        lock,
        query=config.log_query,
        in_colour=in_colour,
        buffer=buffer,
    )


def _standard_output(option: str) -> int:
    """A duplicate of standard output's descriptor, since the handler may close the original.

    Raises:
        UsageError: there is no standard output, which `option` needs.
    """
    output = sys.__stdout__  # The handler may have replaced `sys.stdout`.
    try:
        descriptor = os.dup(output.fileno())  # type: ignore[union-attr]  # None is caught below
    except (AttributeError, OSError, ValueError) as error:
        raise UsageError(f"{option}: there is no standard output to write to") from error
    return descriptor


def _set_root_level(level: str) -> None:
    """Let the root logger take INFO and above, as on Function Compute, or less if `level` is
    lower."""
    logging.root.setLevel(min(logging.INFO, logging.getLevelNamesMapping()[level.upper()]))
