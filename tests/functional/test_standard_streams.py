"""Standard streams that are a file, a pipe, full, closed or unread; and whose the log is."""

import fcntl
import json
import os
import pty
import signal
import stat
import subprocess
import sys
import termios
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from functional.serving import children_of, command, is_alive, wait_until
from functional.wire import WireClient

BARE = {"PATH": os.environ["PATH"], "HOME": "/nowhere"}
"""An environment with nothing in it, such as PYTHONUNBUFFERED."""

HANDLER = """
    import os, sys

    print("imported")

    def handler(environ, start_response):
        path = environ["PATH_INFO"]
        if path == "/pid":
            start_response("200 OK", [])
            return [str(os.getpid()).encode()]
        if path == "/fail":
            raise ValueError("no luck")
        if path == "/errors":
            environ["wsgi.errors"].write("to wsgi.errors\\n")
        if path == "/print":
            print("line of", environ["QUERY_STRING"], "grün 你好")
        if path == "/long":
            raise ValueError("x" * 20000)
        if path == "/part":
            sys.stdout.write("a part")
        if path == "/buffer":
            sys.stdout.buffer.write("bytes 你好\\n".encode())
            sys.stdout.flush()
        start_response("200 OK", [("Content-Length", "2")])
        return [b"ok"]
"""


class Server:
    """The command with streams of the test's own."""

    def __init__(self, folder: Path, *options: str, word: str = "serve", **streams: Any) -> None:
        self._path = folder / "socket"
        self._path.unlink(missing_ok=True)
        (folder / "index.py").write_text(dedent(streams.pop("source", HANDLER)), "utf-8")
        self.process = subprocess.Popen(
            streams.pop("through", [])
            + command(word, "index.handler", "--unix", str(self._path), *options),
            cwd=folder,
            env=BARE | streams.pop("environ", {}),
            **{"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": None} | streams,
        )

    def await_start(self) -> None:
        wait_until(self._is_there, "it serves", 30)

    def _is_there(self) -> bool:
        assert self.process.poll() is None, "it has ended"
        with suppress(OSError):
            return self.ask("/").status == 200
        return False

    def ask(self, target: str) -> Any:
        with WireClient(f"unix:{self._path}") as client:
            return client.ask(target)

    def workers(self) -> list[int]:
        return [pid for pid in children_of(self.process.pid) if is_alive(pid)]


Start = Callable[..., Server]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    servers: list[Server] = []

    def start_server(*options: str, **more: Any) -> Server:
        server = Server(tmp_path, *options, **more)
        servers.append(server)
        server.await_start()
        return server

    yield start_server
    for server in servers:
        if server.process.poll() is None:
            for pid in [*children_of(server.process.pid), server.process.pid]:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            server.process.wait(10)


def end(server: Server) -> int:
    server.process.send_signal(signal.SIGTERM)
    return server.process.wait(20)


@contextmanager
def full_pipe() -> Iterator[tuple[int, int]]:
    """A pipe that takes nothing more, whose ends block."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    for size in (65536, 1):
        with suppress(BlockingIOError):
            while True:
                os.write(writer, b"\n" * size)
    os.set_blocking(writer, True)
    try:
        yield reader, writer
    finally:
        for descriptor in (reader, writer):
            with suppress(OSError):
                os.close(descriptor)


# Standard output.


@pytest.mark.parametrize("word", ["serve", "dev"])
@pytest.mark.parametrize("kind", ["file", "pipe"])
def test_printed_lines_are_there_when_the_answer_is(
    start: Start, tmp_path: Path, kind: str, word: str
) -> None:
    """So none is lost when the worker is killed."""
    path = tmp_path / "out"
    if kind == "file":
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        reader = os.open(path, os.O_RDONLY)
    else:
        reader, descriptor = os.pipe()
    server = start(stdout=descriptor, word=word)
    assert server.ask("/print?one").status == 200
    lines = os.read(reader, 65536).decode().splitlines()
    assert [line for line in lines if "GET" not in line] == ["imported", "line of one grün 你好"]
    server.ask("/part")
    assert b"a part" not in os.read(reader, 65536) if kind == "file" else True
    server.ask("/buffer")
    server.ask("/print?two")
    os.kill(server.workers()[0], signal.SIGKILL)
    got = os.read(reader, 65536).decode()
    # Python hands bytes on before text that has no end yet.
    assert "bytes 你好\n" in got
    assert "line of two grün 你好\n" in got
    os.close(descriptor)
    os.close(reader)


@pytest.mark.parametrize("kind", ["full", "gone", "closed"])
def test_what_handlers_print_to_nobody_does_not_fail_their_requests(
    start: Start, tmp_path: Path, kind: str
) -> None:
    path = tmp_path / "err"
    with path.open("wb") as errors:
        if kind == "full":
            server = start(stdout=os.open("/dev/full", os.O_WRONLY), stderr=errors)
        elif kind == "gone":
            reader, writer = os.pipe()
            server = start(stdout=writer, stderr=errors)
            os.close(writer)
            os.close(reader)
        else:
            server = start(through=["sh", "-c", 'exec "$@" >&-', "sh"], stderr=errors)
        for _ in range(3):
            assert server.ask("/print?x").status == 200
        assert server.ask("/buffer").status == 200
        assert end(server) == 0
    told = [line for line in path.read_text().splitlines() if "standard output" in line]
    assert len(told) == (0 if kind == "closed" else 1), told


# Standard error.


@pytest.mark.parametrize("kind", ["full disk", "gone", "closed", "unread"])
@pytest.mark.parametrize("workers", ["0", "2"])
def test_it_serves_without_a_standard_error(start: Start, kind: str, workers: str) -> None:
    options = ("--workers", workers)
    with full_pipe() as (reader, writer):
        if kind == "full disk":
            server = start(*options, stderr=os.open("/dev/full", os.O_WRONLY))
        elif kind == "gone":
            os.close(reader)
            server = start(*options, stderr=writer)
        elif kind == "closed":
            server = start(*options, through=["sh", "-c", 'exec "$@" 2>&-', "sh"])
        else:
            server = start(*options, stderr=writer)
            # The test's pipe is the gateway's, and was not made another for all who have it.
            assert not fcntl.fcntl(writer, fcntl.F_GETFL) & os.O_NONBLOCK
        if kind != "unread":
            assert server.ask("/errors").status == 200
        for _ in range(20):
            assert server.ask("/fail").status == 502
            assert server.ask("/long").status == 502
        if workers != "0":
            answered: set[bytes] = set()
            wait_until(
                lambda: answered.add(server.ask("/pid").body) or len(answered) == 2, "both serve"
            )
            first = server.workers()
            os.kill(first[0], signal.SIGKILL)
            wait_until(lambda: len({*server.workers()} - {*first}) == 1, "it is replaced")
        assert server.ask("/").status == 200
        assert end(server) == 0


def test_what_an_unread_log_has_missed_is_told(start: Start) -> None:
    with full_pipe() as (reader, writer):
        server = start("--log-level", "debug", stderr=writer)
        for _ in range(60):
            assert server.ask("/long").status == 502  # 20 KB and more each.
        os.close(writer)
        data = b""

        def read() -> None:
            nonlocal data
            while part := os.read(reader, 65536):
                data += part

        thread = threading.Thread(target=read)
        thread.start()
        wait_until(lambda: b"records are missing" in data, "it is told")
        assert server.ask("/fail").status == 502
        assert end(server) == 0
        thread.join(10)
    lines = data.decode().split("\n")
    assert [line for line in lines if line.startswith("Gateway ")]
    (told,) = [line for line in lines if "records are missing" in line]
    missing = int(told.split(": ", 1)[1].split()[0])
    assert missing + data.count(b"the handler failed") == 61
    assert lines[-1] == ""


@pytest.mark.skipif(not hasattr(termios, "TCOOFF"), reason="no such terminals")
def test_a_stopped_terminal_stops_nothing(start: Start) -> None:
    """As by ^S."""
    master, terminal = pty.openpty()
    server = start(stderr=terminal)
    termios.tcflow(terminal, termios.TCOOFF)
    for _ in range(20):
        assert server.ask("/long").status == 502
    assert server.ask("/").status == 200
    termios.tcflow(terminal, termios.TCOON)
    data = b""

    def read() -> None:
        nonlocal data
        with suppress(OSError):
            while part := os.read(master, 65536):
                data += part

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    wait_until(lambda: data.count(b"the handler failed") >= 8, "it is told")
    assert end(server) == 0
    os.close(terminal)
    thread.join(5)
    os.close(master)


def test_a_socket_as_standard_error(start: Start) -> None:
    """As service managers give."""
    import socket  # noqa: PLC0415

    ours, theirs = socket.socketpair()
    server = start(stderr=theirs.fileno())
    for _ in range(60):
        assert server.ask("/long").status == 502
    theirs.close()
    ours.settimeout(5)
    data = b""
    while b"records are missing" not in data:
        data += ours.recv(65536)
    assert b" serves " in data
    assert end(server) == 0


@pytest.mark.parametrize("closed", ["<&-", "<&- >&-", "<&- >&- 2>&-"])
def test_no_socket_becomes_a_standard_stream(start: Start, closed: str) -> None:
    server = start(through=["sh", "-c", f'exec "$@" {closed}', "sh"], stdin=None)
    for pid in (server.process.pid, *server.workers()):
        for number in range(3):
            mode = os.stat(f"/proc/{pid}/fd/{number}").st_mode
            assert not stat.S_ISSOCK(mode), (pid, number)
            assert stat.S_ISCHR(mode) or number >= closed.count("&-"), (pid, number)


def test_a_mistake_is_told_to_a_full_pipe_in_vain(tmp_path: Path) -> None:
    with full_pipe() as (_, writer):
        for words in (["serve", "no.such"], ["check", "no.such"], ["serve", "--wrong"]):
            done = subprocess.run(
                command(*words), cwd=tmp_path, env=BARE, stderr=writer, timeout=30, check=False
            )
            assert done.returncode == 2


# What handlers do to the gateway's log, and the gateway to theirs.

BREAKING = {
    "dictConfig": 'import logging.config; logging.config.dictConfig({"version": 1})',
    "fileConfig": """
import io, logging.config
logging.config.fileConfig(io.StringIO(
    "[loggers]\\nkeys=root\\n[handlers]\\nkeys=h\\n[formatters]\\nkeys=\\n"
    "[logger_root]\\nhandlers=h\\n[handler_h]\\nclass=NullHandler\\nargs=()\\n"))
""",
    "disable": "import logging; logging.disable(logging.CRITICAL)",
    "shutdown": "import logging; logging.shutdown()",
    "handlers": "import logging; logging.root.handlers[:] = []; logging.lastResort = None",
    "disabled": """
import logging
for name in ["gateway", "gateway.function", *logging.root.manager.loggerDict]:
    logging.getLogger(name).disabled = True
    logging.getLogger(name).setLevel(100)
""",
    "classes": """
import logging
class Silent(logging.Logger):
    def handle(self, record): raise RuntimeError
logging.setLoggerClass(Silent)
logging.setLogRecordFactory(lambda *a, **k: 1 / 0)
logging.raiseExceptions = False
""",
    "methods": """
import logging
logging.Logger.callHandlers = logging.Handler.handle = lambda *a: 1 / 0
logging.StreamHandler.emit = lambda *a: 1 / 0
""",
    "streams": "import io, sys; sys.stderr = io.StringIO(); sys.__stderr__ = None",
    "close": "import os; os.close(2)",
    "close_all": "import os; [os.close(n) for n in (1, 2)]",
    "level": "import logging; logging.getLogger('gateway').setLevel(logging.CRITICAL)",
    "filter": "import logging; logging.root.addFilter(lambda record: False)",
}


def _is_taken_back(server: Server) -> bool:
    (worker,) = server.workers()
    return {"0", "1", "2"} <= {*os.listdir(f"/proc/{worker}/fd")}


@pytest.mark.parametrize("moment", ["import", "request"])
@pytest.mark.parametrize("how", BREAKING)
def test_a_failed_invocation_is_told_in_any_case(
    start: Start, tmp_path: Path, how: str, moment: str
) -> None:
    source = dedent("""
        def harm():
            exec(HARM, {})

        if MOMENT == "import":
            harm()

        def handler(environ, start_response):
            if environ["PATH_INFO"] == "/harm":
                harm()
            if environ["PATH_INFO"] == "/fail":
                raise ValueError("no luck")
            start_response("200 OK", [])
            return []
    """)
    source = f"HARM = {BREAKING[how]!r}\nMOMENT = {moment!r}\n{source}"
    path = tmp_path / "err"
    with path.open("wb") as errors:
        server = start(stderr=errors, source=source)
        if moment == "request":
            assert server.ask("/harm").status == 200
            # Its number is taken back: a connection that got it in between is closed.
            wait_until(lambda: _is_taken_back(server), "the streams are there")
        response = server.ask("/fail")
    assert response.status == 502
    lines = path.read_text().splitlines()
    at = [number for number, line in enumerate(lines) if "the handler failed" in line]
    assert len(at) == 1, lines
    assert response["X-Fc-Request-Id"] in lines[at[0]]
    assert "  | ValueError: no luck" in lines[at[0] :]


def test_the_user_s_logging_is_the_user_s(start: Start, tmp_path: Path) -> None:
    path, errors = tmp_path / "own.log", tmp_path / "err"
    source = f"""
        import logging
        form = "%(name)s:%(message)s"
        logging.basicConfig(filename={str(path)!r}, level=logging.DEBUG, format=form)
        logging.getLogger("some.library").info("at import")

        def handler(environ, start_response):
            logging.debug("detail")
            environ["fc.context"].logger.info("by context")
            if environ["PATH_INFO"] == "/fail":
                raise ValueError("no luck")
            start_response("200 OK", [])
            return []
    """
    with errors.open("wb") as file:
        server = start(stderr=file, source=source)
        server.ask("/fail")
    lines = path.read_text().splitlines()
    assert lines[0] == "some.library:at import"
    assert lines[-2:] == ["root:detail", "gateway.function:by context"]
    assert "luck" not in path.read_text()
    told = errors.read_text()
    assert "the handler failed" in told
    for word in ("detail", "at import", "by context"):
        assert word not in told


def test_logging_that_nobody_has_configured_is_python_s(start: Start, tmp_path: Path) -> None:
    errors = tmp_path / "err"
    source = """
        import logging
        LOG = logging.getLogger("some.library")

        def handler(environ, start_response):
            LOG.info("quiet")
            LOG.warning("loud")
            environ["fc.context"].logger.info("by context")
            environ["fc.context"].logger.debug("detail")
            start_response("200 OK", [])
            return []
    """
    with errors.open("wb") as file:
        server = start(stderr=file, source=source)
    lines = errors.read_text().splitlines()
    assert "loud" in lines
    assert any(
        line.endswith(": by context") and " INFO gateway.function[" in line for line in lines
    )
    assert not [line for line in lines if "quiet" in line or "detail" in line]
    assert server.process.poll() is None


STATE = """
import asyncio, gc, json, locale, logging, os, resource, signal, sys, threading, warnings

def state():
    root = logging.getLogger()
    return {
        "logging": [len(root.handlers), root.level, logging.raiseExceptions,
                    logging.root.manager.disable,
                    logging.getLoggerClass().__name__, logging.getLogRecordFactory().__name__],
        "filters": [[f[0], str(f[1]), f[2].__name__, str(f[3]), f[4]] for f in warnings.filters],
        "showwarning": warnings.showwarning.__module__,
        "hooks": [sys.excepthook is sys.__excepthook__,
                  sys.unraisablehook is sys.__unraisablehook__,
                  threading.excepthook is threading.__excepthook__,
                  sys.displayhook is sys.__displayhook__],
        "trace": [sys.gettrace(), sys.getprofile(), threading.gettrace()],
        "umask": [os.umask(0o022), os.umask(0o022)][0],
        "locale": [locale.setlocale(each) for each in range(6)],
        "recursion": sys.getrecursionlimit(),
        "gc": [gc.isenabled(), gc.get_threshold(), gc.get_freeze_count() > 0, len(gc.callbacks)],
        "policy": type(asyncio.get_event_loop_policy()).__module__,
        "stack": threading.stack_size(),
        "stdout": [sys.stdout.encoding, sys.stdout.errors, sys.stdout.mode, sys.stdout.name,
                   sys.stdout.newlines, sys.stdout is sys.__stdout__, sys.stdout.isatty(),
                   sys.stdout.fileno(), isinstance(sys.stdout.buffer.raw, __import__("io").FileIO)],
        "stderr": [sys.stderr.encoding, sys.stderr.errors, sys.stderr.mode, sys.stderr.name,
                   sys.stderr.line_buffering, sys.stderr is sys.__stderr__, sys.stderr.fileno()],
        "signals": [str(signal.getsignal(number)) for number in (signal.SIGPIPE, signal.SIGCHLD)],
        "mask": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])),
        "variables": sorted(name for name in os.environ if not name.startswith("FC_")),
    }

def handler(environ, start_response):
    start_response("200 OK", [])
    return [json.dumps(FOUND).encode()]

FOUND = state()
if __name__ == "__main__":
    print(json.dumps(FOUND))
"""


def test_what_a_module_finds_is_what_python_gives_it(start: Start, tmp_path: Path) -> None:
    """At its import: nothing of the process has been taken before."""
    with (tmp_path / "err").open("wb") as errors:
        server = start("--no-log-tail", source=STATE, stderr=errors)
        found = json.loads(server.ask("/").body)
    alone = subprocess.run(
        [sys.executable, "index.py"],
        cwd=tmp_path, env=BARE, capture_output=True, timeout=30, check=True, umask=0o022,
    )  # fmt: skip
    expected = json.loads(alone.stdout)
    for each in (found, expected):
        each.pop("umask") if os.umask(os.umask(0)) != 0o022 else None
    assert found == expected
