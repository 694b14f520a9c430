"""Writing to a connection's socket from a pool thread.

A thread that answers writes to the socket itself, which spares a round trip through the loop
(two thirds of the price of an invocation).  Why this never reaches another client, nor mixes with
other bytes:

1. The thread writes to a duplicate of the socket's descriptor.  Its number cannot be given to
   another socket before the duplicate is closed.
2. Only the loop closes it: when the transport is gone, and no thread has the exchange's claim or
   the thread that had it is done (see `http.exchange` on the tokens).
3. A thread writes only between its claim and the end of its exchange.  An exchange is dispatched
   only while the transport has nothing left to write (its high-water mark is 0), and while a
   thread has the claim the loop writes nothing but what the thread hands it last.  So at any time
   one side writes.
4. The next exchange is parsed only when the one before is done.

A small answer is sent without giving up the interpreter lock.  The call does not block, so nothing
is won by giving it up; and what waits for it, the loop or another thread, would take it, so that
each answer would cost two switches (with Flask's hello: a fifth of the CPU, and a p99 of 15 ms
instead of 3).
"""

import ctypes
import select
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from gateway.errors import ClientDisconnected
from gateway.http.connection.ack_watch import unacknowledged

_MAX_JOINED: Final = 64 * 1024
"""Bytes up to which a body is copied behind its head, and sent holding the interpreter lock."""

_MOMENT: Final = 10
"""Milliseconds in which a client that reads as fast as it can makes room again."""

_ROUND_TRIP: Final = 1
"""Milliseconds that a thread waits for a client to refuse what it was sent."""

_NO_SIGNAL: Final[int] = getattr(socket, "MSG_NOSIGNAL", 0)
"""Where the system has it; the interpreter ignores SIGPIPE besides."""

_AT_ONCE: Final = _NO_SIGNAL | socket.MSG_DONTWAIT

_send_holding_lock: Final = ctypes.PyDLL(None).send
"""send(2), in a call that keeps the interpreter lock; without `argtypes`, which cost 0.2 µs."""

_NO_LINGER: Final = struct.pack("ii", 1, 0)
"""`SO_LINGER` (socket(7)): on, for no time."""


class SocketWriter:
    """The duplicate, and how to write to it.  `send…` are for pool threads, the rest for the loop.

    `stall_timeout`, in seconds, is how long the client may take nothing.  `on_held_up` is called in
    the thread that waits for it, each time that it does so for more than a moment.
    """

    __slots__ = ("_descriptor", "_on_held_up", "_send", "_stall_timeout", "duplicate", "has_failed")

    duplicate: socket.socket
    """Of the connection's descriptor."""
    has_failed: bool
    """Whether the client was found to be gone, or to take nothing."""

    def __init__(
        self, sock: socket.socket, stall_timeout: float, on_held_up: Callable[[], object]
    ) -> None:
        """Take over `sock`."""
        sock.setblocking(False)
        self.duplicate = sock
        self._descriptor = sock.fileno()
        self._send = sock.send
        self._stall_timeout = stall_timeout
        self._on_held_up = on_held_up
        self.has_failed = False

    def send(self, data: bytes) -> None:
        """Send all of `data`, waiting while the client is slow.

        Raises:
            ClientDisconnected: it is gone, or took nothing for the write timeout.
        """
        view: bytes | memoryview = data
        while True:
            try:
                sent = self._send(view, _NO_SIGNAL)
            except BlockingIOError:
                self._await_room()
                continue
            except OSError as error:
                raise self._failure(str(error)) from error
            if sent == len(view):
                return
            view = memoryview(view)[sent:]

    def send_last(self, head: bytes, body: bytes) -> bytes | memoryview:
        """Send what the kernel takes at once of the last bytes of an answer; the rest.

        Raises:
            ClientDisconnected: the client is gone.
        """
        try:
            if len(body) > _MAX_JOINED:
                sent = self.duplicate.sendmsg((head, body), (), _NO_SIGNAL) - len(head)
                return memoryview(body)[sent:] if sent >= 0 else head[sent:] + body
            data = head + body
            sent = -1
            if len(data) <= _MAX_JOINED:
                sent = _send_holding_lock(self._descriptor, data, len(data), _AT_ONCE)
            if sent < 0:
                sent = self._send(data, _NO_SIGNAL)  # It tells the error, if there still is one.
        except BlockingIOError:
            return head + body
        except OSError as error:
            raise self._failure(str(error)) from error
        return b"" if sent == len(data) else memoryview(data)[sent:]

    def _await_room(self) -> None:
        poll = select.poll()
        poll.register(self.duplicate, select.POLLOUT)
        if poll.poll(_MOMENT):
            return
        self._on_held_up()
        if not poll.poll(self._stall_timeout * 1000):
            raise self._failure("the client takes nothing")

    def _failure(self, what: str) -> ClientDisconnected:
        self.has_failed = True
        return ClientDisconnected(what)

    def is_reset_by(self, interim: bytes) -> bool:
        """Whether the client has closed: who has only half-closed takes an interim response.

        One that is farther away than a round trip in a data centre passes for one who reads.
        """
        try:
            if unacknowledged(self.duplicate):
                return False  # It will tell; a part of a response would be worse.
            self._send(interim, _NO_SIGNAL)
            poll = select.poll()
            poll.register(self.duplicate, select.POLLERR | select.POLLHUP)
            self.has_failed = bool(poll.poll(_ROUND_TRIP))
        except OSError:
            self.has_failed = True
        return self.has_failed

    def shut_down(self) -> None:
        """End the connection under the hands of a thread that is writing or waiting."""
        with suppress(OSError):
            self.duplicate.shutdown(socket.SHUT_RDWR)

    def reset_on_close(self) -> None:
        """Have the connection end with a reset; nobody may be writing."""
        with suppress(OSError):
            self.duplicate.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)

    def close(self) -> None:
        """Close the duplicate; no thread may have the claim."""
        self._descriptor = -1
        self.duplicate.close()
