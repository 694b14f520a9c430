"""What an invocation costs besides its handler: CPU time, on a shorter and a longer way.

The same handler runs (a) called directly with an environ that is there already, (b) behind the
connection and the bridge in memory, with neither sockets nor threads, (c) behind the whole server
under load. Overhead is what a way takes on top of (a). Every direct call gets a copy of the
environ, since Flask writes into it; that copy, about 0.1 µs, counts as the handler's.

A handler alone in a loop runs quicker than behind any server, since the processor's caches and
predictors know nothing else: Flask's instructions are the same and take a third longer. So the
overhead of a large handler is more than the server's own; compare servers by it, and take the
server's own from `hello`.

`python -m bench overhead` is `main`.
"""

import argparse
import random
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from bench import messages, stages
from bench.fakes import Client
from bench.loads.wrk import Wrk
from bench.peers import PEERS, ROOT
from bench.process import FailedRun, free_port, serving
from bench.stages import STAGES, Row, stage_rows, stage_table
from bench.statistics import Samples, difference, median

GATEWAY = "gateway"
DIRECT = "direct"
IN_MEMORY = "in memory"
WHOLE_SERVER = "whole server"

HANDLERS = {"hello": "bench.handlers:hello", "flask": "bench.flask_app:app"}
_COMPARED = ("granian", "gunicorn-gthread")
_CONNECTIONS = 32
_WARM_UP_CALLS = 500
_BATCH = 100
"""Calls between two looks at the clock."""

Handler = Callable[..., Any]


class Way(NamedTuple):
    """One way to a handler."""

    path: str
    handler: str
    peer: str = GATEWAY


def measure(rounds: int, seconds: float) -> list[Row]:
    """Measure all ways in turns, in another order each round, each for `seconds`; then the stages.

    The rows are those of `rows` and of `stages`. A run that fails is told on standard error and
    missing there.
    """
    samples: dict[Way, list[tuple[int, float]]] = defaultdict(list)
    ways = _ways()
    for number in range(rounds):
        for way in random.sample(ways, len(ways)):
            try:
                samples[way].append((number, _cpu_us(way, seconds)))
            except FailedRun as failure:
                print(f"FAILED {' '.join(way)}: {failure}", file=sys.stderr)
    return rows({way: samples[way] for way in ways if samples[way]}) + _stages(seconds)


def _stages(seconds: float) -> list[Row]:
    try:
        return stages.measure(seconds)
    except FailedRun as failure:
        print(f"FAILED {STAGES}: {failure}", file=sys.stderr)
        return []


def rows(samples: dict[Way, Samples]) -> list[Row]:
    """A row for each way: medians in µs of CPU time per request, over all rounds.

    `low` and `high` are the bootstrap interval of `overhead_us`; `samples` are the rounds and their
    `cpu_us`. A handler without direct runs has no overhead, so no rows.
    """
    found = []
    for way, measured in samples.items():
        direct = samples.get(Way(DIRECT, way.handler))
        if not direct:
            continue
        above = difference(measured, direct)
        low, high = above.interval or (above.value, above.value)
        found.append(
            {
                **way._asdict(),
                "cpu_us": median([cpu_us for _, cpu_us in measured]),
                "overhead_us": above.value,
                "low": low,
                "high": high,
                "samples": [list(sample) for sample in measured],
            }
        )
    return found


def _ways() -> list[Way]:
    """Without the peers that are not installed."""
    peers = [name for name in _COMPARED if Path(PEERS[name].argv(0, "")[0]).exists()]
    return [
        way
        for handler in HANDLERS
        for way in (
            *(Way(path, handler) for path in (DIRECT, IN_MEMORY, WHOLE_SERVER)),
            *(Way(WHOLE_SERVER, handler, peer) for peer in peers),
        )
    ]


def _cpu_us(way: Way, seconds: float) -> float:
    target = HANDLERS[way.handler]
    if way.path == WHOLE_SERVER:
        return _of_server(way.peer, target, seconds)
    module, _, attribute = target.partition(":")
    handler: Handler = getattr(import_module(module), attribute)
    if way.path == DIRECT:
        return cpu_us_per_call(direct_call(handler), seconds)
    client = Client(handler)
    answer = client.ask(messages.SMALL)
    if not answer.startswith(b"HTTP/1.1 200 "):
        raise FailedRun(f"the answer is {answer[:80]!r}")
    return cpu_us_per_call(partial(client.ask, messages.SMALL), seconds)


def _of_server(name: str, target: str, seconds: float) -> float:
    peer, port = PEERS[name], free_port()
    with serving(peer.argv(port, target), port, cwd=ROOT, environ=peer.variables(target)) as server:
        return Wrk(_CONNECTIONS).measure(server, seconds).figures["cpu_us"]


def direct_call(handler: Handler) -> Callable[[], bytes]:
    """Calls `handler` with the gateway's environ of the small request; gives the body."""
    seen: list[dict[str, Any]] = []

    def noting(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        seen.append(environ.copy())
        return handler(environ, start_response)

    Client(noting).ask(messages.SMALL)
    (ready,) = seen

    def call() -> bytes:
        result = handler(ready.copy(), _start_nothing)
        body = b"".join(result)
        if hasattr(result, "close"):
            result.close()
        return body

    return call


def _start_nothing(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> None:
    pass


def cpu_us_per_call(call: Callable[[], object], seconds: float) -> float:
    """CPU time of this process per call, over about `seconds` of it."""
    for _ in range(_WARM_UP_CALLS):
        call()
    calls = 0
    spent = 0.0
    began = time.process_time()
    while spent < seconds:
        for _ in range(_BATCH):
            call()
        calls += _BATCH
        spent = time.process_time() - began
    return spent / calls * 1e6


def main(argv: Sequence[str]) -> int:
    """Measure and print a table; 1 when a run failed, 2 when a file is no report of stages."""
    parser = argparse.ArgumentParser(
        prog="python -m bench overhead", description="What an invocation costs besides its handler."
    )
    parser.add_argument("--rounds", type=_positive(int), default=5)
    parser.add_argument("--seconds", type=_positive(float), default=2.0, help="of each run")
    parser.add_argument("--stages", type=Path, help="print this report of the gateway instead")
    options = parser.parse_args(argv)
    if options.stages is not None:
        try:
            print(stage_table(stage_rows(options.stages.read_text())))
        except (OSError, ValueError) as error:
            print(f"bench: error: {options.stages}: {error}", file=sys.stderr)
            return 2
        return 0
    found = measure(options.rounds, options.seconds)
    of_ways = [row for row in found if row["path"] != STAGES]
    of_stages = [row for row in found if row["path"] == STAGES]
    print(table(of_ways))
    if of_stages:
        print("\n" + stage_table(of_stages))
    made = sum(len(row["samples"]) for row in of_ways)
    return 0 if of_stages and made == options.rounds * len(_ways()) else 1


def _positive(kind: type[int] | type[float]) -> Callable[[str], float]:
    def number(text: str) -> float:
        value = kind(text)
        if not 0 < value < float("inf"):
            raise ValueError
        return value

    return number


def table(found: Sequence[Row]) -> str:
    """Rows of `rows`, for people."""
    lines = [f"{'handler':8} {'way':13} {'server':17} {'CPU µs':>8} {'overhead µs':>12}  interval"]
    for row in found:
        line = f"{row['handler']:8} {row['path']:13} {row['peer']:17} {row['cpu_us']:8.2f}"
        if row["path"] != DIRECT:
            line += f" {row['overhead_us']:12.2f}  {row['low']:.2f} to {row['high']:.2f}"
        lines.append(line)
    return "\n".join(lines)
