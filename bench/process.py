"""A server under measurement: its own process group, pinned to a core, watched through /proc."""

import os
import re
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

SERVER_CORE = "0"
CLIENT_CORE = "1"

READY_SECONDS = 15.0
_STOP_SECONDS = 10.0
_LOG_TAIL = 800
"""Bytes of a peer's log that go into the report of its failure."""


class FailedRun(Exception):
    """A run that gave no figure; the text says why."""


@dataclass
class Server:
    """A running server."""

    group: int
    """Process group, which is also the first process."""
    port: int
    cores: str

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}/"

    def cpu_seconds(self) -> float:
        """User and system time so far, of all its processes."""
        ticks = 0
        for pid in self.pids():
            fields = _stat(pid)
            if fields:
                ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    def resident_bytes(self) -> int:
        """Resident memory of all its processes; pages that they share count in each."""
        pages = 0
        for pid in self.pids():
            try:
                pages += int(Path(f"/proc/{pid}/statm").read_text().split()[1])
            except OSError:
                continue
        return pages * os.sysconf("SC_PAGE_SIZE")

    def peak_resident_bytes(self) -> int:
        """The most that each of its processes ever held, added up."""
        return sum(_peak_bytes(pid) for pid in self.pids())

    def pids(self) -> list[int]:
        """The processes of its group."""
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                fields = _stat(int(entry.name))
                if fields and int(fields[2]) == self.group:
                    found.append(int(entry.name))
        return found


def _stat(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _peak_bytes(pid: int) -> int:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    found = re.search(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)
    return int(found[1]) * 1024 if found else 0


def free_port() -> int:
    """A loopback port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def serving(
    argv: Sequence[str],
    port: int,
    *,
    cores: str = SERVER_CORE,
    cwd: Path | None = None,
    environ: Mapping[str, str] | None = None,
    ready_seconds: float = READY_SECONDS,
    log: IO[bytes] | None = None,
) -> Iterator[Server]:
    """A server that answers `GET /`, killed with all its children at the end.

    `cores` is a list for taskset(1); `environ` is added to the process environment, without what
    would set options of the gateway. With `log`, a file, its output goes there, and in the
    end it is asked to stop, and may write its last words.

    Raises:
        FailedRun: it did not answer within `ready_seconds` or with an error, or the block raised
            one or lost its connection, or it did not stop when asked to; with the end of its log.
    """
    with tempfile.TemporaryFile() if log is None else nullcontext(log) as output:
        process = subprocess.Popen(
            ["taskset", "-c", cores, *argv],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            cwd=cwd,
            env=_without_options(os.environ) | dict(environ or {}),
        )
        try:
            _await_answer(process, port, ready_seconds)
            yield Server(process.pid, port, cores)
            if log is not None:
                _stop(process)
        except (FailedRun, ConnectionError, TimeoutError) as failure:
            output.seek(0)
            tail = output.read()[-_LOG_TAIL:].decode(errors="replace").strip()
            reason = str(failure) or type(failure).__name__
            raise FailedRun(f"{reason}\n{tail}" if tail else reason) from failure
        finally:
            _kill(process)


def _without_options(environ: Mapping[str, str]) -> dict[str, str]:
    return {
        name: text for name, text in environ.items() if not name.startswith(("GATEWAY_", "FC_"))
    }


def _await_answer(process: "subprocess.Popen[bytes]", port: int, ready_seconds: float) -> None:
    deadline = time.monotonic() + ready_seconds
    while (left := deadline - time.monotonic()) > 0:
        if process.poll() is not None:
            raise FailedRun(f"it ended with status {process.returncode} before it answered")
        status = _status(port, min(left, 1))
        if status[:1] in (b"2", b"4"):
            return
        if status:
            raise FailedRun(f"GET / was answered {status.decode(errors='replace')}")
        # Short, because the time of a cold start is known no better than this.
        time.sleep(0.001)
    raise FailedRun(f"no answer within {ready_seconds:g} s")


def _status(port: int, patience: float) -> bytes:
    """Of the answer to `GET /`; empty when there is none."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=patience) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n")
            with client.makefile("rb") as answer:
                return answer.readline(64)[9:12]
    except OSError:
        return b""


def _stop(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        raise FailedRun(f"it did not end within {_STOP_SECONDS:g} s of SIGTERM") from None


def _kill(process: "subprocess.Popen[bytes]") -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
