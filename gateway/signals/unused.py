"""Signals that the gateway does not use and that would end it by default.

A service manager, ``logrotate`` or a person may send them by mistake.  They are all signals whose
default action ends a process (signal(7)), except

- SIGTERM, SIGINT and SIGHUP, which the gateway uses;
- signals that a process causes itself: faults (SIGSEGV and so on), SIGABRT, SIGPIPE, limits
(SIGXCPU);
- SIGKILL, which cannot be handled.

The user's code may install its own handlers for them, earlier or later.  The programs that it
starts would inherit SIG_IGN (execve(2)) but not a handler, so these signals get a handler.  A
signal that was ignored when the gateway started stays ignored.
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

UNUSED: Final = frozenset(signal.valid_signals()) - {
    getattr(signal, name) for name in _OTHERS if hasattr(signal, name)
}
"""The numbers of the unused signals, including real-time signals."""

_WHY: Final = "it means nothing to the gateway"

_QUIET_SECONDS: Final = 60.0
"""Each signal is logged at most once in this time."""


def name_of(number: int) -> str:
    """The name in signal(7), or the number of a real-time signal."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


class SignalNotices:
    """The log lines about unused signals, at most one per minute and signal."""

    def __init__(self) -> None:
        self._told: dict[int, float] = {}
        self._count: dict[int, int] = {}

    def line(self, number: int, now: float, why: str = _WHY) -> str | None:
        """The line for a signal that has arrived, or `None` if it is too early for another; `now`
        is `time.monotonic()`."""
        if now - self._told.get(number, -_QUIET_SECONDS) < _QUIET_SECONDS:
            self._count[number] = self._count.get(number, 0) + 1
            return None
        self._told[number] = now
        more = self._count.pop(number, 0)
        often = f" ({more} more have come since this was told)" if more else ""
        return f"{name_of(number)} is ignored: {why}{often}"


_Handler = Callable[[int, Any], None]
_installed: Final[dict[int, _Handler]] = {}


def survive_unused_signals(
    reasons: Mapping[int, str] | None = None, unless: Callable[[int], bool] = lambda _: False
) -> None:
    """Let this process survive unused signals, and log each.

    `reasons` maps further signals to treat like this to the reason in the log.  `unless` gets the
    number of each signal and returns whether it has handled it.  Call this in the main thread,
    before the user's code is loaded.
    """
    notices = SignalNotices()
    # The parent process may have blocked them, which is inherited.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM, signal.SIGINT, signal.SIGHUP})

    def note(number: int, _: object) -> None:
        if unless(number):
            return
        line = notices.line(number, monotonic(), (reasons or {}).get(number, _WHY))
        if line is not None:
            # The interrupted code may be logging or starting a thread, and hold a lock.
            with suppress(RuntimeError, MemoryError):
                _thread.start_new_thread(_tell, (line,))

    for number in {*UNUSED, *(reasons or {})}:
        if signal.getsignal(number) == signal.SIG_DFL:
            handle(number, note)


def handle(number: int, handler: _Handler) -> None:
    """Install a handler; processes that the user's code forks do not keep it."""
    if not _installed:
        os.register_at_fork(after_in_child=_leave)
    signal.signal(number, handler)
    _installed[number] = handler


def _leave() -> None:
    """In a process that the user's code has forked: restore the default actions."""
    for number, handler in _installed.items():
        if signal.getsignal(number) is handler:
            is_int = number == signal.SIGINT
            with suppress(ValueError):  # Not the main thread of the main interpreter.
                signal.signal(number, signal.default_int_handler if is_int else signal.SIG_DFL)


def _tell(line: str) -> None:
    with suppress(Exception):  # The application may have broken the log.
        log.warning("%s", line)
