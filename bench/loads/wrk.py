"""A closed loop: connections that each send a request as soon as the last one is answered."""

import json
import math
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from bench.loads.load import Measured
from bench.process import CLIENT_CORE, FailedRun, Server

_SCRIPTS = Path(__file__).parents[1] / "lua"
_WARM_UP_SECONDS = 1
_MARGIN_SECONDS = 30
"""wrk ends by itself; one that does not is stopped after so much more."""
_ANSWER_SECONDS = 10
"""A later answer is an error. wrk's own 2 s would hide servers that starve some connections."""


@dataclass(frozen=True)
class Wrk:
    """`wrk` with an own set of connections."""

    connections: int
    script: str | None = None
    """A file of `bench/lua` that makes the requests or checks the answers."""
    path: str = "/"
    threads: int = 1
    allowed_error_share: float = 0.0
    """Of answers; 1 where the scenario is about refusals."""
    tool: ClassVar[str] = "wrk"

    def measure(self, server: Server, seconds: float) -> Measured:
        """Warm `server` up for a second, then load it for `seconds`, rounded up to whole ones.

        Raises:
            FailedRun: wrk failed, nothing was answered, or too many answers were errors.
        """
        parse(self._run(server, _WARM_UP_SECONDS), self.allowed_error_share)
        before = server.cpu_seconds()
        output = self._run(server, math.ceil(seconds))
        used = server.cpu_seconds() - before
        measured = parse(output, self.allowed_error_share)
        figures = measured.figures
        figures["cpu_us"] = used / figures.pop("requests") * 1e6
        figures["peak_rss_mb"] = server.peak_resident_bytes() / 1e6
        return measured

    def _run(self, server: Server, seconds: int) -> str:
        script = {"BENCH_WRK_SCRIPT": str(_SCRIPTS / self.script)} if self.script else {}
        command = [
            *("taskset", "-c", CLIENT_CORE, "wrk", f"-t{self.threads}", f"-c{self.connections}"),
            *(f"-d{seconds}", "--timeout", f"{_ANSWER_SECONDS}s"),
            *("-s", str(_SCRIPTS / "figures.lua"), server.url.rstrip("/") + self.path),
        ]
        try:
            done = subprocess.run(
                command,
                env={**os.environ, **script},
                capture_output=True,
                text=True,
                errors="replace",
                check=False,
                timeout=seconds + _MARGIN_SECONDS,
            )
        except subprocess.TimeoutExpired:
            raise FailedRun(f"wrk did not end within {seconds + _MARGIN_SECONDS} s") from None
        if done.returncode:
            raise FailedRun(f"wrk: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout


def parse(output: str, allowed_error_share: float = 0.0) -> Measured:
    """Read what `lua/figures.lua` prints; `requests` is among the figures.

    Raises:
        FailedRun: it is not there, nothing was answered, or too many answers were errors.
    """
    try:
        found = json.loads(output[output.rindex("\n{") :])
        requests, seconds, errors = found["requests"], found["seconds"], found["errors"]
        latency = found["latency_ms"]
        quantiles = dict(latency)
        figures = {
            "requests": float(requests),
            "requests_per_second": requests / seconds,
            "megabytes_per_second": found["bytes"] / seconds / 1e6,
            "mean_ms": found["mean_ms"],
            "p50_ms": quantiles[0.5],
            "p90_ms": quantiles[0.9],
            "p99_ms": quantiles[0.99],
            "p999_ms": quantiles[0.999],
        }
    except (ValueError, KeyError, TypeError, ZeroDivisionError):
        raise FailedRun(f"wrk printed no figures: {output.strip()[-300:]!r}") from None
    if not requests:
        raise FailedRun(f"no request was answered; {_in_words(errors)}")
    # An error without an answer is no request for wrk, so it is counted on both sides.
    unanswered = sum(count for kind, count in errors.items() if kind != "status")
    share = (errors["status"] + unanswered) / (requests + unanswered)
    if share > allowed_error_share:
        raise FailedRun(f"{_in_words(errors)} in {requests} answers")
    figures["error_share"] = share
    if unanswered:
        figures["unanswered_share"] = unanswered / (requests + unanswered)
    return Measured(figures, {"latency_ms": latency})


def _in_words(errors: dict[str, int]) -> str:
    found = [f"{count} {kind}" for kind, count in errors.items() if count]
    return f"errors: {', '.join(found) or 'none'}"
