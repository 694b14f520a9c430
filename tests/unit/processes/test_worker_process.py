"""A worker as its supervisor knows it: a real child at the other end of the link."""

import os
import signal
import socket

import pytest

from gateway.processes.link import BEAT, CLOSED, CODE_FAILED, READY, START_FAILED, WANTS_REPLACEMENT
from gateway.processes.worker_process import NEVER, Times, WorkerProcess, ending

TIMES = Times(loading=30.0, silence=60.0, leaving=20.0)


class Child:
    """A process that does nothing until a signal ends it."""

    def __init__(self, *, stops_at_term=True):
        ours, self.theirs = socket.socketpair()
        ours.setblocking(False)
        ready, tell_ready = os.pipe()
        pid = os.fork()
        if not pid:
            self.theirs.close()  # Only its parent speaks for it.
            ours.close()
            signal.signal(signal.SIGABRT, signal.SIG_DFL)
            signal.signal(signal.SIGTERM, signal.SIG_DFL if stops_at_term else signal.SIG_IGN)
            os.write(tell_ready, b"x")
            while True:
                signal.pause()
        os.read(ready, 1)
        os.close(ready)
        os.close(tell_ready)
        self.worker = WorkerProcess(pid, ours, generation=0, times=TIMES, now=100.0)
        self.has_ended = False

    def say(self, *words):
        self.theirs.send(bytes(words))

    def words(self):
        self.theirs.setblocking(False)
        try:
            return self.theirs.recv(100)
        except BlockingIOError:
            return b""

    def end(self):
        """How it has ended, in words."""
        self.has_ended = True
        return self.worker.ending(os.waitpid(self.worker.pid, 0)[1])

    def is_running(self):
        pid, _ = os.waitpid(self.worker.pid, os.WNOHANG)
        self.has_ended = bool(pid)
        return not pid


@pytest.fixture
def make_child():
    children = []

    def make(**more):
        children.append(Child(**more))
        return children[-1]

    yield make
    for child in children:
        if not child.has_ended:
            os.kill(child.worker.pid, signal.SIGKILL)
            os.waitpid(child.worker.pid, 0)
        child.theirs.close()
        child.worker.link.close()


@pytest.fixture
def child(make_child):
    return make_child()


def test_what_it_says(child):
    worker = child.worker
    assert worker.hear(101.0), "it is silent"
    assert worker.served(101.0) is None
    child.say(READY)
    assert worker.hear(102.0)
    assert worker.served(105.0) == 3.0
    child.say(BEAT, READY)
    assert worker.hear(106.0)
    assert worker.ready_at == 102.0, "it becomes ready once"
    assert not worker.needs_replacement
    child.say(WANTS_REPLACEMENT)
    assert worker.hear(107.0)
    child.say(BEAT)
    assert worker.hear(108.0)
    assert worker.needs_replacement
    child.theirs.close()
    assert not worker.hear(109.0)


@pytest.mark.parametrize(("word", "is_at_fault"), [(START_FAILED, False), (CODE_FAILED, True)])
def test_why_it_cannot_start(child, word, is_at_fault):
    child.say(word)
    child.worker.hear(101.0)
    assert child.worker.has_explained
    assert child.worker.is_code_at_fault is is_at_fault


@pytest.mark.parametrize(("how", "seconds"), [("leave", 30.0), ("drain", 30.0), ("end", 3.0)])
def test_one_that_serves_is_told_and_has_time(make_child, how, seconds):
    child = make_child(stops_at_term=False)
    worker = child.worker
    child.say(READY)
    worker.hear(101.0)
    getattr(worker, how)(200.0)
    assert worker.is_leaving
    assert len(child.words()) == 1
    assert worker.kill_at == 200.0 + seconds
    worker.enforce(200.0 + seconds - 0.001)
    assert child.is_running()
    worker.enforce(200.0 + seconds)
    assert child.end() == "was killed by SIGKILL"


def test_one_that_loads_is_terminated(child):
    child.worker.leave(101.0)
    assert child.worker.kill_at == 104.0
    assert child.end() == "was killed by SIGTERM"


def test_a_later_wish_gives_no_more_time(make_child):
    child = make_child(stops_at_term=False)
    child.say(READY)
    child.worker.hear(101.0)
    child.worker.end(200.0)
    child.worker.drain(201.0)
    assert child.worker.kill_at == 203.0


def test_one_that_has_closed_may_not_stay_for_ever(child):
    child.say(READY)
    child.worker.hear(101.0)
    child.say(CLOSED)
    child.worker.hear(110.0)
    assert child.worker.has_closed
    assert child.worker.kill_at == 140.0
    child.say(CLOSED)
    child.worker.hear(120.0)
    assert child.worker.kill_at == 140.0
    child.worker.enforce(139.0)
    assert child.is_running(), "its loop ends: that it is silent proves nothing"


@pytest.mark.parametrize(
    ("is_ready", "timeout", "told"),
    [
        (False, 30.0, "hangs: after 30 s of loading it cannot serve"),
        (True, 60.0, "hangs: its loop has not turned for 60 s"),
    ],
)
def test_one_that_hangs_is_killed(child, caplog, is_ready, timeout, told):
    worker = child.worker
    if is_ready:
        child.say(READY)
        worker.hear(100.0)
    now = 100.0
    while now < 100.0 + timeout:
        now += 1.0
        worker.enforce(now)
    assert caplog.messages == []
    assert worker.kill_at == NEVER
    worker.enforce(now + 1.0)
    assert caplog.messages == [f"worker {worker.pid} {told}; it is killed"]
    assert worker.kill_at == now + 3.0
    assert child.end() == "was killed by SIGABRT"


def test_a_kill_from_outside_is_pointed_out(child):
    os.kill(child.worker.pid, signal.SIGKILL)
    assert child.end() == "was killed by SIGKILL (the system does this when memory runs out)"


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (0, "ended with status 0"),
        (3 << 8, "ended with status 3"),
        (signal.SIGSEGV, "was killed by SIGSEGV"),
        (signal.SIGRTMIN + 2, f"was killed by signal {signal.SIGRTMIN + 2}"),
    ],
)
def test_ends_in_words(status, text):
    assert ending(status) == text


def test_how_often_it_is_looked_at(child):
    assert child.worker.look_interval() == 1.0
    child.worker.times = TIMES._replace(loading=2.0, silence=0.0)
    assert child.worker.look_interval() == 0.5
    child.say(READY)
    child.worker.hear(101.0)
    assert child.worker.look_interval() == NEVER
