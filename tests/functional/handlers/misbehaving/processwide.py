"""What belongs to the process is changed for all."""

import ctypes
import gc
import logging
import os
import signal
import sys
import threading
import time
import warnings

from misbehaving import PLAIN


def doing(work):
    def application(environ, start_response):
        work()
        start_response("200 OK", PLAIN)
        return [b"done"]

    return application


class RaisingLog(logging.Handler):
    def emit(self, record):
        raise ValueError("the log is broken")

    def handleError(self, record):
        raise ValueError("the log is broken")


def break_the_log():
    logging.getLogger().handlers[:] = [RaisingLog()]


def close_standard_streams():
    sys.stdout.close()
    sys.stderr.close()


def replace_standard_streams():
    sys.stdout = sys.stderr = None


def use_little_stack():
    """Too little for a traceback to be printed, but enough for the least."""
    sys.setrecursionlimit(60)


def interrupt_itself_too_late():
    """As libraries for timeouts do: the exception comes when the handler has returned."""
    victim = threading.get_ident()

    def interrupt():
        time.sleep(0.1)
        ctypes.pythonapi.PyThreadState_SetAsyncExc(
            ctypes.c_ulong(victim), ctypes.py_object(SystemExit)
        )

    threading.Thread(target=interrupt, daemon=True).start()


def profile_badly():
    def profile(frame, event, argument):
        if frame.f_code.co_name in ("release", "_end_in_thread", "popleft"):
            raise ValueError("in the profile function")

    sys.setprofile(profile)


def leave_the_folder():
    os.chdir("/")


def set_a_signal():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


set_signal_handler = doing(set_a_signal)
shut_logging_down = doing(logging.shutdown)
configure_logging_anew = doing(
    lambda: logging.basicConfig(force=True, level="CRITICAL", stream=sys.stdout)
)
disable_logging = doing(lambda: logging.disable(logging.CRITICAL))
broken_log = doing(break_the_log)
warnings_as_errors = doing(lambda: warnings.simplefilter("error"))
close_streams = doing(close_standard_streams)
no_streams = doing(replace_standard_streams)
close_standard_input = doing(lambda: os.close(0))
change_folder = doing(leave_the_folder)
little_stack = doing(use_little_stack)
no_collection = doing(gc.disable)
long_switch_interval = doing(lambda: sys.setswitchinterval(10))
thread_profile = doing(lambda: threading.setprofile(lambda *_: None))
bad_profile = doing(profile_badly)
late_interrupt = doing(interrupt_itself_too_late)
change_process_environment = doing(os.environ.clear)
