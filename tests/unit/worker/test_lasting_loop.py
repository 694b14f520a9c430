"""A worker's loop: what stops it, and what does not."""

import asyncio
import logging
import os
import signal

import pytest

from gateway.worker.lasting_loop import make_lasting, run_loop


def throw(error):
    raise error


STOPS = {
    "SystemExit": lambda loop: loop.call_soon(throw, SystemExit(3)),
    "KeyboardInterrupt": lambda loop: loop.call_soon(throw, KeyboardInterrupt()),
    "later": lambda loop: loop.call_later(0.001, throw, SystemExit(3)),
    "stop": lambda loop: loop.stop(),
}


@pytest.mark.parametrize("stop", STOPS.values(), ids=STOPS)
def test_it_goes_on_and_says_why(stop, caplog):
    done = []

    async def main():
        loop = asyncio.get_running_loop()
        make_lasting(loop)
        for number in range(3):
            stop(loop)
            await asyncio.sleep(0.01)
            done.append(number)

    run_loop(main)
    assert done == [0, 1, 2]
    assert caplog.messages == ["the application has stopped the event loop; the worker goes on"] * 3
    assert all(record.levelno == logging.ERROR and record.exc_info for record in caplog.records)


@pytest.mark.parametrize("stop", ["SystemExit", "KeyboardInterrupt", "later", "stop"])
def test_before_the_worker_serves_it_ends(stop):
    async def main():
        STOPS[stop](asyncio.get_running_loop())
        await asyncio.sleep(10)

    with pytest.raises((SystemExit, KeyboardInterrupt, RuntimeError)):
        run_loop(main)


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), ValueError("own")])
def test_what_the_worker_itself_raises_is_its_end(error):
    async def main():
        make_lasting(asyncio.get_running_loop())
        await asyncio.sleep(0)
        raise error

    with pytest.raises(type(error)) as caught:
        run_loop(main)
    assert caught.value is error


def test_a_signal_that_comes_while_it_is_stopped_is_heard_of():
    """The byte that wakes the loop goes with the pipe that it was written to."""
    heard = []

    def stop():
        os.kill(os.getpid(), signal.SIGUSR1)
        raise SystemExit(3)

    async def main():
        loop = asyncio.get_running_loop()
        make_lasting(loop)
        loop.add_signal_handler(signal.SIGUSR1, heard.append, True)
        loop.call_soon(stop)
        await asyncio.sleep(0.1)

    run_loop(main)
    assert heard == [True]


def test_a_child_that_is_no_worker_leaves():
    statuses = []

    def leave():
        child = os.fork()
        if not child:
            raise SystemExit(7)
        statuses.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))

    async def main():
        loop = asyncio.get_running_loop()
        make_lasting(loop)
        loop.call_soon(leave)
        await asyncio.sleep(0.05)

    pid = os.getpid()
    try:
        run_loop(main)
    except SystemExit as end:
        if os.getpid() != pid:
            os._exit(end.code)
        raise
    finally:
        if os.getpid() != pid:
            os._exit(9)
    assert statuses == [7]
