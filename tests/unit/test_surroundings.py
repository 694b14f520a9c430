"""The tests see the same surroundings wherever they are run."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from surroundings import kept

ROOT = Path(__file__).parents[2]

# What a process, and one that it starts, find: before and after.
SHOWN = """
import json, os, signal, subprocess, sys
sys.path[:0] = [{tests!r}]
from surroundings import settle
{settled}
shown = '''import json, os
status = dict(line.split(":", 1) for line in open("/proc/self/status").read().splitlines())
umask = os.umask(0)
print(json.dumps([dict(os.environ), umask, status["SigIgn"].strip(), status["SigBlk"].strip()]))'''
done = subprocess.run([sys.executable, "-I", "-c", shown], capture_output=True, check=True)
print(done.stdout.decode())
"""
# How a careless script starts things: in the background, detached, with a mask of its own.
STRANGE = """
import os, signal, sys
for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM, signal.SIGQUIT, signal.SIGUSR1):
    signal.signal(number, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM, signal.SIGCHLD])
os.umask(0o077)
os.execv(sys.executable, [sys.executable, "-c", sys.argv[1]])
"""
VARIABLES = {
    "PYTHONUNBUFFERED": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONSTARTUP": "/nowhere",
    "GATEWAY_PORT": "1",
    "FC_REGION": "x",
    "LANG": "de_DE.ISO-8859-1",
    "LC_ALL": "tr_TR.UTF-8",
    "TZ": "Asia/Kathmandu",
    "http_proxy": "http://127.0.0.1:1",
    "NO_COLOR": "1",
    "COLUMNS": "20",
    "GIT_DIR": "/nowhere",
    "PORT": "1",
    "WATCHFILES_FORCE_POLLING": "1",
}

OTHERS = sum(1 << number - 1 for number in (signal.SIGPIPE, signal.SIGXFSZ, 32, 33))
"""Python ignores the first two by itself; the others are the C library's own."""


def found(settled: str) -> tuple[dict[str, str], int, int, int]:
    script = SHOWN.format(tests=str(ROOT / "tests"), settled=settled)
    done = subprocess.run(
        [sys.executable, "-c", STRANGE, script],
        env={"PATH": os.environ["PATH"], "HOME": "/tmp", **VARIABLES},
        capture_output=True,
        check=True,
        timeout=30,
    )
    environ, umask, ignored, blocked = json.loads(done.stdout)
    return environ, umask, int(ignored, 16) & ~OTHERS, int(blocked, 16)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="there is no /proc")
def test_what_a_started_program_finds() -> None:
    environ, umask, ignored, blocked = found("")
    assert VARIABLES.items() <= environ.items(), "the probe sees what is there"
    assert umask == 0o077
    assert ignored
    assert blocked
    environ, umask, ignored, blocked = found("settle()")
    assert not VARIABLES.keys() & environ.keys()
    assert (umask, ignored, blocked) == (0o022, 0, 0)


def test_bytecode_is_kept_whatever_the_shell_says() -> None:
    script = (
        "import sys; sys.path[:0] = [sys.argv[1]]; from surroundings import settle; "
        "print(sys.dont_write_bytecode); settle(); print(sys.dont_write_bytecode)"
    )
    done = subprocess.run(
        [sys.executable, "-B", "-c", script, ROOT / "tests"], capture_output=True, check=True
    )
    assert done.stdout.split() == [b"True", b"False"]


def test_only_what_is_listed_is_kept() -> None:
    listed = {"PATH": "/bin", "HOME": "/root", "TMPDIR": "/tmp", "CI": "true", "PIP_CERT": "a"}
    environ = kept({**listed, **VARIABLES})
    assert listed.items() <= environ.items()
    assert all(name.startswith("GIT_CONFIG_") or "GIT_" in name for name in environ.keys() - listed)
    assert not VARIABLES.keys() & environ.keys()


def test_these_tests_are_settled() -> None:
    assert {*os.environ} == {*kept(os.environ)}
