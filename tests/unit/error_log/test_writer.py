"""The gateway's own log: nobody waits for its reader, and what is missing is counted."""

import fcntl
import os
import select

import pytest

from gateway.error_log import writer as module
from gateway.error_log.nonblocking_file import NonBlockingFile
from gateway.error_log.writer import ErrorLog


@pytest.fixture
def pipe():
    """A pipe of the least size: its reading end and its writing end."""
    reader, descriptor = os.pipe()
    fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, 4096)
    yield reader, descriptor
    os.close(reader)
    os.close(descriptor)


def drain(reader):
    """What is in the pipe."""
    data = b""
    while select.select([reader], [], [], 0)[0]:
        data += os.read(reader, 1 << 20)
    return data


def test_lines_are_written_at_once(pipe):
    reader, descriptor = pipe
    log = ErrorLog(NonBlockingFile(descriptor), "info")
    log.say("one")
    assert drain(reader) == b"one\n"
    assert log.flush()


def test_nowhere_to_write():
    log = ErrorLog(None, "info")
    log.say("one")
    assert log.descriptor == -1
    assert log.flush()


def test_what_has_no_room_is_written_later_and_in_order(pipe):
    reader, descriptor = pipe
    log = ErrorLog(NonBlockingFile(descriptor), "info")
    lines = [f"{number:0>999}" for number in range(9)]
    for line in lines:
        log.say(line)
    assert not log.flush()
    got = b""
    while not log.flush():
        got += drain(reader)
    got += drain(reader)
    assert got.decode().splitlines() == lines


@pytest.mark.parametrize("more", [-1, 0, 1])
def test_the_bound_of_what_is_kept(pipe, monkeypatch, more):
    """Beyond it records are counted, until half of it has left; a line tells how many."""
    monkeypatch.setattr(module, "_MAX_QUEUED_BYTES", 3000)
    reader, descriptor = pipe
    log = ErrorLog(NonBlockingFile(descriptor), "info")
    fill = [f"{number:0>999}" for number in range(4)]  # 4000 bytes: the pipe has room for 96.
    kept = ["a" * 999, "b" * 999, "c" * (999 + more)]
    for line in fill + kept:
        log.say(line)
    log.say("dropped, too, if one was")
    got = b""
    while not log.flush():
        got += drain(reader)
    *lines, last = (got + drain(reader)).decode().splitlines()
    dropped = 2 if more > 0 else 1
    assert lines == fill + kept[: 4 - dropped]
    assert f"{dropped} records are missing" in last
    log.say("again")
    assert drain(reader) == b"again\n"


def test_a_forked_child_leaves_what_is_kept_to_its_parent(pipe):
    """A line of which the pipe has taken a half would be written twice, in two parts."""
    reader, descriptor = pipe
    log = ErrorLog(NonBlockingFile(descriptor), "info")
    half = "x" * 10_000  # More than the pipe holds goes in part.
    log.say(half)
    assert not log.flush()
    got = drain(reader)
    assert 0 < len(got) < len(half)
    child = os.fork()
    if not child:
        log.say("the child")
        os._exit(0 if log.flush() else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert drain(reader) == b"the child\n"
    while not log.flush():
        got += drain(reader)
    assert got + drain(reader) == half.encode() + b"\n"


def test_a_forked_child_has_a_lock_of_its_own(pipe):
    """Another thread may have held it when the process forked."""
    reader, descriptor = pipe
    log = ErrorLog(NonBlockingFile(descriptor), "info")
    held = log._lock
    child = os.fork()
    if not child:
        log.say("the child")
        os._exit(0 if log._lock is not held else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert drain(reader) == b"the child\n"


def test_closing_waits_for_the_reader(pipe):
    reader, descriptor = pipe
    log = ErrorLog(NonBlockingFile(descriptor), "info")
    log.say("x" * 10_000)
    child = os.fork()
    if not child:
        got = 0
        while got < 10_001:
            got += len(os.read(reader, 65536))
        os._exit(0)
    log.close(20)
    assert log.flush()
    assert os.waitpid(child, 0)[1] == 0
