"""What a process that a handler forks keeps of its parent: no socket of a client, no signals."""

import os
import select
import signal
import socket
from contextlib import suppress

import pytest

from gateway.errors import ClientDisconnected
from gateway.http.connection.socket_writer import SocketWriter
from gateway.sockets.descriptors import identity_of
from gateway.sockets.forked import leave_to_parent


class Idle:
    """A connection that has had no request yet: it has no writer."""

    def __init__(self, sock):
        self.sock = sock

    @property
    def descriptor(self):
        return self.sock.fileno()


class Active(Idle):
    """A connection that has had one."""

    def __init__(self, sock):
        super().__init__(sock)
        self.writer = SocketWriter(sock.dup(), 1, lambda: None)


@pytest.fixture
def listener():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


@pytest.fixture
def connected(listener):
    """Makes both ends of a connection, the gateway's first."""
    opened = []

    def connect():
        client = socket.create_connection(listener.getsockname())
        opened.extend((listener.accept()[0], client))
        return opened[-2:]

    yield connect
    for sock in opened:
        sock.close()


def in_child(call):
    """What `call` returns in a forked process, as text."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.write(writer, str(call()).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with open(reader) as file:
        said = file.read()
    assert os.waitpid(child, 0)[1] == 0
    return said


def is_open(identity):
    return any(identity_of(number) == identity for number in range(3, 256))


def test_the_parents_sockets_are_closed(listener, connected):
    idle, active = Idle(connected()[0]), Active(connected()[0])
    kept = connected()[0]  # One of the handler's own.
    identities = [identity_of(one.fileno()) for one in (idle.sock, active.sock, listener, kept)]

    def leave():
        leave_to_parent([idle, active], identities[2])
        return [is_open(identity) for identity in identities]

    assert in_child(leave) == "[False, False, False, True]"
    assert all(is_open(identity) for identity in identities)
    active.writer.close()


def test_writers_are_closed(connected):
    """In the child, a response must not go to another socket that has the number next."""
    sock, client = connected()
    active = Active(sock)

    def leave():
        number = active.writer.duplicate.fileno()
        leave_to_parent([active], None)
        pairs = []
        while not any(one.fileno() == number for pair in pairs for one in pair):
            pairs.append(socket.socketpair())
        with suppress(ClientDisconnected):
            active.writer.send_last(b"head", b"body")
        with suppress(ClientDisconnected):
            active.writer.send(b"more")
        ends = [one for pair in pairs for one in pair]
        return select.select(ends, [], [], 0)[0]

    assert in_child(leave) == "[]"
    active.writer.send(b"parent")
    assert client.recv(100) == b"parent"
    active.writer.close()


def test_a_connection_that_is_closed_has_no_socket(connected):
    active = Active(connected()[0])
    active.sock.close()
    assert in_child(lambda: leave_to_parent([active], None)) == "None"
    active.writer.close()


def test_signals_are_taken_as_usual():
    def leave():
        _, writer = os.pipe()
        os.set_blocking(writer, False)
        signal.set_wakeup_fd(writer)
        signal.signal(signal.SIGTERM, lambda *_: None)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        leave_to_parent([], None)
        handlers = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
        is_usual = handlers == (signal.SIG_DFL, signal.default_int_handler)
        return is_usual, signal.set_wakeup_fd(-1)

    assert in_child(leave) == "(True, -1)"
