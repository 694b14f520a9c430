"""ASGI's lifespan: events for the application when the worker starts and when it ends.

Theory of operation: one task runs the application for the whole of the worker's life, because
applications open resources in it that the same task must close.  An application without support for
the lifespan raises or returns; the gateway serves it without one.
"""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from gateway.asgi.version import to_version_3
from gateway.error_log.loggers import logger
from gateway.errors import CodeError

if TYPE_CHECKING:
    from asgiref.typing import ASGIReceiveEvent, ASGISendEvent

log = logger("gateway.lifespan")

_CANCEL_SECONDS: Final = 1.0
"""How long a cancelled application has to end."""


class Lifespan:
    """The lifespan of one application in one worker."""

    def __init__(self, application: Callable[..., Any]) -> None:
        self.state: dict[str, Any] = {}
        """The application's own, for its requests: each gets a copy."""
        self._application = to_version_3(application)
        self._task: asyncio.Task[None] | None = None
        self._started = asyncio.Event()
        self._ending = asyncio.Event()
        self._ended = asyncio.Event()
        self._events: list[ASGIReceiveEvent] = [
            {"type": "lifespan.shutdown"},
            {"type": "lifespan.startup"},
        ]
        """Events that the application has not received, the last first."""
        self._is_supported = self._is_cancelled = False
        self._failure: str | None = None

    def __repr__(self) -> str:
        state = "running" if self._is_supported else "not supported or not started"
        return f"<Lifespan {self._application!r} {state}>"

    async def startup(self, timeout: float = 60.0) -> None:
        """Let the application start; `timeout` in seconds.

        Raises:
            CodeError: the application reports a failure, or sends nothing in time.
        """
        self._task = asyncio.create_task(self._run(), name="lifespan")
        try:
            await asyncio.wait_for(self._started.wait(), timeout)
        except TimeoutError:
            await self._cancel()
            raise CodeError(
                f"the application did not answer lifespan.startup within {timeout:g} s"
            ) from None
        if self._failure is not None:
            await self._cancel()
            raise CodeError(f"the application did not start: {self._failure}")

    async def shutdown(self, timeout: float = 60.0) -> None:
        """Let the application clean up, if it was started; `timeout` in seconds.

        Faults of the application are logged.
        """
        if self._task is None or not self._is_supported:
            return
        self._ending.set()
        try:
            await asyncio.wait_for(self._ended.wait(), timeout)
        except TimeoutError:
            log.error("the application did not answer lifespan.shutdown within %g s", timeout)
        await self._cancel()

    async def _cancel(self) -> None:
        """Give the task time to end by itself if it is about to, then cancel it."""
        task = self._task
        if task is None:
            return
        if self._ended.is_set():
            await asyncio.wait([task], timeout=_CANCEL_SECONDS)
        if not task.done():
            self._is_cancelled = True
            task.cancel()
            await asyncio.wait([task], timeout=_CANCEL_SECONDS)

    async def _run(self) -> None:
        try:
            await self._application(
                {
                    "type": "lifespan",
                    "asgi": {"version": "3.0", "spec_version": "2.0"},
                    "state": self.state,
                },
                self._receive,
                self._send,
            )
        except SystemExit as error:  # A task would pass it on to the loop, which would end.
            self._failure = f"it exits with {error.code!r}"
            self._note_fault(error)
        except Exception as error:
            self._note_fault(error)
        except BaseException as error:
            # A task would pass KeyboardInterrupt on to the loop, which would end.
            if self._is_cancelled and isinstance(error, asyncio.CancelledError | GeneratorExit):
                raise
            if not self._ending.is_set():
                self._failure = f"it raises {type(error).__name__}"
            self._note_fault(error)
        else:
            if self._is_supported and not self._ended.is_set():
                log.warning("the application's lifespan ended before it was asked to")
        finally:
            self._started.set()
            self._ended.set()

    def _note_fault(self, error: BaseException) -> None:
        if self._failure is not None or self._ended.is_set():
            # The application has reported its failure or its end: the exception adds little.
            log.debug("the application's lifespan raised", exc_info=error)
        elif self._ending.is_set():
            log.error("the application failed in its shutdown", exc_info=error)
        elif self._is_supported:
            log.error("the application's lifespan failed", exc_info=error)
        elif len(self._events) < 2:
            log.warning(
                "the application failed on lifespan.startup; it is served without a lifespan",
                exc_info=error,
            )
        else:
            log.debug("the application does not support the lifespan", exc_info=error)

    def _note_failure(self, message: str) -> None:
        """Keep the last line of the reason: frameworks send whole tracebacks."""
        lines = message.strip().splitlines() or ["it gave no reason"]
        self._failure = lines[-1]
        if len(lines) > 1:
            log.error("the application failed in its startup:\n%s", message.rstrip())

    async def _receive(self) -> "ASGIReceiveEvent":
        if len(self._events) < 2:
            await self._ending.wait()
        if not self._events:
            await asyncio.get_running_loop().create_future()  # For ever.
        return self._events.pop()

    async def _send(self, event: "ASGISendEvent") -> None:
        if event["type"] == "lifespan.startup.complete":
            self._is_supported = True
            self._started.set()
        elif event["type"] == "lifespan.startup.failed":
            self._note_failure(event.get("message") or "")
            self._started.set()
        elif event["type"] == "lifespan.shutdown.complete":
            self._ended.set()
        elif event["type"] == "lifespan.shutdown.failed":
            log.error("the application failed in its shutdown: %s", event.get("message") or "")
            self._ended.set()
        else:
            raise ValueError(f"a lifespan has no event {event['type']!r}")
