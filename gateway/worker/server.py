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
from gateway.worker.liveness import MAX_FAILED_LOOKS, Liveness

log = logger("gateway.server")

_DRAIN_POLL_SECONDS: Final = 0.02

_DRAIN_GRACE_SECONDS: Final = 0.25
"""Connections without a request stay open this long, since one may be on its way.
`FIRST_REQUEST_SECONDS` apply before the first request, `NEXT_REQUEST_SECONDS` after a response."""

_HANDSHAKE_SECONDS: Final = 0.05
"""The listener stays open at least this long: a client sees its connection open before the last
segment of the handshake arrives here, and a closed listener would reset it."""


_LOOK_SECONDS: Final = 1.0
"""Interval of liveness looks without a supervisor."""

_MAX_FAILED_LOOKS_ALONE: Final = 10
"""More than with a supervisor, because the worker ends without a replacement."""


class WorkerLoad(Protocol):
    """The load of a worker, compared with others."""

    def count(self) -> int:
        """The load, counted in connections."""

    def patience(self) -> float:
        """Seconds for which it leaves a connection to a less busy worker."""


class Server:
    """Serves connections of a listening socket until `drain` or a signal ends it."""

    def __init__(
        self,
        site: SharedState,
        application: ServedApplication,
        sweep: DeadlineSweep,
        admission: Admission,
        *,
        drain_timeout: float,
        probe: SharedState,
        is_alone: bool = False,
        counts: Counts | None = None,
        stop_listening: Callable[[], None] | None = None,
        on_closed: Callable[[], None] | None = None,
        farewell: Callable[[], Coroutine[Any, Any, object]] | None = None,
        load: WorkerLoad | None = None,
    ) -> None:
        """`drain_timeout`, in seconds, bounds how long running requests may take to end.

        `probe` is the state of the connections by which it checks its liveness.  With `is_alone` no
        supervisor replaces it, so it ends when it cannot serve.  `counts` are those of the workers
        that share the socket, if there are several; `load` is the load of this one, by default its
        number of connections.  `stop_listening` is called before it drains: it may refuse new
        connections if no other process will accept from the socket.  `on_closed` is called, perhaps
        several times, when it drains and accepts no more requests.  `farewell` runs after the last
        request, unless the server ends at once; it must bound its own time.
        """
        self._stop_listening = stop_listening or (lambda: None)
        self._site = site
        self._application = application
        self._sweep = sweep
        self._drain_timeout = drain_timeout
        self._admission = admission
        self._probe = probe
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
        """Seconds of the drain timeout that are left when `run` has ended."""

    async def run(
        self, sock: socket.socket, on_ready: Callable[[], None], signals: Iterable[int]
    ) -> None:
        """Serve until one of the signals arrives, then drain; a later one ends at once.

        The signal handlers stay installed until the process ends.  They work in the main thread
        only; in other threads pass no signals and call `on_signal`.
        """
        numbers = frozenset(signals)
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(_report)
        make_lasting(loop)
        for number in numbers:
            loop.add_signal_handler(number, self.on_signal, number)
        # Never undone: a process has one server.
        identity = identity_of(sock.fileno())
        os.register_at_fork(
            after_in_child=partial(leave_to_parent, self._site.connections, identity)
        )
        self._application.start()
        self._listener = listener = self._listen(loop, sock)
        self._admission.arriving = listener.arriving
        self._liveness = Liveness(self._probe, listener, is_full=self._admission.is_full)
        self._sweep.add(listener.check)
        if self._is_alone:
            self._sweep.add(self._check_liveness)
        self._sweep.start()
        # The first probe also makes the loop open the descriptors that it keeps.
        self._liveness.look()
        on_ready()
        await self._stop.wait()
        await self._drain(listener, sock)
        if self._farewell is not None and not self._at_once.is_set():
            await self._run_farewell(self._farewell)
        self._sweep.stop()
        self._liveness.close()
        self._application.stop()
        self._take_signals(loop, numbers)

    def _listen(self, loop: asyncio.AbstractEventLoop, sock: socket.socket) -> Listener:
        load = self._load
        return Listener(
            loop,
            sock,
            self._admission,
            self._site.connections.__len__ if load is None else load.count,
            self._counts,
            patience=(lambda: 0.0) if load is None else load.patience,
            room=self._admission.room,
        )

    def on_signal(self, number: int) -> None:
        """Drain at the first signal, end at once at a later one.  Call it on the loop."""
        name = signal.Signals(number).name
        if self._end_signals.count(monotonic()):
            self.end_at_once(f"{name} again")
        self.drain(name)

    def can_serve_new(self, looks: int = MAX_FAILED_LOOKS) -> bool:
        """Whether new connections can be served; True while draining.  See `Liveness.look`."""
        if self._liveness is None or self._stop.is_set():
            return True
        return self._liveness.look(looks)

    def _check_liveness(self, now: float) -> None:
        """Called by the sweep if there is no supervisor."""
        if now >= self._look_at:
            self._look_at = now + _LOOK_SECONDS
            if not self.can_serve_new(_MAX_FAILED_LOOKS_ALONE):
                self.has_failed = True
                self.drain("without new connections there is no use", level=logging.CRITICAL)

    def _take_signals(self, loop: asyncio.AbstractEventLoop, numbers: frozenset[int]) -> None:
        """Handle signals without the loop: after it ends, the user's code may run for a while."""
        if not numbers:
            return
        before = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
        for number in numbers:
            loop.remove_signal_handler(number)
            signal.signal(number, self.on_late_signal)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def on_late_signal(self, _number: int, _frame: object) -> None:
        """The handler of signals after the last request, in the main thread."""
        if self._end_signals.count(monotonic()):
            leave()

    def drain(self, reason: str, *, takes_queue: bool = True, level: int = logging.INFO) -> None:
        """Finish the running requests and end; with `takes_queue` also serve queued connections.

        `level` is the level of the log line.
        """
        if not self._stop.is_set():
            self._takes_queue = takes_queue
            if not takes_queue and self._listener is not None:
                # Now: in the next turn of the loop it would accept connections to refuse them.
                self._listener.close()
            self._stop.set()
            _tell(level, "%s: draining", reason)

    def end_at_once(self, reason: str) -> None:
        """Stop draining and end."""
        self._drain_timeout = 0.0
        self._at_once.set()
        self._stop.set()
        _tell(logging.WARNING, "%s: ending at once", reason)

    async def _drain(self, listener: Listener, sock: socket.socket) -> None:
        """Finish what is running; accept nothing new."""
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
            if listener.is_open and spent > (
                _HANDSHAKE_SECONDS if is_quiet else _DRAIN_GRACE_SECONDS
            ):
                self._close(listener)
                continue
            if is_quiet and not listener.is_open:
                break
            if spent > _DRAIN_GRACE_SECONDS and not await self._close_idle():
                self._on_closed()
            if spent > self._drain_timeout:
                _tell(
                    logging.WARNING,
                    "drain timeout: %d connections are cut, %s",
                    len(site.connections),
                    "handlers are idle" if self._application.is_idle else "handlers still run",
                )
                break
            await asyncio.sleep(_DRAIN_POLL_SECONDS)
        listener.close()
        for connection in list(site.connections):
            connection.cut()
        self._on_closed()
        await asyncio.sleep(0)
        self.time_left = max(0.0, self._drain_timeout - (loop.time() - started))

    def _is_under_way(self, listener: Listener) -> bool:
        """Whether there are connections, including those being accepted, or running requests."""
        return bool(listener.arriving() or self._site.connections or not self._application.is_idle)

    def _close(self, listener: Listener) -> None:
        """Close the listener, after accepting queued connections, which the close would reset."""
        if self._takes_queue:
            listener.take_queued()
        listener.close()

    async def _run_farewell(self, farewell: Callable[[], Coroutine[Any, Any, object]]) -> None:
        tasks = [asyncio.ensure_future(each) for each in (farewell(), self._at_once.wait())]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()

    async def _close_idle(self) -> bool:
        """Close connections without a request; return whether one may still send its first.

        The loop runs between two closes, so a request that arrives meanwhile on another connection
        is read and gets its response.
        """
        is_awaited = False
        for connection in list(self._site.connections):
            is_awaited |= connection.drain()
            await asyncio.sleep(0)
        return is_awaited


def _tell(level: int, message: str, *arguments: object) -> None:
    """Log; ignore errors, since the application may have broken the log."""
    with suppress(Exception):
        log.log(level, message, *arguments)


def _report(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log what a callback raised; raise nothing, which would end the loop.

    The record goes to the gateway's own log, which does not block the loop, and to the logger
    `asyncio` if the application has configured logging.
    """
    with suppress(Exception):
        text = str(context.get("message", "a callback failed"))
        for key in sorted(context.keys() - {"message", "exception"}):
            text += f"; {key}: {context[key]!r}"
        log.error("%s", text, exc_info=context.get("exception"))
    with suppress(Exception):
        if logging.getLogger("asyncio").hasHandlers():
            loop.default_exception_handler(context)
