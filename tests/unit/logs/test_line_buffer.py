"""Lines in two halves of shared memory: none is lost, whoever looks at it, and when."""

import os
import signal
import sys
import threading

import pytest

from gateway.logs.line_buffer import LineBuffer


def drain(buffer, most=1 << 20):
    data = b""
    while lines := bytes(buffer.take(most)):
        buffer.advance(len(lines))
        data += lines
    return data


@pytest.mark.parametrize(("size", "fits"), [(99, True), (100, True), (101, False)])
def test_a_half_takes_its_size_and_no_more(size, fits):
    buffer = LineBuffer(100)
    assert (buffer.put(b"x" * size) == size) is fits
    assert buffer.is_empty is not fits


def test_the_halves_change_places_for_ever():
    buffer = LineBuffer(100)
    expected = got = b""
    for number in range(200):
        for part in range(number % 5):
            line = b"%d %d\n" % (number, part)
            assert buffer.put(line) > 0
            expected += line
        assert buffer.rest() == expected[len(got) :]
        got += drain(buffer)
        assert buffer.is_empty
        assert buffer.put(b"") == 0
    assert got == expected


def test_what_comes_while_a_half_is_written_stands_behind_it():
    buffer = LineBuffer(100)
    buffer.put(b"one\ntwo\n")
    assert bytes(buffer.take(100)) == b"one\ntwo\n"
    buffer.put(b"three\n")
    buffer.advance(2)
    assert bytes(buffer.take(100)) == b"e\ntwo\n"
    assert buffer.rest() == b"e\ntwo\nthree\n"
    buffer.advance(6)
    assert bytes(buffer.take(100)) == b"three\n"
    assert not buffer.is_empty


@pytest.mark.parametrize(
    ("most", "expected"),
    [(3, b"one\n"), (4, b"one\n"), (7, b"one\n"), (8, b"one\ntwo\n"), (9, b"one\ntwo\n")],
)
def test_a_batch_is_whole_lines(most, expected):
    buffer = LineBuffer(100)
    buffer.put(b"one\ntwo\nlast")
    assert bytes(buffer.take(most)) == expected


def test_a_line_without_end_is_taken_too():
    buffer = LineBuffer(100)
    buffer.put(b"no end")
    assert drain(buffer, 3) == b"no end"


def test_who_shares_the_memory_finds_what_a_killed_process_has_left():
    """In the middle of anything: whole lines, in order, from where it was."""
    for _ in range(20):
        buffer = LineBuffer(1 << 16)
        reader, writer = os.pipe()
        pid = os.fork()
        if not pid:
            number = 0
            while True:
                if buffer.put(b"%d\n" % number) < 0:
                    break
                number += 1
                if number == 500:
                    os.write(writer, b"x")
            signal.pause()
        os.read(reader, 1)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        lines = buffer.rest().split(b"\n")
        assert lines.pop() == b""
        assert [*map(int, lines)] == [*range(len(lines))]
        assert len(lines) >= 500
        buffer.clear()
        assert buffer.is_empty
        assert buffer.put(b"next\n") == 5
        assert drain(buffer) == b"next\n"
        os.close(reader)
        os.close(writer)


def test_threads_put_and_one_takes():
    buffer = LineBuffer(1 << 16)  # Of which the lines fill nearly a half.
    got = []
    done = threading.Event()

    def take():
        while not done.is_set() or not buffer.is_empty:
            got.append(drain(buffer, 1000))
            done.wait(0.001)  # As the writer, who is woken.

    def put(name):
        for number in range(1000):
            assert buffer.put(b"%s %d\n" % (name, number)) > 0

    taking = threading.Thread(target=take)
    taking.start()
    threads = [threading.Thread(target=put, args=(name,)) for name in (b"a", b"b", b"c")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    done.set()
    taking.join()
    lines = b"".join(got).splitlines()
    for name in (b"a", b"b", b"c"):
        own = [line for line in lines if line.startswith(name)]
        assert own == [b"%s %d" % (name, number) for number in range(1000)]
    assert len(lines) == 3000


def test_a_line_that_comes_in_the_middle_of_another():
    """From a destructor or a signal handler, in the same thread."""
    buffer = LineBuffer(1000)
    view = buffer._view

    class Interrupting:
        def __setitem__(self, at, data):
            buffer._view = view
            buffer.put(b"inner\n")
            view[at] = data

    buffer._view = Interrupting()
    buffer.put(b"outer\n")
    assert buffer.rest() == b"outer\ninner\n"


def test_a_line_that_comes_in_the_middle_of_the_change_is_kept():
    """A destructor logs wherever the collector runs, also in the thread that writes."""
    buffer = LineBuffer(10_000)
    expected, got = [b"first\n"], b""
    buffer.put(expected[0])

    def put(frame, event, _):
        if event == "line":
            expected.append(b"%d\n" % len(expected))
            assert buffer.put(expected[-1]) > 0
        return put if frame.f_code is LineBuffer._swap_halves.__code__ else None

    before = sys.gettrace()
    sys.settrace(put)
    try:
        lines = bytes(buffer.take(1 << 20))
    finally:
        sys.settrace(before)
    buffer.advance(len(lines))
    got = lines + drain(buffer)
    assert len(expected) > 5
    assert got == b"".join(expected)
    assert buffer.is_empty
