"""Room for signals that come all at once, in a process whose crashes are told.

`faulthandler` gives the main thread a stack for signal handlers (sigaltstack(2)) of some 16 KB, and
CPython has its own handlers run there, too.  Signals that are pending together nest, each with a
frame of some kilobytes (all registers of the processor): half a dozen overflow it, and the process
is killed by SIGSEGV without a word.
"""

import ctypes
import mmap
import sys
from contextlib import suppress
from typing import Final

_SIZE: Final = 1024 * 1024
"""Bytes, for some 80 signals of the largest frames; what is not used takes no memory."""


class _Stack(ctypes.Structure):
    """``stack_t`` on Linux."""

    _fields_ = (
        ("ss_sp", ctypes.c_void_p),
        ("ss_flags", ctypes.c_int),
        ("ss_size", ctypes.c_size_t),
    )


_memory: list[tuple[mmap.mmap, object]] = []
"""Kept for the life of the process."""


def enlarge() -> None:
    """To be called in the main thread, after `faulthandler.enable`."""
    if sys.platform != "linux":
        return
    with suppress(OSError, AttributeError, ValueError):  # Then it stays what it was.
        memory = mmap.mmap(-1, _SIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        start = ctypes.c_char.from_buffer(memory)
        stack = _Stack(ctypes.addressof(start), 0, _SIZE)
        _memory.append((memory, start))
        ctypes.CDLL(None).sigaltstack(ctypes.byref(stack), None)
