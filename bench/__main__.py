"""`python -m bench`: raw WSGI hello, all peers in turns, in another order each time."""

import argparse
import random
import statistics
import sys

from bench.load import FailedRun, Run, measure
from bench.peers import PEERS


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--peers", default=",".join(PEERS), help="names, separated by commas")
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    names = options.peers.split(",")
    unknown = set(names) - PEERS.keys()
    if unknown:
        parser.error(f"unknown peers {sorted(unknown)}; there are {', '.join(PEERS)}")
    runs: dict[str, list[Run]] = {name: [] for name in names}
    is_complete = True
    for _ in range(options.rounds):
        for name in random.sample(names, len(names)):
            try:
                run = measure(
                    PEERS[name],
                    "bench.handlers:hello",
                    connections=options.connections,
                    seconds=options.seconds,
                )
            except FailedRun as failure:
                is_complete = False
                print(f"FAILED {failure}", file=sys.stderr)
            else:
                runs[name].append(run)
    print(f"{'peer':10} {'requests/s':>11} {'µs CPU/request':>15} {'p99 ms':>7} {'ratio':>6} runs")
    first = _median([run.requests_per_second for run in runs[names[0]]])
    for name, measured in runs.items():
        rate = _median([run.requests_per_second for run in measured])
        cpu = _median([run.cpu_microseconds for run in measured])
        p99 = _median([run.p99_milliseconds for run in measured])
        ratio = first / rate if rate else float("nan")
        print(f"{name:10} {rate:11.0f} {cpu:15.1f} {p99:7.2f} {ratio:6.2f} {len(measured)}")
    print(f"ratio: requests/s of {names[0]} over this peer's")
    return 0 if is_complete else 1


def _median(figures: list[float]) -> float:
    return statistics.median(figures) if figures else float("nan")


if __name__ == "__main__":
    sys.exit(main())
