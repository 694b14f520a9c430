"""Accepting at a socket that several workers share, so that each gets its share of connections.

The system wakes all of them for a connection, and the first would take a whole burst before the
others run: of 32 connections in one burst a second worker got none, and a second core stood idle.
So a worker that has more than another holds back for a moment and leaves it the next one.  When the
other does not come, because it computes or hangs, a few such moments are all that is lost.  (A
socket for each worker, with SO_REUSEPORT, would spread connections as well, but those that the
system has given to a worker that hangs or dies would wait for its replacement.)
"""

import asyncio
import socket
from collections.abc import Callable
from typing import Final, Protocol

_MOMENT: Final = 0.001
"""Seconds that a worker with more connections holds back."""

_MOMENTS: Final = 10
"""Of them in a row are held back in vain, with a connection each."""

_FREE: Final = 0.05
"""Seconds without holding back, from then on."""


class Counts(Protocol):
    """What the workers tell one another."""

    def note(self, count: int) -> None:
        """This worker has so many connections."""

    def least(self) -> int:
        """What the least busy one has."""

    def sign_of_least(self) -> object:
        """Something else whenever the least busy one has noted anything, or is another."""


class SharedListener:
    """Takes the place of the loop's own server."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        sock: socket.socket,
        new_protocol: Callable[[], asyncio.BaseProtocol],
        counts: Counts,
        count: Callable[[], int],
        patience: Callable[[], float] = lambda: 0.0,
    ) -> None:
        """Accept from now on at `sock`, which is closed in the end.

        `count` tells how many connections this worker has, or how much it has to do in their place;
        `counts` of all workers.  `patience` tells for how many seconds it leaves connections to the
        one that has least, without a sign of life from it; a moment at the least.
        """
        self._loop = loop
        self._socket = sock
        self._new_protocol = new_protocol
        self._counts = counts
        self._count = count
        self._patience = patience
        self._sign: object = None
        self._heard_at = 0.0
        """When the one that has least gave another sign of life."""
        self._tasks: set[asyncio.Task[object]] = set()
        """Of connections that `count` does not know yet."""
        self._in_vain = 0
        self._free_until = 0.0
        self._pause: asyncio.TimerHandle | None = None
        sock.setblocking(False)
        self._resume()

    def close(self) -> None:
        """Accept no more."""
        if self._pause is not None:
            self._pause.cancel()
        self._loop.remove_reader(self._socket.fileno())
        self._socket.close()

    def _resume(self) -> None:
        self._pause = None
        self._loop.add_reader(self._socket.fileno(), self._on_readable)

    def _on_readable(self) -> None:
        mine = self._count() + len(self._tasks)
        self._counts.note(mine)
        least = self._counts.least()
        # An eighth more is no harm, and spares a crowd most of the moments.
        if mine <= least + least // 8:
            self._in_vain = 0
            self._accept()
        elif self._loop.time() < self._free_until:
            self._accept()
        else:
            self._hold_back()

    def _hold_back(self) -> None:
        self._loop.remove_reader(self._socket.fileno())
        self._pause = self._loop.call_later(_MOMENT, self._take_what_is_left)

    def _take_what_is_left(self) -> None:
        self._resume()
        if self._is_left_to_others():
            return  # Where it still waits, the loop tells.
        if self._accept():
            self._in_vain += 1
            if self._in_vain == _MOMENTS:
                self._in_vain = 0
                self._free_until = self._loop.time() + _FREE

    def _is_left_to_others(self) -> bool:
        """Whether to hold back for longer: who has least is about to come."""
        patience = self._patience()
        if not patience:
            return False
        now = self._loop.time()
        sign = self._counts.sign_of_least()
        if sign != self._sign:
            self._sign, self._heard_at = sign, now
        return now - self._heard_at < patience

    def _accept(self) -> bool:
        """Accept a connection; False when there is none, or no more can be had."""
        try:
            accepted, _ = self._socket.accept()
        except BlockingIOError:  # Another worker was first.
            return False
        except OSError:
            # Out of descriptors: the socket stays readable, and would keep the loop busy.
            self._hold_back()
            return False
        connecting = self._loop.connect_accepted_socket(self._new_protocol, accepted)
        task = self._loop.create_task(connecting)
        self._tasks.add(task)
        task.add_done_callback(self._forget)
        return True

    def _forget(self, task: "asyncio.Task[object]") -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # A client that has gone again.
