"""Connections that made one request and then do nothing."""

import errno
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from bench.handlers import HELLO
from bench.loads.answer import Answer
from bench.loads.client import allow_connections, is_connected, on_client_core, request, reset
from bench.loads.load import Measured
from bench.process import FailedRun, Server

_WARM_UP_CONNECTIONS = 200
_ANSWER_SECONDS = 10
_CONNECTIONS_PER_ADDRESS = 5_000
"""Of 127.0.0.x: the system has some 28,000 ports for each, many perhaps still in TIME_WAIT."""


@dataclass(frozen=True)
class Idle:
    """`connections` at once, opened one after the other, or as many as descriptors allow."""

    connections: int

    def measure(self, server: Server, seconds: float) -> Measured:
        """Resident memory for each, after `seconds` of idling.

        Raises:
            FailedRun: a request was not answered, or connections were closed.
        """
        count = allow_connections(server, self.connections)
        with on_client_core():
            with _opened(server, _WARM_UP_CONNECTIONS):
                pass
            before = server.resident_bytes()
            with _opened(server, count) as clients:
                time.sleep(seconds)
                after = server.resident_bytes()
                lost = sum(not is_connected(client) for client in clients)
        if lost:
            raise FailedRun(f"{lost} of {count} idle connections were closed")
        return Measured(
            {
                "connections": count,
                "kb_per_connection": (after - before) / count / 1e3,
                "rss_growth_mb": (after - before) / 1e6,
                "peak_rss_mb": server.peak_resident_bytes() / 1e6,
            }
        )


@contextmanager
def _opened(server: Server, count: int) -> Iterator[list[socket.socket]]:
    clients: list[socket.socket] = []
    try:
        for number in range(count):
            clients.append(_connect(server.port, 1 + number // _CONNECTIONS_PER_ADDRESS))
            _exchange(clients[-1], len(clients))
        yield clients
    finally:
        for client in clients:
            reset(client)


def _connect(port: int, host: int) -> socket.socket:
    try:
        return socket.create_connection(
            ("127.0.0.1", port), _ANSWER_SECONDS, source_address=(f"127.0.0.{host}", 0)
        )
    except OSError as error:
        what = "no port is free" if error.errno == errno.EADDRNOTAVAIL else repr(error)
        raise FailedRun(f"connecting from 127.0.0.{host}: {what}") from error


def _exchange(client: socket.socket, number: int) -> None:
    answer = Answer()
    try:
        client.sendall(request("GET", "/"))
        while not answer.is_complete and (data := client.recv(65536)):
            answer.feed(data)
    except OSError as error:
        raise FailedRun(f"connection {number}: {error!r}") from error
    if answer.status != 200 or answer.length != len(HELLO) or answer.is_last:
        kept = "not kept" if answer.is_last else f"{answer.length} bytes"
        raise FailedRun(f"connection {number}: status {answer.status}, {kept}")
