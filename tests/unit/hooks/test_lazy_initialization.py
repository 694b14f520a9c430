"""Requests wait until the function is initialised; the ones that find no room are refused."""

import asyncio
from threading import Event
from types import SimpleNamespace

import pytest
from unit.hooks.test_hooks import CONTEXT, hook, run

from gateway.hooks.lazy_initialization import LazyInitialization
from gateway.hooks.life_cycle import LifeCycle
from gateway.http.answers.error_style import FunctionCompute2


class Exchange:
    """A request, as far as it is looked at here."""

    is_done = False

    def __init__(self):
        self.refusal = None
        self.is_released = False

    def refuse(self, refusal):
        self.refusal = refusal

    def release(self):
        self.is_released = True


def application_of(handled):
    return SimpleNamespace(
        handle=handled.append, is_idle=True, check_deadlines=lambda now: None, stop=lambda: None
    )


@pytest.mark.parametrize("count", [2, 3, 4])
def test_only_so_many_wait_and_refusals_are_told_with_their_number(count, caplog):
    async def main():
        hold, handled = Event(), []
        life = LifeCycle(
            initializer=hook(lambda context: hold.wait(10)), pre_freeze=None, pre_stop=None
        )
        first = LazyInitialization(
            application_of(handled),
            life,
            context_of=lambda exchange: CONTEXT,
            error_style=FunctionCompute2(),
            limit_waiting=3,
        )
        exchanges = [Exchange() for _ in range(count)]
        for exchange in exchanges:
            first.handle(exchange)
        assert [exchange.refusal is None for exchange in exchanges] == [True] * min(count, 3) + [
            False
        ] * (count - 3)
        assert [exchange.is_released for exchange in exchanges[3:]] == [True] * (count - 3)
        first.check_deadlines(1.0)
        expected = [
            "1 requests were refused: 3 wait already until the function is initialised; have the "
            "initializer take less time, raise --queue, or give --initialize eager"
        ] * (count - 3)
        assert [record.getMessage() for record in caplog.records] == expected
        if count > 3:
            first.handle(Exchange())
            first.handle(Exchange())
        first.check_deadlines(2.0)
        assert len(caplog.records) == max(0, count - 3), "further ones come later"
        first.stop()
        assert len(caplog.records) == 2 * max(0, count - 3), "at the end at the latest"
        hold.set()
        while not first.is_idle:
            await asyncio.sleep(0.01)
        assert handled == exchanges[:3]

    run(main)
