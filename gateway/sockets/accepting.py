"""Accepting connections, in the same way for any number of workers.

Theory of operation.  The loop's own server accepts one connection per turn of the loop, and stops
for good when accepting raises an exception.  With it a busy gateway kept new clients waiting for
seconds, and one short moment without memory ended accepting for ever.  Here a turn accepts up to
`_BATCH`, and a failure causes a pause, never an end.  In addition the sweep calls `check`, which
accepts and lets the loop watch the socket anew: even if a reader or a timer is lost, no client
waits longer than the time between two sweeps.

Workers that share the socket should share the connections.  The system wakes all of them for a
connection, and the first would take a whole burst before the others run: of 32 connections in one
burst a second worker got none, and a second core stayed idle.  So a worker that has more
connections than another yields: it pauses shortly and leaves the next connection to the other.  If
the other does not accept, because it computes or hangs, only a few such pauses are lost.  (A socket
per worker, with SO_REUSEPORT, would spread connections as well, but those that the system assigns
to a hung or dead worker would wait for its replacement.)
"""

import asyncio
import os
import socket
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, Final, Protocol, cast

from gateway.error_log.loggers import logger
from gateway.error_log.rate_limited import RateLimitedWarning
from gateway.sockets.descriptors import identity_of

log = logger("gateway.server")

_BATCH: Final = 128
"""The most connections that one turn of the loop accepts."""

_YIELD_SECONDS: Final = 0.001
"""How long a worker with more connections yields to the others."""

_MAX_UNUSED_YIELDS: Final = 10
"""Consecutive pauses that no other worker used, after which this one stops yielding."""

_NO_YIELD_SECONDS: Final = 0.05
"""How long it then does not yield."""

_FAILURE_PAUSE_SECONDS: Final = 0.05
"""The pause after a failure: the socket stays readable and would keep the loop busy."""

_MAX_BACKLOG: Final = 65536
"""The largest `--backlog`."""

_Socket: Final = socket.socket
"""The original class, which user code may replace in `socket`."""


class Counts(Protocol):
    """The loads of all workers, as shared between them."""

    def note(self, count: int) -> None:
        """Store this worker's load."""

    def least(self) -> int:
        """The load of the least busy worker."""

    def activity_of_least(self) -> object:
        """A value that changes when the least busy worker stores its load, or is another worker."""


class Listener:
    """Accepts the connections of a listening socket."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        sock: socket.socket,
        new_protocol: Callable[[], asyncio.BaseProtocol],
        count: Callable[[], int],
        counts: Counts | None = None,
        *,
        patience: Callable[[], float] = lambda: 0.0,
        room: Callable[[], int] = lambda: _BATCH,
    ) -> None:
        """Accept on `sock` from now on; `close` closes it.

        `count` returns this worker's load, usually its number of connections; `counts` are the
        loads of all workers, `None` if there are no others.  `patience` returns for how many
        seconds it leaves connections to the least busy worker while that gives no sign of life; it
        is at least one pause.  `room` returns how many more connections are allowed: at the cap a
        turn accepts one, so that the loop notices closed connections before the next.
        """
        self._loop = loop
        self._socket = sock
        self._kind = sock.family, sock.type, sock.proto
        self._descriptor = sock.fileno()
        self._identity = identity_of(self._descriptor)
        self._new_protocol = new_protocol
        self._count = count
        self._counts = counts
        self._patience = patience
        self._room = room
        self._sign: object = None
        self._heard_at = 0.0
        """When the least busy worker last gave a sign of life."""
        self._arriving: list[tuple[Any, Coroutine[Any, Any, object]]] = []
        """Accepted connections that `count` does not include yet: an awaitable and its
        coroutine."""
        self._unused_yields = 0
        self._no_yield_until = 0.0
        self._pause: asyncio.TimerHandle | None = None
        self._paused_until = 0.0
        self._failures = RateLimitedWarning(
            log,
            "attempts to accept a connection failed",
            "new connections wait meanwhile",
            "if it is for descriptors or memory, raise the limit of open files or give more memory",
        )
        self.is_open = True
        self.failure: Exception | None = None
        """Why the last attempt to accept failed; `None` if it succeeded."""
        sock.setblocking(False)
        self._watch()

    def arriving(self) -> int:
        """The number of accepted connections that `count` does not include yet."""
        return len(self._arriving)

    @property
    def is_lost(self) -> bool:
        """Whether the descriptor no longer belongs to the listening socket.

        A handler may have closed it, and something else may have its number.
        """
        if not self.is_open:
            return False
        if self._identity is None or identity_of(self._descriptor) != self._identity:
            return True
        try:
            return not self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
        except OSError:
            return True

    def close(self) -> None:
        """Accept no more."""
        if not self.is_open:
            return
        is_ours = identity_of(self._descriptor) == self._identity
        self.is_open = False
        self._end_pause()
        with suppress(Exception):  # The number may belong to a connection by now.
            self._loop.remove_reader(self._descriptor)
        if is_ours:
            self._socket.close()
        else:
            self._socket.detach()
        with suppress(Exception):
            self._failures.close(self._loop.time())

    def take_queued(self) -> None:
        """Accept all queued connections, whatever load the other workers have."""
        for _ in range(_MAX_BACKLOG):
            if not (self.is_open and self._accept()):
                break
        self._settle_soon()

    def check(self, now: float) -> None:
        """Called by the sweep: accept and watch again, even if the reader or the timer is lost."""
        with suppress(Exception):  # Logging may fail without memory.
            self._failures.check(now)
        self._settle()
        if not self.is_open or self._paused_until > now or self.is_lost:
            return
        self._watch()
        self._accept_batch()

    def connect(
        self, accepted: socket.socket, new_protocol: Callable[[], asyncio.BaseProtocol]
    ) -> None:
        """Give an accepted socket to the loop.

        Raises:
            Exception: it failed, and the socket is closed.
        """
        # The coroutine is stepped by hand: a task per connection would cost more than all the rest.
        connecting = self._loop.connect_accepted_socket(new_protocol, accepted)
        try:
            awaited = connecting.send(None)
        except StopIteration:
            return
        except Exception:
            with suppress(OSError):
                accepted.close()
            raise
        self._arriving.append((awaited, connecting))

    # Watching and pausing.

    def _watch(self) -> None:
        """Let the loop watch the socket, even if it does so already."""
        self._end_pause()
        with suppress(Exception):
            self._loop.remove_reader(self._descriptor)  # A failed reader is not reused.
        try:
            self._loop.add_reader(self._descriptor, self._on_readable)
        except Exception as error:  # `check` tries again.
            self._note_failure(error)

    def _pause_for(self, seconds: float, callback: Callable[[], None]) -> None:
        """Stop watching the socket for `seconds`, or until the next `check` if no timer can be
        set."""
        self._paused_until = self._loop.time() + seconds
        with suppress(Exception):
            self._loop.remove_reader(self._descriptor)
        with suppress(Exception):
            self._pause = self._loop.call_later(seconds, callback)

    def _end_pause(self) -> None:
        if self._pause is not None:
            self._pause.cancel()
            self._pause = None
        self._paused_until = 0.0

    def _take_what_is_left(self) -> None:
        self._watch()
        if self._is_left_to_others():
            return  # If the connection still waits, the loop calls again.
        if self._accept():
            self._unused_yields += 1
            if self._unused_yields == _MAX_UNUSED_YIELDS:
                self._unused_yields = 0
                self._no_yield_until = self._loop.time() + _NO_YIELD_SECONDS
        self._settle_soon()

    # Accepting.

    def _on_readable(self) -> None:
        self._settle()
        self._accept_batch()

    def _accept_batch(self) -> None:
        counts = self._counts
        mine = self._count() + len(self._arriving)
        for _ in range(max(1, min(_BATCH, self._room()))):
            if counts is not None:
                counts.note(mine)
                if not self._may_take(mine, counts.least()):
                    self._pause_for(_YIELD_SECONDS, self._take_what_is_left)
                    break
            if not self._accept():
                break
            mine += 1
        self._settle_soon()

    def _may_take(self, mine: int, least: int) -> bool:
        # An eighth more is tolerated, which spares most pauses with many connections.
        if mine <= least + least // 8:
            self._unused_yields = 0
            return True
        return self._loop.time() < self._no_yield_until

    def _is_left_to_others(self) -> bool:
        """Whether to yield for longer, because the least busy worker may still accept."""
        patience = self._patience()
        if not patience or self._counts is None:
            return False
        now = self._loop.time()
        sign = self._counts.activity_of_least()
        if sign != self._sign:
            self._sign, self._heard_at = sign, now
        return now - self._heard_at < patience

    def _accept(self) -> bool:
        """Accept a connection; False if none waits or accepting fails for now."""
        descriptor = -1
        try:
            # Not `accept`: it creates an instance of whatever user code has put into
            # `socket.socket`.
            descriptor, _ = cast("Any", self._socket)._accept()
            accepted = _Socket(*self._kind, descriptor)
            descriptor = -1
            self.connect(accepted, self._new_protocol)
        except BlockingIOError:  # The queue is empty, or another worker was first.
            self.failure = None
            return False
        except Exception as error:  # No memory, no descriptor, or an error of the loop.
            if descriptor >= 0:
                os.close(descriptor)
            if isinstance(error, ConnectionAbortedError):
                return True  # Only this client has gone.
            self._note_failure(error)
            self._pause_for(_FAILURE_PAUSE_SECONDS, self._watch)
            return False
        self.failure = None
        return True

    def _settle_soon(self) -> None:
        if self._arriving:
            with suppress(Exception):  # Otherwise the next turn or `check` does it.
                # After `connection_made`, which the loop has scheduled.
                self._loop.call_soon(self._settle)

    def _settle(self) -> None:
        """Forget the connections that `count` includes by now."""
        if not self._arriving:
            return
        arriving, self._arriving = self._arriving, []
        for awaited, connecting in arriving:
            if not awaited.done():
                self._arriving.append((awaited, connecting))
                continue
            try:
                connecting.send(None)
            except StopIteration as done:
                transport = done.value[0]
                # If `connection_made` raised, the transport is open and belongs to no connection.
                if not (transport.is_closing() or transport.is_reading()):
                    transport.abort()
            except Exception:  # The client has gone.
                pass

    def _note_failure(self, error: Exception) -> None:
        self.failure = error
        with suppress(Exception):  # Logging may fail without memory.
            self._failures.note(last=getattr(error, "strerror", None) or repr(error))
            self._failures.check(self._loop.time())
