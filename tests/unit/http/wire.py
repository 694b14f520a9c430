"""One connection without a network: the test is its client, its kernel and its clock.

The fakes keep the rules of uvloop that matter here: callbacks run only in `ManualLoop.run`, a
paused or closing transport delivers nothing, writing behind `write_eof` is an error, `close`
flushes first, `abort` drops, and `connection_lost` comes once and never from within a call.
"""

import asyncio
import errno
import socket
from collections import deque
from collections.abc import Callable
from typing import Any

from gateway.http.connection.connection import Connection
from gateway.http.connection.exchange import Exchange
from gateway.http.connection.shared_state import SharedState

_END = b""


def body_of(exchange: Exchange) -> bytes:
    """The body of a request; empty without one."""
    return b"" if exchange.body is None else exchange.body.open().read()


class ManualHandle:
    """A timer that has not come yet."""

    def __init__(self, when: float, call: Callable[[], None]) -> None:
        self.when = when
        self.call = call
        self.is_cancelled = False

    def cancel(self) -> None:
        self.is_cancelled = True


class ManualLoop:
    """A loop that turns when it is told to, and a clock that the test moves."""

    def __init__(self) -> None:
        self.now = 1000.0
        self._ready: deque[Callable[[], None]] = deque()
        self._timers: list[ManualHandle] = []
        self.reported: list[dict[str, Any]] = []

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        self.reported.append(context)

    def time(self) -> float:
        return self.now

    def call_soon(self, callback: Callable[..., None], *arguments: Any) -> None:
        self._ready.append(lambda: callback(*arguments))

    call_soon_threadsafe = call_soon

    def call_later(
        self, delay: float, callback: Callable[..., None], *arguments: Any
    ) -> ManualHandle:
        timer = ManualHandle(self.now + delay, lambda: callback(*arguments))
        self._timers.append(timer)
        return timer

    def run(self) -> None:
        """Turn until nothing is left to do now."""
        while self._ready:
            self._ready.popleft()()

    def advance(self, seconds: float) -> None:
        """Let time pass; timers whose time has come run once."""
        self.now += seconds
        due = [timer for timer in self._timers if timer.when <= self.now]
        self._timers = [timer for timer in self._timers if timer.when > self.now]
        for timer in due:
            if not timer.is_cancelled:
                timer.call()
        self.run()


class Kernel:
    """What lies between gateway and client: one stream of bytes out, filled from two sides."""

    def __init__(self) -> None:
        self.taken = bytearray()
        """All that the client can read."""
        self.room: int | None = None
        """Bytes that are taken before the client must read; `None`: any number."""
        self.is_reset = False
        self.is_shut_down = False

    def take(self, data: bytes) -> int:
        size = len(data) if self.room is None else min(self.room, len(data))
        self.taken += data[:size]
        if self.room is not None:
            self.room -= size
        return size


class FakeSocket:
    """The connection's socket, and its duplicate that pool threads write to."""

    family = socket.AF_INET

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.duplicates: list[FakeSocket] = []
        self.times_closed = 0
        self.unread = b""
        """What has arrived, and no loop has read."""

    def recv(self, size: int, flags: int = 0) -> bytes:
        if not self.unread:
            raise BlockingIOError
        data = self.unread[:size]
        if flags != socket.MSG_PEEK:
            self.unread = self.unread[size:]
        return data

    def dup(self) -> "FakeSocket":
        self.duplicates.append(type(self)(self.kernel))
        return self.duplicates[-1]

    def fileno(self) -> int:
        return 1 << 20  # Nothing the system knows.

    def getpeername(self) -> tuple[str, int]:
        if self.kernel.is_reset:
            raise OSError(errno.ENOTCONN, "Transport endpoint is not connected")
        return ("203.0.113.9", 50123)

    def getsockname(self) -> tuple[str, int]:
        return ("192.0.2.1", 8000)

    def setblocking(self, flag: bool) -> None:
        assert flag is False

    def send(self, data: bytes, flags: int = 0) -> int:
        return self.sendmsg((data,), (), flags)

    def sendmsg(self, parts: tuple[bytes, ...], ancillary: tuple[()], flags: int) -> int:
        assert flags == socket.MSG_NOSIGNAL
        assert not self.times_closed, "written to after it was closed: another client's socket"
        if self.kernel.is_reset or self.kernel.is_shut_down:
            raise BrokenPipeError(32, "Broken pipe")
        data = b"".join(parts)
        taken = self.kernel.take(data)
        if not taken and data:
            raise BlockingIOError
        return taken

    def setsockopt(self, level: int, name: int, value: bytes) -> None:
        assert (level, name) == (socket.SOL_SOCKET, socket.SO_LINGER)

    def shutdown(self, how: int) -> None:
        self.kernel.is_shut_down = True

    def close(self) -> None:
        self.times_closed += 1


class FakeUnixSocket(FakeSocket):
    """A socket without addresses."""

    family = socket.AF_UNIX


class FakeTransport:
    """The transport of one connection, with the test for its client."""

    def __init__(self, loop: ManualLoop, sock: FakeSocket) -> None:
        self.protocol: Any = None
        self.reader: asyncio.BaseProtocol | None = None
        """The protocol when reading was last begun: how it takes bytes is how they are read."""
        self.sock = sock
        self.kernel = sock.kernel
        self.unsent = bytearray()
        self.incoming: deque[bytes] = deque()
        self.is_paused = False
        self.has_ended = False
        """Whether the gateway has half-closed."""
        self.is_lost = False
        self.is_aborted = False
        """Whether the gateway has dropped what was not sent, and the connection with it."""
        self._is_closing = False
        self._is_blocked = False
        self._loop = loop

    # What the gateway calls.

    def get_extra_info(self, name: str) -> Any:
        return {"socket": self.sock}[name]

    def set_write_buffer_limits(self, *, high: int) -> None:
        assert high == 0

    def get_write_buffer_size(self) -> int:
        return len(self.unsent)

    def is_closing(self) -> bool:
        return self._is_closing

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self.protocol = protocol
        if isinstance(protocol, asyncio.BufferedProtocol):
            self._kept = (protocol.get_buffer, protocol.buffer_updated)  # As uvloop does.

    def is_reading(self) -> bool:
        return not self.is_paused

    def pause_reading(self) -> None:
        assert not self.is_paused, "paused twice"
        self.is_paused = True

    def resume_reading(self) -> None:
        assert self.is_paused, "resumed without a pause"
        self.is_paused = False
        self.reader = self.protocol
        self._loop.call_soon(self.deliver)

    def write(self, data: bytes) -> None:
        if self.has_ended:
            raise RuntimeError("Cannot call write() after write_eof()")
        if self.is_lost or self._is_closing:
            return
        if not self.unsent:
            data = data[self.kernel.take(bytes(data)) :]
        if data:
            self.unsent += data
            if not self._is_blocked:
                self._is_blocked = True
                self.protocol.pause_writing()

    def write_eof(self) -> None:
        self.has_ended = True

    def close(self) -> None:
        if not self._is_closing:
            self._is_closing = True
            if not self.unsent:
                self._loop.call_soon(self._lose, None)

    def abort(self) -> None:
        self.is_aborted = True
        self._is_closing = True
        self.unsent.clear()
        self._loop.call_soon(self._lose, None)

    # What happens on the other side.

    def deliver(self) -> None:
        """Hand on what the client has sent, as far as the gateway reads."""
        while self.incoming and not self.is_paused and not self._is_closing:
            data = self.incoming.popleft()
            reader = self.reader or self.protocol
            assert isinstance(reader, asyncio.BufferedProtocol) == isinstance(
                self.protocol, asyncio.BufferedProtocol
            ), "a protocol of another kind without a new start of reading"
            if data == _END:
                assert self.protocol.eof_received() is True
            elif isinstance(self.protocol, asyncio.BufferedProtocol):
                room = self.protocol.get_buffer(65536)
                size = min(len(room), len(data))
                assert size
                room[:size] = data[:size]
                if size < len(data):
                    self.incoming.appendleft(data[size:])
                self.protocol.buffer_updated(size)
            else:
                self.protocol.data_received(data)
            self._loop.run()

    def flush(self) -> None:
        """Send on, as far as the kernel takes it."""
        del self.unsent[: self.kernel.take(bytes(self.unsent))]
        if self.unsent:
            return
        if self._is_blocked:
            self._is_blocked = False
            self.protocol.resume_writing()
        if self._is_closing:
            self._loop.call_soon(self._lose, None)

    def reset(self) -> None:
        """The client is gone."""
        self.kernel.is_reset = True
        self._is_closing = True
        self._loop.call_soon(self._lose, ConnectionResetError())

    def _lose(self, error: Exception | None) -> None:
        if not self.is_lost:
            self.is_lost = True
            self.protocol.connection_lost(error)


class Wire:
    """A connection of a site, and everything its client can do."""

    def __init__(self, site: SharedState, *, is_unix: bool = False) -> None:
        self.loop: ManualLoop = site.loop  # type: ignore[assignment]
        self.kernel = Kernel()
        kind = FakeUnixSocket if is_unix else FakeSocket
        self.transport = FakeTransport(self.loop, kind(self.kernel))
        self.connection = self.transport.protocol = Connection(site)
        self.connection.connection_made(self.transport)  # type: ignore[arg-type]

    @property
    def exchange(self) -> Exchange:
        return self.connection._exchange  # type: ignore[return-value]

    @property
    def duplicate(self) -> FakeSocket:
        (duplicate,) = self.transport.sock.duplicates
        return duplicate

    @property
    def is_closed(self) -> bool:
        """Whether the client can see that the gateway says nothing more."""
        return self.transport.has_ended or self.transport.is_closing()

    def send(self, data: bytes) -> None:
        """Send one segment."""
        self.transport.incoming.append(data)
        self.transport.deliver()
        self.loop.run()

    def end(self) -> None:
        """Half-close."""
        self.send(_END)

    def reset(self) -> None:
        self.transport.reset()
        self.loop.run()

    def stop_reading(self, room: int = 0) -> None:
        """Take only `room` bytes more."""
        self.kernel.room = room

    def read_on(self, room: int | None = None) -> None:
        """Take `room` bytes more, or everything."""
        self.kernel.room = room
        self.transport.flush()
        self.loop.run()

    def take(self) -> bytes:
        """What has come since the last call."""
        taken = bytes(self.kernel.taken)
        self.kernel.taken.clear()
        return taken
