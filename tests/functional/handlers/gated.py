"""Waits for the test: `/until/NAME` makes the file `NAME.started` and answers when NAME is there.

`/parts/NAME` has begun to answer when it waits.  Everything else is answered at once; `large` is
followed by a number of bytes.
"""

import os
import time
from pathlib import Path

FOLDER = Path(os.environ["GATES"])


def handler(environ, start_response):
    _, way, *name = environ["PATH_INFO"].split("/")
    body = environ["wsgi.input"].read()
    if way == "until":
        wait_for_gate(name[0])
    start_response("200 OK", [("Content-Type", "text/plain")])
    if way == "parts":
        return parts(name[0])
    if way == "large":
        return [b"x" * int(name[0])]
    if way == "endless":
        return endless(name[0])
    return [f"{environ['PATH_INFO']} {len(body)}".encode()]


def parts(name):
    yield b"begun "
    wait_for_gate(name)
    yield b"ended"


def endless(name):
    try:
        while True:
            yield b"x" * 65536
    finally:
        (FOLDER / f"{name}.closed").touch()


def wait_for_gate(name):
    (FOLDER / f"{name}.started").touch()
    while not (FOLDER / name).exists():
        time.sleep(0.005)
