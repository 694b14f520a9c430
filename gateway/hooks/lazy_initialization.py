"""Requests wait until the function is initialised, and fail when that fails.

On Function Compute an initializer that fails fails the invocation that waits for it, and the
instance takes no more.
"""

import asyncio
from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING

from gateway.error_log.loggers import logger
from gateway.error_log.rate_limited import RateLimitedWarning
from gateway.errors import QueueFull
from gateway.fc.context import FCContext
from gateway.hooks.life_cycle import LifeCycle
from gateway.hooks.middleware import Middleware
from gateway.http.answers.error_style import ErrorStyle
from gateway.http.connection.exchange import Exchange

if TYPE_CHECKING:
    from gateway.http.connection.shared_state import ServedApplication

log = logger("gateway.function")


class LazyInitialization(Middleware):
    """Runs the initializer when the first request comes, before the application."""

    def __init__(
        self,
        application: "ServedApplication",
        life: LifeCycle,
        *,
        context_of: Callable[[Exchange], FCContext],
        error_style: ErrorStyle,
        limit_waiting: int,
    ) -> None:
        """`context_of` makes the initializer's context from the first request.

        `limit_waiting` requests may wait for the initializer; others are refused.  `error_style`
        makes the responses to all requests when it fails.
        """
        super().__init__(application)
        self._life = life
        self._context_of = context_of
        self._error_style = error_style
        self._limit_waiting = limit_waiting
        self._waiting: list[Exchange] = []
        self._task: asyncio.Task[None] | None = None
        self._refused = RateLimitedWarning(
            log,
            "requests were refused",
            f"{limit_waiting} wait already until the function is initialised",
            "have the initializer take less time, raise --queue, or give --initialize eager",
        )

    def __repr__(self) -> str:
        return f"<LazyInitialization {self._life!r} {len(self._waiting)} waiting>"

    def handle(self, exchange: Exchange) -> None:
        """Pass `exchange` to the application once the function is initialised."""
        life = self._life
        if life.is_ready:
            self._application.handle(exchange)
        elif life.failure is not None:
            self._fail(exchange, life.failure)
        elif len(self._waiting) >= self._limit_waiting:
            self._refused.note()
            exchange.refuse(
                QueueFull("the function is being initialised and enough requests wait for it")
            )
            exchange.release()
        else:
            self._waiting.append(exchange)
            if self._task is None:
                context = self._context_of(exchange)
                self._task = asyncio.get_running_loop().create_task(self._initialize(context))

    async def _initialize(self, context: FCContext) -> None:
        await self._life.initialize(context)
        waiting, self._waiting = self._waiting, []
        for exchange in waiting:
            if exchange.is_done:  # The client has left.
                exchange.release()
            else:
                self.handle(exchange)

    def _fail(self, exchange: Exchange, error: BaseException) -> None:
        exchange.respond_soon(*self._error_style.failure(error, exchange.request_id))
        exchange.release()

    def check_deadlines(self, now: float) -> None:
        """Give up what is past its time, and log refusals; `now` is the loop's time."""
        self._refused.check(now)
        super().check_deadlines(now)

    def stop(self) -> None:
        """End: no more exchanges will come."""
        self._refused.close(monotonic())
        super().stop()

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits, is queued or runs."""
        return not self._waiting and super().is_idle

    @property
    def needs_replacement(self) -> bool:
        """Whether the process should be replaced: also when its initializer has failed."""
        return self._life.failure is not None or super().needs_replacement
