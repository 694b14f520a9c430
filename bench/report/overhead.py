"""What an invocation costs by itself, and where the time goes."""

from collections.abc import Iterator
from typing import Any

from bench.criteria import cpu_on
from bench.report.figures import NOTHING, number, with_interval
from bench.report.tables import table
from bench.results import Results
from bench.statistics import difference, estimate

DIRECT = "direct"
IN_MEMORY = "in memory"
WHOLE_SERVER = "whole server"

_PATHS = f"""\
CPU time of an invocation on three ways to the same handler: {DIRECT}, called with an environ that
is there already; {IN_MEMORY}, through the gateway without sockets, event loop and threads;
{WHOLE_SERVER}, under load with 32 connections. What a way takes on top of the direct call is its
overhead.
"""
_STAGES = """\
How long requests spend in each stage, waiting included, from the gateway's own timestamps. Medians
of stages do not add up to the median of the whole, because no request is in the middle everywhere.
They are measured on one connection, so that no request queues behind another, with the same head
each time, so that none is parsed again.
"""


def stages(results: Results) -> list[tuple[str, float]]:
    """Names and µs, in the order in which a request meets them."""
    return [(str(row["stage"]), float(row["us"])) for row in _stage_rows(results)]


def overhead_text(results: Results) -> str:
    """Both tables, or that there are none."""
    ways, spent = list(_way_rows(results)), stages(results)
    parts = []
    if ways:
        head = ("handler", "way", "server", "CPU µs", "on top of direct")
        parts += [_PATHS, table(head, ways)]
    if spent:
        columns = ("stage", "µs, median", "mean", "p99")
        rows = [_times(row) for row in _stage_rows(results)]
        parts += [_STAGES + _price(results), table(columns, rows)]
    return "\n\n".join(part.strip("\n") for part in parts) or "Not measured."


def _way_rows(results: Results) -> Iterator[tuple[str, ...]]:
    keys = ("handler", "path", "peer")
    ways = dict.fromkeys(tuple(str(row.get(key)) for key in keys) for row in results.overhead)
    for handler, path, peer in ways:
        measured, direct = cpu_on(results, path, handler, peer), cpu_on(results, DIRECT, handler)
        if not measured:
            continue
        above = difference(measured, direct) if direct and path != DIRECT else None
        yield (
            *(handler, path, NOTHING if path == DIRECT else peer),
            with_interval(estimate(measured)),
            with_interval(above),
        )


def _stage_rows(results: Results) -> list[dict[str, Any]]:
    rows = (row for row in results.overhead if row.get("path") == "stages")
    return [row for row in rows if "stage" in row and "us" in row]


def _times(row: dict[str, Any]) -> list[str]:
    keys = ("us", "mean_us", "p99_us")
    return [str(row["stage"]), *(number(row[key]) if key in row else NOTHING for key in keys)]


def _price(results: Results) -> str:
    """What taking the timestamps costs, if the gateway told."""
    told = [row for row in _stage_rows(results) if "sampled" in row and "price_us" in row]
    if not told:
        return ""
    sampled, price = (float(told[0][key]) for key in ("sampled", "price_us"))
    return f"{number(sampled)} requests were sampled, at {number(price)} µs each.\n"
