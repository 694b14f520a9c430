"""Signals through a pipe, to wait for beside sockets: none is lost, none interrupts other code."""

import os
import signal
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

from gateway.signals.unused import UNUSED, handle, survive_unused_signals

_FROM_TERMINAL: Final = (signal.SIGINT, signal.SIGHUP)
"""A terminal sends these to the whole process group; the supervisor handles them."""


class SignalInbox:
    """Collects the signals of the process from now on."""

    def __init__(self, numbers: Iterable[int]) -> None:
        """Collect `numbers`, and also unused signals that would end the process by default."""
        wanted = {*numbers}
        self._before = {number: signal.getsignal(number) for number in {*wanted, *UNUSED}}
        self.numbers: Final = frozenset(
            number
            for number, handler in self._before.items()
            if number in wanted or handler == signal.SIG_DFL
        )
        self.descriptor, self._sender = os.pipe()  # Not `pipe2`, which macOS lacks.
        os.set_blocking(self.descriptor, False)
        os.set_blocking(self._sender, False)
        signal.set_wakeup_fd(self._sender, warn_on_full_buffer=False)
        for number in self.numbers:
            signal.signal(number, self._note)
        # The parent process may have blocked them, which is inherited.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, self.numbers)

    def _note(self, number: int, _: object) -> None:
        """Write the signal to the pipe if other code has replaced the wake-up descriptor."""
        taken = signal.set_wakeup_fd(-1)
        signal.set_wakeup_fd(taken, warn_on_full_buffer=False)
        if taken != self._sender:
            with suppress(OSError):  # The pipe is full.
                os.write(self._sender, bytes([number]))

    def rearm(self) -> None:
        """Take the wake-up descriptor back where other code has removed it, as asyncio's loops do.

        Call it in the main thread before a wait: without a descriptor, a signal that comes just
        before the wait begins would be noticed only behind it.
        """
        taken = signal.set_wakeup_fd(-1)
        if taken == -1:
            taken = self._sender
        signal.set_wakeup_fd(taken, warn_on_full_buffer=False)

    def read(self) -> bytes:
        """The numbers of the signals that have arrived, in order."""
        try:
            return os.read(self.descriptor, 4096)
        except BlockingIOError:
            return b""

    @contextmanager
    def held(self) -> Iterator[None]:
        """Block signals while the `with` block runs."""
        before = signal.pthread_sigmask(signal.SIG_BLOCK, self.numbers)
        try:
            yield
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def leave(self) -> None:
        """In a forked process: stop collecting, and leave a terminal's signals to the parent.

        A signal that was ignored at the start, as nohup(1) does, stays ignored, also in programs
        that handlers start.
        """
        signal.set_wakeup_fd(-1)
        os.close(self.descriptor)
        os.close(self._sender)
        for number in self.numbers:
            if number not in _FROM_TERMINAL:
                signal.signal(number, signal.SIG_DFL)
            elif self._before[number] == signal.SIG_IGN:
                signal.signal(number, signal.SIG_IGN)
            else:
                handle(number, _ignore)
        survive_unused_signals()


def _ignore(number: int, frame: object) -> None:
    """Do nothing: the wake-up descriptor has the signal, or the parent handles it."""
