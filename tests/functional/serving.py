"""The gateway as users run it: a process of its own."""

import os
import re
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

from functional.wire import WireClient

from gateway.signals.termination import SAME_REQUEST_SECONDS

ROOT = Path(__file__).parents[2]
HANDLERS = Path(__file__).parent / "handlers"

START_TIMEOUT = 30.0
STOP_TIMEOUT = 30.0

LATER = SAME_REQUEST_SECONDS + 0.2
"""Seconds after which a second signal asks for more than the first one."""

_LISTENING = re.compile(r"^Gateway \S+ serves .* on (\S+) \(pid (\d+)\)$", re.MULTILINE)


def wait_until(is_so: Callable[[], object], what: str, timeout: float = 15.0) -> None:
    """Poll until `is_so` gives something true."""
    deadline = time.monotonic() + timeout
    while not is_so():
        assert time.monotonic() < deadline, f"not within {timeout:g} s: {what}"
        time.sleep(0.01)


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "gateway", *arguments]


def clean_environ(**more: str) -> dict[str, str]:
    """The environment without what would set options of the gateway."""
    inherited = {
        name: text for name, text in os.environ.items() if not name.startswith(("GATEWAY_", "FC_"))
    }
    paths = [str(ROOT), str(ROOT / "tests")]
    return inherited | {"PYTHONPATH": os.pathsep.join(paths), "PYTHONIOENCODING": "utf-8"} | more


def _allow_files(count: int) -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (count, count))


def is_alive(pid: int) -> bool:
    """Whether there is such a process that has not ended; a zombie has."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def children_of(pid: int) -> list[int]:
    """The children of a process that has one thread, zombies too."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return []
    return [int(child) for child in children.split()]


class Gateway:
    """A running `python -m gateway`; a context manager that stops it and checks its end."""

    def __init__(
        self,
        folder: Path,
        target: str,
        *options: str,
        chdir: Path | None = HANDLERS,
        pass_fds: tuple[int, ...] = (),
        environ: dict[str, str] | None = None,
        stdout: int | None = None,
        open_files: int = 0,
        word: str = "serve",
        started: re.Pattern[str] = _LISTENING,
    ) -> None:
        """`folder` takes the files with what it prints; options name where to listen, or port 0.

        An empty `target` leaves it to the environment.

        `stdout` is a descriptor for standard output in place of the file; `open_files` is how many
        the process may have, soft and hard.  `word` is the command.  `started` is what it writes to
        standard error when it has; with another than the default it has no `address` yet.
        """
        self._started = started
        words = iter(options)
        self._is_supervised = not ("--workers" in words and next(words) == "0")
        self._stderr = folder / "stderr.txt"
        self._stdout = folder / "stdout.txt"
        listening = () if {"--port", "--unix", "--fd"} & {*options} else ("--port", "0")
        code_folder = ("--chdir", str(chdir)) if chdir else ()
        with self._stderr.open("wb") as stderr, self._stdout.open("wb") as output:
            self.process = subprocess.Popen(
                command(word, *filter(None, [target]), *code_folder, *listening, *options),
                stdin=subprocess.DEVNULL,
                stdout=output if stdout is None else stdout,
                stderr=stderr,
                cwd=folder,
                env=clean_environ(**(environ or {})),
                pass_fds=pass_fds,
                preexec_fn=(  # noqa: PLW1509  # Nothing but a system call.
                    partial(_allow_files, open_files) if open_files else None
                ),
            )
        try:
            wait_until(self._has_started, "the gateway starts", START_TIMEOUT)
        except BaseException:
            self.kill()
            raise

    def _has_started(self) -> bool:
        if self.process.poll() is not None:
            raise AssertionError(f"the gateway ended: {self.errors}")
        if not self._started.search(self.errors):
            return False
        match = _LISTENING.search(self.errors)
        if match is not None:
            self.address = match[1]
            self.announced_pid = int(match[2])
        return True

    def __enter__(self) -> "Gateway":
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        try:
            if kind is None and self.process.poll() is None:
                assert self.stop() == 0, self.errors
        finally:
            self.kill()

    @property
    def errors(self) -> str:
        """What it has written to standard error."""
        return self._stderr.read_text("utf-8", "replace")

    @property
    def output(self) -> str:
        """What it has written to standard output."""
        return self._stdout.read_text("utf-8", "replace")

    @property
    def port(self) -> int:
        return int(self.address.rpartition(":")[2])

    def connect(self, **options: int) -> WireClient:
        return WireClient(self.address, **options)

    @property
    def worker_pids(self) -> list[int]:
        """Its worker processes, in the order of their start."""
        pid = self.process.pid
        if not self._is_supervised:
            return [pid]
        return [child for child in children_of(pid) if is_alive(child)]

    @property
    def worker_pid(self) -> int:
        """Its only worker."""
        (pid,) = self.worker_pids
        return pid

    def status_value(self, name: str) -> int:
        """A value of /proc/PID/status of its only worker: kB, or a count."""
        status = Path(f"/proc/{self.worker_pid}/status").read_text()
        match = re.search(rf"^{name}:\s+(\d+)", status, re.MULTILINE)
        assert match is not None, name
        return int(match[1])

    @property
    def descriptors(self) -> int:
        """How many files, sockets and so on its only worker has open."""
        return len(os.listdir(f"/proc/{self.worker_pid}/fd"))

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def wait(self, timeout: float = STOP_TIMEOUT) -> int:
        """Its exit status, once it has ended."""
        return self.process.wait(timeout)

    def stop(self) -> int:
        """Have it drain; its exit status."""
        self.signal(signal.SIGTERM)
        return self.wait()

    def kill(self) -> None:
        """End it and its workers by force."""
        if self.process.poll() is None:
            workers = self.worker_pids
            self.process.kill()
            self.process.wait(STOP_TIMEOUT)
            for pid in workers:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                wait_until(lambda pid=pid: not is_alive(pid), "the worker is gone")


def run_command(
    *arguments: str,
    folder: Path,
    pass_fds: tuple[int, ...] = (),
    environ: dict[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a command of the gateway that ends by itself."""
    return subprocess.run(
        command(*arguments),
        cwd=folder,
        env=clean_environ(**(environ or {})),
        capture_output=True,
        encoding="utf-8",
        timeout=START_TIMEOUT,
        check=False,
        pass_fds=pass_fds,
    )
