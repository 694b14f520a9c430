"""How many connections a limit of open files allows; in processes of their own, which it binds."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.sockets.descriptors import is_standard

ROOT = Path(__file__).parents[2]

_ALLOWED = """
import resource, sys
soft, hard, wanted = map(int, sys.argv[1:])
resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
from gateway.sockets.descriptors import connections_allowed
print(connections_allowed(wanted), *resource.getrlimit(resource.RLIMIT_NOFILE))
"""

_OCCUPIED = """
import os, socket, sys
from gateway.sockets.descriptors import occupy_standard, take_back_standard
said = os.dup(1)
os.close(0)
os.close(1)
taken = socket.socket()
assert taken.fileno() == 0
take_back_standard(taken.detach())
assert os.fstat(0).st_rdev == os.fstat(1).st_rdev == os.stat(os.devnull).st_rdev
before = os.fstat(1)
occupy_standard()
take_back_standard(said)
assert os.fstat(1) == before
os.write(said, b"fine")
"""


_OPEN = """
import os
from gateway.sockets import descriptors
from gateway.sockets.descriptors import is_open, open_descriptors
os.dup2(1, 60)
listed = set(open_descriptors())
descriptors._FOLDERS = ("/nowhere",)
assert not is_open(61)
print(*sorted(listed ^ set(open_descriptors())), 60 in listed)
"""


def run(source: str, *arguments: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", source, *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        encoding="utf-8",
        timeout=30,
        check=True,
    )


@pytest.mark.parametrize(
    ("soft", "hard", "wanted", "least", "most", "raised"),
    [
        (64, 64, 8192, 15, 22, 64),
        (64, 64, 15, 15, 15, 64),
        (64, 4096, 1000, 1000, 1000, 3028),
        (64, 1024, 1000, 430, 450, 1024),
        (20, 20, 1000, 1, 1, 20),
        (4096, 4096, 1000, 1000, 1000, 4096),
    ],
)
def test_connections(soft: int, hard: int, wanted: int, least: int, most: int, raised: int) -> None:
    found = run(_ALLOWED, soft, hard, wanted)
    allowed, now_soft, now_hard = map(int, found.stdout.split())
    assert least <= allowed <= most
    assert now_hard == hard
    assert raised <= now_soft <= raised + 20, "no further than it needs"
    assert ("ulimit -n" in found.stderr) is (allowed < wanted)


@pytest.mark.parametrize(("descriptor", "expected"), [(0, True), (2, True), (3, False)])
def test_standard_streams(descriptor: int, expected: bool) -> None:
    assert is_standard(descriptor) is expected


def test_the_place_of_a_closed_stream_is_taken() -> None:
    assert run(_OCCUPIED).stdout == "fine"


def test_open_descriptors_are_found_without_a_folder_that_lists_them() -> None:
    *of_the_listing, has_all = run(_OPEN).stdout.split()
    assert len(of_the_listing) == 1
    assert has_all == "True"
