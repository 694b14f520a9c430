"""The end of the process, which handlers must not put off for ever."""

import _thread
import os
import sys
import threading
import time
from contextlib import suppress
from typing import Final

from gateway.loggers import logger
from gateway.user_thread import UserThread

log = logger("gateway.server")

_LAST_WORDS: Final = 1.0
"""Seconds."""


def leave_within(seconds: float, status: int = 0) -> None:
    """End the process after `seconds` with `status`, unless it has ended by then.

    The interpreter waits for each thread that is no daemon, and for what is registered with
    `atexit`; both may be a handler's, and never end.
    """
    threading.Thread(
        target=_leave_later, args=(seconds, status), name="gateway-end", daemon=True
    ).start()


def _leave_later(seconds: float, status: int) -> None:
    time.sleep(seconds)
    names = [
        thread.name
        for thread in threading.enumerate()
        if not (thread.daemon or isinstance(thread, UserThread))
        and thread is not threading.main_thread()
    ]
    waited_for = ", ".join(names) or "what is registered with atexit"
    leave(status, f"the process ends without waiting longer for {waited_for}")


def leave(status: int = 0, reason: str = "") -> None:
    """End the process at once, with what has been printed; `reason` is logged.

    Also from a signal handler: nothing here waits for a lock that the interrupted code may hold.
    """

    def say() -> None:
        with suppress(Exception):
            if reason:
                log.warning("%s", reason)
        for stream in (sys.stdout, sys.stderr):
            with suppress(Exception):
                stream.flush()
        done.release()

    done = _thread.allocate_lock()
    done.acquire()
    with suppress(RuntimeError, MemoryError):
        # Nobody may read what is said, and then it never ends.
        _thread.start_new_thread(say, ())
        done.acquire(timeout=_LAST_WORDS)
    os._exit(status)
