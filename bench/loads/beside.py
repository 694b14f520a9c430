"""Quick requests, first alone and then beside clients that keep the server busy."""

import asyncio
import socket
from dataclasses import dataclass

import uvloop

from bench.handlers import HELLO
from bench.loads import latency
from bench.loads.answer import Answer
from bench.loads.client import allow_connections, on_client_core, request
from bench.loads.crowds import Burning, Crowd
from bench.loads.load import Measured
from bench.loads.quick import Outcome, Quick
from bench.process import FailedRun, Server
from bench.statistics import quantile

_WARM_UP_SECONDS = 0.5
_REFUSALS_PER_SECOND = 50
_OVER_LIMIT = request("GET", "/" + "p" * 5 * 1024)


@dataclass(frozen=True)
class Beside:
    """`rate` quick requests a second in an open loop, half the time alone, then beside `crowd`.

    All clients run in one event loop on the client's core, which they leave mostly idle. Beside
    handlers that burn CPU, refusals of too long a path are measured as well, with peers that refuse
    it.
    """

    crowd: Crowd
    rate: int

    def measure(self, server: Server, seconds: float) -> Measured:
        """p99 of quick requests, alone and beside the crowd; unanswered ones are errors.

        Raises:
            FailedRun: not all were answered even without the crowd, or the crowd was turned away.
        """
        allow_connections(server, self.crowd.clients)
        with on_client_core():
            return uvloop.run(self._measure(server, seconds))

    async def _measure(self, server: Server, seconds: float) -> Measured:
        await self._quick(server).run(_WARM_UP_SECONDS)
        alone = await self._quick(server).run(seconds / 2)
        if alone.error_share:
            raise FailedRun(f"{alone.error_share:.1%} errors even without slow clients")
        has_refusals = isinstance(self.crowd, Burning) and _refuses(server.port)
        resident = server.resident_bytes()
        refused = None
        async with self.crowd.present(server.port):
            if has_refusals:
                beside, refused = await asyncio.gather(
                    self._quick(server).run(seconds), _refusals(server).run(seconds)
                )
            else:
                beside = await self._quick(server).run(seconds)
            growth = server.resident_bytes() - resident
        figures = {
            "quick_requests_per_second": beside.answered / seconds,
            "quick_p99_ms": _p99(beside),
            "quick_unloaded_p99_ms": _p99(alone),
            "error_share": beside.error_share,
            "peak_rss_mb": server.peak_resident_bytes() / 1e6,
            "rss_growth_mb": growth / 1e6,
        }
        if refused is not None:
            figures["refusal_p99_ms"] = _p99(refused)
        return Measured(figures, {"latency_ms": latency.curve(beside.latencies)})

    def _quick(self, server: Server) -> Quick:
        return Quick(server.port, request("GET", "/"), self.rate, _is_hello)


def _is_hello(answer: Answer) -> bool:
    return answer.status == 200 and answer.length == len(HELLO)


def _refusals(server: Server) -> Quick:
    return Quick(server.port, _OVER_LIMIT, _REFUSALS_PER_SECOND, _is_refusal)


def _is_refusal(answer: Answer) -> bool:
    return 400 <= answer.status < 500


def _refuses(port: int) -> bool:
    answer = Answer()
    with socket.create_connection(("127.0.0.1", port), timeout=5) as client:
        client.sendall(_OVER_LIMIT)
        while data := client.recv(65536):
            if answer.feed(data):
                break
    return _is_refusal(answer)


def _p99(outcome: Outcome) -> float:
    if not outcome.latencies:
        raise FailedRun("every quick request was cut off or answered wrongly")
    return quantile(sorted(outcome.latencies), 0.99)
