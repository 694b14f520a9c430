"""Three times as many requests as can be served: as many are served as at the peak, none is lost.

The bounds are wide, for machines that do other things as well; `python -m bench run --scenarios
overload-…` has the figures, and the promise.
"""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from functional.serving import ROOT, Gateway

from bench.loads.overload import Count, Crowd, request_of

pytestmark = pytest.mark.family("overload")

PEAK_SECONDS = 1.0
OVERLOAD_SECONDS = 1.5
CLIENTS = 16
QUEUE_TIMEOUT = 0.2


def cpu_seconds(gateway: Gateway) -> float:
    fields = Path(f"/proc/{gateway.worker_pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def overload(gateway: Gateway, *, is_new: bool) -> tuple[Count, Count, float, float]:
    """What was counted at the peak and under overload, and the CPU seconds of both."""
    crowd = Crowd(gateway.port, request_of(is_new=is_new))
    started = cpu_seconds(gateway)
    with crowd.counting() as peak:
        await crowd.repeat(CLIENTS, PEAK_SECONDS)
    peak_cpu = cpu_seconds(gateway) - started
    rate = 3 * peak.goodput
    with crowd.counting():
        await crowd.send(rate, 0.3)
    started = cpu_seconds(gateway)
    with crowd.counting() as over:
        await crowd.send(rate, OVERLOAD_SECONDS)
    over_cpu = cpu_seconds(gateway) - started
    await crowd.end()
    return peak, over, peak_cpu, over_cpu


@pytest.mark.parametrize(
    ("handler", "is_new"), [("doze", False), ("doze", True), ("compute", False)]
)
def test_what_can_be_served_is_and_the_rest_is_refused(
    start_gateway: Callable[..., Gateway], handler: str, is_new: bool, tally: Callable[..., None]
) -> None:
    gateway = start_gateway(
        f"bench.handlers:{handler}",
        *("--threads", "8", "--queue", "16", "--queue-timeout", f"{QUEUE_TIMEOUT}s"),
        chdir=ROOT,
    )
    peak, over, peak_cpu, over_cpu = asyncio.run(overload(gateway, is_new=is_new))
    assert (peak.wrong, over.wrong) == (0, 0)
    assert len(over.refused) > len(over.served) / 2, "it was no overload"
    if handler == "doze":
        assert over.goodput >= 0.8 * peak.goodput
    else:
        # Who computes shares the core with whatever runs beside this test: by CPU time, then.
        assert len(over.served) / over_cpu >= 0.8 * len(peak.served) / peak_cpu
    # The queue timeout and a handler, with a second for the machine.
    assert sorted(over.served)[len(over.served) // 2] < (QUEUE_TIMEOUT + 1.0) * 1000
    with gateway.connect() as client:
        assert client.ask("/").status == 200
    assert "Traceback" not in gateway.errors
    tally(served=len(over.served), refused=len(over.refused), faults=1)
