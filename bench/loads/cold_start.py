"""From the start of a server to its first answer."""

import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

from bench.loads.load import Measured
from bench.peers import ROOT
from bench.process import SERVER_CORE, FailedRun, Server

_PATIENCE_SECONDS = 30


@dataclass(frozen=True)
class ColdStart:
    """Starts servers itself, so it is no `Load`."""

    def measure_cold(
        self,
        start: Callable[[], AbstractContextManager[Server]],
        module: str,
        cores: str = SERVER_CORE,
        help_command: Sequence[str] | None = None,
    ) -> Measured:
        """`start_ms` until `start()` is entered, beside `import_ms` of a bare interpreter.

        The import comes first, so that both find the files in the page cache. With `help_command`,
        such as `gateway --help`, `help_ms` is how long that takes.

        Raises:
            FailedRun: the server did not answer, or the module or the help failed.
        """
        figures = {"import_ms": _import_ms(module, cores)}
        if help_command is not None:
            figures["help_ms"] = _timed(help_command, cores)
        started = time.perf_counter()
        with start() as server:
            figures["start_ms"] = (time.perf_counter() - started) * 1000
            figures["peak_rss_mb"] = server.peak_resident_bytes() / 1e6
        return Measured(figures)


def _import_ms(module: str, cores: str) -> float:
    """Until the module is there; the end of an interpreter takes its time too."""
    command = ["taskset", "-c", cores, sys.executable, "-c", f"import {module}; print(flush=True)"]
    pipe = subprocess.PIPE
    started = time.perf_counter()
    with subprocess.Popen(command, cwd=ROOT, stdout=pipe, stderr=pipe) as process:
        assert process.stdout is not None
        has_imported = process.stdout.readline() != b""
        elapsed = time.perf_counter() - started
        _, said = process.communicate(timeout=_PATIENCE_SECONDS)
    if not has_imported:
        raise FailedRun(f"import {module}: {said.decode(errors='replace')[-300:]}")
    return elapsed * 1000


def _timed(command: Sequence[str], cores: str) -> float:
    started = time.perf_counter()
    done = subprocess.run(
        ["taskset", "-c", cores, *command],
        cwd=ROOT,
        capture_output=True,
        timeout=_PATIENCE_SECONDS,
        check=False,
    )
    if done.returncode:
        raise FailedRun(f"{' '.join(command)}: {done.stderr.decode(errors='replace')[-300:]}")
    return (time.perf_counter() - started) * 1000
