"""A gateway inside this process: the real loop, pool and sockets, with the test between its turns.

The loop runs in the test's thread, and only while the test waits for something; handlers run in
the threads of a pool, as always.  So a test says what a client does between two turns of the loop,
and nothing is known about when a handler does what.
"""

import asyncio
import gc
import hashlib
import logging
import os
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from typing import Any

import uvloop

from gateway.http.body.body import BodyBudget
from gateway.http.connection.connection import Connection
from gateway.http.connection.deadlines import DeadlineSweep
from gateway.http.connection.exchange import Exchange
from gateway.http.connection.shared_state import SharedState, Timeouts
from gateway.limits import Limits
from gateway.wsgi.runner import WsgiRunner

LIMITS = Limits(max_body=60_000, body_buffer=8192, max_header_bytes=2000, max_path_bytes=200)
BODY_MEMORY = 1 << 18
THREADS = 2
PATIENCE = 20.0
"""Seconds for what takes milliseconds on a machine with nothing else to do."""

LARGE = 400_000
"""Bytes of an answer that no socket takes at once."""


def pattern(token: str, size: int) -> bytes:
    """`size` bytes that belong to a token."""
    block = hashlib.sha256(token.encode()).hexdigest().encode() + b"\n"
    return (block * (size // len(block) + 1))[:size]


_LOG = logging.getLogger("gateway.function")


class Handlers:
    """The application: `/<way>/<token>`, each way with something to be seen by its client."""

    def __init__(self) -> None:
        self.runs: Counter[str] = Counter()
        """How often a request was run, by its token."""
        self.gate = threading.Event()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        _, way, token = environ["PATH_INFO"].split("/")
        self.runs[token] += 1
        answer: Any = getattr(self, way)
        return answer(environ, lambda status, *fields: start_response(
            status, [("X-Token", token), *fields]
        ), token)  # fmt: skip

    def echo(self, environ: dict[str, Any], start: Callable[..., Any], token: str) -> Any:
        body = environ["wsgi.input"].read()
        start("200 OK")
        return [echo_of(token, body)]

    def parts(self, environ: dict[str, Any], start: Callable[..., Any], token: str) -> Any:
        body = environ["wsgi.input"].read()
        start("200 OK")
        yield from (token.encode(), b"", echo_of(token, body))

    def large(self, environ: dict[str, Any], start: Callable[..., Any], token: str) -> Any:
        start("200 OK", ("Content-Length", str(LARGE)))
        return iter([pattern(token, LARGE)[:-1], pattern(token, LARGE)[-1:]])

    def waits(self, environ: dict[str, Any], start: Callable[..., Any], token: str) -> Any:
        assert self.gate.wait(PATIENCE)
        return self.echo(environ, start, token)

    def empty(self, environ: dict[str, Any], start: Callable[..., Any], token: str) -> Any:
        start("204 No Content")
        return []

    def fails(self, environ: dict[str, Any], start: Callable[..., Any], token: str) -> Any:
        start("200 OK")
        raise ValueError(token)

    def fails_late(self, environ: dict[str, Any], start: Callable[..., Any], token: str) -> Any:
        start("200 OK")
        yield token.encode()
        raise ValueError(token)

    def injects(self, environ: dict[str, Any], start: Callable[..., Any], token: str) -> Any:
        start("200 OK", ("X", "1\r\n\r\nHTTP/1.1 200 OK\r\n"))

    def lies_more(self, environ: dict[str, Any], start: Callable[..., Any], token: str) -> Any:
        start("200 OK", ("Content-Length", str(len(token) + 1)))
        return iter([token.encode()[:3], token.encode()[3:]])

    def lies_less(self, environ: dict[str, Any], start: Callable[..., Any], token: str) -> Any:
        start("200 OK", ("Content-Length", str(len(token) - 1)))
        return iter([token.encode()[:3], token.encode()[3:]])

    def unread(self, environ: dict[str, Any], start: Callable[..., Any], token: str) -> Any:
        start("200 OK")
        return [token.encode()]


def echo_of(token: str, body: bytes) -> bytes:
    """What `echo` says of a body."""
    return f"{token} {len(body)} {hashlib.sha256(body).hexdigest()}".encode()


class _Faults(logging.Filter):
    """Keeps what the gateway does wrong, and drops what handlers do wrong.

    Kept records would hold their exceptions, those the frames, and those the exchanges.
    """

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def filter(self, record: logging.LogRecord) -> bool:
        if "fault of the gateway" in record.msg:
            self.found.append(logging.Formatter().format(record))
        return False


class Rig:
    """Everything that a connection needs, for real."""

    def __init__(self) -> None:
        self._faults = _Faults()
        _LOG.addFilter(self._faults)
        self.loop = uvloop.new_event_loop()
        self.handlers = Handlers()
        self.records: list[tuple[str, int, str]] = []
        """Request id, status and target of each exchange that is over."""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._numbers = count(1)
        self.bridge = WsgiRunner(self.handlers, threads=THREADS, limits=LIMITS)
        self.site = SharedState(
            loop=self.loop,
            application=self.bridge,
            limits=LIMITS,
            timeouts=Timeouts(),
            budget=BodyBudget(BODY_MEMORY, LIMITS.body_buffer),
            next_request_id=lambda: f"id-{next(self._numbers)}",
            record=self._record,
        )
        self._sweep = DeadlineSweep(self.site, 0.02, [self.bridge.check_deadlines])
        self.sockets = self.loop.run_until_complete(self._start())
        self.wait_until(lambda: threading.active_count() > THREADS, "the threads run")
        self.threads = threading.active_count()

    async def _start(self) -> int:
        """How many sockets are open then, the running loop's own among them."""
        self.bridge.start()
        self._sweep.start()
        return open_sockets()

    def _record(self, exchange: Exchange) -> None:
        target = "" if exchange.head is None else exchange.head.target
        self.records.append((exchange.request_id, exchange.status, target))

    def connect(self, send_buffer: int) -> socket.socket:
        """The client's end of a TCP connection; `send_buffer` is the gateway's, in bytes."""
        client = socket.create_connection(self._listener.getsockname())
        accepted, _ = self._listener.accept()
        accepted.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client.setblocking(False)
        self.loop.run_until_complete(
            self.loop.connect_accepted_socket(lambda: Connection(self.site), accepted)
        )
        return client

    def turn(self, times: int = 3) -> None:
        """Let the loop look at what has come."""

        async def turns() -> None:
            for _ in range(times):
                await asyncio.sleep(0)

        self.loop.run_until_complete(turns())

    def wait_until(self, is_so: Callable[[], object], what: str) -> None:
        """Run the loop until something is so."""
        deadline = time.monotonic() + PATIENCE

        async def wait() -> None:
            while not is_so():
                assert time.monotonic() < deadline, f"not within {PATIENCE:g} s: {what}"
                await asyncio.sleep(0.0005)

        self.loop.run_until_complete(wait())

    def check_released(self) -> None:
        """Nobody is connected: nothing is held."""
        site = self.site
        self.wait_until(lambda: not site.connections, f"connections end: {site.connections}")
        self.wait_until(lambda: self.bridge.is_idle, f"handlers end: {self.bridge}")
        self.wait_until(lambda: site.budget.used == 0, f"{site.budget.used} bytes are given back")
        self.wait_until(
            lambda: threading.active_count() <= self.threads, "threads in place of others end"
        )
        self.wait_until(lambda: open_sockets() <= self.sockets, "sockets are closed")
        ids = [request_id for request_id, _, _ in self.records]
        assert len(set(ids)) == len(ids), "an exchange was recorded twice"
        assert self._faults.found == []

    def close(self) -> None:
        """End the threads and the loop."""
        _LOG.removeFilter(self._faults)
        self._sweep.stop()
        self.bridge.stop()
        self.turn()
        self._listener.close()
        self.loop.close()


def open_sockets() -> int:
    """How many this process has."""
    found = 0
    for entry in os.scandir("/proc/self/fd"):
        with suppress(FileNotFoundError):  # The one for the folder itself.
            found += os.readlink(entry.path).startswith("socket:")
    return found


def kept_by_anything(site: SharedState) -> list[Exchange | Connection]:
    """Exchanges and connections of a site that are not forgotten."""
    gc.collect()
    # By the type itself: to ask some objects for their class is to have them do something.
    objects = [found for found in gc.get_objects() if type(found) in (Exchange, Connection)]
    sites = [found.connection.site if type(found) is Exchange else found.site for found in objects]
    return [found for found, its in zip(objects, sites, strict=True) if its is site]
