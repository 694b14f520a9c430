"""Keeps a worker's event loop running when the application stops it.

Theory of operation.  A task or callback that raises SystemExit or KeyboardInterrupt stops the loop,
and so does `loop.stop()`.  The application can do either in a task of its own, where the gateway
cannot catch the exception.  The worker's own task does not notice: like all others it waits until
the loop runs again.  So the worker runs the loop again and logs why.  As long as nothing stops the
loop, this costs nothing.

Before the worker serves, Ctrl-C ends the start.
"""

import asyncio
import os
import signal
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, Final
from weakref import WeakSet

import uvloop

from gateway.error_log.loggers import logger

log = logger("gateway.server")

_lasting: Final["WeakSet[asyncio.AbstractEventLoop]"] = WeakSet()


def make_lasting(loop: asyncio.AbstractEventLoop) -> None:
    """From now on run `loop` again whenever it stops before the worker's task ends."""
    _lasting.add(loop)


def run_loop(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a worker's main coroutine on a fresh uvloop.

    Raises:
        BaseException: the coroutine raised it, or it stopped a loop that is not lasting yet.
    """
    pid = os.getpid()
    tasks: list[asyncio.Task[None]] = []
    stopped_by: BaseException | None = None

    async def run() -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.append(task)
        await main()

    def tell() -> None:
        nonlocal stopped_by
        error, stopped_by = stopped_by, None
        _look_for_signals()
        with suppress(Exception):  # The application may have broken the log.
            log.error(
                "the application has stopped the event loop; the worker goes on", exc_info=error
            )

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        loop = runner.get_loop()
        while True:
            try:
                if tasks:
                    loop.run_until_complete(tasks[0])
                else:
                    runner.run(run())
            except BaseException as error:
                is_over = not tasks or tasks[0].done() or loop.is_closed()
                has_run = stopped_by is None
                # A child that the application has forked is not a worker, and may leave by
                # SystemExit.
                if is_over or not has_run or loop not in _lasting or os.getpid() != pid:
                    raise
                stopped_by = error
                loop.call_soon(tell)
            else:
                return


def _look_for_signals() -> None:
    """Wake uvloop by a zero byte: while it did not run it noted signals without waking up."""
    if threading.current_thread() is not threading.main_thread():
        return
    with suppress(OSError, ValueError):
        descriptor = signal.set_wakeup_fd(-1)
        if descriptor >= 0:
            signal.set_wakeup_fd(descriptor, warn_on_full_buffer=False)
            os.write(descriptor, b"\0")
