"""Gateways for tests: one for a whole module where its state does not matter, else one each."""

import os
import re
import subprocess
import textwrap
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from functional.living import Hooks
from functional.serving import Gateway, clean_environ, wait_until
from functional.wire import WireClient

StartGateway = Callable[..., Gateway]


def _starter(folder: Path, stack: ExitStack) -> StartGateway:
    started = 0

    def start(target: str, *options: str, source: str | None = None, **more: object) -> Gateway:
        nonlocal started
        started += 1
        own_folder = folder / f"gateway-{started}"
        own_folder.mkdir()
        if source is not None:
            module = re.split("[:.]", target)[0]
            (own_folder / f"{module}.py").write_text(textwrap.dedent(source), "utf-8")
            more["chdir"] = own_folder
        return stack.enter_context(Gateway(own_folder, target, *options, **more))  # type: ignore[arg-type]

    return start


@pytest.fixture
def start_gateway(tmp_path: Path) -> Iterator[StartGateway]:
    """Starts `gateway serve TARGET OPTIONS…`; `source` becomes the target's module.

    Without `source` the module comes from the folder `handlers`.  At the end of the test each
    gateway is stopped by SIGTERM and must exit with 0, unless the test has stopped it.
    """
    with ExitStack() as stack:
        yield _starter(tmp_path, stack)


@pytest.fixture(scope="module")
def start_shared_gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartGateway]:
    """As `start_gateway`, for the tests of a module."""
    with ExitStack() as stack:
        yield _starter(tmp_path_factory.mktemp("shared"), stack)


@pytest.fixture(scope="module")
def recorder(start_shared_gateway: StartGateway) -> Gateway:
    """A gateway with default settings that serves `handlers/recording.py`."""
    return start_shared_gateway("recording:handler")


@pytest.fixture
def client(recorder: Gateway) -> Iterator[WireClient]:
    """A connection to `recorder`."""
    with recorder.connect() as connection:
        yield connection


class Gates:
    """What the requests of `handlers/gated.py` wait for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environ = {"GATES": str(folder)}

    def has_started(self, name: str) -> bool:
        return (self.folder / f"{name}.started").exists()

    def await_start(self, name: str) -> None:
        wait_until(lambda: self.has_started(name), f"the handler of {name} runs")

    def await_closing(self, name: str) -> None:
        wait_until((self.folder / f"{name}.closed").exists, f"the iterable of {name} is closed")

    def open(self, name: str) -> None:
        (self.folder / name).touch()


@pytest.fixture
def gates(tmp_path: Path) -> Gates:
    folder = tmp_path / "gates"
    folder.mkdir()
    return Gates(folder)


@pytest.fixture
def hooks(tmp_path: Path) -> Hooks:
    """The hooks of `handlers/living.py`."""
    folder = tmp_path / "hooks"
    folder.mkdir()
    return Hooks(folder)


@pytest.fixture
def hang_up(tmp_path: Path) -> Iterator[Callable[..., "subprocess.Popen[bytes]"]]:
    """Starts a command in a terminal of its own, which closes once the gateway listens."""
    started = []

    def start(*arguments: str) -> "subprocess.Popen[bytes]":
        outside, inside = os.openpty()
        log = tmp_path / "log.txt"
        with log.open("wb") as file:
            process = subprocess.Popen(
                ["setsid", "--ctty", *arguments],
                stdin=inside,
                stdout=file,
                stderr=file,
                env=clean_environ(),
                cwd=tmp_path,
            )
        started.append(process)
        os.close(inside)
        wait_until(lambda: " serves " in log.read_text(), "it listens")
        os.close(outside)
        return process

    yield start
    for process in started:
        process.terminate()
        assert process.wait(20) == 0
