"""The main thread, as one that runs the function's code while the event loop turns in another.

Function Compute runs all of a function in the main thread of a process: import, initializer and
each request.  Code relies on it: `signal.alarm` and `signal.signal` work in the main thread only,
`asyncio.get_event_loop()` makes a loop there only, and a connection of `sqlite3` belongs to the
thread that has opened it.

Theory of operation: `run_beside` keeps the main thread and starts another one for the loop.  With
signals that takes care: the interpreter runs their handlers in the main thread, which may be busy
in the function's code for long.  So their numbers come through a wake-up descriptor, which is
written when the signal comes, and the loop reads the other end.  Should the function's code have
replaced that descriptor, as an event loop of its own does, the handler writes the number, when it
comes to run.
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

_KILLED: Final = 128
"""The exit status of who is ended by a signal, as shells have it: this, and the signal's number."""

_PATIENCE: Final = 1.0
"""Seconds that the main thread may take to return when the work beside it is over."""


class MainThread:
    """The main thread of a process, which makes this object."""

    def __init__(self, signals: Iterable[int]) -> None:
        """`signals` are heard of by `attend_signals`, from now on."""
        self.ident: Final = get_ident()
        self.on_signal: Callable[[int], None] = _end_at_once
        """Called on the loop with the number of a signal; by default it ends the process."""
        self.on_late_signal: Callable[[int, object], None] | None = None
        """The handler of signals that come when there is no loop any more."""
        self._tasks: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._pid = os.getpid()
        self._has_left = Event()
        self._inbox = SignalInbox(signals)
        self._failure: BaseException | None = None

    def __repr__(self) -> str:
        return f"<MainThread {self._tasks.qsize()} tasks>"

    def start(self, task: Callable[[], None]) -> None:
        """Have the main thread call `task`, behind what it has to do before.  From any thread."""
        self._tasks.put(task)

    def run_beside(
        self, work: Callable[[], None], on_stuck: Callable[[BaseException | None], None]
    ) -> None:
        """Run `work` in another thread, and meanwhile tasks in this one; return when `work` has.

        `on_stuck` is called in the other thread when `work` is over and a task does not return: it
        has to end the process.  It gets what `work` has raised, `None` if nothing.

        Raises:
            BaseException: what `work` raises.
        """

        def run() -> None:
            try:
                work()
            except BaseException as error:
                self._failure = error
            self._tasks.put(None)
            if not self.has_left(_PATIENCE):
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
                # A signal handler of the function's may raise at any time, also long afterwards.
                _tell_stray(error)
            if os.getpid() != self._pid:
                _leave_child()

    # Signals.

    def attend_signals(self, loop: "AbstractEventLoop") -> None:
        """Have the loop, whose thread calls this, hear of signals."""
        inbox = self._inbox

        def read() -> None:
            for number in inbox.read():
                if number in inbox.numbers:  # Others are the function's.
                    self.on_signal(number)

        loop.add_reader(inbox.descriptor, read)


def _end_at_once(number: int) -> None:
    os._exit(_KILLED + number)


def _tell_stray(error: BaseException) -> None:
    with suppress(BaseException):  # The function's code may have broken the log.
        log.error("the main thread was interrupted outside of the function", exc_info=error)


def _leave_child() -> None:
    """In a process that the function's code has forked: it is no gateway, and has done its job."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):
            stream.flush()
    os._exit(0)
