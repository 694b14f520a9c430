"""The supervisor is gone without a word: every process that it has started ends, and the port is
free."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from functional.serving import (
    Gateway,
    children_of,
    clean_environ,
    command,
    is_alive,
    wait_until,
)

StartGateway = Callable[..., Gateway]

HANDLER = """
import os, socket

def descriptors_of_sockets():
    for name in os.listdir("/proc/self/fd"):
        try:
            if "socket" in os.readlink(f"/proc/self/fd/{name}"):
                yield int(name)
        except OSError:
            pass

def handler(environ, start_response):
    if environ["PATH_INFO"] == "/close":
        for descriptor in descriptors_of_sockets():
            link = socket.socket(fileno=os.dup(descriptor))
            # The link is the only pair here: neither end has a name, and none is TCP.
            if link.family == socket.AF_UNIX and link.getpeername() == link.getsockname() == "":
                os.close(descriptor)
            link.close()
    start_response("200 OK", [])
    return [str(os.getpid()).encode()]
"""


def kill_supervisor(gateway: Gateway) -> None:
    gateway.process.kill()
    gateway.wait()


def can_listen(port: int) -> bool:
    with socket.socket() as sock, suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("127.0.0.1", port))
        return True
    return False


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_supervisor_that_was_stopped_before(start_gateway: StartGateway, workers: str) -> None:
    """Beats that it has not read turn the end of the link into a reset."""
    gateway = start_gateway("app:handler", "--workers", workers, source=HANDLER)
    pids = gateway.worker_pids
    gateway.signal(signal.SIGSTOP)
    time.sleep(2.5)
    kill_supervisor(gateway)
    wait_until(lambda: not any(map(is_alive, pids)), "the workers end")
    assert gateway.errors.count("the supervisor has gone: draining") == int(workers)
    assert can_listen(gateway.port)


def test_a_handler_that_has_closed_the_link(start_gateway: StartGateway) -> None:
    """The worker is replaced while there is a supervisor."""
    gateway = start_gateway("app:handler", source=HANDLER)
    first = gateway.worker_pid
    with gateway.connect() as client:
        assert client.ask("/close").body == str(first).encode()
    wait_until(lambda: not is_alive(first), "it ends")
    assert "the link to the supervisor is broken: draining" in gateway.errors
    with gateway.connect() as client:
        assert int(client.ask("/").body) == gateway.worker_pid != first


def test_a_handler_that_has_closed_the_link_of_an_orphan(start_gateway: StartGateway) -> None:
    gateway = start_gateway("app:handler", source=HANDLER)
    worker = gateway.worker_pid
    with gateway.connect() as client:
        client.ask("/close")
        kill_supervisor(gateway)
    wait_until(lambda: not is_alive(worker), "it ends")


def test_a_worker_whose_loop_hangs(start_gateway: StartGateway) -> None:
    """An ASGI application blocks it."""
    gateway = start_gateway(
        "app:handler",
        *("--drain-timeout", "0"),
        source="""
            import time
            async def handler(scope, receive, send):
                if scope["type"] == "http":
                    open("hangs", "w").close()
                    time.sleep(3600)
        """,
    )
    worker = gateway.worker_pid
    with gateway.connect() as client:
        client.request("/")
        wait_until((gateway._stderr.parent / "hangs").exists, "it hangs")
        kill_supervisor(gateway)
        # Ten seconds more than its requests may take, as a supervisor gives it.
        wait_until(lambda: not is_alive(worker), "it is killed", 20)
    assert "has not ended in time: it is killed" in gateway.errors


@pytest.mark.parametrize("trap", ["", "import signal\nsignal.signal(15, lambda *_: None)\n"])
def test_a_worker_that_still_loads(tmp_path: Path, trap: str) -> None:
    (tmp_path / "app.py").write_text(
        f"{trap}import time\nopen('loading', 'w').close()\ntime.sleep(3600)\n"
    )
    process = subprocess.Popen(
        command("serve", "app:handler", "--port", "0"), cwd=tmp_path, env=clean_environ()
    )
    try:
        wait_until((tmp_path / "loading").exists, "it loads")
        (worker,) = children_of(process.pid)
    finally:
        process.kill()
        process.wait()
    wait_until(lambda: not is_alive(worker), "it ends")


@pytest.mark.parametrize("pause", [0.0, 2.5])
def test_the_watcher_of_the_code(start_gateway: StartGateway, pause: float) -> None:
    gateway = start_gateway("app:handler", "--reload", source=HANDLER)
    pids = gateway.worker_pids
    assert len(pids) == 2, "a worker and the watcher"
    gateway.signal(signal.SIGSTOP)
    folder = gateway._stderr.parent
    for number in range(3):
        time.sleep(pause / 3)
        (folder / "app.py").write_text(f"{HANDLER}\n# {number}\n")
    kill_supervisor(gateway)
    wait_until(lambda: not any(map(is_alive, pids)), "both end")


def test_a_watcher_that_was_stopped_itself(start_gateway: StartGateway) -> None:
    gateway = start_gateway("app:handler", "--reload", source=HANDLER)
    with gateway.connect() as client:
        worker = int(client.ask("/").body)
    (watcher,) = set(gateway.worker_pids) - {worker}
    os.kill(watcher, signal.SIGSTOP)
    kill_supervisor(gateway)
    os.kill(watcher, signal.SIGCONT)
    wait_until(lambda: not is_alive(watcher), "it ends")
    wait_until(lambda: not is_alive(worker), "so does the worker")
