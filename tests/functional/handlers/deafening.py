"""Takes from its process what new connections need, in the way that the path says."""

import errno
import os
import resource
import socket
import stat
import sys
import threading
import time
from pathlib import Path


def handler(environ, start_response):
    _, way, *words = environ["PATH_INFO"].split("/")
    if way:
        WAYS[way](*words)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(os.getpid()).encode()]


def listeners():
    found = []
    for name in os.listdir("/proc/self/fd"):
        descriptor = int(name)
        try:
            if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
                continue
            duplicate = socket.socket(fileno=os.dup(descriptor))
        except OSError:
            continue
        with duplicate:
            if duplicate.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                found.append(descriptor)
    assert found
    return found


def close_listener():
    for descriptor in listeners():
        os.close(descriptor)


def cover_listener():
    """Another file takes the number of the listening socket."""
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in listeners():
        os.dup2(null, descriptor)


def leak_descriptors(seconds="forever"):
    held = []
    try:
        while True:
            held.append(os.open(os.devnull, os.O_RDONLY))
    except OSError as error:
        assert error.errno == errno.EMFILE  # noqa: PT017  # No test.
    if seconds != "forever":
        time.sleep(float(seconds))
        for descriptor in held:
            os.close(descriptor)


def use_up_memory(seconds, least):
    """Take all that the limit allows in pieces down to `least` bytes, and give it back later."""
    time.sleep(0.05)  # The answer to whoever asked for a thread is on its way.
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    limit = size + (64 << 20)
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (limit, before[1]))
    held = None
    piece = 1 << 24
    end = time.monotonic() + float(seconds)
    while time.monotonic() < end:
        try:
            held = (bytearray(piece), held)
        except MemoryError:
            if piece > int(least):
                piece //= 2
            else:
                time.sleep(0.01)
    while held is not None:
        held = held[1]
    resource.setrlimit(resource.RLIMIT_AS, before)


WAYS = {
    "close": close_listener,
    "cover": cover_listener,
    "leak": leak_descriptors,
    "memory": use_up_memory,
    "recursion": lambda limit: sys.setrecursionlimit(int(limit)),
    "sleep": lambda seconds: time.sleep(float(seconds)),
    "default-timeout": lambda: socket.setdefaulttimeout(0.001),
    "patch": lambda: setattr(socket, "socket", type("Patched", (socket.socket,), {"accept": None})),
    "thread": lambda way, *words: threading.Thread(target=WAYS[way], args=words).start(),
}
