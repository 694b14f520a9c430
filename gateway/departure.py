"""The end of the process, which handlers must not put off for ever."""

import os
import sys
import threading
import time
from contextlib import suppress

from gateway.loggers import logger

log = logger("gateway.server")


def leave_within(seconds: float, status: int = 0) -> None:
    """End the process after `seconds` with `status`, unless it has ended by then.

    The interpreter waits for each thread that is no daemon, and for what is registered with
    `atexit`; both may be a handler's, and never end.
    """
    threading.Thread(target=_leave, args=(seconds, status), name="gateway-end", daemon=True).start()


def _leave(seconds: float, status: int) -> None:
    time.sleep(seconds)
    names = [thread.name for thread in threading.enumerate() if not thread.daemon]
    with suppress(Exception):
        log.warning("the process ends without waiting longer for %s", ", ".join(names))
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):
            stream.flush()
    os._exit(status)
