"""One run: a peer pinned to one core, `wrk` on another, CPU time from /proc."""

import os
import re
import signal
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from bench.peers import Peer

SERVER_CORE = "0"
CLIENT_CORE = "1"


class FailedRun(Exception):
    """A run that gave no figure; the text says why, with the end of the peer's log."""


@dataclass(frozen=True)
class Run:
    """What one run measured."""

    peer: str
    requests_per_second: float
    cpu_microseconds: float
    """CPU time of all the peer's processes, per request."""
    p99_milliseconds: float


def measure(peer: Peer, target: str, *, connections: int, seconds: int) -> Run:
    """Start `peer`, warm it up, load it for `seconds`, stop it.

    Raises:
        FailedRun: it did not answer, or answered with errors.
    """
    port = _free_port()
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            ["taskset", "-c", SERVER_CORE, *peer.argv(port, target)],
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            url = f"http://127.0.0.1:{port}/"
            _wait_for_answer(port)
            _wrk(url, connections, 1)
            before = _cpu_seconds(process.pid)
            output = _wrk(url, connections, seconds)
            used = _cpu_seconds(process.pid) - before
            return _parse(peer.name, output, used)
        except FailedRun as failure:
            log.seek(0)
            tail = log.read().decode(errors="replace")[-500:]
            raise FailedRun(f"{peer.name}: {failure}\n{tail}") from None
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_for_answer(port: int) -> None:
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1) as client:
                client.sendall(b"GET / HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n")
                if client.recv(12).startswith(b"HTTP/1.1 200"):
                    return
        except OSError:
            pass
        time.sleep(0.05)
    raise FailedRun("no answer within 15 s")


def _wrk(url: str, connections: int, seconds: int) -> str:
    command = ["taskset", "-c", CLIENT_CORE, "wrk", "--latency", "-t1", f"-c{connections}"]
    done = subprocess.run(
        [*command, f"-d{seconds}", url], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise FailedRun(f"wrk: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


_UNITS = {"us": 0.001, "ms": 1.0, "s": 1000.0}


def _parse(peer: str, output: str, cpu_seconds: float) -> Run:
    errors = re.search(r"(Non-2xx.*|Socket errors.*)", output)
    total = re.search(r"(\d+) requests in", output)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", output)
    p99 = re.search(r"99%\s+([\d.]+)(us|ms|s)", output)
    if errors or not (total and rate and p99) or int(total[1]) == 0:
        raise FailedRun(errors[1] if errors else f"wrk printed no figures: {output}")
    return Run(
        peer=peer,
        requests_per_second=float(rate[1]),
        cpu_microseconds=cpu_seconds / int(total[1]) * 1e6,
        p99_milliseconds=float(p99[1]) * _UNITS[p99[2]],
    )


def _cpu_seconds(group: int) -> float:
    """User and system time of all processes of a process group."""
    ticks = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[2]) == group:
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")
