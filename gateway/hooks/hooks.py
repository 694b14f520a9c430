"""A hook: a function of the user's that runs around the requests of an instance.

Function Compute calls three, each with the invocation context alone ("Lifecycle hooks for function
instances"): the initializer, PreFreeze and PreStop.

Theory of operation: a hook never runs on the loop, which turns, and lets the supervisor hear its
beat, whatever the hook does.  It runs in a thread of its own; where handlers run one at a time, in
their thread: there it may open what they use.  A thread cannot be killed: a hook that is past its
time is given up, and its thread, which does not keep the process, is left to itself.
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
"""What a hook is for, as Function Compute's log marks spell it."""

_TIME_OUT: Final = {
    INITIALIZE: "Function initialization time out",
    PRE_FREEZE: "Function pre-freeze time out",
    PRE_STOP: "Function pre-stop time out",
}

Attend = Callable[[str, str], InvocationLog]
"""Made with phase and request id, entered in the thread around the hook: marks, output."""


Begin = Callable[[Callable[[], None], float], Thread | None]
"""Has a thread call a function soon, which may take so many seconds, and gives the thread; `None`:
it is occupied."""


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
        """What it returned, as the body of an answer: text and bytes are, other values are not."""
        value = self.value
        if isinstance(value, str):
            return value.encode("utf-8", "replace")
        return bytes(value) if isinstance(value, bytes | bytearray) else b""


class Hook:
    """One function, what it is for, and how long it may take."""

    def __init__(
        self,
        phase: str,
        function: Callable[[FCContext], Any],
        *,
        name: str,
        timeout: float,
        attend: Attend | None = None,
    ) -> None:
        """`name` is the user's for it; `timeout` is in seconds; `attend` `None`: nothing does."""
        self.phase = phase
        self.name = name
        self.timeout = timeout
        self.begin: Begin | None = None
        """Gives it a thread that there is, in place of one of its own."""
        self._function = function
        self._attend = attend

    def __repr__(self) -> str:
        return f"<Hook {self.phase} {self.name} {self.timeout:g} s>"

    async def run(self, context: FCContext) -> Outcome:
        """Call it; never raises by itself, and logs how it failed."""
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[Outcome] = loop.create_future()
        attendance = self._attend and self._attend(self.phase, context.request_id)

        def end(outcome: Outcome) -> None:
            if not ended.done():  # It has been given up.
                ended.set_result(outcome)

        def work() -> None:
            outcome = self._call(context, attendance)
            with suppress(RuntimeError):  # The loop is closed.
                loop.call_soon_threadsafe(end, outcome)

        try:
            thread = self.begin and self.begin(work, self.timeout)
            if thread is None:
                thread = UserThread(target=work, name=f"gateway-{self.phase}")
                thread.start()
        except (RuntimeError, MemoryError) as error:  # The system has none to give.
            _tell("%s: %s cannot be run: %s", context.request_id, self.name, error)
            outcome = Outcome(error=error)
        else:
            try:
                async with asyncio.timeout(self.timeout):
                    outcome = await ended
            except TimeoutError:
                timeout = self._time_out(thread, context)
                outcome = Outcome(error=timeout)
                if attendance is not None:
                    attendance.end(str(timeout))
        return outcome

    def _call(self, context: FCContext, attendance: InvocationLog | None) -> Outcome:
        try:
            # In the context of the thread: handlers that run in the same one find what it sets.
            return Outcome(self._attended(context, attendance))
        except BaseException as error:  # Also SystemExit: it must become an answer.
            return Outcome(error=error)

    def _attended(self, context: FCContext, attendance: InvocationLog | None) -> object:
        with attendance or nullcontext():
            try:
                result = self._function(context)
                if isinstance(result, Coroutine):  # A decorator may hide what makes one.
                    result.close()
                    raise TypeError("it returned a coroutine, and a hook is a plain function")
                return result
            except BaseException as error:
                _tell("%s: %s failed", context.request_id, self.name, error=error)
                raise

    def _time_out(self, thread: Thread, context: FCContext) -> HookTimeout:
        _tell(
            "%s: %s runs for more than %g s; it is given up%s",
            context.request_id,
            self.name,
            self.timeout,
            stack_of(thread),
        )
        return HookTimeout(f"{_TIME_OUT[self.phase]} after {self.timeout:g} seconds")


def _tell(message: str, *arguments: object, error: BaseException | None = None) -> None:
    """Log, if that can be done: the hook may have broken the log."""
    with suppress(Exception):
        log.error(message, *arguments, exc_info=error)
