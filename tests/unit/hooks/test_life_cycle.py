"""Initialised once, stopped once, and never stopped without having been initialised."""

import asyncio
from threading import Event
from typing import Any

import pytest
from unit.hooks.test_hooks import CONTEXT, hook, run

from gateway.fc.context import FCContext
from gateway.hooks.hooks import PRE_FREEZE, PRE_STOP
from gateway.hooks.life_cycle import LifeCycle


class Notes(list[str]):
    """Hooks that note their calls, and the life they belong to."""

    def __init__(self, *, fails: bool = False, has_initializer: bool = True) -> None:
        super().__init__()
        self.fails = fails
        self.hold = Event()
        self.hold.set()
        self.life = LifeCycle(
            initializer=hook(self.initialize) if has_initializer else None,
            pre_freeze=hook(lambda context: self.append("freeze"), PRE_FREEZE),
            pre_stop=hook(lambda context: self.append("stop"), PRE_STOP),
        )

    def initialize(self, context: FCContext) -> str:
        self.append("initialize")
        assert self.hold.wait(10)
        if self.fails:
            raise ValueError("boom")
        return "ready"


def test_once_whoever_asks() -> None:
    async def main() -> None:
        notes = Notes()
        life = notes.life
        notes.hold.clear()
        assert not life.is_ready
        asking = [asyncio.create_task(life.initialize(CONTEXT)) for _ in range(3)]
        await asyncio.sleep(0)
        assert not life.is_ready
        notes.hold.set()
        assert [outcome.value for outcome in await asyncio.gather(*asking)] == ["ready"] * 3
        assert life.is_ready
        assert (await life.initialize(CONTEXT)).value == "ready"
        assert notes == ["initialize"]

    run(main)


def test_who_gives_up_waiting_does_not_stop_it() -> None:
    async def main() -> None:
        notes = Notes()
        notes.hold.clear()
        first = asyncio.create_task(notes.life.initialize(CONTEXT))
        await asyncio.sleep(0)
        first.cancel()
        second = asyncio.create_task(notes.life.initialize(CONTEXT))
        notes.hold.set()
        assert (await second).error is None
        assert notes == ["initialize"]

    run(main)


def test_a_failure_is_for_good() -> None:
    async def main() -> None:
        notes = Notes(fails=True)
        life = notes.life
        told: list[Any] = []
        life.on_failure = lambda: told.append(life.failure)
        for _ in range(2):
            outcome = await life.initialize(CONTEXT)
            assert outcome.error is life.failure is not None
        assert not life.is_ready
        assert told == [life.failure]
        await life.freeze(CONTEXT)
        await life.stop(CONTEXT)
        assert notes == ["initialize"]
        assert "failed" in repr(life)

    run(main)


def test_what_was_not_initialised_is_neither_frozen_nor_stopped() -> None:
    async def main() -> None:
        notes = Notes()
        await notes.life.freeze(CONTEXT)
        await notes.life.stop(CONTEXT)
        assert notes == []
        assert "not initialised" in repr(notes.life)

    run(main)


@pytest.mark.parametrize("has_initializer", [True, False])
def test_frozen_often_and_stopped_once(has_initializer: bool) -> None:
    async def main() -> None:
        notes = Notes(has_initializer=has_initializer)
        life = notes.life
        await life.initialize(CONTEXT)
        assert "ready" in repr(life)
        notes.clear()
        await life.freeze(CONTEXT)
        await life.freeze(CONTEXT)
        await asyncio.gather(life.stop(CONTEXT), life.stop(CONTEXT))
        await life.stop(CONTEXT)
        assert notes == ["freeze", "freeze", "stop"]

    run(main)


def test_without_hooks_it_is_ready_at_once() -> None:
    async def main() -> None:
        life = LifeCycle()
        assert life.is_ready
        for step in (life.initialize, life.freeze, life.stop):
            assert await step(CONTEXT) == (None, None)

    run(main)
