"""A hook: a function of the user's that runs around the requests of an instance.

Function Compute calls three, each with the invocation context alone ("Lifecycle hooks for function
instances"): the initializer, PreFreeze and PreStop.

Theory of operation: a hook never runs on the loop, so that the loop turns and sends the supervisor
its heartbeat whatever the hook does.  It runs in a thread of its own, or, where handlers run one at
a time, in their thread, where it may open what they use.  A thread cannot be killed: a hook that is
past its time is given up, and its thread, which does not keep the process alive, runs on.
"""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import nullcontext, suppress
from threading import Thread
from typing import Any, Final, NamedTuple

from gateway.error_log.loggers import logger
from gateway.fc.context import FCContext
from gateway.http.connection.invocation_log import InvocationLog
from gateway.threads.thread_stack import stack_of
from gateway.threads.user_thread import UserThread

log = logger("gateway.function")

INITIALIZE: Final = "Initialize"
PRE_FREEZE: Final = "PreFreeze"
PRE_STOP: Final = "PreStop"
"""Phases, in the spelling of Function Compute's log marks."""

_TIME_OUT: Final = {
    INITIALIZE: "Function initialization time out",
    PRE_FREEZE: "Function pre-freeze time out",
    PRE_STOP: "Function pre-stop time out",
}

Attend = Callable[[str, str], InvocationLog]
"""Makes the log of a hook from phase and request id; the hook's thread enters it."""

Begin = Callable[[Callable[[], None], float], Thread | None]
"""Makes a thread call a function that may take so many seconds; returns the thread, `None` when it
is occupied."""


class HookTimeout(Exception):
    """The hook did not return in its time."""


class Outcome(NamedTuple):
    """How a hook ended."""

    value: object = None
    """What it returned."""
    error: BaseException | None = None
    """What it raised, `HookTimeout` included; `None`: it succeeded."""

    @property
    def body(self) -> bytes:
        """The returned text or bytes as the body of a response; empty for other values."""
        value = self.value
        if isinstance(value, str):
            return value.encode("utf-8", "replace")
        return bytes(value) if isinstance(value, bytes | bytearray) else b""


class Hook:
    """One function, its phase, and how long it may take."""

    def __init__(
        self,
        phase: str,
        function: Callable[[FCContext], Any],
        *,
        name: str,
        timeout: float,
        attend: Attend | None = None,
    ) -> None:
        """`name` is the user's name for it; `timeout` is in seconds; `attend` makes its log."""
        self.phase = phase
        self.name = name
        self.timeout = timeout
        self.begin: Begin | None = None
        """Runs it in an existing thread instead of one of its own."""
        self._function = function
        self._attend = attend

    def __repr__(self) -> str:
        return f"<Hook {self.phase} {self.name} {self.timeout:g} s>"

    async def run(self, context: FCContext) -> Outcome:
        """Call the function; never raises by itself, and logs a failure."""
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[Outcome] = loop.create_future()
        invocation_log = self._attend and self._attend(self.phase, context.request_id)

        def end(outcome: Outcome) -> None:
            if not ended.done():  # Otherwise the hook has been given up.
                ended.set_result(outcome)

        def work() -> None:
            outcome = self._call(context, invocation_log)
            with suppress(RuntimeError):  # The loop is closed.
                loop.call_soon_threadsafe(end, outcome)

        try:
            thread = self.begin and self.begin(work, self.timeout)
            if thread is None:
                thread = UserThread(target=work, name=f"gateway-{self.phase}")
                thread.start()
        except (RuntimeError, MemoryError) as error:  # The system has no thread to give.
            _log_error("%s: %s cannot be run: %s", context.request_id, self.name, error)
            outcome = Outcome(error=error)
        else:
            try:
                async with asyncio.timeout(self.timeout):
                    outcome = await ended
            except TimeoutError:
                timeout = self._time_out(thread, context)
                outcome = Outcome(error=timeout)
                if invocation_log is not None:
                    invocation_log.end(str(timeout))
        return outcome

    def _call(self, context: FCContext, invocation_log: InvocationLog | None) -> Outcome:
        try:
            # In the thread's own context, so that handlers in the same thread find what it sets.
            return Outcome(self._call_logged(context, invocation_log))
        except BaseException as error:  # Also SystemExit: it must become a response.
            return Outcome(error=error)

    def _call_logged(self, context: FCContext, invocation_log: InvocationLog | None) -> object:
        with invocation_log or nullcontext():
            try:
                result = self._function(context)
                if isinstance(result, Coroutine):  # A decorator may hide an async function.
                    result.close()
                    raise TypeError("it returned a coroutine, and a hook is a plain function")
                return result
            except BaseException as error:
                _log_error("%s: %s failed", context.request_id, self.name, error=error)
                raise

    def _time_out(self, thread: Thread, context: FCContext) -> HookTimeout:
        _log_error(
            "%s: %s runs for more than %g s; it is given up%s",
            context.request_id,
            self.name,
            self.timeout,
            stack_of(thread),
        )
        return HookTimeout(f"{_TIME_OUT[self.phase]} after {self.timeout:g} seconds")


def _log_error(message: str, *arguments: object, error: BaseException | None = None) -> None:
    """Log an error, unless the hook has broken the log."""
    with suppress(Exception):
        log.error(message, *arguments, exc_info=error)
