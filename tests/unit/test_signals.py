"""Signals that ask for the end, and those that mean nothing."""

import signal

import pytest

from gateway.signals.termination import SAME_REQUEST_SECONDS, TerminationSignals
from gateway.signals.unused import UNUSED, SignalNotices


@pytest.mark.parametrize(
    ("times", "last"),
    [
        ([5.0], False),
        ([5.0, 5.0], False),
        ([5.0, 5.0 + SAME_REQUEST_SECONDS], False),
        ([5.0, 5.001 + SAME_REQUEST_SECONDS], True),
        ([5.0, 5.9, 6.1], True),
    ],
)
def test_who_asks_again_later_wants_more(times: list[float], last: bool) -> None:
    signals = TerminationSignals()
    assert [signals.count(now) for now in times] == [False] * (len(times) - 1) + [last]


def test_what_means_something_or_is_a_fault_is_not_idle() -> None:
    assert {signal.SIGUSR1, signal.SIGUSR2, signal.SIGQUIT, signal.SIGALRM, signal.SIGIO} <= UNUSED
    assert not UNUSED & {
        *(signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD, signal.SIGKILL),
        *(signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGPIPE),
        *(signal.SIGWINCH, signal.SIGCONT, signal.SIGTSTP, signal.SIGSTOP, signal.SIGXCPU),
    }


def test_each_is_told_once_a_minute() -> None:
    notices = SignalNotices()
    first = "SIGUSR1 is ignored: it means nothing to the gateway"
    assert notices.line(signal.SIGUSR1, 0.0) == first
    assert notices.line(signal.SIGUSR1, 1.0) is None
    assert notices.line(signal.SIGUSR1, 59.999) is None
    assert notices.line(signal.SIGUSR2, 2.0) is not None
    assert notices.line(signal.SIGUSR1, 60.0) == f"{first} (2 more have come since this was told)"
    assert notices.line(signal.SIGHUP, 60.0, "why") == "SIGHUP is ignored: why"
