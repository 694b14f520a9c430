"""Signals that are noted once, whatever other code does with the wake-up descriptor."""

import os
import signal
from collections.abc import Iterator

import pytest

from gateway.signals.inbox import SignalInbox


@pytest.fixture
def inbox() -> Iterator[SignalInbox]:
    before, descriptor = signal.getsignal(signal.SIGUSR2), signal.set_wakeup_fd(-1)
    made = SignalInbox([signal.SIGUSR2])
    yield made
    made.leave()
    signal.signal(signal.SIGUSR2, before)
    signal.set_wakeup_fd(descriptor)


def test_a_signal_is_noted_once(inbox: SignalInbox) -> None:
    os.kill(os.getpid(), signal.SIGUSR2)
    assert inbox.read() == bytes([signal.SIGUSR2])
    assert inbox.read() == b""


def test_it_is_noted_though_another_has_the_descriptor(inbox: SignalInbox) -> None:
    """As an event loop of the handler's own, which gives back nothing at its end."""
    read, write = os.pipe()
    os.set_blocking(write, False)
    for taken in (write, -1):
        signal.set_wakeup_fd(taken)
        os.kill(os.getpid(), signal.SIGUSR2)
        assert inbox.read() == bytes([signal.SIGUSR2])
        assert signal.set_wakeup_fd(-1) == taken, "it is left to whoever has it"
    assert os.read(read, 10) == bytes([signal.SIGUSR2])
    os.close(read)
    os.close(write)


def test_a_descriptor_that_was_removed_is_taken_back(inbox: SignalInbox) -> None:
    """Before a wait: the handler of the interpreter would run only behind it."""
    signal.set_wakeup_fd(-1)
    inbox.rearm()
    signal.signal(signal.SIGUSR2, lambda *_: None)
    os.kill(os.getpid(), signal.SIGUSR2)
    assert inbox.read() == bytes([signal.SIGUSR2])


def test_a_descriptor_of_others_is_left_to_them(inbox: SignalInbox) -> None:
    read, write = os.pipe()
    os.set_blocking(write, False)
    signal.set_wakeup_fd(write)
    inbox.rearm()
    assert signal.set_wakeup_fd(-1) == write
    os.close(read)
    os.close(write)
