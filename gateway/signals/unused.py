"""Signals that mean nothing to the gateway, and would end it by default.

A service manager, ``logrotate`` or a person sends them to what they take for another program.  They
are those whose default action ends a process (signal(7)), but for

- SIGTERM, SIGINT and SIGHUP, which mean something;
- what a process does to itself: faults (SIGSEGV and so on), SIGABRT, SIGPIPE and limits (SIGXCPU);
- SIGKILL, about which nothing can be done.

The user's code may have handlers of its own for them, before or after.  SIG_IGN would reach the
programs that it starts (execve(2)), a handler does not.  A signal that was ignored when the gateway
was started stays ignored.
"""

import _thread
import os
import signal
from collections.abc import Callable, Mapping
from contextlib import suppress
from time import monotonic
from typing import Any, Final

from gateway.error_log.loggers import logger

log = logger("gateway.signals")

_OTHERS: Final = (
    *("SIGTERM", "SIGINT", "SIGHUP", "SIGKILL"),
    *("SIGSEGV", "SIGBUS", "SIGFPE", "SIGILL", "SIGSYS", "SIGTRAP", "SIGEMT", "SIGABRT"),
    *("SIGPIPE", "SIGXCPU", "SIGXFSZ"),
    # By default these end nothing.
    *("SIGCHLD", "SIGCONT", "SIGSTOP", "SIGTSTP", "SIGTTIN", "SIGTTOU"),
    *("SIGURG", "SIGWINCH", "SIGINFO"),
)

IDLE: Final = frozenset(signal.valid_signals()) - {
    getattr(signal, name) for name in _OTHERS if hasattr(signal, name)
}
"""Their numbers, those of real time included."""

_WHY: Final = "it means nothing to the gateway"

_QUIET: Final = 60.0
"""Seconds in which the same signal is told once."""


def name_of(number: int) -> str:
    """As in signal(7); real-time signals have numbers only."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


class Notices:
    """The lines that tell of them, not more than one a minute for each."""

    def __init__(self) -> None:
        self._told: dict[int, float] = {}
        self._count: dict[int, int] = {}

    def line(self, number: int, now: float, why: str = _WHY) -> str | None:
        """The line for one that has come; `now` is `time.monotonic()`."""
        if now - self._told.get(number, -_QUIET) < _QUIET:
            self._count[number] = self._count.get(number, 0) + 1
            return None
        self._told[number] = now
        more = self._count.pop(number, 0)
        often = f" ({more} more have come since this was told)" if more else ""
        return f"{name_of(number)} is ignored: {why}{often}"


_Handler = Callable[[int, Any], None]
_installed: Final[dict[int, _Handler]] = {}


def disarm(
    reasons: Mapping[int, str] | None = None, unless: Callable[[int], bool] = lambda _: False
) -> None:
    """Have this process live on when such a signal comes, and tell of it.

    `reasons` has other signals that are to do no more than that, and why.  `unless` is called with
    the number of one that has come: whether it has been dealt with.  To be called in the main
    thread, before the user's code is loaded.
    """
    notices = Notices()
    # Whoever has started the gateway may have had them blocked, which is inherited.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM, signal.SIGINT, signal.SIGHUP})

    def note(number: int, _: object) -> None:
        if unless(number):
            return
        line = notices.line(number, monotonic(), (reasons or {}).get(number, _WHY))
        if line is not None:
            # What this has interrupted may be the log, or the start of a thread: both hold locks.
            with suppress(RuntimeError, MemoryError):
                _thread.start_new_thread(_tell, (line,))

    for number in {*IDLE, *(reasons or {})}:
        if signal.getsignal(number) == signal.SIG_DFL:
            handle(number, note)


def handle(number: int, handler: _Handler) -> None:
    """Install a handler that processes forked by the user's code do not keep."""
    if not _installed:
        os.register_at_fork(after_in_child=_leave)
    signal.signal(number, handler)
    _installed[number] = handler


def _leave() -> None:
    """In a process that the user's code has forked: signals do what they do by default."""
    for number, handler in _installed.items():
        if signal.getsignal(number) is handler:
            is_int = number == signal.SIGINT
            with suppress(ValueError):  # Not the main thread of the main interpreter.
                signal.signal(number, signal.default_int_handler if is_int else signal.SIG_DFL)


def _tell(line: str) -> None:
    with suppress(Exception):  # The application may have broken the log.
        log.warning("%s", line)
