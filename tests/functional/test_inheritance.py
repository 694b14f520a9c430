"""What threads and programs that handlers start have from the gateway's threads and process."""

import json
import os
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from functional.serving import Gateway, is_alive, wait_until

StartGateway = Callable[..., Gateway]

SAVES = """
import concurrent.futures, threading, time

def save(name):
    time.sleep(1.5)
    with open(name, "w") as file:
        file.write("saved")

def thread(name):
    threading.Thread(target=save, args=(name,)).start()

def handler(environ, start_response):
    way = environ["PATH_INFO"].strip("/")
    if way == "thread":
        thread(way)
    elif way == "timer":
        threading.Timer(0.2, save, (way,)).start()
    elif way == "grandchild":
        threading.Thread(target=thread, args=(way,)).start()
    elif way == "executor":
        executor = concurrent.futures.ThreadPoolExecutor(2)
        executor.submit(save, way)
        executor.submit(save, "executor-2")
    elif way == "for-ever":
        threading.Thread(target=time.sleep, args=(3600,), name="for-ever").start()
    elif way == "stuck":
        thread(way)
        time.sleep(3600)
    elif way == "daemon":
        threading.Thread(target=time.sleep, args=(3600,), daemon=True).start()
    start_response("200 OK", [])
    return [str(threading.current_thread().daemon).encode()]

def initialize(context):
    thread("initializer")

def stop(context):
    thread("pre-stop")
"""


def ask(gateway: Gateway, target: str) -> bytes:
    with gateway.connect() as client:
        return client.ask(target).body


@pytest.mark.parametrize("workers", ["0", "1"])
@pytest.mark.parametrize("way", ["thread", "timer", "grandchild", "executor"])
def test_threads_of_handlers_are_finished(
    start_gateway: StartGateway, workers: str, way: str
) -> None:
    gateway = start_gateway("app:handler", "--workers", workers, source=SAVES)
    assert ask(gateway, f"/{way}") == b"False"
    assert gateway.stop() == 0
    assert (gateway._stderr.parent / way).read_text() == "saved"
    if way == "executor":
        assert (gateway._stderr.parent / "executor-2").read_text() == "saved"


def test_so_are_those_of_hooks(start_gateway: StartGateway) -> None:
    hooks = ("--initializer", "app.initialize", "--pre-stop", "app.stop")
    gateway = start_gateway("app:handler", *hooks, source=SAVES)
    assert gateway.stop() == 0
    for name in ("initializer", "pre-stop"):
        assert (gateway._stderr.parent / name).read_text() == "saved"


def test_a_reload_finishes_them_too_and_nobody_waits(start_gateway: StartGateway) -> None:
    gateway = start_gateway("app:handler", source=SAVES)
    first = gateway.worker_pid
    ask(gateway, "/thread")
    gateway.signal(signal.SIGHUP)
    wait_until(lambda: "takes over" in gateway.errors, "it is replaced")
    wait_until(lambda: not is_alive(first), "the old one ends")
    assert (gateway._stderr.parent / "thread").read_text() == "saved"


def test_the_silence_of_a_worker_that_finishes_them_is_none(start_gateway: StartGateway) -> None:
    gateway = start_gateway("app:handler", "--worker-timeout", "1s", source=SAVES)
    ask(gateway, "/timer")
    assert gateway.stop() == 0
    assert (gateway._stderr.parent / "timer").read_text() == "saved"
    assert "hangs" not in gateway.errors


@pytest.mark.parametrize(("timeout", "at_least"), [("0", 0.0), ("2s", 1.5)])
def test_the_process_ends_without_one_that_does_not(
    start_gateway: StartGateway, timeout: str, at_least: float
) -> None:
    gateway = start_gateway("app:handler", "--drain-timeout", timeout, source=SAVES)
    ask(gateway, "/for-ever")
    before = time.monotonic()
    assert gateway.stop() == 0
    assert at_least <= time.monotonic() - before < 10
    assert "the process ends without waiting longer for for-ever" in gateway.errors


def test_it_finishes_them_though_its_only_handler_is_stuck(start_gateway: StartGateway) -> None:
    options = ("--threads", "1", "--handler-timeout", "200ms", "--drain-timeout", "2m")
    gateway = start_gateway("app:handler", *options, source=SAVES)
    first = gateway.worker_pid
    assert b"time out" in ask(gateway, "/stuck")
    wait_until(lambda: not is_alive(first), "the worker ends")
    assert (gateway._stderr.parent / "stuck").read_text() == "saved"


def test_daemons_are_not_waited_for(start_gateway: StartGateway) -> None:
    gateway = start_gateway("app:handler", source=SAVES)
    ask(gateway, "/daemon")
    before = time.monotonic()
    assert gateway.stop() == 0
    assert time.monotonic() - before < 10
    assert "without waiting" not in gateway.errors


SURROUNDINGS = """
import contextvars, json, os, subprocess, sys, threading

PROGRAM = '''
import json, locale, os, resource
def opened():
    for name in os.listdir("/proc/self/fd"):
        try:
            yield os.readlink(f"/proc/self/fd/{name}")
        except OSError:
            pass  # What has listed them.
mask = os.umask(0)
print(json.dumps({
    "umask": mask, "nice": os.nice(0), "group": os.getpgrp(), "session": os.getsid(0),
    "locale": locale.setlocale(locale.LC_ALL), "cwd": os.getcwd(),
    "core": resource.getrlimit(resource.RLIMIT_CORE),
    "stack": resource.getrlimit(resource.RLIMIT_STACK),
    "gateways": [link for link in opened()
                 if any(kind in link for kind in ("socket", "memfd", "eventpoll"))],
}))
'''

def handler(environ, start_response):
    start_response("200 OK", [])
    found = json.loads(subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, close_fds=False, check=True).stdout)
    seen = {}
    def run():
        seen.update(name=threading.current_thread().name,
                    context=len(contextvars.copy_context()))
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    found["thread"] = seen
    found["stack_size"] = threading.stack_size()
    return [json.dumps(found).encode()]
"""


@pytest.mark.parametrize("workers", ["0", "1"])
def test_programs_inherit_what_the_user_has_given_and_nothing_of_the_gateway(
    start_gateway: StartGateway, workers: str
) -> None:
    import resource  # noqa: PLC0415

    with socket.create_server(("127.0.0.1", 0)) as own:
        number = own.fileno()
        options = ("--fd", str(number), "--workers", workers, "--access-log", "text")
        gateway = start_gateway("app:handler", *options, source=SURROUNDINGS, pass_fds=(number,))
        found: dict[str, Any] = json.loads(ask(gateway, "/"))
        mask = os.umask(0)
        os.umask(mask)
        assert found["umask"] == mask
        assert found["nice"] == os.nice(0)
        assert (found["group"], found["session"]) == (os.getpgrp(), os.getsid(0))
        assert found["cwd"] == str(Path(gateway._stderr.parent))
        assert tuple(found["core"]) == resource.getrlimit(resource.RLIMIT_CORE)
        assert tuple(found["stack"]) == resource.getrlimit(resource.RLIMIT_STACK)
        assert found["gateways"] == [], "neither clients nor the listener, also without close_fds"
        assert found["stack_size"] == 0
        assert found["thread"]["context"] == 0
        assert found["thread"]["name"].startswith("Thread-")
