"""The logs of a worker that go to standard output, wired from the settings."""

import logging
from time import time

from gateway.config import Config
from gateway.error_log.loggers import flush as flush_own_log
from gateway.hooks.hooks import Attend
from gateway.http.connection.invocation_log import Readers
from gateway.logs.function_log import FunctionLog
from gateway.logs.line_buffer import LineBuffer
from gateway.logs.line_forms import Form, JsonForm, TextForm
from gateway.logs.line_writer import LineWriter
from gateway.logs.records import ContextRecords
from gateway.worker.request_log import open_access_log, standard_output

_CLOSE_SECONDS = 2.0
"""In which a reader may take the end of the log."""


class Logs:
    """Both logs; one writer for both, or their lines would meet in the middle."""

    def __init__(
        self,
        config: Config,
        function_name: str,
        lock: int | None,
        buffer: LineBuffer | None = None,
    ) -> None:
        """For `lock` and `buffer` see `LineWriter`.  `close` has to be called.

        Raises:
            UsageError: there is no standard output.
        """
        self._is_closed = False
        self._buffer = buffer
        self.access = open_access_log(config, lock, buffer)
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
                output = standard_output("--function-log")
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
        """What hooks run in; `None`: nobody listens to them."""
        function = self.function
        return function.attend if function is not None and function.is_on else None

    def flush(self) -> None:
        """Have what is queued written, and do not wait for it."""
        if self.access is not None:
            self.access.flush()
        elif self._writer is not None:
            self._writer.flush()
        flush_own_log()

    def withdraw(self) -> None:
        """Have standard output and errors be what they were."""
        if self.function is not None:
            self.function.withdraw()

    def close(self) -> None:
        """Write what is queued; what comes later goes out directly.  A second time: nothing."""
        if self._is_closed:
            return
        self._is_closed = True
        if self.function is not None:
            self.function.leave()
        if self._writer is not None:
            self._writer.close(_CLOSE_SECONDS)


def tail_readers(config: Config) -> Readers:
    """Which clients may read what the handler prints for them."""
    if config.log_tail is None:
        return "nobody" if config.auth == "anonymous" else "authenticated"
    return "everybody" if config.log_tail else "nobody"


def _set_root_level(level: str) -> None:
    """As on Function Compute the root logger takes what is informational, or less where told so."""
    logging.root.setLevel(min(logging.INFO, logging.getLevelNamesMapping()[level.upper()]))
