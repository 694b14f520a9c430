"""gevent and eventlet in the handler's process: a line where that cannot work, nothing else."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from functional.serving import Gateway, run_command

StartGateway = Callable[..., Gateway]

IMPOSSIBLE = {
    "gevent": "from gevent import monkey; monkey.patch_all()",
    "gevent threads": "from gevent import monkey; monkey.patch_thread()",
    "eventlet": "import eventlet; eventlet.monkey_patch()",
    "eventlet threads": "import eventlet; eventlet.monkey_patch(all=False, thread=True)",
}
POSSIBLE = {
    "gevent": "from gevent import monkey; monkey.patch_all(thread=False)",
    "gevent sockets": "from gevent import monkey; monkey.patch_socket(); monkey.patch_time()",
    "gevent select": "from gevent import monkey; monkey.patch_select(); monkey.patch_signal()",
    "eventlet": "import eventlet; eventlet.monkey_patch(thread=False)",
    "debugger": "import _thread, threading; START = _thread.start_new_thread\n"
    "def start(*a, **k): return START(*a, **k)\n"
    "_thread.start_new_thread = threading._start_new_thread = start",
    "no patch": "import gevent, eventlet",
}
HANDLER = """
import socket, time

def handler(environ, start_response):
    ours, theirs = socket.socketpair()
    ours.sendall(b"ok")
    time.sleep(0.01)
    start_response("200 OK", [])
    return [theirs.recv(2)]
"""


def library(how: str) -> str:
    return how.partition(" ")[0]


def is_right(stderr: str, how: str) -> bool:
    line, *rest = stderr.splitlines()
    says = f"gateway: error: {library(how)} has put greenlets in the place of threads"
    # With greenlets for threads the interpreter may never end by itself.
    is_ended = all("the process ends without waiting longer" in each for each in rest)
    return line.startswith(says) and "--threads" in line and is_ended


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("how", IMPOSSIBLE)
@pytest.mark.parametrize("word", ["serve", "check"])
@pytest.mark.parametrize("workers", ["0", "2"])
def test_greenlets_as_threads_are_refused_in_a_line(
    tmp_path: Path, how: str, word: str, workers: str
) -> None:
    pytest.importorskip(library(how))
    (tmp_path / "index.py").write_text(IMPOSSIBLE[how] + HANDLER)
    done = run_command(
        *(word, "index.handler", "--port", "0", "--workers", workers),
        folder=tmp_path,
        environ={"PYTHONWARNINGS": "ignore"},
    )
    assert done.returncode == 2, done
    assert is_right(done.stderr, how), done.stderr


@pytest.mark.parametrize("how", IMPOSSIBLE)
def test_also_where_the_interpreter_does_it_at_its_start(tmp_path: Path, how: str) -> None:
    pytest.importorskip(library(how))
    (tmp_path / "sitecustomize.py").write_text(IMPOSSIBLE[how])
    (tmp_path / "index.py").write_text(HANDLER)
    done = run_command(
        *("serve", "index.handler", "--port", "0"),
        folder=tmp_path,
        environ={"PYTHONWARNINGS": "ignore", "PYTHONPATH": f"{tmp_path}:{sys.path[0]}"},
    )
    assert done.returncode == 2, done
    assert is_right(done.stderr, how), done.stderr


@pytest.mark.parametrize("how", POSSIBLE)
def test_what_works_is_served(start_gateway: StartGateway, how: str) -> None:
    if library(how) in ("gevent", "eventlet"):
        pytest.importorskip(library(how))
    gateway = start_gateway("patching:handler", source=f"{POSSIBLE[how]}\n{HANDLER}")
    with gateway.connect() as client:
        for _ in range(5):
            assert client.ask("/").body == b"ok"
