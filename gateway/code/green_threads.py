"""Detects greenlets in place of threads.

gevent and eventlet can replace Python's threads by greenlets ("monkey patching").  Greenlets all
run in one thread, and only while nothing blocks it.  The gateway cannot work with them: its event
loop blocks in C, so no handler would ever run.
"""

import _thread
import threading
from typing import Final

from gateway.errors import CodeError

_LIBRARIES: Final = {"gevent": "gevent.monkey.patch_all()", "eventlet": "eventlet.monkey_patch()"}

_MADE_BY: Final = ("start_new_thread", "start_joinable_thread", "allocate_lock", "get_ident")


def require_real_threads() -> None:
    """Refuse to go on if greenlets have replaced threads.

    Other replacements are accepted, such as a debugger's hook for new threads.  So are the
    libraries' other patches, such as sockets, which work in threads.

    Raises:
        CodeError: greenlets have replaced threads.
    """
    for place, prefix in ((_thread, ""), (threading, "_")):
        for name in _MADE_BY:
            made_by = getattr(place, prefix + name, None)
            library = str(getattr(made_by, "__module__", "")).partition(".")[0]
            if library in _LIBRARIES:
                raise CodeError(
                    f"{library} has put greenlets in the place of threads, and the gateway runs "
                    f"handlers in threads: remove {_LIBRARIES[library]}, or give it thread=False; "
                    "--threads says how many requests run at a time"
                )
