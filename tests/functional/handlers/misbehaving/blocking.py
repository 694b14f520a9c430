"""Threads that do not come back, or are left behind."""

import sys
import threading
import time

from misbehaving import PLAIN

for_ever = threading.Event()


def never_return(environ, start_response):
    for_ever.wait()


def never_return_behind_the_first_item(environ, start_response):
    start_response("200 OK", PLAIN)
    yield b"begun "
    for_ever.wait()


class Result:
    def __iter__(self):
        return iter([b"an ", b"answer"])

    def close(self):
        for_ever.wait()


def in_close(environ, start_response):
    start_response("200 OK", PLAIN)
    return Result()


def compute_for_ever(environ, start_response):
    end = time.monotonic() + 3
    while time.monotonic() < end:
        pass
    start_response("200 OK", PLAIN)
    return [b"too late"]


def leak_a_thread(environ, start_response):
    threading.Thread(target=for_ever.wait, name="leaked", daemon=False).start()
    start_response("200 OK", PLAIN)
    return [b"an answer"]


def exit_in_a_thread(environ, start_response):
    thread = threading.Thread(target=sys.exit, args=(3,))
    thread.start()
    thread.join()
    start_response("200 OK", PLAIN)
    return [b"an answer"]


def raise_in_a_thread(environ, start_response):
    thread = threading.Thread(target=lambda: 1 / 0)
    thread.start()
    thread.join()
    start_response("200 OK", PLAIN)
    return [b"an answer"]
