"""A soak: a real gateway, all kinds of clients at once, and at the end the account."""

import asyncio
import platform
import random
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import uvloop
from functional.serving import Gateway, wait_until
from soak.client import Lost, Wire, Wrong
from soak.users import (
    BUSY,
    PATIENT,
    Act,
    Soak,
    Times,
    deaf,
    end_worker,
    overtime,
)
from soak.watch import Sample, judge, sample

from bench.environment import machine, revision

ROOT = Path(__file__).parents[2]

USERS = 16
"""Clients that do one thing after the other, and at the same time as the others."""

PAUSE = 0.2
"""Seconds that each of them waits between two, on average: bounds the load to about a core."""

PATIENT_OF_EACH = 3
QUIET = 60.0
"""Seconds in which everything must be released after the last client has left."""


OUTCOMES = ("served", "refused", "faults", "lost", "wrong", "cut_by_exit")


class Soaking:
    """The clients of one soak, until it is time."""

    def __init__(self, soak: Soak, seconds: float, kill_every: float) -> None:
        self._soak = soak
        self._end = time.monotonic() + seconds
        self._kill_every = kill_every

    @property
    def is_over(self) -> bool:
        return time.monotonic() >= self._end

    async def run(self, watch: Callable[[], Awaitable[None]]) -> None:
        """All clients; ends when each has finished what it was at."""
        soak = self._soak
        async with asyncio.TaskGroup() as group:
            group.create_task(watch())
            for _ in range(USERS):
                group.create_task(self._busy())
            for act in PATIENT:
                for _ in range(PATIENT_OF_EACH):
                    group.create_task(self._again(act, 0.1))
            group.create_task(self._deaf())
            group.create_task(self._again(overtime, 2 * soak.times.handler))
            if self._kill_every:
                group.create_task(self._again(end_worker, self._kill_every))

    async def _busy(self) -> None:
        chance = self._soak.chance
        acts, weights = [*BUSY], [*BUSY.values()]
        while not self.is_over:
            await self._do(chance.choices(acts, weights)[0])
            await asyncio.sleep(chance.random() * 2 * PAUSE)

    async def _again(self, act: Act, pause: float) -> None:
        while not self.is_over:
            await self._do(act)
            await asyncio.sleep(min(pause, max(0.0, self._end - time.monotonic())))

    async def _deaf(self) -> None:
        while not self.is_over:
            with self._judged():
                await deaf(self._soak, self._soak.port)
            await asyncio.sleep(1)

    async def _do(self, act: Act) -> None:
        with self._judged():
            wire = await Wire.open(self._soak.port)
            try:
                await act(self._soak, wire)
            finally:
                wire.close()

    def _judged(self) -> "_Judged":
        return _Judged(self._soak)


class _Judged:
    """Counts what goes wrong in its block."""

    def __init__(self, soak: Soak) -> None:
        self._soak = soak

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type | None, error: BaseException | None, _: object) -> bool:
        if isinstance(error, Lost | Wrong):
            self._soak.score.violated("lost" if isinstance(error, Lost) else "wrong", error)
            return True
        return False


def soak(
    seconds: float,
    times: Times,
    *,
    every: float,
    kill_every: float = 0.0,
    options: tuple[str, ...] = (),
) -> dict[str, Any]:
    """Run a soak; what came of it, ready for JSON.

    `every`: seconds between two samples; `kill_every`: between two ends of a worker, 0 is never.
    """
    seed = random.SystemRandom().getrandbits(32)
    started_at = datetime.now(UTC).isoformat(timespec="seconds")
    with tempfile.TemporaryDirectory() as folder:
        arguments = ("--access-log", "json", *times.options(), *options)
        paths = str(ROOT / "tests")
        with Gateway(Path(folder), "soak.app:handler", *arguments, chdir=Path(paths)) as gateway:
            state = Soak(gateway.port, times, random.Random(seed))
            _warm_up(state)
            baseline = _settled(gateway)
            samples: list[Sample] = []
            begun = time.monotonic()
            soaking = Soaking(state, seconds, kill_every)

            async def watch() -> None:
                while not soaking.is_over:
                    samples.append(sample(gateway.process.pid, time.monotonic() - begun))
                    await asyncio.sleep(every)

            uvloop.run(soaking.run(watch))
            after = _released(gateway, baseline)
            detached = None if kill_every else _detached(state)
        with (Path(folder) / "stdout.txt").open(encoding="utf-8") as log:
            logged = state.score.check_log(log)
        errors = [
            line
            for line in (Path(folder) / "stderr.txt").read_text("utf-8").splitlines()
            if "fault of the gateway" in line or "Task exception" in line
        ]
    result = _account(state, samples, baseline, after, logged, detached)
    result["violations"] += errors
    return {
        "format": 1,
        "started_at": started_at,
        "revision": revision(),
        "seed": seed,
        "machine": machine(),
        "versions": {"python": platform.python_version()},
        "options": list(arguments),
        "kill_every": kill_every,
        **result,
    }


def _warm_up(state: Soak) -> None:
    """Have every thread and module there before anything is counted."""

    async def acts() -> None:
        async with asyncio.TaskGroup() as group:
            for act in [*BUSY] * 4:
                group.create_task(Soaking(state, 0, 0)._do(act))

    uvloop.run(acts())


def _settled(gateway: Gateway) -> Sample:
    """What it takes while nobody is connected."""
    last = [sample(gateway.process.pid, 0)]

    def is_still() -> bool:
        time.sleep(0.3)
        last.append(sample(gateway.process.pid, 0))
        return last[-1][2:] == last[-2][2:]

    wait_until(is_still, "it comes to rest", QUIET)
    return last[-1]


def _released(gateway: Gateway, baseline: Sample) -> Sample:
    """What it takes once all is released, or after a time that should have been enough."""
    deadline = time.monotonic() + QUIET
    while True:
        now = sample(gateway.process.pid, 0)
        is_released = now.descriptors <= baseline.descriptors and now.threads <= baseline.threads
        if is_released or time.monotonic() > deadline:
            return now
        time.sleep(0.2)


def _detached(state: Soak) -> int:
    """How many of the asynchronous invocations have run."""

    async def ask() -> int:
        wire = await Wire.open(state.port)
        try:
            await wire.send(b"GET /count-detached/- HTTP/1.1\r\nHost: soak.test\r\n\r\n")
            return int((await wire.read_answer()).body)
        finally:
            wire.close()

    return uvloop.run(ask())


def _account(
    state: Soak,
    samples: list[Sample],
    baseline: Sample,
    after: Sample,
    logged: dict[str, int],
    detached: int | None,
) -> dict[str, Any]:
    score = state.score
    counts = score.counts
    memory = judge(samples)
    kinds = {
        outcome: {
            kind.partition(": ")[2]: number
            for kind, number in sorted(counts.items())
            if kind.startswith(f"{outcome}: ")
        }
        for outcome in ("served", "refused", "fault")
    }
    rules = {
        "an answer is lost": counts["lost"],
        "an answer is wrong": counts["wrong"],
        "a request has two records": logged["doubled"],
        "a record says another status": logged["contradicted"],
        "lines of the log are missing": logged["missing"],
        "descriptors are not released": max(0, after.descriptors - baseline.descriptors),
        "threads are not released": max(0, after.threads - baseline.threads),
        "the memory has grown": int(not memory.is_flat),
    }
    if detached is not None:  # Else workers were ended, and what they had not told with them.
        rules["an answered request has no record"] = logged["unlogged"]
        rules["a refusal has no record"] = max(0, counts["nameless"] - logged["nameless"])
        rules["an accepted invocation has not run"] = state.accepted - detached
    return {
        "seconds": round(samples[-1].seconds),
        "outcomes": {name: counts[name] for name in OUTCOMES},
        "kinds": kinds,
        "log": logged,
        "memory": memory._asdict(),
        "baseline": baseline._asdict(),
        "after": after._asdict(),
        "samples": [list(one) for one in samples],
        "rules": rules,
        "violations": [
            *[f"{what}: {number}" for what, number in rules.items() if number],
            *score.told,
        ],
    }
