"""A body that is read while it arrives."""

from threading import Event, Thread

import pytest

from gateway.errors import ClientDisconnected, RequestTimeout
from gateway.http.body.body_stream import BodyStream


class Reading:
    """A stream and what it told the loop."""

    def __init__(self, head_start=b"", bound=8):
        self.rooms = 0
        self.changes = 0
        self.stream = BodyStream(head_start, bound, self.on_room)

    def on_room(self):
        self.rooms += 1

    def on_change(self):
        self.changes += 1


def test_what_has_come_before_is_read_first():
    stream = Reading(b"12345678").stream
    assert (stream.size, stream.received, stream.length) == (8, 8, None)
    stream.append(b"9")
    assert stream.take(100) == b"123456789"
    assert stream.take(1) is None
    stream.end()
    assert stream.take(1) == b""
    assert (stream.size, stream.received, stream.length) == (8, 9, 9)


@pytest.mark.parametrize(("size", "is_full"), [(7, False), (8, True), (9, True)])
def test_when_it_is_full(size, is_full):
    stream = Reading().stream
    stream.append(memoryview(b"x" * size))
    assert stream.is_full == is_full


def test_the_loop_is_told_when_half_of_the_bound_is_free():
    reading = Reading(b"x" * 8)
    stream = reading.stream
    assert stream.take(3) == b"xxx"
    assert reading.rooms == 0
    stream.take(1)
    assert reading.rooms == 1
    stream.take(1)
    assert reading.rooms == 1
    stream.append(b"x" * 20)
    assert stream.is_full
    assert len(stream.take(99)) == 23
    assert reading.rooms == 2


def test_a_bound_of_one_byte():
    reading = Reading(b"x", bound=1)
    assert reading.stream.is_full
    assert reading.stream.take(1) == b"x"
    assert reading.rooms == 1


def test_what_came_before_a_fault_can_still_be_read():
    stream = Reading(b"abc").stream
    stream.fail(RequestTimeout("too slow"))
    assert stream.take(10) == b"abc"
    with pytest.raises(RequestTimeout):
        stream.take(10)
    with pytest.raises(RequestTimeout):
        stream.wait_and_take(10)


def test_readers_on_the_loop_are_told_of_every_change():
    reading = Reading()
    stream = reading.stream
    stream.append(b"a")
    stream.on_change = reading.on_change
    stream.append(b"b")
    stream.end()
    stream.fail(ClientDisconnected("gone"))
    assert reading.changes == 3


def test_a_file_that_is_all_there():
    stream = Reading(b"one\ntwo\nthr").stream
    stream.append(b"ee")
    stream.end()
    file = stream.open()
    assert file.readable()
    assert file.readline() == b"one\n"
    assert file.read(2) == b"tw"
    assert list(file) == [b"o\n", b"three"]
    assert file.read() == b""


def test_a_file_waits_for_bytes():
    stream = Reading().stream
    read = []
    reader = Thread(target=lambda: read.append(stream.open().read()), daemon=True)
    reader.start()
    for piece in (b"one", b"two", b"three"):
        stream.append(piece)
    stream.end()
    reader.join(10)
    assert read == [b"onetwothree"]


@pytest.mark.parametrize("fault", [RequestTimeout("too slow"), ClientDisconnected("gone")])
def test_a_file_whose_rest_does_not_come(fault):
    stream = Reading().stream
    caught = []

    def read():
        try:
            stream.open().read()
        except OSError as error:
            caught.append(error)

    reader = Thread(target=read, daemon=True)
    reader.start()
    stream.append(b"part")
    stream.fail(fault)
    reader.join(10)
    assert str(caught[0]) == str(fault)
    assert isinstance(caught[0], ClientDisconnected) == isinstance(fault, ClientDisconnected)


# --- a thread that waits for its client -----------------------------------------------------------


@pytest.mark.parametrize("is_relieved", [True, False])
def test_a_thread_that_waits_for_bytes_is_relieved(is_relieved):
    asked = Event()

    def relieve():
        asked.set()
        return is_relieved

    stream = BodyStream(b"", 8, lambda: None, relieve)
    taken = []
    thread = Thread(target=lambda: taken.append(stream.wait_and_take(8)))
    thread.start()
    assert asked.wait(10)
    if not is_relieved:
        while not stream.stalls_thread:
            assert thread.is_alive()
    stream.append(b"x")
    thread.join(10)
    assert (taken, stream.stalls_thread) == ([b"x"], False)


@pytest.mark.parametrize("finish", ["bytes", "end", "fault"])
def test_who_finds_something_is_not_relieved(finish):
    stream = BodyStream(b"x" if finish == "bytes" else b"", 8, lambda: None, lambda: 1 / 0)
    if finish == "end":
        stream.end()
    elif finish == "fault":
        stream.fail(ClientDisconnected("it has left"))
        with pytest.raises(ClientDisconnected):
            stream.wait_and_take(8)
        return
    assert stream.wait_and_take(8) == (b"x" if finish == "bytes" else b"")
