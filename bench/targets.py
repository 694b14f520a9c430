"""What the gateway promises of its speed."""

import math
from dataclasses import dataclass

from bench.criteria import TIMES, Alone, Bound, Criterion, Figure, Overhead, Pair
from bench.statistics import difference

THREADS = 8

_KIB_IN_KB = 1.024
_BUDGET_MB = 256 * 1.048576
"""The default of `--body-memory`."""


@dataclass(frozen=True)
class Target:
    """A promise, in words and as what has to hold for it."""

    number: str
    text: str
    criteria: tuple[Criterion, ...]


def _rate(scenario: str, peer: str, at_least: float) -> Pair:
    return _beside(scenario, "requests_per_second", "requests/s", peer, at_least)


def _volume(scenario: str, peer: str, at_least: float) -> Pair:
    return _beside(scenario, "megabytes_per_second", "MB/s", peer, at_least)


def _beside(scenario: str, figure: str, words: str, peer: str, at_least: float) -> Pair:
    return Pair(
        f"{scenario}: {words} beside {peer}",
        Figure(scenario, figure),
        Figure(scenario, figure, peer),
        Bound(TIMES, at_least=at_least),
    )


def _undisturbed(scenario: str) -> Pair:
    return Pair(
        f"{scenario}: p99 of quick requests, beside that without slow clients",
        Figure(scenario, "quick_p99_ms"),
        Figure(scenario, "quick_unloaded_p99_ms"),
        Bound(TIMES, at_most=2),
    )


def _alone(scenario: str, figure: str, words: str, bound: Bound) -> Alone:
    return Alone(f"{scenario}: {words}", Figure(scenario, figure), bound)


_SLEEPING_RATE = THREADS / 0.05

TARGETS = (
    Target(
        "1",
        "A bare WSGI handler is served at least as fast as by granian, 10 times as fast as by "
        "gunicorn's threads, 20 times as fast as by uvicorn with asgiref.",
        tuple(
            _rate(scenario, peer, at_least)
            for scenario, peer, at_least in (
                ("hello-32", "granian", 1),
                ("hello-32", "gunicorn-gthread", 10),
                # Too slow for the short suite to have it at 256 connections as well.
                ("hello-32", "uvicorn-asgiref", 20),
                ("hello-256", "granian", 1),
                ("hello-256", "gunicorn-gthread", 10),
            )
        ),
    ),
    Target(
        "1b",
        "Raw WSGI with heads that never repeat, against granian: told, no target.",
        (_rate("varied-32", "granian", -math.inf),),
    ),
    Target(
        "2",
        "An invocation costs at most 18 µs of CPU time more than calling the handler.",
        (Overhead("whole server, less the direct call", Bound("µs", at_most=18)),),
    ),
    Target(
        "3",
        "Flask is served at least as fast as by granian; a lone client waits at most 1.2 times as "
        "long as with granian.",
        (
            _rate("flask-32", "granian", 1),
            Pair(
                "hello-1: p50 beside granian",
                Figure("hello-1", "p50_ms"),
                Figure("hello-1", "p50_ms", "granian"),
                Bound(TIMES, at_most=1.2),
            ),
        ),
    ),
    Target(
        "4",
        "Uploads run at least as fast as with granian and twice as fast as with gunicorn's "
        "threads. Memory stays near the bytes in flight, which `uploads-100` judges: a hundred at "
        "once stay within the memory for bodies and 64 MB.",
        (
            *(
                _volume(scenario, peer, at_least)
                for scenario in ("post-64k", "post-1m", "post-30m")
                for peer, at_least in (("gunicorn-gthread", 2), ("granian", 1))
            ),
            _alone(
                "uploads-100",
                "peak_rss_mb",
                "peak of resident memory",
                Bound("MB", at_most=round(_BUDGET_MB + 64)),
            ),
        ),
    ),
    Target(
        "5",
        "Clients that send or read slowly do not hold up the others.",
        (_undisturbed("slow-beside-quick"), _undisturbed("deaf-beside-quick")),
    ),
    Target(
        "6",
        "Requests over a limit are refused cheaply.",
        (_alone("refusals", "requests_per_second", "refusals/s", Bound("/s", at_least=20_000)),),
    ),
    Target(
        "7",
        "10,000 idle connections hold at most 6 KiB each, beyond what the kernel holds.",
        (
            _alone(
                "idle-10k",
                "kb_per_connection",
                "resident memory of a connection",
                Bound("kB", at_most=round(6 * _KIB_IN_KB, 2)),
            ),
        ),
    ),
    Target(
        "8",
        f"{THREADS} threads of a handler that sleeps 50 ms answer {_SLEEPING_RATE:.0f} requests a "
        "second; one that burns CPU time leaves the rest within 20 ms.",
        (
            _alone(
                "sleep-50ms",
                "requests_per_second",
                "requests/s",
                Bound("/s", at_least=0.97 * _SLEEPING_RATE, at_most=1.03 * _SLEEPING_RATE),
            ),
            _alone(
                "burn-beside-quick",
                "quick_p99_ms",
                "p99 of quick requests",
                Bound("ms", at_most=20),
            ),
            _alone(
                "burn-beside-quick",
                "refusal_p99_ms",
                "p99 of refusals",
                Bound("ms", at_most=20),
            ),
        ),
    ),
    Target(
        "9",
        "Starting takes at most 60 ms longer than importing the handler; `gateway --help` 100 ms.",
        (
            Pair(
                "cold-start: to the first answer, less importing the handler",
                Figure("cold-start", "start_ms"),
                Figure("cold-start", "import_ms"),
                Bound("ms", at_most=60),
                difference,
            ),
            _alone("cold-start", "help_ms", "`gateway --help`", Bound("ms", at_most=100)),
        ),
    ),
    Target(
        "10",
        "1 GB streamed out runs at least 0.8 times as fast as with granian, in flat memory.",
        (
            _volume("stream-1g", "granian", 0.8),
            _alone(
                "stream-1g", "rss_growth_mb", "growth of resident memory", Bound("MB", at_most=16)
            ),
        ),
    ),
    Target(
        "11",
        "Two workers do 1.8 times the work of one. The load shares their two cores, so it is the "
        "CPU time of a request that is compared: at 0.9, two cores have room for 1.8.",
        (
            Pair(
                "CPU time of a request: hello-32 over hello-2-workers",
                Figure("hello-32", "cpu_us"),
                Figure("hello-2-workers", "cpu_us"),
                Bound(TIMES, at_least=0.9),
            ),
        ),
    ),
    Target(
        "12",
        "The access log costs at most a quarter of the requests per second.",
        (
            Pair(
                "requests/s: access-log over hello-32",
                Figure("access-log", "requests_per_second"),
                Figure("hello-32", "requests_per_second"),
                Bound(TIMES, at_least=0.75),
            ),
        ),
    ),
    Target(
        "13",
        "Of three times the requests that can be served, nine tenths of the peak are still served.",
        tuple(
            _alone(
                scenario,
                "goodput_share",
                "served under overload, beside the peak",
                Bound(TIMES, at_least=0.9),
            )
            for scenario in ("overload-sleep", "overload-compute")
        ),
    ),
)
