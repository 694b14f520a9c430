"""Signals as something to wait for beside sockets: none is lost, none interrupts anything."""

import os
import signal
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

from gateway.signals.unused import IDLE, disarm, handle

_FROM_TERMINAL: Final = (signal.SIGINT, signal.SIGHUP)
"""A terminal sends them to the whole process group: they are the supervisor's."""


class SignalInbox:
    """Collects signals of the process, from its making on."""

    def __init__(self, numbers: Iterable[int]) -> None:
        """Those that mean something; of the others it collects what would end the process."""
        wanted = {*numbers}
        self._before = {number: signal.getsignal(number) for number in {*wanted, *IDLE}}
        self.numbers: Final = frozenset(
            number
            for number, handler in self._before.items()
            if number in wanted or handler == signal.SIG_DFL
        )
        self.descriptor, self._sender = os.pipe()  # Not `pipe2`, which macOS does not have.
        os.set_blocking(self.descriptor, False)
        os.set_blocking(self._sender, False)
        signal.set_wakeup_fd(self._sender, warn_on_full_buffer=False)
        for number in self.numbers:
            signal.signal(number, self._note)
        # Whoever has started the gateway may have had them blocked, which is inherited.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, self.numbers)

    def _note(self, number: int, _: object) -> None:
        """Note the signal where that has not been done: other code has taken the descriptor."""
        taken = signal.set_wakeup_fd(-1)
        signal.set_wakeup_fd(taken, warn_on_full_buffer=False)
        if taken != self._sender:
            with suppress(OSError):  # It is full: there is enough to read.
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
        """The numbers of the signals that have come, in their order."""
        try:
            return os.read(self.descriptor, 4096)
        except BlockingIOError:
            return b""

    @contextmanager
    def held(self) -> Iterator[None]:
        """Have signals wait while the block runs."""
        before = signal.pthread_sigmask(signal.SIG_BLOCK, self.numbers)
        try:
            yield
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def leave(self) -> None:
        """In a forked process: collect none, and leave those of a terminal to the parent.

        What the user has had ignored, as nohup(1) does, stays so: it reaches the programs that
        handlers start.
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
        disarm()


def _ignore(number: int, frame: object) -> None:
    """Do nothing: the number has been noted, or is another's."""
