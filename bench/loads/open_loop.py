"""Requests at a fixed rate, by h2load, whether or not the answers keep up."""

import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from bench.loads import latency
from bench.loads.load import Measured
from bench.process import CLIENT_CORE, FailedRun, Server

_WARM_UP_SECONDS = 1
_TICK_MS = 10
_LEAST_SHARE = 0.5
"""Of the rate: h2load that sends less was not a load at this rate."""

_COUNTS = re.compile(r"requests: .*?(\d+) done, (\d+) succeeded, (\d+) failed")


@dataclass(frozen=True)
class OpenLoop:
    """`rate` requests a second from `clients` connections.

    h2load looks at its clock every 10 ms, so requests come in bursts, and each client has one under
    way at a time, so that a late answer holds up the next request. What a request started too late
    counts as its latency, but for those 10 ms: a server that falls behind the rate cannot hide it.
    """

    rate: int
    clients: int = 32

    def measure(self, server: Server, seconds: float) -> Measured:
        """Rate, latencies and CPU time per request.

        Raises:
            FailedRun: errors, or far fewer requests than asked for.
        """
        with tempfile.TemporaryDirectory() as folder:
            self._run(server, _WARM_UP_SECONDS, Path(folder, "warm-up"))
            log = Path(folder, "log")
            before = server.cpu_seconds()
            output = self._run(server, seconds, log)
            cpu = server.cpu_seconds() - before
            check(output)
            starts, latencies = read_log(log.read_text() if log.exists() else "")
        if len(latencies) < self.rate * seconds * _LEAST_SHARE:
            raise FailedRun(f"{len(latencies)} answers in {seconds} s at {self.rate} requests/s")
        whole = [own + late for own, late in zip(latencies, lags(starts, self.rate), strict=True)]
        return Measured(
            {
                "requests_per_second": len(whole) / seconds,
                "cpu_us": cpu / len(whole) * 1e6,
                **latency.figures(whole),
                "error_share": 0.0,
            },
            {"latency_ms": latency.curve(whole)},
        )

    def _run(self, server: Server, seconds: float, log: Path) -> str:
        command = ["taskset", "-c", CLIENT_CORE, "h2load", "--h1", f"-c{self.clients}", "-t1"]
        # It takes whole numbers only.
        length = f"-D{round(seconds * 1000)}ms"
        options = [f"--rps={self.rate / self.clients:g}", length, f"--log-file={log}"]
        try:
            done = subprocess.run(
                [*command, *options, server.url],
                capture_output=True,
                text=True,
                check=False,
                timeout=seconds + 20,
            )
        except subprocess.TimeoutExpired as error:
            raise FailedRun(f"h2load did not end within {error.timeout:g} s") from None
        if done.returncode:
            raise FailedRun(f"h2load: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout


def check(output: str) -> None:
    """Look at the summary of h2load.

    Raises:
        FailedRun: there is none, or not every request was answered with success.
    """
    counts = _COUNTS.search(output)
    if counts is None:
        raise FailedRun(f"h2load printed no summary: {output[-200:]!r}")
    done, succeeded, failed = (int(count) for count in counts.groups())
    if done == 0:
        raise FailedRun("h2load got no answer")
    if failed or succeeded != done:
        line = next(line for line in output.splitlines() if line.startswith("requests:"))
        raise FailedRun(f"h2load: {line}")


def read_log(text: str) -> tuple[list[float], list[float]]:
    """Start and latency of each request in milliseconds, by start.

    Raises:
        FailedRun: a line is not what h2load writes, or a status is no success.
    """
    rows = []
    for line in text.splitlines():
        try:
            start, status, microseconds = (int(part) for part in line.split("\t"))
        except ValueError:
            raise FailedRun(f"h2load logged {line!r}") from None
        if not 200 <= status < 300:
            raise FailedRun(f"h2load logged status {status}")
        rows.append((start / 1000, microseconds / 1000))
    rows.sort()
    return [start for start, _ in rows], [own for _, own in rows]


def lags(starts: list[float], rate: float) -> list[float]:
    """By how many milliseconds each start was later than h2load's clock explains.

    Request number n is due n / `rate` after the first, and sent at the next tick.
    """
    interval = 1000 / rate
    return [max(0.0, at - starts[0] - n * interval - _TICK_MS) for n, at in enumerate(starts)]
