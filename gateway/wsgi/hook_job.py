"""A hook of the function as a job of the thread that runs its handlers."""

from collections.abc import Callable

from gateway.errors import Refusal


class HookJob:
    """Calls a function in place of a handler; the caller watches its time and logs its faults."""

    def __init__(self, work: Callable[[], None], time_limit: float) -> None:
        """`work` must not raise; it may run for `time_limit` seconds."""
        self._work = work
        self.time_limit = time_limit

    def __str__(self) -> str:
        return "a hook"

    def run(self, waited: float) -> None:  # noqa: ARG002  # A hook is never too late.
        """Call the function, however long the job has waited."""
        self._work()

    def expire(self) -> None:
        """Do nothing: the caller has given the hook up."""

    def refuse(self, waited: float) -> None:
        """Nothing, likewise."""

    def decline(self, refusal: Refusal) -> None:
        """Nothing, likewise."""

    def lose(self) -> None:
        """Nothing, likewise."""
