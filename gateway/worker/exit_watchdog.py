"""Ends the process in time, whatever the handlers' threads do."""

import _thread
import os
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from gateway.error_log.loggers import logger
from gateway.threads.user_thread import UserThread

log = logger("gateway.server")

_FLUSH_SECONDS: Final = 1.0

_LOOK_SECONDS: Final = 0.05
"""Interval at which it looks whether the user's threads have ended."""


class _FinalFlush:
    """Logs the reason and flushes the standard streams in a thread, since a write may block for
    ever.

    The thread is started ahead of time, because the interpreter starts no more threads once it
    shuts down.
    """

    def __init__(self) -> None:
        self._reason = ""
        self._turn, self._done = _thread.allocate_lock(), _thread.allocate_lock()
        self._turn.acquire()
        self._done.acquire()
        _thread.start_new_thread(self._run, ())

    def say(self, reason: str) -> None:
        """Log the reason, if there is one, and flush what has been printed."""
        self._reason = reason
        with suppress(RuntimeError):  # It was released before.
            self._turn.release()
        self._done.acquire(timeout=_FLUSH_SECONDS)

    def _run(self) -> None:
        self._turn.acquire()
        with suppress(Exception):
            if self._reason:
                log.warning("%s", self._reason)
        for stream in (sys.stdout, sys.stderr):
            with suppress(Exception):
                stream.flush()
        self._done.release()


_prepared: list[_FinalFlush] = []


def leave_within(seconds: float, status: int = 0) -> None:
    """End the process with `status` after `seconds`, unless it has ended by then.

    At exit the interpreter waits for non-daemon threads and `atexit` callbacks.  Both may come from
    a handler and never return.
    """
    with suppress(RuntimeError, MemoryError):
        _prepared.append(_FinalFlush())
    threading.Thread(
        target=_leave_later, args=(seconds, status), name="gateway-end", daemon=True
    ).start()


def _leave_later(seconds: float, status: int) -> None:
    time.sleep(seconds)
    waited_for = ", ".join(_users_threads()) or "what is registered with atexit"
    leave(status, f"the process ends without waiting longer for {waited_for}")


def leave_without_main_thread(
    seconds: float, status: int, has_left: Callable[[float], bool]
) -> None:
    """End the process whose main thread is stuck in code that nobody waits for any more.

    The threads that the user's code has started may end before, within `seconds`.  `has_left`
    waits for the main thread for the given seconds, and says whether it has returned after all; the
    interpreter's ordinary end is then under way, and this does nothing.
    """
    deadline = time.monotonic() + seconds
    while _users_threads() and time.monotonic() < deadline:
        if has_left(_LOOK_SECONDS):
            return
    waited_for = ", ".join([*_users_threads(), "its main thread"])
    leave(status, f"the process ends without waiting longer for {waited_for}")


def _users_threads() -> list[str]:
    """The names of the threads that the interpreter waits for, without the main one."""
    return [
        thread.name
        for thread in threading.enumerate()
        if not (thread.daemon or isinstance(thread, UserThread))
        and thread is not threading.main_thread()
    ]


def leave(status: int = 0, reason: str = "") -> None:
    """Log `reason`, flush the standard streams, and end the process at once.

    Safe in a signal handler: nothing here waits for a lock that the interrupted code may hold.
    """
    with suppress(RuntimeError, MemoryError):
        words = _prepared[0] if _prepared else _FinalFlush()
        words.say(reason)
    os._exit(status)
