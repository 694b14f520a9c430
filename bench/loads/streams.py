"""Clients that read streamed answers as fast as they can."""

import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from bench.loads.answer import Answer
from bench.loads.client import on_client_core, request
from bench.loads.load import Measured
from bench.loads.watch import watched
from bench.process import FailedRun, Server

_READ_BYTES = 1024 * 1024
_STALLED_SECONDS = 20
_WARM_UP_BYTES = 1024 * 1024


@dataclass(frozen=True)
class Streams:
    """`clients` that each ask for `answer_bytes`, again and again, one thread for each.

    The reading threads share the client's core: `client_cpu_share` near 1 means that they, not the
    server, set the pace; then compare `cpu_us`.
    """

    answer_bytes: int
    clients: int

    def measure(self, server: Server, seconds: float) -> Measured:
        """Bytes a second, CPU time per answer, memory.

        Raises:
            FailedRun: an answer was cut off, stalled or was of another length.
        """
        with on_client_core(), ThreadPoolExecutor(self.clients) as pool:
            _read(server.port, _WARM_UP_BYTES)
            cpu, own_cpu, started = server.cpu_seconds(), time.process_time(), time.monotonic()
            with watched(server) as memory:
                until = started + seconds
                runs = [pool.submit(self._repeat, server.port, until) for _ in range(self.clients)]
                count = sum(run.result() for run in runs)
                elapsed = time.monotonic() - started
            cpu = server.cpu_seconds() - cpu
            own_cpu = time.process_time() - own_cpu
        return Measured(
            {
                "megabytes_per_second": count * self.answer_bytes / elapsed / 1e6,
                "cpu_us": cpu / count * 1e6,
                "client_cpu_share": own_cpu / elapsed,
                **memory.figures(),
            },
            {"rss_mb": memory.curve()},
        )

    def _repeat(self, port: int, until: float) -> int:
        count = 0
        while not count or time.monotonic() < until:
            _read(port, self.answer_bytes)
            count += 1
        return count


_local = threading.local()


def _read(port: int, answer_bytes: int) -> None:
    if not hasattr(_local, "buffer"):
        _local.buffer = bytearray(_READ_BYTES)
    block = memoryview(_local.buffer)
    answer = Answer()
    try:
        with socket.create_connection(("127.0.0.1", port), _STALLED_SECONDS) as client:
            client.sendall(request("GET", f"/{answer_bytes}"))
            while size := client.recv_into(block):
                if answer.feed(block[:size]):
                    break
    except OSError as error:
        raise FailedRun(f"after {answer.length} bytes of a stream: {error!r}") from error
    if answer.status != 200 or answer.length != answer_bytes:
        raise FailedRun(f"status {answer.status}, {answer.length} bytes of {answer_bytes}")
    if not (answer.is_complete or answer.is_until_eof):
        raise FailedRun("the stream has no end")
