"""A larger stack for signals that arrive together, in a process with `faulthandler`.

`faulthandler` gives the main thread an alternate signal stack (sigaltstack(2)) of some 16 KB, and
CPython runs its own handlers there, too.  Signals that are pending together nest, each with a frame
of some kilobytes (all registers of the processor): half a dozen overflow it, and SIGSEGV kills the
process without a message.
"""

import ctypes
import mmap
import sys
from contextlib import suppress
from typing import Final

_STACK_BYTES: Final = 1024 * 1024
"""Enough for some 80 signals with the largest frames; unused pages take no memory."""


class _Stack(ctypes.Structure):
    """``stack_t`` on Linux."""

    _fields_ = (
        ("ss_sp", ctypes.c_void_p),
        ("ss_flags", ctypes.c_int),
        ("ss_size", ctypes.c_size_t),
    )


_memory: list[tuple[mmap.mmap, object]] = []
"""Keeps the stack for the life of the process."""


def enlarge_signal_stack() -> None:
    """Install the larger stack.  Call it in the main thread, after `faulthandler.enable`."""
    if sys.platform != "linux":
        return
    with suppress(OSError, AttributeError, ValueError):  # Then the small stack stays.
        memory = mmap.mmap(-1, _STACK_BYTES, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        start = ctypes.c_char.from_buffer(memory)
        stack = _Stack(ctypes.addressof(start), 0, _STACK_BYTES)
        _memory.append((memory, start))
        ctypes.CDLL(None).sigaltstack(ctypes.byref(stack), None)
