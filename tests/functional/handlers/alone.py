"""A handler as many are written for Function Compute: it counts on running alone, in one thread."""

import asyncio
import io
import json
import os
import signal
import socket
import sqlite3
import sys
import threading
import time
from contextvars import ContextVar

AT_IMPORT = sqlite3.connect(":memory:")
THREAD = threading.get_ident()
SETTING: ContextVar[str] = ContextVar("SETTING", default="unset")
SETTING.set("at import")
initialized: list[sqlite3.Connection] = []
request = {}


class Late(Exception):
    """What the alarm raises."""


def _on_alarm(number, frame):
    raise Late


def initialize(context):
    """Open what belongs to this thread."""
    AT_IMPORT.execute("SELECT 1")
    initialized.append(sqlite3.connect(":memory:"))
    SETTING.set("initialized")


def pre_stop(context):
    """Use it once more, and tell."""
    initialized[0].execute("SELECT 1")
    print(f"stopped in thread of import: {threading.get_ident() == THREAD}", flush=True)


def _global():
    time.sleep(0.003)
    return request["query"]


def _stdout():
    taken, original = io.StringIO(), sys.stdout
    sys.stdout = taken
    print(request["query"])
    time.sleep(0.003)
    sys.stdout = original
    return taken.getvalue().strip()


def _database():
    time.sleep(0.001)
    for connection in (AT_IMPORT, *initialized):
        connection.execute("CREATE TABLE IF NOT EXISTS t (x)")
        connection.execute("DELETE FROM t")
        connection.execute("INSERT INTO t VALUES (?)", (request["query"],))
        ((found,),) = connection.execute("SELECT x FROM t").fetchall()
    return found


def _loop():
    return asyncio.get_event_loop().run_until_complete(asyncio.sleep(0.002, request["query"]))


def _run():
    return asyncio.run(asyncio.sleep(0.002, request["query"]))


async def _hear_of_signals():
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, lambda: None)
    return request["query"]


def _own_signals():
    """An event loop of its own takes the wake-up descriptor, and lets it go at its end."""
    return asyncio.run(_hear_of_signals())


def _alarm():
    signal.signal(signal.SIGALRM, _on_alarm)
    signal.setitimer(signal.ITIMER_REAL, 0.02)
    try:
        time.sleep(10)
    except Late:
        return request["query"]


def _forget_alarm():
    """It comes when the handler has returned long ago."""
    signal.signal(signal.SIGALRM, _on_alarm)
    signal.setitimer(signal.ITIMER_REAL, 0.1)
    return request["query"]


def _sleep():
    time.sleep(float(request["query"]))
    return request["query"]


def _deaf():
    """Nothing of Python runs in this thread before the other end is closed."""
    ours, theirs = socket.socketpair()
    threading.Timer(float(request["query"]), theirs.close).start()
    while True:
        try:
            return str(len(ours.recv(1)))
        except Late:
            pass


def _fork():
    pid = os.fork()
    if not pid:
        return "the child's"  # Nobody gets it.
    os.waitpid(pid, 0)
    return request["query"]


def _exit():
    sys.exit(3)


def _interrupt():
    raise KeyboardInterrupt


def _about():
    return json.dumps({
        "pid": os.getpid(),
        "setting": SETTING.get(),
        "is_thread_of_import": threading.get_ident() == THREAD,
        "is_main": threading.current_thread() is threading.main_thread(),
        "starts_daemons": threading.Thread().daemon,
        **{key: environ for key, environ in request["environ"].items() if key.startswith("wsgi.m")},
    })  # fmt: skip


def _set():
    before = SETTING.get()
    SETTING.set(request["query"])
    return before


WAYS = {name.removeprefix("_"): way for name, way in list(globals().items()) if name[0] == "_"}


def handler(environ, start_response):
    request["query"] = environ["QUERY_STRING"]
    request["environ"] = environ
    text = WAYS[environ["PATH_INFO"].strip("/")]()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [text.encode()]


def twice(environ, start_response):
    """As public handlers have it: what fails is told by a second start_response."""
    try:
        write = start_response("200 OK", [("Content-Type", "text/plain")])
        if environ["PATH_INFO"] == "/sent":
            write(b"begun")
        raise ValueError("no")
    except ValueError:
        start_response("404 Not Found", [("Content-Type", "text/plain")])
        return [b"not found"]
