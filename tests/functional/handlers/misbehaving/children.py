"""Processes that are forked in a handler."""

import multiprocessing
import os
import sys
import time

from misbehaving import PLAIN


def answer(start_response, text):
    start_response("200 OK", PLAIN)
    return [text.encode()]


def status_of(pid):
    """How the child ended, waited for."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            return str(os.waitstatus_to_exitcode(status))
        time.sleep(0.01)
    os.kill(pid, 9)
    os.waitpid(pid, 0)
    return "it did not end"


def exit_at_once(environ, start_response):
    pid = os.fork()
    if not pid:
        os._exit(7)
    return answer(start_response, status_of(pid))


def child_returns(environ, start_response):
    pid = os.fork()
    if not pid:
        return answer(start_response, "of the child")
    return answer(start_response, status_of(pid))


def child_raises(environ, start_response):
    pid = os.fork()
    if not pid:
        sys.exit("of the child")
    return answer(start_response, status_of(pid))


def child_streams(environ, start_response):
    pid = os.fork()
    start_response("200 OK", PLAIN)
    if not pid:
        yield b"of the "
        yield b"child"
        return
    yield status_of(pid).encode()


def child_after_the_head(environ, start_response):
    start_response("200 OK", PLAIN)
    yield b"begun "
    pid = os.fork()
    if not pid:
        yield b"of the child"
        return
    yield status_of(pid).encode()


def terminate_a_child(environ, start_response):
    """A signal to the child must not be taken for one to the gateway."""
    child = multiprocessing.get_context("fork").Process(target=time.sleep, args=(60,))
    child.start()
    time.sleep(0.1)
    child.terminate()
    child.join(10)
    return answer(start_response, str(child.exitcode))


def leave_a_child(environ, start_response):
    """It lives on for some seconds, and its pid is told."""
    pid = os.fork()
    if not pid:
        time.sleep(20)
        os._exit(0)
    return answer(start_response, str(pid))
