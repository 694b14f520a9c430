"""Lines reach their descriptor whole and in order, and nobody waits for its reader."""

import errno
import fcntl
import os
import re
import threading
import time
from contextlib import suppress

import pytest

from gateway.logs import line_writer as module
from gateway.logs.line_buffer import LineBuffer
from gateway.logs.line_writer import LineWriter


def tell(count):
    return f"{count} missing\n"


@pytest.fixture
def pipe():
    """A pipe: its reading end, which the test may close, and its writing end."""
    reader, descriptor = os.pipe()
    yield reader, descriptor
    with suppress(OSError):
        os.close(reader)


def read_all(reader):
    data = b""
    while part := os.read(reader, 65536):
        data += part
    return data.decode("ascii").splitlines()


def wait_until(condition):
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def in_background(function, *arguments):
    results = []
    thread = threading.Thread(target=lambda: results.append(function(*arguments)))
    thread.start()
    return thread, results


def test_lines_wait_for_a_flush_and_leave_together(pipe):
    reader, descriptor = pipe
    writer = LineWriter(descriptor, tell)
    for number in range(10):
        writer.put(f"{number}\n")
    time.sleep(0.02)
    assert writer._buffer.rest().count(b"\n") == 10
    writer.flush()
    assert os.read(reader, 4096) == b"0\n1\n2\n3\n4\n5\n6\n7\n8\n9\n"
    writer.close(5)
    assert os.read(reader, 1) == b""


def test_many_lines_wait_for_no_flush(pipe):
    reader, descriptor = pipe
    writer = LineWriter(descriptor, tell)
    lines = module._WAKE_BYTES // 100 + 1
    for _ in range(lines):
        writer.put("x" * 99 + "\n")
    got = b""
    while len(got) < lines * 100:
        got += os.read(reader, 65536)
    writer.close(5)


def test_what_is_put_last_is_written(pipe):
    reader, descriptor = pipe
    thread, results = in_background(read_all, reader)
    for _ in range(200):
        end = os.dup(descriptor)
        writer = LineWriter(end, tell)
        writer.put("first\n")
        writer.flush()
        writer.put("last\n")
        writer.close(5)
    os.close(descriptor)
    thread.join()
    assert results == [["first", "last"] * 200]


@pytest.mark.parametrize("blocks", [True, False])
def test_lines_of_many_threads_are_whole_and_in_order(pipe, blocks):
    reader, descriptor = pipe
    os.set_blocking(descriptor, blocks)
    writer = LineWriter(descriptor, tell)
    reading, results = in_background(read_all, reader)

    def put(name):
        for number in range(2000):
            writer.put(f"{name} {number} {'x' * (number % 500)}.\n")

    threads = [threading.Thread(target=put, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    writer.close(30)
    reading.join()
    for name in "abcd":
        own = [line for line in results[0] if line[0] == name]
        assert own == [f"{name} {number} {'x' * (number % 500)}." for number in range(2000)]
    assert len(results[0]) == 8000
    assert writer._buffer.is_empty


def test_a_reader_that_stops_is_not_waited_for(pipe, monkeypatch):
    """Memory stays bounded; when it reads again, a line in the place of the lost tells how many."""
    reader, descriptor = pipe
    monkeypatch.setattr(module, "_WAKE_BYTES", 1000)
    writer = LineWriter(descriptor, tell, buffer=LineBuffer(50_000))
    for number in range(20_000):
        writer.put(f"{number:99}\n")
    assert len(writer._buffer.rest()) <= 100_000
    thread, results = in_background(read_all, reader)
    wait_until(lambda: not writer._is_full)
    writer.put("20000\n")
    writer.close(5)
    thread.join()
    expected = 0
    for line in results[0]:
        if line.endswith("missing"):
            expected += int(line.split()[0])
        else:
            assert int(line) == expected
            expected += 1
    assert expected == 20_001
    assert len(results[0]) < 10_000


def test_missing_lines_are_told_when_no_more_come(pipe, monkeypatch):
    reader, descriptor = pipe
    monkeypatch.setattr(module, "_WAKE_BYTES", 1000)
    writer = LineWriter(descriptor, tell, buffer=LineBuffer(5_000))
    wait_until(lambda: writer._is_full or writer.put("x" * 2499 + "\n"))
    for _ in range(7):
        writer.put("lost\n")
    got = b""
    while not (match := re.search(rb"\n(\d+) missing\n\Z", got)):
        got += os.read(reader, 65536)
    assert int(match[1]) >= 7
    writer.close(5)


@pytest.mark.parametrize("late", ["_is_full", "_dropped"])
def test_a_mark_that_comes_late_does_not_stay(pipe, late):
    """A thread saw the queue full, and says so when the writer has emptied it."""
    reader, descriptor = pipe
    writer = LineWriter(descriptor, tell)
    wait_until(lambda: not writer._is_awake)
    setattr(writer, late, 3)
    writer.flush()
    wait_until(lambda: not getattr(writer, late))
    writer.put("line\n")
    writer.close(5)
    assert read_all(reader) == (["3 missing", "line"] if late == "_dropped" else ["line"])


def test_a_full_disk_loses_nothing_when_there_is_room_again(pipe, monkeypatch, caplog):
    reader, descriptor = pipe
    outcomes = [3, errno.ENOSPC, errno.ENOSPC, 1]

    def write(target, data):
        outcome = outcomes.pop(0) if outcomes else None
        if outcome == errno.ENOSPC:
            raise OSError(outcome, os.strerror(outcome))
        return real_write(target, data[:outcome])

    real_write = os.write
    monkeypatch.setattr(module.os, "write", write)
    monkeypatch.setattr(module, "_RETRY_SECONDS", 0.01)
    writer = LineWriter(descriptor, tell)
    writer.put("first\n")
    writer.put("second\n")
    writer.flush()
    assert os.read(reader, 3) == b"fir"
    wait_until(lambda: not outcomes)
    writer.close(5)
    assert read_all(reader) == ["st", "second"]
    assert [record.message for record in caplog.records] == [
        "the log cannot be written: No space left on device; trying again"
    ]


def test_a_reader_that_is_gone_harms_nobody(pipe, caplog):
    reader, descriptor = pipe
    os.close(reader)
    writer = LineWriter(descriptor, tell)
    writer.put("line\n")
    writer.flush()
    wait_until(lambda: writer._has_failed)
    for _ in range(3):
        writer.put("line\n")
        writer.flush()
    started = time.monotonic()
    writer.close(30)
    assert time.monotonic() - started < 15
    assert [record.message for record in caplog.records] == [
        "the log cannot be written: Broken pipe; trying again",
        "the log was not taken to its end: 4 lines or more are left",
    ]
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)


def test_the_thread_ends_with_the_log(pipe):
    writer = LineWriter(pipe[1], tell)
    writer.close(5)
    assert not writer._thread.is_alive()


def test_a_reader_that_has_stopped_does_not_keep_the_end_from_coming(pipe, caplog):
    reader, descriptor = pipe
    writer = LineWriter(descriptor, tell)
    for _ in range(1000):
        writer.put("x" * 99 + "\n")
    started = time.monotonic()
    writer.close(0.05)
    assert time.monotonic() - started < 15
    assert "not taken to its end" in caplog.text
    os.fstat(descriptor)  # A thread still writes to it.
    thread, results = in_background(read_all, reader)
    thread.join()
    assert len(results[0]) == 1000


def slowly(reader, parts):
    """Read all, with a pause behind each of so many parts."""
    data = b""
    while part := os.read(reader, 4096):
        data += part
        if parts:
            parts -= 1
            time.sleep(0.01)
    return data.count(b"\n")


def test_a_slow_reader_that_goes_on_is_waited_for(pipe):
    reader, descriptor = pipe
    writer = LineWriter(descriptor, tell)
    for _ in range(4000):
        writer.put("x" * 99 + "\n")
    thread, results = in_background(slowly, reader, 70)
    writer.close(0.5)
    assert not writer._thread.is_alive()
    thread.join()
    assert results == [4000]


def test_a_slow_reader_is_not_waited_for_without_end(pipe, caplog):
    reader, descriptor = pipe
    writer = LineWriter(descriptor, tell)
    for _ in range(4000):
        writer.put("x" * 99 + "\n")
    thread, _ = in_background(slowly, reader, 70)
    writer.close(5, most=0.05)
    assert "not taken to its end" in caplog.text
    thread.join()


def test_another_process_that_writes_is_waited_for(pipe):
    reader, descriptor = pipe
    lock = os.memfd_create("lock")
    ready, tell_ready = os.pipe()
    pid = os.fork()
    if not pid:  # Another worker, in the middle of a batch.
        fcntl.lockf(lock, fcntl.LOCK_EX)
        os.write(descriptor, b"begun ")
        os.write(tell_ready, b"x")
        time.sleep(0.1)
        os.write(descriptor, b"ended\n")
        os._exit(0)  # Which releases the lock.
    os.read(ready, 1)
    writer = LineWriter(descriptor, tell, lock)
    writer.put("mine\n")
    writer.close(5)
    os.waitpid(pid, 0)
    assert read_all(reader) == ["begun ended", "mine"]
    for number in (lock, ready, tell_ready):
        os.close(number)


def test_a_lock_that_is_gone_stops_nobody(pipe):
    reader, descriptor = pipe
    writer = LineWriter(descriptor, tell, 987)
    writer.put("mine\n")
    writer.close(5)
    assert read_all(reader) == ["mine"]


def test_what_is_roused_leaves_by_itself_and_wakes_nobody_twice(pipe):
    reader, descriptor = pipe
    writer = LineWriter(descriptor, tell)
    wakes = []
    wake = writer._wake
    writer._wake = lambda: (wakes.append(1), wake())
    writer.put("first\n")
    writer.rouse()
    assert os.read(reader, 4096) == b"first\n"
    for number in range(2_000):
        writer.put(f"{number}\n")
        writer.rouse()
    wait_until(lambda: writer._buffer.is_empty)
    assert 1 <= len(wakes) < 200
    writer.close(5)
    assert read_all(reader) == [str(number) for number in range(2_000)]


def test_a_line_that_comes_as_the_writer_falls_asleep_is_not_left(pipe):
    """Nobody else would rouse it."""
    reader, descriptor = pipe
    writer = LineWriter(descriptor, tell)
    for number in range(300):
        writer.put(f"{number}\n")
        writer.rouse()
        assert os.read(reader, 4096) == f"{number}\n".encode()
    writer.close(5)


def test_text_beyond_ascii(pipe):
    reader, descriptor = pipe
    writer = LineWriter(descriptor, tell)
    writer.put("你好\n")
    writer.close(5)
    assert os.read(reader, 4096).decode() == "你好\n"


def test_a_forked_child_leaves_the_lines_to_its_parent(pipe):
    """The child has no thread that writes: what it puts is counted and dropped, and wakes nobody.

    The lines that its parent has queued are written once.
    """
    reader, descriptor = pipe
    writer = LineWriter(descriptor, tell)
    writer.put("queued\n")
    pid = os.fork()
    if not pid:
        size = len(writer._buffer.rest())
        writer.put("of the child\n")
        writer.flush()
        writer.rouse()
        is_left = len(writer._buffer.rest()) == size and writer._wakes.empty()
        os._exit(0 if is_left else 1)
    assert os.waitpid(pid, 0)[1] == 0
    writer.put("behind it\n")
    writer.close(5)
    assert read_all(reader) == ["queued", "behind it"]
