"""The commands of README and quickstart, run as they are printed, one after the other.

Each page begins in a fresh folder with an empty home, in an environment with nothing but a PATH on
which there is no `python`, as on Debian.  Texts that a page shows as files are saved when the
reader comes to them.  A server is started, is to listen, and is stopped by Ctrl-C before the next
one.
"""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from functional import wheelhouse
from functional.serving import ROOT, wait_until

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FILE = re.compile(r"# ([\w./-]+\.(?:py|toml))\b")
_NAMED_BEFORE = re.compile(r"Save as `([\w./-]+)`:\s*\Z")
_SERVER = re.compile(r"(?:[A-Z_]+=\S+ )*(?:gateway (?:serve|dev)|make run)\b")

NOT_RUN = re.compile(r"docker |make test\b")
"""There may be no Docker here, and `make test` is what runs this."""

TAKEN_FOR_GRANTED = {
    "my-flask-project/app.py": "def app(environ, start_response):\n"
    "    start_response('200 OK', [])\n    return [b'']\n",
    "mysite/wsgi.py": "def application(environ, start_response):\n"
    "    start_response('200 OK', [])\n    return [b'']\n",
    "mysite/asgi.py": "async def application(scope, receive, send):\n    raise RuntimeError\n",
}
"""Projects of the reader's."""


class Step(NamedTuple):
    """What a page has the reader do: a command, or a file (then `name` is set) to save."""

    text: str
    name: str = ""


def steps_of(page: str) -> Iterator[Step]:
    """What a page says to do, in its order."""
    for block in _FENCE.finditer(page):
        language, content = block.groups()
        before = _NAMED_BEFORE.search(page[: block.start()])
        first = _FILE.match(content)
        if language == "sh":
            for line in content.replace("\\\n", " ").splitlines():
                if line.strip():
                    yield Step(line)
        elif before or first:
            yield Step(content, (before or first)[1])  # type: ignore[index]  # One is there.


class Reader:
    """Somebody at a terminal, who does what a page says."""

    def __init__(self, folder: Path, environ: dict[str, str]) -> None:
        self.folder = folder
        self._environ = environ
        self._state = folder.parent / "state"
        self._log = folder.parent / "server.txt"
        self._server: subprocess.Popen[bytes] | None = None

    def do(self, step: Step) -> None:
        if step.name:
            (self.folder / step.name).write_text(step.text, "utf-8")
        elif NOT_RUN.match(step.text):
            pass
        elif _SERVER.match(step.text):
            self.stop()
            self._start(step.text)
        else:
            self._run(step.text)

    def _run(self, line: str) -> None:
        line = line.replace("<this repository>", self._environ["REPOSITORY"])
        done = subprocess.run(
            # The next command finds the folder and the environment that this one leaves.
            ["bash", "-c", f"set -e; {line}\n{{ pwd; env -0; }} > '{self._state}'"],
            cwd=self.folder,
            env=self._environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            check=False,
            timeout=100,
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
        pwd, _, environ = self._state.read_text("utf-8").partition("\n")
        self.folder = Path(pwd)
        self._environ = dict(pair.split("=", 1) for pair in environ.split("\0") if pair)

    def _start(self, line: str) -> None:
        with self._log.open("wb") as log:
            self._server = subprocess.Popen(
                ["bash", "-c", line],
                cwd=self.folder,
                env=self._environ,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # A terminal's group, to which Ctrl-C goes.
            )
        wait_until(lambda: self._is_listening(line), f"{line!r} listens", 100)

    def _is_listening(self, line: str) -> bool:
        assert self._server is not None
        said = self._log.read_text("utf-8")
        assert self._server.poll() is None, f"{line}\n{said}"
        return " on http://127.0.0.1:" in said

    def stop(self) -> None:
        """Type Ctrl-C."""
        if self._server is not None:
            os.killpg(self._server.pid, signal.SIGINT)
            try:
                self._server.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(self._server.pid, signal.SIGKILL)
                raise
            self._server = None


def program(path: Path, line: str) -> None:
    path.write_text(f"#!/bin/sh\n{line}\n")
    path.chmod(0o755)


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    """In the folder of a fresh checkout."""
    if shutil.which("curl") is None or shutil.which("make") is None:
        pytest.skip("make and curl are not here")
    repository, home, programs = (tmp_path / name for name in ("gateway", "home", "bin"))
    for folder in (home, programs):
        folder.mkdir()
    needed = shutil.ignore_patterns(
        ".venv*", ".git", "__pycache__", ".*_cache", ".hypothesis", ".peers", "*.egg-info", "build",
        "tests", "bench", "docs",
    )  # fmt: skip
    shutil.copytree(ROOT, repository, ignore=needed)
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "All"]):
        subprocess.run(["git", *command], cwd=repository, check=True)
    described = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    wheels = tmp_path / "wheels"
    needs = [*described["project"]["dependencies"], *described["build-system"]["requires"]]
    wheelhouse.fill(wheels, needs)
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    # A Python that no environment is active for, and a port that nobody else has.
    program(programs / "python3", f"exec '{sys._base_executable}' \"$@\"")  # type: ignore[attr-defined]
    curl = shutil.which("curl")
    program(
        programs / "curl",
        f'for word; do shift; set -- "$@" "$(echo "$word" | sed \'s/:9000/:{port}/\')"; done\n'
        f'exec {curl} --fail --silent --show-error --max-time 20 "$@"',
    )
    reader = Reader(
        repository,
        {
            "PATH": f"{programs}:/usr/bin:/bin",
            "HOME": str(home),
            "REPOSITORY": str(repository),
            "GATEWAY_PORT": str(port),
            "PIP_NO_INDEX": "1",
            "PIP_NO_COMPILE": "1",
            "PIP_FIND_LINKS": str(wheels),
        },
    )
    yield reader
    reader.stop()


@pytest.mark.timeout(240)
@pytest.mark.parametrize("page", ["README.md", "docs/quickstart.md"])
def test_each_command_works(page: str, reader: Reader) -> None:
    steps = [*steps_of((ROOT / page).read_text("utf-8"))]
    ran = [step for step in steps if not step.name and not NOT_RUN.match(step.text)]
    assert len(ran) > 5
    if page == "docs/quickstart.md":
        reader.folder = reader.folder.parent / "elsewhere"
        reader.folder.mkdir()
    for step in steps:
        reader.do(step)
        for name, text in TAKEN_FOR_GRANTED.items():
            (reader.folder / name).parent.mkdir(exist_ok=True)
            (reader.folder / name).write_text(text, "utf-8")


def test_what_a_page_has_its_reader_do() -> None:
    page = (
        "```sh\nfirst  # why\n\nlong \\\n  more\n```\n"
        "Save as `a/b.py`:\n\n```python\nx = 1\n```\n"
        "```toml\n# some.toml; where\ny = 2\n```\n```\nan answer\n```\n```python\nz = 3\n```\n"
    )
    assert [*steps_of(page)] == [
        Step("first  # why"),
        Step("long    more"),
        Step("x = 1\n", "a/b.py"),
        Step("# some.toml; where\ny = 2\n", "some.toml"),
    ]
