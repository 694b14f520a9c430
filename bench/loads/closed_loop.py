"""A closed loop whose window has no edges, for handlers that take long."""

import asyncio
import socket
import time
from dataclasses import dataclass

import uvloop

from bench.loads import latency
from bench.loads.answer import Answer
from bench.loads.client import on_client_core, request
from bench.loads.load import Measured
from bench.process import FailedRun, Server

_WARM_UP_SECONDS = 1
_ANSWER_SECONDS = 20


@dataclass(frozen=True)
class ClosedLoop:
    """`connections` that each send a request as soon as the last one is answered.

    Up to some 1,000 a second. All are kept busy from the warm-up to the end, and what is answered
    in between counts. wrk opens its connections anew after the warm-up, and the requests that it
    left behind are still handled then: with 64 of 50 ms that is a fifth of two seconds.
    """

    connections: int

    def measure(self, server: Server, seconds: float) -> Measured:
        """Requests a second, latencies, CPU time per request.

        Raises:
            FailedRun: an answer was wrong or missing.
        """
        with on_client_core():
            return uvloop.run(self._measure(server, seconds))

    async def _measure(self, server: Server, seconds: float) -> Measured:
        loop = asyncio.get_running_loop()
        done: list[tuple[float, float]] = []
        tasks = [loop.create_task(_repeat(server.port, done)) for _ in range(self.connections)]
        try:
            await _undisturbed(tasks, _WARM_UP_SECONDS)
            cpu, started = server.cpu_seconds(), time.perf_counter()
            await _undisturbed(tasks, seconds)
            cpu, ended = server.cpu_seconds() - cpu, time.perf_counter()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        latencies = [own for at, own in done if started <= at < ended]
        if not latencies:
            raise FailedRun("no request was answered")
        return Measured(
            {
                "requests_per_second": len(latencies) / (ended - started),
                "cpu_us": cpu / len(latencies) * 1e6,
                **latency.figures(latencies),
                "error_share": 0.0,
                "peak_rss_mb": server.peak_resident_bytes() / 1e6,
            },
            {"latency_ms": latency.curve(latencies)},
        )


async def _undisturbed(tasks: list[asyncio.Task[None]], seconds: float) -> None:
    """Wait for `seconds`, or raise what one of `tasks` raised."""
    ended, _ = await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_EXCEPTION)
    for task in ended:
        task.result()


async def _repeat(port: int, done: list[tuple[float, float]]) -> None:
    # time.perf_counter(), as uvloop's clock has milliseconds only.
    loop = asyncio.get_running_loop()
    while True:
        with socket.socket() as client:
            client.setblocking(False)
            is_last = False
            await loop.sock_connect(client, ("127.0.0.1", port))
            while not is_last:
                sent = time.perf_counter()
                try:
                    async with asyncio.timeout(_ANSWER_SECONDS):
                        answer = await exchange(client, request("GET", "/"))
                except OSError as error:
                    raise FailedRun(f"a request: {error!r}") from error
                if answer.status != 200:
                    raise FailedRun(f"a request was answered {answer.status}")
                now = time.perf_counter()
                done.append((now, (now - sent) * 1000))
                is_last = answer.is_last


async def exchange(client: socket.socket, message: bytes) -> Answer:
    """Send `message` and wait for the answer; it is incomplete when the server closed."""
    loop = asyncio.get_running_loop()
    answer = Answer()
    await loop.sock_sendall(client, message)
    while not answer.is_complete and (data := await loop.sock_recv(client, 65536)):
        answer.feed(data)
    return answer
