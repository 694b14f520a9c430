"""One worker: its loop, from the first connection to the last."""

import asyncio
import logging
import os
import signal
import socket
from collections.abc import Callable, Coroutine, Iterable
from contextlib import suppress
from functools import partial
from typing import Any, Final, Protocol

import uvloop

from gateway.accepting import Counts, SharedListener
from gateway.forked import leave_to_parent
from gateway.http.admission import Admission
from gateway.http.deadlines import DeadlineSweep
from gateway.http.site import Application, Site
from gateway.listening import accept_queued, refuse_new

log = logging.getLogger("gateway.server")

_DRAIN_POLL: Final = 0.02
"""Seconds between two looks at whether the last exchange is done."""

_DRAIN_GRACE: Final = 0.25
"""Seconds in which connections without a request are left open: one may be on its way.  Those that
never had one have `site.FIRST_REQUEST`."""


class ServedApplication(Application, Protocol):
    """An application with a life cycle."""

    @property
    def is_idle(self) -> bool:
        """Whether nothing is queued or running."""

    @property
    def is_worn(self) -> bool:
        """Whether its process should be replaced."""

    def start(self) -> None:
        """Be ready for exchanges."""

    def check_deadlines(self, now: float) -> None:
        """Give up what is past its time; `now` is the loop's, in seconds."""

    def stop(self) -> None:
        """No more exchanges will come."""


class Listener(Protocol):
    """What accepts connections."""

    def close(self) -> None:
        """Accept no more."""


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
        site: Site,
        application: ServedApplication,
        sweep: DeadlineSweep,
        admission: Admission,
        *,
        backlog: int,
        drain_timeout: float,
        counts: Counts | None = None,
        owns_socket: bool = False,
        on_closed: Callable[[], None] | None = None,
        farewell: Callable[[], Coroutine[Any, Any, object]] | None = None,
        load: Load | None = None,
    ) -> None:
        """`drain_timeout`, in seconds, bounds how long running requests may take to end.

        `counts` are those of the workers that share the socket, where there are several; `load` is
        what counts of this one, by default its connections.
        `backlog` is how many connections the system holds until they are accepted.
        `owns_socket`: no other process accepts connections from the listening socket, now or later.
        `on_closed` is called, perhaps several times, when it drains and takes no more requests.
        `farewell` runs behind the last request, unless the end is to be at once; it has an end of
        its own.
        """
        self._owns_socket = owns_socket
        self._backlog = backlog
        self._site = site
        self._application = application
        self._sweep = sweep
        self._drain_timeout = drain_timeout
        self._admission = admission
        self._counts = counts
        self._load = load
        self._on_closed = on_closed or (lambda: None)
        self._farewell = farewell
        self._stop = asyncio.Event()
        self._at_once = asyncio.Event()
        self._has_had_signal = False
        self._takes_queue = True
        self.time_left = drain_timeout
        """Seconds of the drain timeout that were not needed, once `run` has ended."""

    async def run(
        self, sock: socket.socket, on_ready: Callable[[], None], signals: Iterable[int]
    ) -> None:
        """Serve until one of the signals comes, then drain; a second one ends at once.

        Signals can be heard of so in the main thread only; elsewhere somebody calls `on_signal`.
        """
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(_report)
        for number in signals:
            loop.add_signal_handler(number, self.on_signal, number)
        # Not undone at the end: there is one server to a process.
        os.register_at_fork(after_in_child=partial(leave_to_parent, self._site.connections, sock))
        self._application.start()
        listener = await self._listen(loop, sock)
        self._sweep.start()
        on_ready()
        await self._stop.wait()
        await self._drain(listener, sock)
        if self._farewell is not None and not self._at_once.is_set():
            await self._say_farewell(self._farewell)
        self._sweep.stop()
        self._application.stop()

    async def _listen(self, loop: asyncio.AbstractEventLoop, sock: socket.socket) -> Listener:
        if self._counts is not None:
            shared = loop, sock, self._admission, self._counts
            if self._load is not None:
                return SharedListener(*shared, self._load.count, self._load.patience)
            return SharedListener(*shared, self._site.connections.__len__)
        if sock.family != socket.AF_UNIX:
            return await loop.create_server(self._admission, sock=sock, backlog=self._backlog)
        # The loop would remove the path, on CPython 3.13 and newer; but an inherited socket is
        # the parent's, who may hand it on.  What the gateway has made itself, app.py removes.
        return await loop.create_unix_server(
            self._admission,
            sock=sock,
            backlog=self._backlog,
            cleanup_socket=False,  # type: ignore[call-arg]  # uvloop has it on every version
        )

    def on_signal(self, number: int) -> None:
        """Drain; end at once when it is not the first one.  On the loop."""
        name = signal.Signals(number).name
        if self._has_had_signal:
            self.end_at_once(f"{name} again")
        self._has_had_signal = True
        self.drain(name)

    def drain(self, reason: str, *, takes_queue: bool = True, level: int = logging.INFO) -> None:
        """Let what is under way end; `takes_queue`: and what waits at the listening socket.

        `level` is that of the line in the log.
        """
        if not self._stop.is_set():
            self._takes_queue = takes_queue
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
        if self._owns_socket:
            refuse_new(sock)
        # The end of the last listener would reset them.
        queued = accept_queued(sock) if self._takes_queue else []
        listener.close()
        for accepted in queued:
            await loop.connect_accepted_socket(self._admission.admit, accepted)
        started = loop.time()
        while site.connections or not self._application.is_idle:
            spent = loop.time() - started
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
        for connection in list(site.connections):
            connection.cut()
        self._on_closed()
        await asyncio.sleep(0)
        self.time_left = max(0.0, self._drain_timeout - (loop.time() - started))

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
    """Log what a callback raised; what this raised would end the loop."""
    with suppress(Exception):
        loop.default_exception_handler(context)


def run_loop(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a worker's main coroutine on a fresh uvloop."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
