"""Results that nobody measured, for tests of what is made from results."""

import random
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from bench.results import Results, Run

ROUNDS = 5

_RATES = {
    "gateway": 61_000.0,
    "granian": 58_000.0,
    "granian-recommended": 57_000.0,
    "gunicorn-gthread": 5_100.0,
    "gunicorn-sync": 4_000.0,
    "waitress": 7_800.0,
    "cheroot": 6_500.0,
    "uvicorn-a2wsgi": 2_900.0,
    "uvicorn-asgiref": 1_800.0,
    "fastwsgi": 90_000.0,
    "floor": 105_000.0,
}
_MAIN = ("gateway", "granian", "gunicorn-gthread")


def empty(**others: Any) -> Results:
    """A complete set without runs."""
    facts: dict[str, Any] = {
        "started_at": "2026-01-02T03:04:05+00:00",
        "machine": {"processor": "Abacus 3000", "kernel": "Linux 6.18"},
        "versions": {"python": "3.11.7", "granian": "2.8.7"},
        "revision": "abc1234",
        "settings": {"seconds": 3.0, "rounds": float(ROUNDS)},
        "is_complete": True,
    }
    return Results(**{**facts, **others})


def runs(
    scenario: str, peer: str, figures: Mapping[str, float], rounds: int = ROUNDS, **series: Any
) -> list[Run]:
    """Good runs, spread by a few per cent: always the same ones."""
    chance = random.Random(f"{scenario} {peer}")
    spread = [chance.uniform(0.97, 1.03) for _ in range(rounds)]
    return [
        Run(scenario, peer, place, {name: value * by for name, value in figures.items()}, series)
        for place, by in enumerate(spread)
    ]


def failed(scenario: str, peer: str, reason: str, rounds: int = ROUNDS) -> list[Run]:
    """Runs that gave no figure."""
    return [Run(scenario, peer, place, failure=reason) for place in range(rounds)]


def whole() -> Results:
    """A set with all that a report can show."""
    results = empty()
    for peer, rate in _RATES.items():
        hello = {"requests_per_second": rate, "cpu_us": 1e6 / rate, "p99_ms": 60_000 / rate}
        results.runs += runs("hello-32", peer, hello)
    for peer in _MAIN:
        results.runs += _runs_of_main(peer)
    results.runs += runs("refusals", "gateway", {"requests_per_second": 41_000})
    results.runs += runs("sleep-50ms", "gateway", {"requests_per_second": 159}, rounds=1)
    results.runs += runs("gone-since", "gateway", {"requests_per_second": 7})
    results.runs += failed("hello-32", "bjoern", "no answer within 15 s\nTraceback:\n  a | b\n")
    results.overhead = [
        _way(*way)
        for way in (
            ("direct", "hello", "gateway", 0.6),
            ("in memory", "hello", "gateway", 9.2),
            ("whole server", "hello", "gateway", 16.3),
            ("whole server", "hello", "granian", 17.1),
            ("direct", "flask", "gateway", 88.0),
            ("whole server", "flask", "gateway", 107.0),
        )
    ]
    results.overhead += [
        {"path": "stages", "stage": stage, "us": us, "sampled": 1234, "price_us": 0.71}
        | ({"mean_us": us + 1, "p99_us": us * 10} if us > 2 else {})
        for stage, us in (
            ("read → head parsed", 1.2),
            ("head parsed → queued", 3.4),
            ("queued → started", 5.1),
            ("started → returned", 2.2),
            ("returned → sent", 4.0),
        )
    ]
    return results


def _way(path: str, handler: str, peer: str, cpu_us: float) -> dict[str, Any]:
    """A row of `bench.overhead`."""
    samples = [[turn, cpu_us + turn / 10] for turn in range(3)]
    return {"path": path, "handler": handler, "peer": peer, "cpu_us": cpu_us, "samples": samples}


def _runs_of_main(peer: str) -> Iterable[Run]:
    rate = _RATES[peer]
    slowness = 60_000 / rate
    tail = [[1 - 10**-nines, slowness * 1.8**nines] for nines in (0.3, 0.5, 1, 1.5, 2, 2.5, 3, 4)]
    grown = [[second / 2, 40 + slowness * second] for second in range(12)]
    yield from runs("flask-32", peer, {"requests_per_second": rate**0.8, "cpu_us": 130})
    yield from runs("hello-1", peer, {"requests_per_second": rate / 5, "p50_ms": slowness / 10})
    yield from runs("post-1m", peer, {"megabytes_per_second": rate / 40, "peak_rss_mb": 70})
    yield from runs("stream-1g", peer, {"megabytes_per_second": rate / 50}, rss_mb=grown)
    yield from runs("open-loop", peer, {"p99_ms": slowness}, latency_ms=[*tail, [1.0, 99.0]])


def only(results: Results, rounds: int) -> Results:
    """The same with its first rounds only."""
    return replace(results, runs=[run for run in results.runs if run.round < rounds])
