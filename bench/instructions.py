"""Instructions per request, counted by callgrind: steady where time is not.

Callgrind runs `bench.instructions_script`, which calls a C function that nothing else calls
between the kinds of requests; the count is cut there, so what starts up and warms up is in none.
The same code gives the same count, on any load of the machine; another interpreter, C library or
processor gives another. Needs valgrind (`apt-get install valgrind`).

`python -m bench instructions` is `main`.
"""

import argparse
import io
import re
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench.environment import UsageError
from bench.instructions_script import KINDS
from bench.peers import ROOT

REQUESTS = 1000
"""Of each kind: a collection of garbage in one part and not in the next is little of it."""

_TIMEOUT_SECONDS = 100
_SCRIPT = "bench.instructions_script"
_MARKS = ("getpgid", "__getpgid")
"""The function `mark` calls; C libraries differ in which of its names callgrind sees."""

_TOTAL = re.compile(r"^totals: (\d+)$", re.MULTILINE)


class FailedCount(Exception):
    """There is no count, because `count` could not do its work; the text says why, in a line."""


def main(argv: Sequence[str]) -> int:
    """Print instructions per request; 1 when they could not be counted, 2 on bad input."""
    parser = argparse.ArgumentParser(
        prog="python -m bench instructions",
        description="Instructions per request, of the working tree and of an older revision.",
    )
    parser.add_argument("revision", nargs="?", help="of git, to compare with")
    options = parser.parse_args(argv)
    try:
        print(_compared(options.revision))
    except (UsageError, FailedCount) as error:
        print(f"bench: error: {error}", file=sys.stderr)
        return 2 if isinstance(error, UsageError) else 1
    return 0


def _compared(revision: str | None) -> str:
    with tempfile.TemporaryDirectory() as folder:
        if revision is None:
            return table({"working tree": count(ROOT)})
        # Modules move from one revision to another: each brings the script that knows its own.
        unpack(
            revision, Path(folder), "gateway", "bench"
        )  # First: a mistyped name should not take a count to notice.
        return table({"working tree": count(ROOT), revision: count(Path(folder))})


def unpack(revision: str, folder: Path, *packages: str) -> None:
    """Put these packages of `revision` into `folder`.

    Raises:
        UsageError: git has none.
    """
    # A name like an option would be one.
    command = ["git", "-C", str(ROOT), "archive", "--end-of-options", revision, *packages]
    try:
        done = subprocess.run(command, capture_output=True, check=False)
    except FileNotFoundError:
        raise UsageError("git is not installed") from None
    if done.returncode:
        raise UsageError(f"{revision}: {_last_line(done.stderr)}")
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        if hasattr(tarfile, "data_filter"):
            archive.extraction_filter = tarfile.data_filter  # Not before Python 3.11.4.
        archive.extractall(folder)  # It is the repository's own.


def count(folder: Path, requests: int = REQUESTS) -> dict[str, float]:
    """Instructions per request by kind, of the gateway in `folder`; takes some ten seconds.

    Raises:
        UsageError: valgrind is not installed.
        FailedCount: the script failed, or callgrind did.
    """
    with tempfile.TemporaryDirectory() as outputs:
        output = Path(outputs, "callgrind.out")
        script = [sys.executable, "-m", _SCRIPT]
        # Once without callgrind: a fault shows at once, and compiled modules are there to be
        # loaded, or compiling them would leave the memory in another state.
        _run([*script, "1"], folder)
        _run([*_callgrind(output), *script, str(requests)], folder)
        try:
            text = output.read_text()
        except OSError as error:
            raise FailedCount(f"callgrind wrote nothing: {error.strerror}") from error
    return {kind: total / requests for kind, total in totals(text).items()}


def _callgrind(output: Path) -> list[str]:
    return [
        *("valgrind", "--tool=callgrind", "--combine-dumps=yes"),
        f"--callgrind-out-file={output}",
        *(f"--dump-before={name}" for name in _MARKS),
    ]


def _run(command: Sequence[str], folder: Path) -> None:
    # Nothing of the caller's environment: strings in memory that differ would be noise.
    environ = {"PYTHONHASHSEED": "0", "PYTHONPATH": str(ROOT), "PATH": "/usr/local/bin:/usr/bin"}
    try:
        done = subprocess.run(
            command,
            cwd=folder,  # `-m` has Python import from here first, the script as well.
            env=environ,
            capture_output=True,
            check=False,
            timeout=_TIMEOUT_SECONDS,
        )
    except FileNotFoundError:
        raise UsageError(f"{command[0]} is not installed; try apt-get install valgrind") from None
    except subprocess.TimeoutExpired:
        raise FailedCount(f"{command[0]} did not end within {_TIMEOUT_SECONDS} s") from None
    if done.returncode:
        raise FailedCount(_last_line(done.stderr))
    used = Path(done.stdout.decode().strip()).parents[1]
    if used != folder.resolve():
        raise FailedCount(f"the gateway was imported from {used} instead of {folder}")


def _last_line(output: bytes) -> str:
    return (output.decode(errors="replace").strip().splitlines() or ["no word of why"])[-1]


def totals(text: str) -> dict[str, int]:
    """Instructions by kind, from a callgrind file of all parts.

    Raises:
        FailedCount: the parts are not those of the script.
    """
    parts = [int(total) for total in _TOTAL.findall(text)]
    # One before the first mark, one behind the last.
    if len(parts) != len(KINDS) + 2:
        raise FailedCount(f"callgrind saw {len(parts)} parts instead of {len(KINDS) + 2}")
    return dict(zip(KINDS, parts[1:-1], strict=True))


def table(counts: dict[str, dict[str, float]]) -> str:
    """Instructions per request by kind, a column for each tree; the first over the last."""
    columns = list(counts.values())
    head = f"{'request':10}" + "".join([f" {name[:16]:>16}" for name in counts])
    lines = [head + f" {'ratio':>7}" if len(columns) > 1 else head]
    for kind in columns[0]:
        line = f"{kind:10}" + "".join([f" {column[kind]:16,.0f}" for column in columns])
        if len(columns) > 1:
            line += f" {columns[0][kind] / columns[-1][kind]:7.3f}"
        lines.append(line)
    return "\n".join(lines)
