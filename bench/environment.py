"""Where measurements are made: the machine, what is installed, and what is missing."""

import importlib.metadata
import json
import os
import platform
import re
import shutil
import subprocess
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import gateway
from bench.peers import FOLDER, REQUIREMENTS, ROOT, Peer
from bench.process import CLIENT_CORE, SERVER_CORE

PACKAGES = {"wrk": "wrk", "h2load": "nghttp2-client"}
"""The Debian package of each tool."""


class UsageError(Exception):
    """What was asked for cannot be done; the text is one line that says why."""


def machine() -> dict[str, str]:
    """What the figures depend on, for people."""
    cpu = re.search(r"^model name\s*: (.+)$", _text("/proc/cpuinfo"), re.MULTILINE)
    memory = re.search(r"^MemTotal:\s+(\d+) kB$", _text("/proc/meminfo"), re.MULTILINE)
    system = re.search(r'^PRETTY_NAME="?([^"\n]+)', _text("/etc/os-release"), re.MULTILINE)
    return {
        "cpu": cpu[1] if cpu else platform.machine(),
        "cores": str(len(os.sched_getaffinity(0))),
        "memory": f"{int(memory[1]) / 2**20:.1f} GiB" if memory else "unknown",
        "system": system[1] if system else platform.system(),
        "kernel": f"{platform.system()} {platform.release()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
    }


def versions(peers: Iterable[Peer]) -> dict[str, str]:
    """Of the gateway, of what `peers` and the handlers need, and of the tools."""
    found = {"python": platform.python_version(), "gateway": gateway.__version__}
    for name in ("flask", "httptools", "uvloop"):
        found[f"{name} (gateway)"] = importlib.metadata.version(name)
    wanted = {name for peer in peers for name in peer.needs} | {"flask"}
    there = installed()
    found |= {name: there[name] for name in sorted(wanted & there.keys())}
    return found | {tool: version for tool in PACKAGES if (version := _tool_version(tool))}


def revision(root: Path = ROOT) -> str:
    """The commit, with `+` behind it when code differs from it; `unknown` outside of git."""
    commit = _git(root, "rev-parse", "--short", "HEAD")
    if not commit:
        return "unknown"
    changed = _git(root, "status", "--porcelain", "--", "gateway", "bench", ":!bench/results")
    return commit + ("+" if changed else "")


@cache
def installed() -> dict[str, str]:
    """Versions of all that is in the peers' environment; nothing when there is no such."""
    script = (
        "import importlib.metadata as m, json;"
        "print(json.dumps({d.name.lower(): d.version for d in m.distributions()}))"
    )
    found = _output([str(FOLDER / "bin" / "python"), "-c", script])
    versions: dict[str, str] = json.loads(found) if found else {}
    return versions


def pinned() -> dict[str, str]:
    """The versions in `peers.txt`, by name."""
    lines = (line.partition("#")[0].strip() for line in REQUIREMENTS.read_text().splitlines())
    return dict(line.split("==") for line in lines if line)


def is_installed(peer: Peer) -> bool:
    """Whether all that it needs is there, in the version that is pinned."""
    there, wanted = installed(), pinned()
    return all(there.get(name) == wanted[name] for name in peer.needs)


def missing_tools(names: Iterable[str]) -> list[str]:
    """Those that are not on the path, each once."""
    return sorted({name for name in names if shutil.which(name) is None})


def refuse_missing(tools: Iterable[str]) -> None:
    """See that each tool is there.

    Raises:
        UsageError: one is not; says which package has it.
    """
    missing = missing_tools(tools)
    if missing:
        packages = " ".join(PACKAGES.get(tool, tool) for tool in missing)
        raise UsageError(f"{' and '.join(missing)} missing: apt-get install {packages}")


def pin_to_client_core() -> None:
    """Keep this process and the clients that it starts away from the server's core.

    Raises:
        UsageError: there are no two cores.
    """
    wanted = {int(SERVER_CORE), int(CLIENT_CORE)}
    if not wanted <= os.sched_getaffinity(0):
        raise UsageError(
            f"cores {SERVER_CORE} and {CLIENT_CORE} are needed, one of which is not there"
        )
    os.sched_setaffinity(0, {int(CLIENT_CORE)})


def _tool_version(tool: str) -> str | None:
    # wrk prints its version with its usage, and exits with 1.
    if shutil.which(tool) is None:
        return None
    found = re.search(r"\d+\.\d[\w.]*", _output([tool, "--version"], any_status=True))
    return found[0] if found else "unknown"


def _git(root: Path, *arguments: str) -> str:
    return _output(["git", "-C", str(root), *arguments])


def _output(command: list[str], *, any_status: bool = False) -> str:
    """What it prints; nothing when it fails or is not there."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if any_status or done.returncode == 0 else ""


def _text(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""
