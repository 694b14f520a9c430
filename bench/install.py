"""What a measurement needs beside the gateway: two tools from Debian, the peers from PyPI."""

import re
import subprocess
import sys
import venv

from bench import debian
from bench.environment import PACKAGES, installed, missing_tools, pinned, refuse_missing
from bench.peers import FOLDER, PEERS, REQUIREMENTS

_SECONDS = 600
"""For one package, which may have to be compiled."""


def install() -> None:
    """Add what is missing; a peer that does not install is left out with one line.

    Raises:
        UsageError: a tool is missing and cannot be installed from here.
    """
    _install_tools()
    _make_folder()
    for name, version in pinned().items():
        if installed().get(name) != version:
            reason = _pip(f"{name}=={version}")
            if reason:
                print(f"left out: {_needing(name)}; {name} {version}: {reason}", file=sys.stderr)
    installed.cache_clear()


def _install_tools() -> None:
    missing = missing_tools(PACKAGES)
    if missing:
        debian.install(PACKAGES[tool] for tool in missing)
    refuse_missing(PACKAGES)


def _make_folder() -> None:
    """See that there is an environment of this interpreter's version."""
    library = "lib/python{}.{}/site-packages".format(*sys.version_info)
    if not (FOLDER / library).is_dir() or not installed():
        print(f"making {FOLDER}", file=sys.stderr)
        venv.create(FOLDER, clear=True, with_pip=True)
        installed.cache_clear()


def _pip(requirement: str) -> str | None:
    """Why it does not install; nothing when it did."""
    print(f"installing {requirement}", file=sys.stderr)
    command = [str(FOLDER / "bin" / "python"), "-m", "pip", "install", "--quiet", requirement]
    try:
        done = subprocess.run(
            [*command, "--disable-pip-version-check", "--constraint", str(REQUIREMENTS)],
            capture_output=True,
            text=True,
            check=False,
            timeout=_SECONDS,
        )
    except subprocess.TimeoutExpired:
        return f"not within {_SECONDS} s"
    if done.returncode == 0:
        return None
    return reason(done.stderr)


def reason(output: str) -> str:
    """The line of pip's `output` that says most: what a compiler says goes before pip's own."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if "error" in line.lower()]
    foreign = [line for line in errors if re.match(r"(?i)(?!error:|note:)[\w./-]+:.*error", line)]
    return (foreign or errors or lines[-1:] or ["pip says nothing"])[0]


def _needing(name: str) -> str:
    return ", ".join(peer.name for peer in PEERS.values() if name in peer.needs) or name
