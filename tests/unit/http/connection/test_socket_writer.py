"""Writing from a pool thread, to a real socket."""

import socket
import struct
from contextlib import suppress
from threading import Thread

import pytest

from gateway.errors import ClientDisconnected
from gateway.http.connection.socket_writer import SocketWriter

LARGE = bytes(range(256)) * 8192  # 2 MB: more than the buffers of both ends take.


def new_writer(sock, stall_timeout, on_stall=lambda: None):
    return SocketWriter(sock, stall_timeout, on_stall)


@pytest.fixture
def ends():
    """The gateway's end and the client's."""
    ours, client = socket.socketpair()
    client.settimeout(10)
    with ours, client:
        yield ours, client


def read_all(client, size):
    data = bytearray()
    while len(data) < size:
        piece = client.recv(1 << 16)
        assert piece, "the connection ended early"
        data += piece
    return bytes(data)


def drain(sock):
    """What can be read from a socket that does not block."""
    data = bytearray()
    with suppress(BlockingIOError):
        while piece := sock.recv(1 << 16):
            data += piece
    return bytes(data)


def fill(sock):
    """Send until the kernel takes no more; how much it was."""
    size = 0
    with suppress(BlockingIOError):
        while True:
            size += sock.send(b"x" * 65536)
    return size


def test_the_socket_does_not_block_afterwards(ends):
    ours, _ = ends
    new_writer(ours, 1)
    assert ours.getblocking() is False


def test_small_things_leave_at_once(ends):
    ours, client = ends
    writer = new_writer(ours, 1)
    writer.send(b"one")
    assert writer.send_last(b"two", b"three") == b""
    assert writer.send_last(b"four", b"") == b""
    assert writer.send_last(b"", b"") == b""
    assert client.recv(100) == b"onetwothreefour"


def test_sending_waits_for_a_slow_client(ends):
    ours, client = ends
    writer = new_writer(ours, 10)
    filled = fill(ours)
    sender = Thread(target=lambda: writer.send(b"late"), daemon=True)
    sender.start()
    assert read_all(client, filled + 4)[filled:] == b"late"
    sender.join(10)


def test_every_byte_arrives_once_and_in_order(ends):
    ours, client = ends
    writer = new_writer(ours, 10)
    sender = Thread(target=lambda: writer.send(LARGE), daemon=True)
    sender.start()
    assert read_all(client, len(LARGE)) == LARGE
    sender.join(10)


@pytest.mark.parametrize("size", [10, 65536, 65537, len(LARGE)])
@pytest.mark.parametrize("is_full", [False, True])
def test_the_rest_of_the_last_bytes(ends, size, is_full):
    ours, client = ends
    writer = new_writer(ours, 0.01)
    filled = fill(ours) if is_full else 0
    head, body = b"head" * 100, LARGE[:size]
    rest = bytes(writer.send_last(head, body))
    sent = len(head) + len(body) - len(rest)
    if is_full:
        assert sent == 0
    assert read_all(client, filled + sent)[filled:] + rest == head + body


class Reluctant:
    """A socket whose kernel takes `room` bytes."""

    def __init__(self, room):
        self.room = room
        self.sent = b""

    def fileno(self):
        return -1

    def setblocking(self, flag):
        pass

    def send(self, data, flags):
        return self.sendmsg((data,), (), flags)

    def sendmsg(self, parts, ancillary, flags):
        assert flags & socket.MSG_NOSIGNAL
        taken = b"".join(parts)[: self.room]
        self.sent += taken
        return len(taken)


@pytest.mark.parametrize("room", [1, 3, 4, 5, 70_000, 70_003, 70_004, 70_005])
def test_a_head_and_a_large_body_taken_in_part(room):
    sock = Reluctant(room)
    head, body = b"head", b"b" * 70_000
    rest = new_writer(sock, 1).send_last(head, body)
    assert sock.sent + bytes(rest) == head + body


def test_a_client_that_takes_nothing(ends):
    ours, _ = ends
    writer = new_writer(ours, 0.02)
    with pytest.raises(ClientDisconnected, match="takes nothing"):
        writer.send(LARGE)


def test_a_client_that_has_gone(ends):
    ours, client = ends
    writer = new_writer(ours, 1)
    client.close()
    with pytest.raises(ClientDisconnected):
        writer.send(b"x")
    with pytest.raises(ClientDisconnected):
        writer.send_last(b"x", b"y")
    with pytest.raises(ClientDisconnected):
        writer.send_last(b"x", LARGE)


def test_a_client_that_resets_a_tcp_connection():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        ours, _ = listener.accept()
    with ours:
        writer = new_writer(ours, 10)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
        with pytest.raises(ClientDisconnected):
            writer.send(LARGE)


def test_shutting_down_wakes_a_thread_that_waits(ends):
    ours, _ = ends
    writer = new_writer(ours, 60)
    fill(ours)
    caught = []

    def send():
        try:
            writer.send(b"x")
        except ClientDisconnected as error:
            caught.append(error)

    sender = Thread(target=send, daemon=True)
    sender.start()
    writer.shut_down()
    sender.join(10)
    assert len(caught) == 1
    writer.shut_down()
    writer.close()
    writer.close()
    writer.shut_down()


def test_who_is_held_up_says_so_once_for_each_wait(ends):
    ours, client = ends
    client.setblocking(False)
    taken = []
    # Who waits makes room itself, so that each wait ends with its call.
    writer = new_writer(ours, 10, lambda: taken.append(drain(client)))
    size = fill(ours)
    writer.send(LARGE)
    assert len(taken) > 1
    assert all(taken), "it said so again without having waited"
    assert b"".join([*taken, drain(client)])[size:] == LARGE


def test_who_need_not_wait_is_not_held_up(ends):
    ours, client = ends
    writer = new_writer(ours, 10, pytest.fail)
    writer.send(b"small")
    assert client.recv(100) == b"small"


# --- whether a client that has ended its side still reads -----------------------------------------

INTERIM = b"HTTP/1.1 100 Continue\r\n\r\n"


@pytest.fixture
def tcp_ends():
    """As `ends`, of a TCP connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        ours, _ = listener.accept()
    with ours, client:
        yield ours, client


def test_a_client_that_has_half_closed_takes_an_interim_response(tcp_ends):
    ours, client = tcp_ends
    client.shutdown(socket.SHUT_WR)
    writer = new_writer(ours, 1)
    assert not writer.is_reset_by(INTERIM)
    assert not writer.has_failed
    assert client.recv(4096) == INTERIM


def test_a_client_that_has_closed_refuses_an_interim_response(tcp_ends):
    ours, client = tcp_ends
    client.close()
    writer = new_writer(ours, 1)
    assert writer.is_reset_by(INTERIM)
    assert writer.has_failed


def test_no_interim_response_goes_behind_what_a_client_has_yet_to_take(tcp_ends):
    """It could be sent in part, and the rest of the response would follow that."""
    ours, client = tcp_ends
    client.shutdown(socket.SHUT_WR)
    writer = new_writer(ours, 1)
    size = fill(ours)
    got = client.recv(1 << 20)  # There is room again, and more is on its way.
    assert not writer.is_reset_by(INTERIM)
    assert not writer.has_failed
    ours.shutdown(socket.SHUT_WR)
    client.settimeout(10)
    while piece := client.recv(1 << 20):
        got += piece
    assert got == b"x" * size
