"""What the loads that are written in Python share: the client's core, sockets, request heads."""

import gc
import os
import resource
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from bench.process import CLIENT_CORE, FailedRun, Server

_OTHER_DESCRIPTORS = 1200
"""A server may keep a thousand back for other things than connections."""


@contextmanager
def on_client_core() -> Iterator[None]:
    """Pin this thread to the client's core, without pauses of the garbage collector."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {int(core) for core in CLIENT_CORE.split(",")})
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        os.sched_setaffinity(0, before)


def request(method: str, path: str, *, body_bytes: int | None = None) -> bytes:
    """A request's head."""
    length = "" if body_bytes is None else f"Content-Length: {body_bytes}\r\n"
    return f"{method} {path} HTTP/1.1\r\nHost: bench\r\n{length}\r\n".encode()


def reset(client: socket.socket) -> None:
    """Close without leaving the port in TIME_WAIT."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    client.close()


def is_connected(client: socket.socket) -> bool:
    """Whether the server has neither closed nor reset the connection."""
    established = 1
    return client.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == established


def allow_connections(server: Server, wanted: int) -> int:
    """Raise the limit on descriptors as far as the system lets us, here and in the server.

    Returns how many connections there may be, at most `wanted`, when each takes two descriptors, as
    in servers that keep a duplicate.

    Raises:
        FailedRun: that is less than nine tenths of `wanted`.
    """
    allowed = wanted
    for pid in (0, *server.pids()):
        _, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        limit = hard if hard != resource.RLIM_INFINITY else 2 * wanted + _OTHER_DESCRIPTORS
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (limit, hard))
        allowed = min(allowed, (limit - _OTHER_DESCRIPTORS) // 2)
    if allowed < 0.9 * wanted:
        raise FailedRun(f"descriptors allow {allowed} connections, not {wanted}: see `ulimit -Hn`")
    return allowed
