"""Ends a process whose supervisor has died.

A worker notices the death by its link and drains.  But its loop may hang, or may not turn yet
because code is being loaded.  So a thread asks the system: a child whose parent has died gets
another parent (getppid(2)).
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

_CHECK_SECONDS: Final = 1.0


def end_with(parent: int, leave: Callable[[], float]) -> None:
    """Start a thread that ends this process soon after the process `parent` has gone.

    The thread calls `leave`, which returns after how many seconds to kill this process.
    """
    # The system may lack threads or memory.
    with suppress(RuntimeError, MemoryError):
        Thread(target=_watch, args=(parent, leave), name="gateway-orphan", daemon=True).start()


def _watch(parent: int, leave: Callable[[], float]) -> None:
    while os.getppid() == parent:
        time.sleep(_CHECK_SECONDS)
    time.sleep(leave())
    with suppress(Exception):
        log.error("the supervisor has gone, and this process has not ended in time: it is killed")
    os.kill(os.getpid(), signal.SIGKILL)
