"""Accepting connections: by one way, for any number of workers.

Theory of operation.  The loop's own server accepts one connection per turn of the loop, and stops
for good when an exception is raised meanwhile.  So a busy gateway kept newcomers out for seconds,
and one whose memory had been used up for a moment never accepted again.  Here a turn accepts up to
`_BATCH`, and whatever fails is a reason for a pause, never for an end.  Besides, the sweep calls
`check`, which accepts by itself and has the loop watch the socket anew: whatever has become of
reader and pause, nobody waits for longer than the time between two sweeps.

Where workers share the socket each is to get its share of connections.  The system wakes all of
them for a connection, and the first would take a whole burst before the others run: of 32
connections in one burst a second worker got none, and a second core stood idle.  So a worker that
has more than another holds back for a moment and leaves it the next one.  When the other does not
come, because it computes or hangs, a few such moments are all that is lost.  (A socket for each
worker, with SO_REUSEPORT, would spread connections as well, but those that the system has given to
a worker that hangs or dies would wait for its replacement.)
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
"""Connections that are accepted in one turn of the loop."""

_MOMENT: Final = 0.001
"""Seconds that a worker with more connections holds back."""

_MOMENTS: Final = 10
"""Of them in a row are held back in vain, with a connection each."""

_FREE: Final = 0.05
"""Seconds without holding back, from then on."""

_PAUSE: Final = 0.05
"""Seconds after a failure: the socket stays readable, and would keep the loop busy."""

_LONGEST_QUEUE: Final = 65536
"""Connections that can wait to be accepted, at the most that `--backlog` allows."""

_Socket: Final = socket.socket
"""As it is before user code is loaded, which may put another class in its place."""


class Counts(Protocol):
    """What the workers tell one another."""

    def note(self, count: int) -> None:
        """This worker has so many connections."""

    def least(self) -> int:
        """What the least busy one has."""

    def activity_of_least(self) -> object:
        """Something else whenever the least busy one has noted anything, or is another."""


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
        """Accept from now on at `sock`, which is closed in the end.

        `count` tells how many connections this worker has, or how much it has to do in their place;
        `counts` those of all workers, `None`: there are no others.  `patience` tells for how many
        seconds it leaves connections to the one that has least, without a sign of life from it; a
        moment at the least.  `room` tells how many more connections there may be: at the cap a
        turn accepts one, so that the loop sees who has left before the next.
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
        """When the one that has least gave another sign of life."""
        self._arriving: list[tuple[Any, Coroutine[Any, Any, object]]] = []
        """Connections that `count` does not know yet: what each waits for, and what waits."""
        self._in_vain = 0
        self._free_until = 0.0
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
        """Why the last attempt has failed; `None` when it has not."""
        sock.setblocking(False)
        self._watch()

    def arriving(self) -> int:
        """How many connections have been accepted that `count` does not know yet."""
        return len(self._arriving)

    @property
    def is_lost(self) -> bool:
        """Whether the descriptor is no longer that of the listening socket.

        A handler may have closed it, or opened something else in its place.
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
        with suppress(Exception):  # The number may be a connection's by now.
            self._loop.remove_reader(self._descriptor)
        if is_ours:
            self._socket.close()
        else:
            self._socket.detach()
        with suppress(Exception):
            self._failures.close(self._loop.time())

    def take_queued(self) -> None:
        """Accept all that waits, whatever the other workers have."""
        for _ in range(_LONGEST_QUEUE):
            if not (self.is_open and self._accept()):
                break
        self._settle_soon()

    def check(self, now: float) -> None:
        """Called by the sweep: whatever has become of reader and pause, accept and go on."""
        with suppress(Exception):  # Without memory there may be no line.
            self._failures.check(now)
        self._settle()
        if not self.is_open or self._paused_until > now or self.is_lost:
            return
        self._watch()
        self._accept_batch()

    def connect(
        self, accepted: socket.socket, new_protocol: Callable[[], asyncio.BaseProtocol]
    ) -> None:
        """Begin with a connection, which from then on belongs to the loop.

        Raises:
            Exception: there is none; it is closed.
        """
        # By hand, as far as it goes without waiting: a task for each would cost more than the rest.
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

    # The reader and its pauses.

    def _watch(self) -> None:
        """Have the loop watch the socket, whether or not it does."""
        self._end_pause()
        with suppress(Exception):
            self._loop.remove_reader(self._descriptor)  # One that has failed is not used again.
        try:
            self._loop.add_reader(self._descriptor, self._on_readable)
        except Exception as error:  # `check` tries again.
            self._note_failure(error)

    def _rest(self, seconds: float, callback: Callable[[], None]) -> None:
        """Do not watch the socket for a while; without a timer, until the next `check`."""
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
            return  # Where it still waits, the loop tells.
        if self._accept():
            self._in_vain += 1
            if self._in_vain == _MOMENTS:
                self._in_vain = 0
                self._free_until = self._loop.time() + _FREE
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
                    self._rest(_MOMENT, self._take_what_is_left)
                    break
            if not self._accept():
                break
            mine += 1
        self._settle_soon()

    def _may_take(self, mine: int, least: int) -> bool:
        # An eighth more is no harm, and spares a crowd most of the moments.
        if mine <= least + least // 8:
            self._in_vain = 0
            return True
        return self._loop.time() < self._free_until

    def _is_left_to_others(self) -> bool:
        """Whether to hold back for longer: who has least is about to come."""
        patience = self._patience()
        if not patience or self._counts is None:
            return False
        now = self._loop.time()
        sign = self._counts.activity_of_least()
        if sign != self._sign:
            self._sign, self._heard_at = sign, now
        return now - self._heard_at < patience

    def _accept(self) -> bool:
        """Accept a connection; False when there is none, or no more can be had for now."""
        descriptor = -1
        try:
            # Not `accept`: it makes whatever user code has put in the place of `socket.socket`.
            descriptor, _ = cast("Any", self._socket)._accept()
            accepted = _Socket(*self._kind, descriptor)
            descriptor = -1
            self.connect(accepted, self._new_protocol)
        except BlockingIOError:  # None is left, or another worker was first.
            self.failure = None
            return False
        except Exception as error:  # Memory, descriptors, what comes out of the loop.
            if descriptor >= 0:
                os.close(descriptor)
            if isinstance(error, ConnectionAbortedError):
                return True  # That client alone has gone.
            self._note_failure(error)
            self._rest(_PAUSE, self._watch)
            return False
        self.failure = None
        return True

    def _settle_soon(self) -> None:
        if self._arriving:
            with suppress(Exception):  # Else the next turn, or `check`.
                # Behind `connection_made`, which the loop has been told to call.
                self._loop.call_soon(self._settle)

    def _settle(self) -> None:
        """Let go of connections that the site knows now."""
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
                # What `connection_made` has raised leaves it open, and nobody's.
                if not (transport.is_closing() or transport.is_reading()):
                    transport.abort()
            except Exception:  # A client that has gone again.
                pass

    def _note_failure(self, error: Exception) -> None:
        self.failure = error
        with suppress(Exception):  # Without memory there may be no line.
            self._failures.note(last=getattr(error, "strerror", None) or repr(error))
            self._failures.check(self._loop.time())
