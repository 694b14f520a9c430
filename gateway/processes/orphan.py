"""The end of a process whose supervisor has gone without a word.

A worker hears of it by its link, and drains.  Its loop may hang, though, or not turn yet because
code is loaded.  So a thread asks the system, which cannot be mistaken: a child whose parent has
gone has another one (getppid(2)).
"""

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from threading import Thread
from typing import Final

from gateway.error_log.loggers import logger

log = logger("gateway.supervision")

_INTERVAL: Final = 1.0
"""Seconds between two questions."""


def end_with(parent: int, leave: Callable[[], float]) -> None:
    """Have this process end soon after `parent`, by a thread.

    `leave` is then called, in that thread: in how many seconds it is killed.
    """
    # The system may have no thread to give, or no memory.
    with suppress(RuntimeError, MemoryError):
        Thread(target=_watch, args=(parent, leave), name="gateway-orphan", daemon=True).start()


def _watch(parent: int, leave: Callable[[], float]) -> None:
    while os.getppid() == parent:
        time.sleep(_INTERVAL)
    time.sleep(leave())
    with suppress(Exception):
        log.error("the supervisor has gone, and this process has not ended in time: it is killed")
    os.kill(os.getpid(), signal.SIGKILL)
