"""Checks what a release is made of: `make release-check`.

Builds the source distribution and the wheel, looks into both, installs each into a fresh
environment outside the repository, and serves a request with it.  The changelog must have a
dated section for the version.  Nothing is uploaded, and no tag is set.
"""

import http.client
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]

_SERVING: Final = re.compile(r"http://127\.0\.0\.1:(\d+)")
_START_LINES: Final = 10
_SECONDS: Final = 30.0

_NEEDED: Final = ("gateway/cli.py", "gateway/py.typed", "gateway/project/starter/index.py")
"""Files that a distribution has; the last two are data, which are forgotten easily."""

_UNWANTED: Final = ("tests/", "bench/", "docs/", "tools/")
"""Folders that the wheel would put beside the packages of others."""


class ReleaseError(Exception):
    """The release is not ready; the message says why and how to mend it, in a line."""


def main() -> int:
    """Run all checks; the exit status: 1 when one fails."""
    try:
        version = version_of(ROOT)
        check_changelog((ROOT / "CHANGELOG.md").read_text("utf-8"), version)
        with tempfile.TemporaryDirectory() as folder:
            source, wheel = build(Path(folder))
            check_contents(source, wheel)
            for distribution in (wheel, source):
                try_out(distribution, version, Path(folder))
    except ReleaseError as error:
        print(f"release: error: {error}", file=sys.stderr)
        return 1
    print(f"release: {version} is ready: {wheel.name} and {source.name} install and serve")
    return 0


def version_of(root: Path) -> str:
    """The version that the package in `root` says it is.

    Raises:
        ReleaseError: it says none.
    """
    found = re.search(r'__version__.*"([^"]+)"', (root / "gateway/version.py").read_text("utf-8"))
    if found is None:
        raise ReleaseError("gateway/version.py has no version")
    return found[1]


def check_changelog(text: str, version: str) -> None:
    """See that `version` has a section with a date, and that nothing waits above it.

    Raises:
        ReleaseError: it has none, or changes are listed as unreleased.
    """
    heading = re.compile(rf"^## {re.escape(version)} \(\d{{4}}-\d\d-\d\d\)$", re.MULTILINE)
    found = heading.search(text)
    if found is None:
        raise ReleaseError(f"CHANGELOG.md has no section '## {version} (YYYY-MM-DD)'; write it")
    waiting = text[: found.start()].partition("## Unreleased")[2]
    if waiting.strip():
        raise ReleaseError(f"CHANGELOG.md lists unreleased changes; move them under {version}")


def build(folder: Path) -> tuple[Path, Path]:
    """Build the source distribution and, from it, the wheel.

    Raises:
        ReleaseError: the build failed.
    """
    _run("build", [sys.executable, "-m", "build", "--outdir", str(folder), str(ROOT)])
    return next(folder.glob("*.tar.gz")), next(folder.glob("*.whl"))


def check_contents(source: Path, wheel: Path) -> None:
    """See that both have what the package needs, and the wheel nothing else.

    Raises:
        ReleaseError: a file is missing, or one too many.
    """
    with tarfile.open(source) as archive:
        in_source = {name.partition("/")[2] for name in archive.getnames()}
    with zipfile.ZipFile(wheel) as archive:
        in_wheel = set(archive.namelist())
    for name, files in ((source.name, in_source), (wheel.name, in_wheel)):
        missing = sorted(set(_NEEDED) - files)
        if missing:
            raise ReleaseError(f"{name} lacks {missing[0]}; see package-data in pyproject.toml")
    unwanted = sorted(file for file in in_wheel if file.startswith(_UNWANTED))
    if unwanted:
        raise ReleaseError(f"{wheel.name} has {unwanted[0]}; see packages.find in pyproject.toml")


def try_out(distribution: Path, version: str, folder: Path) -> None:
    """Install `distribution` into an environment of its own, and serve a request with it.

    Raises:
        ReleaseError: the installation failed, or what it says or serves is wrong.
    """
    environment = folder / "environment"
    if environment.exists():
        shutil.rmtree(environment)
    what = distribution.name
    _run(what, [sys.executable, "-m", "venv", str(environment)])
    pip = [str(environment / "bin/python"), "-m", "pip", "install", "--quiet"]
    _run(what, [*pip, "--disable-pip-version-check", str(distribution)])
    command = str(environment / "bin/gateway")
    said = _run(what, [command, "--version"], cwd=folder)
    if said != f"gateway {version}\n":
        raise ReleaseError(f"{what}: 'gateway --version' prints {said!r}")
    _serve(what, command, folder)


def _serve(what: str, command: str, folder: Path) -> None:
    arguments = ["serve", "gateway.demo:handler", "--port", "0"]
    process = subprocess.Popen(
        [command, *arguments], cwd=folder, stderr=subprocess.PIPE, text=True, env=_environ()
    )
    try:
        assert process.stderr is not None
        started = "".join(_until_serving(process.stderr.readline))
        port = _SERVING.search(started)
        if port is None:
            raise ReleaseError(f"{what}: 'gateway serve' does not start: {started.strip()}")
        connection = http.client.HTTPConnection("127.0.0.1", int(port[1]), timeout=_SECONDS)
        connection.request("GET", "/")
        status = connection.getresponse().status
        if status != 200:
            raise ReleaseError(f"{what}: GET / is answered {status}")
        process.send_signal(signal.SIGTERM)
        if process.wait(_SECONDS):
            raise ReleaseError(f"{what}: the end by SIGTERM has status {process.returncode}")
    finally:
        process.kill()
        process.wait()


def _until_serving(readline: Callable[[], str]) -> list[str]:
    lines: list[str] = []
    while len(lines) < _START_LINES:
        lines.append(readline())
        if not lines[-1] or _SERVING.search(lines[-1]):
            break
    return lines


def _run(what: str, command: list[str], cwd: Path = ROOT) -> str:
    done = subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, env=_environ(), check=False
    )
    if done.returncode:
        last = (done.stderr or done.stdout).strip().splitlines() or ["no word of why"]
        raise ReleaseError(f"{what}: {' '.join(command[:4])} failed: {last[-1]}")
    return done.stdout


def _environ() -> dict[str, str]:
    """Nothing of the caller's Python: what is tried is what a stranger would get."""
    return {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}


if __name__ == "__main__":
    sys.exit(main())
