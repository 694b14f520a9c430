"""The life of a function in one worker: initialised once, frozen now and then, stopped once.

An instance is one process, as on Function Compute: a worker.
"""

import asyncio
from collections.abc import Callable

from gateway.fc.context import FCContext
from gateway.hooks.hooks import Hook, Outcome


class LifeCycle:
    """The hooks of a function, and the state of its life.  Call its methods on the loop."""

    def __init__(
        self,
        *,
        initializer: Hook | None = None,
        pre_freeze: Hook | None = None,
        pre_stop: Hook | None = None,
    ) -> None:
        self.initializer = initializer
        self.pre_freeze = pre_freeze
        self.pre_stop = pre_stop
        self.is_ready = initializer is None
        """Whether requests may be served."""
        self.failure: BaseException | None = None
        """Why requests never can be served: the error of the initializer."""
        self.on_failure: Callable[[], None] | None = None
        """Called when the initializer has failed, before requests that wait for it fail."""
        self._initializing: asyncio.Task[Outcome] | None = None
        self._stopping: asyncio.Task[Outcome] | None = None

    @property
    def hooks(self) -> list[Hook]:
        """The hooks that exist."""
        hooks = (self.initializer, self.pre_freeze, self.pre_stop)
        return [hook for hook in hooks if hook is not None]

    def __repr__(self) -> str:
        state = "failed" if self.failure else "ready" if self.is_ready else "not initialised"
        return f"<LifeCycle {state}>"

    async def initialize(self, context: FCContext) -> Outcome:
        """Run the initializer once; all callers wait for the same run."""
        if self.initializer is None:
            return Outcome()
        if self._initializing is None:
            self._initializing = asyncio.create_task(self._initialize(self.initializer, context))
        return await asyncio.shield(self._initializing)

    async def _initialize(self, hook: Hook, context: FCContext) -> Outcome:
        outcome = await hook.run(context)
        if outcome.error is None:
            self.is_ready = True
        else:
            self.failure = outcome.error
            if self.on_failure is not None:
                self.on_failure()
        return outcome

    async def freeze(self, context: FCContext) -> Outcome:
        """Run PreFreeze, if the function is initialised."""
        if self.pre_freeze is None or not self.is_ready:
            return Outcome()
        return await self.pre_freeze.run(context)

    async def stop(self, context: FCContext) -> Outcome:
        """Run PreStop once, if the function is initialised: otherwise there is nothing to undo."""
        if self.pre_stop is None or not self.is_ready:
            return Outcome()
        if self._stopping is None:
            self._stopping = asyncio.create_task(self.pre_stop.run(context))
        return await asyncio.shield(self._stopping)
