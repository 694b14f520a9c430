"""Where the time of an invocation goes: what the gateway's `--profile-invocations` reports."""

import json
import tempfile
from collections.abc import Sequence
from typing import Any

from bench.loads.wrk import Wrk
from bench.peers import PEERS, ROOT
from bench.process import FailedRun, free_port, serving

STAGES = "stages"
"""In place of a way to the handler, among the rows of overhead."""

_HANDLER = "bench.handlers:hello"
_CONNECTIONS = 1
_LOAD = "hello, 1 connection"

Row = dict[str, Any]


def measure(seconds: float) -> list[Row]:
    """Rows of `stage_rows`, from a gateway under load for `seconds`.

    A lone client, so that from queued to picked up is the time in which a thread wakes: under more
    load it would be that of the requests in front.

    Raises:
        FailedRun: there is no report, or no request was a sample.
    """
    peer, port = PEERS["gateway"], free_port()
    argv = peer.argv(port, _HANDLER, ("--profile-invocations", "json"))
    with tempfile.TemporaryFile() as log:
        environ = peer.variables(_HANDLER)
        with serving(argv, port, cwd=ROOT, environ=environ, log=log) as server:
            Wrk(_CONNECTIONS).measure(server, seconds)
        log.seek(0)
        lines = log.read().decode(errors="replace").splitlines()
    try:
        found = stage_rows(next((line for line in reversed(lines) if line[:1] == "{"), ""))
    except ValueError as error:
        raise FailedRun(str(error)) from error
    if not found:
        raise FailedRun("no request was a sample")
    return [{**row, "load": _LOAD} for row in found]


def stage_rows(report: str) -> list[Row]:
    """Rows of what the gateway reported, as JSON.

    `us` is a stage's median; `price_us` is what sampling one request of the `sampled` costs.

    Raises:
        ValueError: it is no such report; the message says what.
    """
    try:
        content = json.loads(report)
        common = {"sampled": int(content["sampled"]), "price_us": float(content["price_us"])}
        return [{**_stage(stage), **common} for stage in content["stages"]]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"no report of stages: {error!r}") from error


def _stage(stage: dict[str, Any]) -> Row:
    times = stage["microseconds"]
    return {
        "path": STAGES,
        "stage": str(stage["name"]),
        "us": float(times["p50"]),
        "mean_us": float(times["mean"]),
        "p99_us": float(times["p99"]),
    }


def stage_table(found: Sequence[Row]) -> str:
    """Rows of `stage_rows`, for people."""
    lines = [f"{'stage':30} {'p50 µs':>8} {'mean µs':>8} {'p99 µs':>8}"]
    for row in found:
        lines.append(
            f"{row['stage']:30} {row['us']:8.2f} {row['mean_us']:8.2f} {row['p99_us']:8.2f}"
        )
    for row in found[:1]:
        load = f" ({row['load']})" if "load" in row else ""
        lines.append(f"{row['sampled']} requests sampled{load}, at {row['price_us']:.2f} µs each")
    return "\n".join(lines)
