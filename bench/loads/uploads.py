"""Large bodies, all at once."""

import asyncio
import socket
import time
from dataclasses import dataclass

import uvloop

from bench.loads import latency
from bench.loads.answer import Answer
from bench.loads.client import allow_connections, on_client_core, request
from bench.loads.load import Measured
from bench.loads.watch import watched
from bench.process import FailedRun, Server
from bench.statistics import quantile

_BLOCK = bytes(256 * 1024)


@dataclass(frozen=True)
class Uploads:
    """`clients` that begin to send `body_bytes` each at the same moment, once.

    A server may refuse some with a status of 4xx or 503, even before it has read them:
    `error_share` is the share of those.
    """

    clients: int
    body_bytes: int

    def measure(self, server: Server, seconds: float) -> Measured:
        """Memory, and bytes a second of the accepted bodies; all have ten times `seconds`.

        Raises:
            FailedRun: a client was cut off, or answered with something else.
        """
        allow_connections(server, self.clients)
        with on_client_core():
            uvloop.run(self._send(server.port, 64 * 1024))
            cpu, started = server.cpu_seconds(), time.monotonic()
            with watched(server) as memory:
                done = uvloop.run(self._all(server.port, seconds * 10))
            elapsed = time.monotonic() - started
            cpu = server.cpu_seconds() - cpu
        accepted = [taken for status, taken in done if status == 200]
        if not accepted:
            raise FailedRun("every upload was refused")
        return Measured(
            {
                **memory.figures(),
                "megabytes_per_second": len(accepted) * self.body_bytes / elapsed / 1e6,
                "cpu_us": cpu / self.clients * 1e6,
                "error_share": 1 - len(accepted) / self.clients,
                "p99_ms": quantile(sorted(accepted), 0.99),
            },
            {"rss_mb": memory.curve(), "latency_ms": latency.curve(accepted)},
        )

    async def _all(self, port: int, seconds: float) -> list[tuple[int, float]]:
        sending = (self._send(port, self.body_bytes) for _ in range(self.clients))
        try:
            async with asyncio.timeout(seconds):
                return await asyncio.gather(*sending)
        except TimeoutError:
            raise FailedRun(f"not all uploads were answered within {seconds:g} s") from None

    async def _send(self, port: int, body_bytes: int) -> tuple[int, float]:
        """Status and milliseconds."""
        loop = asyncio.get_running_loop()
        started = time.perf_counter()
        with socket.socket() as client:
            client.setblocking(False)
            try:
                await loop.sock_connect(client, ("127.0.0.1", port))
                answer = await _upload(client, body_bytes)
            except OSError as error:
                raise FailedRun(f"an upload: {error!r}") from error
        is_right = answer.sample == str(body_bytes).encode()
        if not (answer.is_complete or answer.is_until_eof) or (
            not is_right and not 400 <= answer.status < 500 and answer.status != 503
        ):
            raise FailedRun(f"an upload was answered {answer.status} {answer.sample[:80]!r}")
        return answer.status, (time.perf_counter() - started) * 1000


async def _upload(client: socket.socket, body_bytes: int) -> Answer:
    """Send while listening: a refusal ends it early."""
    loop = asyncio.get_running_loop()

    async def send() -> None:
        await loop.sock_sendall(client, request("POST", "/", body_bytes=body_bytes))
        left = body_bytes
        while left:
            block = memoryview(_BLOCK)[: min(left, len(_BLOCK))]
            await loop.sock_sendall(client, block)
            left -= len(block)

    sending = asyncio.create_task(send())
    answer = Answer()
    try:
        while not answer.is_complete and (data := await loop.sock_recv(client, 65536)):
            answer.feed(data)
        return answer
    finally:
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
