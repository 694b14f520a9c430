"""A hook of the function's as a job of the thread that runs its handlers."""

from collections.abc import Callable

from gateway.errors import Refusal


class HookJob:
    """Calls a function in place of a handler; who submits it keeps its time and tells of it."""

    def __init__(self, work: Callable[[], None], time_limit: float) -> None:
        """`work` must not raise; it may run for `time_limit` seconds, whatever handlers may."""
        self._work = work
        self.time_limit = time_limit

    def __str__(self) -> str:
        return "a hook"

    def run(self, waited: float) -> None:  # noqa: ARG002  # A hook is never too late.
        """Call the function, however long it has waited."""
        self._work()

    def expire(self) -> None:
        """Nothing: who waits for it has given it up."""

    def refuse(self, waited: float) -> None:
        """Nothing, likewise."""

    def decline(self, refusal: Refusal) -> None:
        """Nothing, likewise."""

    def lose(self) -> None:
        """Nothing, likewise."""
