"""Ends or stops its own process in the way that the path says; `/` tells the process's number."""

import ctypes
import os
import signal
import sys
import time
from pathlib import Path


def handler(environ, start_response):
    _, way, *words = environ["PATH_INFO"].split("/")
    if way == "until":
        wait_for_gate(words[0])
    elif way:
        WAYS[way](*words)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(os.getpid()).encode()]


def wait_for_gate(name):
    folder = Path(os.environ["GATES"])
    (folder / f"{name}.started").touch()
    while not (folder / name).exists():
        time.sleep(0.005)


def overflow():
    sys.setrecursionlimit(10**9)
    dive()


def dive(_=None):
    sorted([0], key=dive)  # Through C, each time.


def hold_interpreter(seconds):
    ctypes.PyDLL(None).sleep(int(seconds))


def leave_orphan():
    if not os.fork():
        if not os.fork():
            time.sleep(0.2)
        os._exit(0)
    os.wait()


WAYS = {
    "exit": lambda status: os._exit(int(status)),
    "segfault": lambda: ctypes.string_at(0),
    "overflow": overflow,
    "abort": os.abort,
    "killed": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "terminated": lambda: os.kill(os.getpid(), signal.SIGTERM),
    "hold": hold_interpreter,
    "orphan": leave_orphan,
}
