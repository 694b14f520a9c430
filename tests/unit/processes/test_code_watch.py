"""What a watcher says, and what its supervisor makes of it."""

import os
import select
import signal
import socket
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from gateway.processes.code_watch import CodeWatch, WatcherLink
from gateway.processes.worker_process import NEVER


class Pair(NamedTuple):
    ours: socket.socket
    theirs: socket.socket


@pytest.fixture
def pair() -> Iterator[Pair]:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with ours, theirs:
        yield Pair(ours, theirs)


@pytest.fixture
def poll() -> select.poll:
    return select.poll()


@pytest.fixture
def child() -> Iterator[int]:
    """A process that waits to be killed."""
    pid = os.fork()
    if not pid:
        signal.pause()
        os._exit(1)
    yield pid
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def begun(poll: select.poll, pair: Pair, now: float = 0.0, pid: int = 1) -> CodeWatch:
    watch = CodeWatch(poll, is_on=True)
    assert watch.fork(lambda: (pid, pair.ours), now) is None
    return watch


def test_nobody_is_watched_where_that_is_not_asked_for(poll: select.poll) -> None:
    watch = CodeWatch(poll, is_on=False)
    assert not watch.is_due(1e9)
    assert watch.load_at == 0.0
    assert not watch.hear(0.0)
    watch.stop()


def test_code_is_loaded_when_it_is_watched(poll: select.poll, pair: Pair) -> None:
    watch = CodeWatch(poll, is_on=True)
    assert watch.is_due(0.0)
    assert watch.load_at == NEVER
    watch.fork(lambda: (1, pair.ours), 10.0)
    assert not watch.is_due(1e9)
    assert watch.load_at == 15.0, "or after a while without"
    assert poll.poll(0) == []
    WatcherLink(pair.theirs).tell("")
    assert [descriptor for descriptor, _ in poll.poll(0)] == [pair.ours.fileno()]
    assert not watch.hear(14.9), "it is the first one"
    assert watch.load_at == 0.0


@pytest.mark.parametrize(("now", "loads_again"), [(14.9, False), (15.0, True)])
def test_a_watcher_that_is_late_has_the_code_loaded_again(
    poll: select.poll, pair: Pair, now: float, loads_again: bool
) -> None:
    watch = begun(poll, pair, 10.0)
    WatcherLink(pair.theirs).tell("")
    assert watch.hear(now) is loads_again


def test_changes_are_told(poll: select.poll, pair: Pair) -> None:
    watch, link = begun(poll, pair), WatcherLink(pair.theirs)
    link.tell("")
    assert not watch.hear(1.0)
    assert not watch.hear(2.0), "nothing was said"
    link.tell("a\nb.py \udcff ä")
    link.tell("c" * 1001)
    assert watch.hear(3.0)
    assert (watch.change, watch.changed_at) == ("c" * 1000, 3.0), "the last one"
    pair.theirs.sendall(b"half")
    assert not watch.hear(4.0)
    pair.theirs.sendall(b" a line\n")
    assert watch.hear(5.0)
    assert (watch.change, watch.changed_at) == ("half a line", 5.0)


def test_what_a_name_holds_is_one_line(poll: select.poll, pair: Pair) -> None:
    watch, link = begun(poll, pair), WatcherLink(pair.theirs)
    link.tell("")
    link.tell("a\nb.py \udcff ä")
    assert watch.hear(1.0)
    assert watch.change == "a?b.py \\udcff ä"


def test_a_watcher_that_ends_is_replaced_later_and_later(
    poll: select.poll, pair: Pair, caplog: pytest.LogCaptureFixture
) -> None:
    watch = begun(poll, pair, 100.0)
    WatcherLink(pair.theirs).tell("")
    pair.theirs.close()
    assert not watch.hear(101.0)
    assert not watch.hear(101.0)
    assert not watch.hear(101.0), "its end is told once"
    assert poll.poll(0) == []
    watch.note_end(3 << 8, 101.0)
    assert watch.is_due(101.0)
    assert caplog.messages == [
        "the watcher of the code ended with status 3; another is started at once"
    ]
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    watch.fork(lambda: (2, ours), 101.0)
    WatcherLink(theirs).tell("")
    assert watch.hear(102.0), "there was a time without one"
    watch.note_end(signal.SIGSEGV, 102.0)
    assert not watch.is_due(102.05)
    assert watch.is_due(102.1)
    assert caplog.messages[1:] == [
        "the watcher of the code was killed by SIGSEGV; another is started in 0.1 s"
    ]
    assert ours.fileno() == -1
    theirs.close()


def test_without_a_watcher_the_gateway_serves(
    poll: select.poll, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> tuple[int, socket.socket]:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    watch = CodeWatch(poll, is_on=True)
    assert watch.fork(fail, 5.0) is None
    assert watch.load_at == 0.0
    assert watch.fork(fail, 5.0) is None
    assert not watch.is_due(5.05)
    assert watch.is_due(5.1)
    assert caplog.messages == [
        "no watcher can be started (Resource temporarily unavailable); again at once",
        "no watcher can be started (Resource temporarily unavailable); again in 0.1 s",
    ]


def test_in_the_watcher_there_is_its_link(poll: select.poll, pair: Pair) -> None:
    link = CodeWatch(poll, is_on=True).fork(lambda: (0, pair.theirs), 0.0)
    assert isinstance(link, WatcherLink)
    assert link.fileno() == pair.theirs.fileno()
    pair.ours.close()
    assert select.select([link], [], [], 0)[0] == [link]
    with pytest.raises(BrokenPipeError):
        link.tell("x")


def test_the_end_is_quiet_and_takes_a_stopped_process(
    poll: select.poll, pair: Pair, child: int, caplog: pytest.LogCaptureFixture
) -> None:
    watch = begun(poll, pair, pid=child)
    os.kill(child, signal.SIGSTOP)
    watch.stop()
    ended = os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
    assert ended is not None
    assert ended.si_status == signal.SIGKILL
    watch.note_end(signal.SIGKILL, 1.0)
    assert watch.process is None
    assert not watch.is_due(1e9)
    assert caplog.messages == []
