"""Writing to a connection's socket from a pool thread.

A pool thread writes its response to the socket itself, which saves a round trip through the loop
(two thirds of the cost of an invocation).  Four rules keep its bytes from reaching another client
and from mixing with other bytes:

1. The thread writes to a duplicate of the socket's descriptor.  The system cannot give that number
   to another socket before the duplicate is closed.
2. Only the loop closes the duplicate: when the transport is gone, and no thread has the exchange's
   claim or the thread that had it is done (see `exchange` for the tokens).
3. A thread writes only between its claim and the end of its exchange.  The connection dispatches an
   exchange only while the transport has nothing left to write (its high-water mark is 0).  While a
   thread has the claim, the loop writes only the rest that the thread hands over at the end.  So
   only one side writes at any time.
4. The connection parses the next request only when the previous exchange is done.

A small response is sent without releasing the interpreter lock.  The call does not block, so a
release would gain nothing.  The loop or another thread would take the lock, and each response would
cost two switches (with Flask's hello: a fifth of the CPU, and a p99 of 15 ms instead of 3).
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
"""Up to this many bytes, head and body are joined and sent with the interpreter lock held."""

_FAST_CLIENT_MILLISECONDS: Final = 10
"""A client that reads as fast as it can makes room again within this time."""

_ROUND_TRIP_MILLISECONDS: Final = 1
"""How long a thread waits for a client to reset the connection."""

_NO_SIGNAL: Final[int] = getattr(socket, "MSG_NOSIGNAL", 0)
"""0 where the system lacks it; the interpreter also ignores SIGPIPE."""

_AT_ONCE: Final = _NO_SIGNAL | socket.MSG_DONTWAIT

_send_holding_lock: Final = ctypes.PyDLL(None).send
"""send(2), in a call that keeps the interpreter lock; without `argtypes`, which cost 0.2 µs."""

_RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)
"""`SO_LINGER` (socket(7)): on, for 0 seconds."""


class SocketWriter:
    """The duplicate, and how to write to it.  `send…` are for pool threads, the rest for the loop.

    `stall_timeout`, in seconds, is how long the client may take nothing.  A thread that waits for
    its client for more than a moment calls `on_stall`, once per wait.
    """

    __slots__ = ("_descriptor", "_on_stall", "_send", "_stall_timeout", "duplicate", "has_failed")

    duplicate: socket.socket
    """A duplicate of the connection's socket."""
    has_failed: bool
    """Whether the client is gone, or took nothing for the timeout."""

    def __init__(
        self, sock: socket.socket, stall_timeout: float, on_stall: Callable[[], object]
    ) -> None:
        """Take over `sock`, a duplicate of the connection's socket."""
        sock.setblocking(False)
        self.duplicate = sock
        self._descriptor = sock.fileno()
        self._send = sock.send
        self._stall_timeout = stall_timeout
        self._on_stall = on_stall
        self.has_failed = False

    def send(self, data: bytes) -> None:
        """Send all of `data`, waiting while the client is slow.

        Raises:
            ClientDisconnected: the client is gone, or took nothing for the timeout.
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
        """Send the last bytes of a response.  Returns those that the kernel did not take at once.

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
                sent = self._send(data, _NO_SIGNAL)  # Raises the error, if there still is one.
        except BlockingIOError:
            return head + body
        except OSError as error:
            raise self._failure(str(error)) from error
        return b"" if sent == len(data) else memoryview(data)[sent:]

    def _await_room(self) -> None:
        poll = select.poll()
        poll.register(self.duplicate, select.POLLOUT)
        if poll.poll(_FAST_CLIENT_MILLISECONDS):
            return
        self._on_stall()
        if not poll.poll(self._stall_timeout * 1000):
            raise self._failure("the client takes nothing")

    def _failure(self, what: str) -> ClientDisconnected:
        self.has_failed = True
        return ClientDisconnected(what)

    def is_reset_by(self, interim: bytes) -> bool:
        """Whether the client has closed: a half-closed client takes an interim response.

        A client farther away than a round trip in a data centre counts as one that reads.
        """
        try:
            if unacknowledged(self.duplicate):
                return False  # The interim response must not land in the middle of another.
            self._send(interim, _NO_SIGNAL)
            poll = select.poll()
            poll.register(self.duplicate, select.POLLERR | select.POLLHUP)
            self.has_failed = bool(poll.poll(_ROUND_TRIP_MILLISECONDS))
        except OSError:
            self.has_failed = True
        return self.has_failed

    def shut_down(self) -> None:
        """End the connection, even while a thread writes or waits."""
        with suppress(OSError):
            self.duplicate.shutdown(socket.SHUT_RDWR)

    def reset_on_close(self) -> None:
        """Let the connection end with a reset; nobody may be writing."""
        with suppress(OSError):
            self.duplicate.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)

    def close(self) -> None:
        """Close the duplicate; no thread may have the claim."""
        self._descriptor = -1
        self.duplicate.close()
