"""One worker: its loop, from the first connection to the last."""

import asyncio
import logging
import os
import signal
import socket
from collections.abc import Callable, Coroutine, Iterable
from contextlib import suppress
from functools import partial
from time import monotonic
from typing import Any, Final, Protocol

from gateway.error_log.loggers import logger
from gateway.http.connection.admission import Admission
from gateway.http.connection.deadlines import DeadlineSweep
from gateway.http.connection.shared_state import ServedApplication, SharedState
from gateway.signals.termination import TerminationSignals
from gateway.sockets.accepting import Counts, Listener
from gateway.sockets.descriptors import identity_of
from gateway.sockets.forked import leave_to_parent
from gateway.worker.exit_watchdog import leave
from gateway.worker.lasting_loop import make_lasting
from gateway.worker.liveness import LOOKS, Liveness

log = logger("gateway.server")

_DRAIN_POLL: Final = 0.02
"""Seconds between two looks at whether the last exchange is done."""

_DRAIN_GRACE: Final = 0.25
"""Seconds in which connections without a request are left open: one may be on its way.  Those that
never had one have `FIRST_REQUEST_SECONDS`, those whose response was just sent
`NEXT_REQUEST_SECONDS`."""

_HANDSHAKE: Final = 0.05
"""Seconds that the listener stays open at least: a client sees its connection open before the last
segment of the handshake has arrived here, and a closed listener would reset it."""


_LOOK_INTERVAL: Final = 1.0
"""Seconds between two looks whether new connections can be served, without a supervisor."""

_LOOKS_ALONE: Final = 10
"""In a row that have to fail then: it is worse to end than to be replaced."""


class Load(Protocol):
    """How much a worker has to do, beside others."""

    def count(self) -> int:
        """As what it has counts."""

    def patience(self) -> float:
        """For how many seconds it leaves a connection to one that has less to do."""


class Server:
    """Serves a site on a listening socket until it is told to stop."""

    def __init__(
        self,
        site: SharedState,
        application: ServedApplication,
        sweep: DeadlineSweep,
        admission: Admission,
        *,
        drain_timeout: float,
        trial: SharedState,
        is_alone: bool = False,
        counts: Counts | None = None,
        stop_listening: Callable[[], None] | None = None,
        on_closed: Callable[[], None] | None = None,
        farewell: Callable[[], Coroutine[Any, Any, object]] | None = None,
        load: Load | None = None,
    ) -> None:
        """`drain_timeout`, in seconds, bounds how long running requests may take to end.

        `trial` is the site of the connections by which it looks whether it can serve new ones.
        `is_alone`: nobody replaces it when it cannot, so it ends.
        `counts` are those of the workers that share the socket, where there are several; `load` is
        what counts of this one, by default its connections.
        `stop_listening` is called before it drains: it may keep new connections away, where no
        other process accepts any from the socket, now or later.
        `on_closed` is called, perhaps several times, when it drains and takes no more requests.
        `farewell` runs behind the last request, unless the end is to be at once; it has an end of
        its own.
        """
        self._stop_listening = stop_listening or (lambda: None)
        self._site = site
        self._application = application
        self._sweep = sweep
        self._drain_timeout = drain_timeout
        self._admission = admission
        self._trial = trial
        self._is_alone = is_alone
        self._listener: Listener | None = None
        self._liveness: Liveness | None = None
        self._look_at = 0.0
        self._counts = counts
        self._load = load
        self._on_closed = on_closed or (lambda: None)
        self._farewell = farewell
        self._stop = asyncio.Event()
        self._at_once = asyncio.Event()
        self._end_signals = TerminationSignals()
        self._takes_queue = True
        self.has_failed = False
        """Whether it ends because it cannot serve new connections."""
        self.time_left = drain_timeout
        """Seconds of the drain timeout that were not needed, once `run` has ended."""

    async def run(
        self, sock: socket.socket, on_ready: Callable[[], None], signals: Iterable[int]
    ) -> None:
        """Serve until one of the signals comes, then drain; another one later ends at once.

        That holds until the process has ended, so the signals stay taken.  They can be heard of so
        in the main thread only; elsewhere somebody calls `on_signal`.
        """
        numbers = frozenset(signals)
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(_report)
        make_lasting(loop)
        for number in numbers:
            loop.add_signal_handler(number, self.on_signal, number)
        # Not undone at the end: there is one server to a process.
        identity = identity_of(sock.fileno())
        os.register_at_fork(
            after_in_child=partial(leave_to_parent, self._site.connections, identity)
        )
        self._application.start()
        self._listener = listener = self._listen(loop, sock)
        self._admission.arriving = listener.arriving
        self._liveness = Liveness(self._trial, listener, is_full=self._admission.is_full)
        self._sweep.add(listener.check)
        if self._is_alone:
            self._sweep.add(self._check_liveness)
        self._sweep.start()
        self._liveness.look()  # Also has the loop open what it keeps for connections.
        on_ready()
        await self._stop.wait()
        await self._drain(listener, sock)
        if self._farewell is not None and not self._at_once.is_set():
            await self._say_farewell(self._farewell)
        self._sweep.stop()
        self._liveness.close()
        self._application.stop()
        self._take_signals(loop, numbers)

    def _listen(self, loop: asyncio.AbstractEventLoop, sock: socket.socket) -> Listener:
        if self._load is None:
            count = self._site.connections.__len__
            return Listener(
                loop, sock, self._admission, count, self._counts, room=self._admission.room
            )
        load = self._load
        return Listener(
            loop,
            sock,
            self._admission,
            load.count,
            self._counts,
            patience=load.patience,
            room=self._admission.room,
        )

    def on_signal(self, number: int) -> None:
        """Drain; end at once when it is not the first one.  On the loop."""
        name = signal.Signals(number).name
        if self._end_signals.count(monotonic()):
            self.end_at_once(f"{name} again")
        self.drain(name)

    def can_serve_new(self, looks: int = LOOKS) -> bool:
        """Whether new connections can be served, or are not to be; see `Liveness.look`."""
        if self._liveness is None or self._stop.is_set():
            return True
        return self._liveness.look(looks)

    def _check_liveness(self, now: float) -> None:
        """Called by the sweep where there is no supervisor."""
        if now >= self._look_at:
            self._look_at = now + _LOOK_INTERVAL
            if not self.can_serve_new(_LOOKS_ALONE):
                self.has_failed = True
                self.drain("without new connections there is no use", level=logging.CRITICAL)

    def _take_signals(self, loop: asyncio.AbstractEventLoop, numbers: frozenset[int]) -> None:
        """Behind the last request the loop ends, and what is the user's may take a while."""
        if not numbers:
            return
        before = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
        for number in numbers:
            loop.remove_signal_handler(number)
            signal.signal(number, self.on_late_signal)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def on_late_signal(self, _number: int, _frame: object) -> None:
        """What a signal does, behind the last request, when the main thread runs its handler."""
        if self._end_signals.count(monotonic()):
            leave()

    def drain(self, reason: str, *, takes_queue: bool = True, level: int = logging.INFO) -> None:
        """Let what is under way end; `takes_queue`: and what waits at the listening socket.

        `level` is that of the line in the log.
        """
        if not self._stop.is_set():
            self._takes_queue = takes_queue
            if not takes_queue and self._listener is not None:
                # Now: in the next turn of the loop it would accept connections to refuse them.
                self._listener.close()
            self._stop.set()
            _tell(level, "%s: draining", reason)

    def end_at_once(self, reason: str) -> None:
        """Drain no longer."""
        self._drain_timeout = 0.0
        self._at_once.set()
        self._stop.set()
        _tell(logging.WARNING, "%s: ending at once", reason)

    async def _drain(self, listener: Listener, sock: socket.socket) -> None:
        """Let what is under way end; accept nothing new."""
        site = self._site
        loop = asyncio.get_running_loop()
        site.is_draining = True
        self._stop_listening()
        if not self._takes_queue or sock.family == socket.AF_UNIX:
            self._close(listener)
        started = loop.time()
        while True:
            spent = loop.time() - started
            is_quiet = not self._is_under_way(listener)
            if listener.is_open and spent > (_HANDSHAKE if is_quiet else _DRAIN_GRACE):
                self._close(listener)
                continue
            if is_quiet and not listener.is_open:
                break
            if spent > _DRAIN_GRACE and not await self._close_idle():
                self._on_closed()
            if spent > self._drain_timeout:
                _tell(
                    logging.WARNING,
                    "drain timeout: %d connections are cut, %s",
                    len(site.connections),
                    "handlers are idle" if self._application.is_idle else "handlers still run",
                )
                break
            await asyncio.sleep(_DRAIN_POLL)
        listener.close()
        for connection in list(site.connections):
            connection.cut()
        self._on_closed()
        await asyncio.sleep(0)
        self.time_left = max(0.0, self._drain_timeout - (loop.time() - started))

    def _is_under_way(self, listener: Listener) -> bool:
        """Whether there are connections, those that are just being accepted too, or requests."""
        return bool(listener.arriving() or self._site.connections or not self._application.is_idle)

    def _close(self, listener: Listener) -> None:
        """Close it, and before take what waits there: the end of the last listener resets that."""
        if self._takes_queue:
            listener.take_queued()
        listener.close()

    async def _say_farewell(self, farewell: Callable[[], Coroutine[Any, Any, object]]) -> None:
        tasks = [asyncio.ensure_future(each) for each in (farewell(), self._at_once.wait())]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()

    async def _close_idle(self) -> bool:
        """Close connections without a request; whether one may still send its first.

        Between two of them the loop reads what has arrived: a request that comes meanwhile to one
        of many connections is answered, and does not cross its close.
        """
        is_awaited = False
        for connection in list(self._site.connections):
            is_awaited |= connection.drain()
            await asyncio.sleep(0)
        return is_awaited


def _tell(level: int, message: str, *arguments: object) -> None:
    """Log, if that can be done: the application may have broken the log."""
    with suppress(Exception):
        log.log(level, message, *arguments)


def _report(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log what a callback raised; what this raised would end the loop.

    In the gateway's own log, which does not block the loop; an application that has configured
    logging finds it at the logger `asyncio` as well.
    """
    with suppress(Exception):
        text = str(context.get("message", "a callback failed"))
        for key in sorted(context.keys() - {"message", "exception"}):
            text += f"; {key}: {context[key]!r}"
        log.error("%s", text, exc_info=context.get("exception"))
    with suppress(Exception):
        if logging.getLogger("asyncio").hasHandlers():
            loop.default_exception_handler(context)
