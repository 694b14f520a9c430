"""Programs that measurements and tests run, from Debian's packages.

`python -m bench.debian PROGRAM…` installs those that are missing and are named like their
packages; where it may not, it says so in a line.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

_SECONDS = 600
"""For one call of apt-get."""

_POLICY = Path("/usr/sbin/policy-rc.d")
"""Asked before a package starts its service; 101 forbids it."""


def find(program: str) -> str | None:
    """Its path, also where only root looks."""
    return shutil.which(program) or shutil.which(program, path="/usr/local/sbin:/usr/sbin")


def install(packages: Iterable[str]) -> None:
    """Install packages, if that can be done from here; no service is started."""
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        return
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    with _without_services():
        for command in (["update"], ["install", "--yes", "--no-install-recommends", *packages]):
            print("apt-get", *command, file=sys.stderr)
            subprocess.run(
                ["apt-get", "--quiet", *command],
                stdout=subprocess.DEVNULL,
                env=quiet,
                check=False,
                timeout=_SECONDS,
            )


@contextmanager
def _without_services() -> Iterator[None]:
    if _POLICY.exists():
        yield
        return
    _POLICY.write_text("#!/bin/sh\nexit 101\n")
    _POLICY.chmod(0o755)
    try:
        yield
    finally:
        _POLICY.unlink()


def main(programs: list[str]) -> None:
    missing = [program for program in programs if find(program) is None]
    if missing:
        install(missing)
    missing = [program for program in missing if find(program) is None]
    if missing:
        names = " and ".join(missing)
        print(f"{names} not installed: the tests that need them are skipped", file=sys.stderr)


if __name__ == "__main__":
    main(sys.argv[1:])
