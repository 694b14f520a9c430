"""A worker's event loop, which outlasts what the application does to it.

Theory of operation.  A task or callback that raises SystemExit or KeyboardInterrupt stops the loop,
and so does `loop.stop()`.  The application can do that in a task that it has made, where nobody
stands around it.  The worker's own task does not notice: it waits, as do all others, until the loop
runs again.  So the loop is run again, and a line in the log tells why.  Nothing of this costs
anything where the loop is not stopped.

Until the worker serves, the user who presses Ctrl-C wants the start to end, and it does.
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
    """From now on run `loop` again when anything but the end of the worker's task stops it."""
    _lasting.add(loop)


def run_loop(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a worker's main coroutine on a fresh uvloop.

    Raises:
        BaseException: what the coroutine raises, and what stops a loop that is not lasting yet.
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
                # A child that the application has forked is no worker, and may leave by SystemExit.
                if is_over or not has_run or loop not in _lasting or os.getpid() != pid:
                    raise
                stopped_by = error
                loop.call_soon(tell)
            else:
                return


def _look_for_signals() -> None:
    """While it did not run, uvloop noted signals and was not woken: a zero byte wakes it."""
    if threading.current_thread() is not threading.main_thread():
        return
    with suppress(OSError, ValueError):
        descriptor = signal.set_wakeup_fd(-1)
        if descriptor >= 0:
            signal.set_wakeup_fd(descriptor, warn_on_full_buffer=False)
            os.write(descriptor, b"\0")
