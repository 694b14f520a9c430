"""Where a thread is at this moment."""

import sys
import traceback
from threading import Thread


def stack_of(thread: Thread) -> str:
    """For the end of a log message: lines behind a line end; nothing where it does not run."""
    frame = sys._current_frames().get(thread.ident or 0)
    if frame is None:
        return ""
    return "\n" + "".join(traceback.format_stack(frame)).rstrip()
