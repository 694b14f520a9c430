"""Runs the unit tests on each version of Python that the gateway is for, as far as it is here.

`python3 tools/pythons.py FOLDER` takes FOLDER-3.12 and so on for environments.  The version that
runs this is left out: `make test` tests it.
"""

import os
import pwd
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

VERSIONS = ((3, 11), (3, 12), (3, 13))
"""Those in the classifiers of pyproject.toml."""

PYTEST = ("-m", "pytest", "tests/unit", "-n", "2")


def main(folder: str) -> int:
    """Run them; the exit status."""
    failed = []
    for version in VERSIONS:
        name = "Python {}.{}".format(*version)
        if version == sys.version_info[:2]:
            continue
        python = find(version)
        if python is None:
            tell(f"{name} is not here: skipped")
            continue
        began = time.monotonic()
        tell(f"unit tests on {name} ({python})")
        environment = f"{folder}-{version[0]}.{version[1]}"
        commands = (
            [
                python,
                str(ROOT / "tools" / "environment.py"),
                "--exactly",
                environment,
                "test",
                "bench",
            ],
            [f"{environment}/bin/python", *PYTEST],
        )
        if any(subprocess.run(command, check=False, cwd=ROOT).returncode for command in commands):
            failed.append(name)
        how = "failed" if name in failed else "passed"
        tell(f"{name}: {how} in {time.monotonic() - began:.0f} s")
    return 1 if failed else 0


def find(version: tuple[int, int]) -> str | None:
    """The path of a Python that is of this version, and runs."""
    for path in candidates("python{}.{}".format(*version)):
        probe = [str(path), "-c", "import sys, venv, ensurepip; print(sys.version_info[:2])"]
        try:
            done = subprocess.run(probe, capture_output=True, text=True, check=False)
        except OSError:
            continue
        if done.stdout.strip() == str(version):
            return str(path)
    return None


def candidates(name: str) -> Iterator[Path]:
    """Where it may be: on the path, and among pyenv's versions, which are not always there."""
    folders = [Path(folder) for folder in os.environ.get("PATH", "").split(os.pathsep) if folder]
    roots = [Path(pwd.getpwuid(os.getuid()).pw_dir) / ".pyenv"]
    roots += [folder.parent for folder in folders if folder.name in ("shims", "bin")]
    if "PYENV_ROOT" in os.environ:
        roots.insert(0, Path(os.environ["PYENV_ROOT"]))
    for folder in folders:
        yield folder / name
    for root in roots:
        # The newest first, by number: 3.12.10 is newer than 3.12.9.
        yield from sorted((root / "versions").glob(f"*/bin/{name}"), key=_numbers, reverse=True)


def _numbers(path: Path) -> list[int]:
    return [int(part) for part in path.parents[1].name.split(".") if part.isdecimal()]


def tell(text: str) -> None:
    """Say a line."""
    print(f"make: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
