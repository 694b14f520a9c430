"""An ASGI application that does to the loop, in tasks of its own, what would end it."""

import asyncio
import os

tasks = set()


async def fail(error):
    raise error


def start(coroutine):
    task = asyncio.get_running_loop().create_task(coroutine)
    tasks.add(task)
    task.add_done_callback(tasks.discard)


def throw(error):
    raise error


class OwnError(BaseException):
    pass


DEEDS = {
    "/task/SystemExit": lambda: start(fail(SystemExit(3))),
    "/task/KeyboardInterrupt": lambda: start(fail(KeyboardInterrupt())),
    "/task/GeneratorExit": lambda: start(fail(GeneratorExit())),
    "/task/OwnError": lambda: start(fail(OwnError("mine"))),
    "/soon/SystemExit": lambda: asyncio.get_running_loop().call_soon(throw, SystemExit(3)),
    "/soon/OwnError": lambda: asyncio.get_running_loop().call_soon(throw, OwnError("mine")),
    "/later/SystemExit": lambda: asyncio.get_running_loop().call_later(0.01, throw, SystemExit(3)),
    "/stop": lambda: asyncio.get_running_loop().stop(),
}


async def app(scope, receive, send):
    assert scope["type"] == "http"
    DEEDS.get(scope["path"], lambda: None)()
    await asyncio.sleep(0.3)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"%d" % os.getpid()})
