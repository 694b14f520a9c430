"""Runs the function's code in the main thread while the event loop runs in another.

Function Compute runs all of a function in the main thread of a process: import, initializer and
each request.  Code relies on it: `signal.alarm` and `signal.signal` work in the main thread only,
`asyncio.get_event_loop()` makes a loop there only, and a connection of `sqlite3` belongs to the
thread that has opened it.

Theory of operation.  `run_beside` keeps the main thread and starts another one for the loop.
Signals need care: the interpreter runs their handlers in the main thread, which may be busy in the
function's code for long.  So the loop reads signal numbers from a pipe, into which the interpreter
writes them as soon as a signal arrives (`signal.set_wakeup_fd`).  If the function's code has
replaced that descriptor, as its own event loop would, the handler writes the number as soon as it
runs.
"""

import os
import signal
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from queue import SimpleQueue
from threading import Event, Thread, get_ident
from typing import TYPE_CHECKING, Final

from gateway.error_log.loggers import logger
from gateway.signals.inbox import SignalInbox

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

log = logger("gateway.server")

_SIGNAL_EXIT_BASE: Final = 128
"""Shells report the end by a signal as this exit status plus the signal's number."""

_PATIENCE_SECONDS: Final = 1.0
"""Time for the main thread to return after the work beside it has ended."""


class MainThread:
    """The main thread of a process, which must create this object."""

    def __init__(self, signals: Iterable[int]) -> None:
        """Collect `signals` from now on, for `attend_signals`."""
        self.ident: Final = get_ident()
        self.on_signal: Callable[[int], None] = _end_at_once
        """Called on the loop with the number of a signal; by default it ends the process."""
        self.on_late_signal: Callable[[int, object], None] | None = None
        """The handler of signals after the loop has ended."""
        self._tasks: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._pid = os.getpid()
        self._has_left = Event()
        self._inbox = SignalInbox(signals)
        self._failure: BaseException | None = None

    def __repr__(self) -> str:
        return f"<MainThread {self._tasks.qsize()} tasks>"

    def start(self, task: Callable[[], None]) -> None:
        """Queue `task` for the main thread.  Safe in any thread."""
        self._tasks.put(task)

    def run_beside(
        self, work: Callable[[], None], on_stuck: Callable[[BaseException | None], None]
    ) -> None:
        """Run `work` in another thread, and tasks in this one until `work` returns.

        `on_stuck` is called in the other thread when `work` has ended and a task does not return;
        it must end the process.  It gets what `work` has raised, `None` if nothing.

        Raises:
            BaseException: `work` raised it.
        """

        def run() -> None:
            try:
                work()
            except BaseException as error:
                self._failure = error
            self._tasks.put(None)
            if not self.has_left(_PATIENCE_SECONDS):
                on_stuck(self._failure)

        thread = Thread(target=run, name="gateway-loop", daemon=True)
        thread.start()
        self._run_tasks()
        self._has_left.set()
        thread.join()
        if self.on_late_signal is not None:
            for number in self._inbox.numbers:
                signal.signal(number, self.on_late_signal)
        if self._failure is not None:
            raise self._failure

    def has_left(self, timeout: float) -> bool:
        """Whether the main thread runs tasks no more; waits for that up to `timeout` seconds."""
        return self._has_left.wait(timeout)

    def _run_tasks(self) -> None:
        while True:
            try:
                self._inbox.rearm()
                task = self._tasks.get()
                if task is None:
                    return
                task()
            except BaseException as error:
                # A signal handler of the function may raise at any time, even long afterwards.
                _tell_stray(error)
            if os.getpid() != self._pid:
                _leave_child()

    # Signals.

    def attend_signals(self, loop: "AbstractEventLoop") -> None:
        """Let the loop receive signals.  Call it in the loop's thread."""
        inbox = self._inbox

        def read() -> None:
            for number in inbox.read():
                if number in inbox.numbers:  # The others belong to the function.
                    self.on_signal(number)

        loop.add_reader(inbox.descriptor, read)


def _end_at_once(number: int) -> None:
    os._exit(_SIGNAL_EXIT_BASE + number)


def _tell_stray(error: BaseException) -> None:
    with suppress(BaseException):  # The function's code may have broken the log.
        log.error("the main thread was interrupted outside of the function", exc_info=error)


def _leave_child() -> None:
    """End a child that the function's code has forked: its handler has returned."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):
            stream.flush()
    os._exit(0)
