"""Signals as something to wait for beside sockets: none is lost, none interrupts anything."""

import os
import signal
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Final


class SignalInbox:
    """Collects signals of the process, from its making on."""

    def __init__(self, numbers: Iterable[int]) -> None:
        self.numbers: Final = frozenset(numbers)
        self.descriptor, self._sender = os.pipe()  # Not `pipe2`, which macOS does not have.
        os.set_blocking(self.descriptor, False)
        os.set_blocking(self._sender, False)
        signal.set_wakeup_fd(self._sender, warn_on_full_buffer=False)
        for number in self.numbers:
            signal.signal(number, self._note)

    def _note(self, number: int, _: object) -> None:
        """Note the signal where that has not been done: other code has taken the descriptor."""
        taken = signal.set_wakeup_fd(-1)
        signal.set_wakeup_fd(taken, warn_on_full_buffer=False)
        if taken != self._sender:
            with suppress(OSError):  # It is full: there is enough to read.
                os.write(self._sender, bytes([number]))

    def read(self) -> bytes:
        """The numbers of the signals that have come, in their order."""
        try:
            return os.read(self.descriptor, 4096)
        except BlockingIOError:
            return b""

    @contextmanager
    def held(self) -> Iterator[None]:
        """Have signals wait while the block runs."""
        signal.pthread_sigmask(signal.SIG_BLOCK, self.numbers)
        try:
            yield
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, self.numbers)

    def leave(self) -> None:
        """In a forked process: collect none, and leave the parent's alone."""
        signal.set_wakeup_fd(-1)
        for number in self.numbers:
            signal.signal(number, signal.SIG_DFL)
        os.close(self.descriptor)
        os.close(self._sender)


def ignore_in_child(*numbers: int) -> None:
    """Leave these to the supervisor: a terminal sends them to the whole process group.

    Not SIG_IGN, which the programs that a handler starts would inherit.
    """
    for number in numbers:
        signal.signal(number, _ignore)


def _ignore(number: int, frame: object) -> None:
    """Do nothing: the number has been noted."""
