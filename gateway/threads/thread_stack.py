"""The current stack of a thread."""

import sys
import traceback
from threading import Thread


def stack_of(thread: Thread) -> str:
    """The stack for the end of a log message, beginning with a line end; empty if it is not
    running."""
    frame = sys._current_frames().get(thread.ident or 0)
    if frame is None:
        return ""
    return "\n" + "".join(traceback.format_stack(frame)).rstrip()
