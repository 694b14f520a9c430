"""Whether threads are still threads.

gevent and eventlet can put greenlets in the place of Python's threads ("monkey patching").  Those
all run in one thread, and only while nothing in it waits.  A gateway cannot be served by them: its
event loop waits in C, so no handler would ever run.
"""

import _thread
import threading
from typing import Final

from gateway.errors import CodeError

_LIBRARIES: Final = {"gevent": "gevent.monkey.patch_all()", "eventlet": "eventlet.monkey_patch()"}

_MADE_BY: Final = ("start_new_thread", "start_joinable_thread", "allocate_lock", "get_ident")


def require_real_threads() -> None:
    """Raises CodeError where greenlets have taken the place of threads.

    What others put there, such as a debugger that wants to know of new threads, is none of them;
    nor is anything else that the libraries replace, such as sockets, which work in threads.
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
