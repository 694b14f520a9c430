"""The access log as its reader sees it: in time, in whole lines, and never in anybody's way."""

import json
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from functional.serving import Gateway, clean_environ, command, wait_until
from functional.wire import BadAnswer

StartGateway = Callable[..., Gateway]

PRINTING = """
    def handler(environ, start_response):
        print("a" * 1000)
        start_response("200 OK", [("Content-Length", "2")])
        return [b"ok"]
"""


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """A pipe; the test closes its writing end."""
    reader, writer = os.pipe()
    yield reader, writer
    os.close(reader)


def read_lines(reader: int) -> list[str]:
    data = b""
    while part := os.read(reader, 65536):
        data += part
    return data.decode().splitlines()


def test_a_line_comes_within_a_second(start_gateway: StartGateway) -> None:
    gateway = start_gateway("gateway.demo:handler", "--access-log", "json")
    with gateway.connect() as client:
        request_id = client.ask("/")["X-Fc-Request-Id"]
        wait_until(lambda: gateway.output, "a line", timeout=1.0)
        assert json.loads(gateway.output)["request_id"] == request_id


def test_a_reader_that_stops_is_in_nobodys_way(
    start_gateway: StartGateway, pipe: tuple[int, int]
) -> None:
    """Nor does it make the gateway grow; what it missed is told, and no line is there in part."""
    reader, writer = pipe
    gateway = start_gateway("gateway.demo:handler", "--access-log", "json", stdout=writer)
    os.close(writer)
    agent = [("User-Agent", "\xff" * 7000)]  # Six times as long in JSON.
    with gateway.connect() as client:
        client.ask("/", fields=agent)
        before = gateway.status_value("VmRSS")
        for _ in range(600):  # 25 MB
            assert client.ask("/", fields=agent).status == 200
        assert gateway.status_value("VmRSS") - before < 16_000
        lines: list[str] = []
        thread = threading.Thread(target=lambda: lines.extend(read_lines(reader)))
        thread.start()
    assert gateway.stop() == 0
    thread.join()
    records = [json.loads(line) for line in lines]
    missing = [record.get("missing_lines", 0) for record in records]
    assert sum(missing) > 300
    assert sum(missing) + missing.count(0) == 601


def test_a_reader_that_has_stopped_does_not_keep_the_gateway_from_ending(
    start_gateway: StartGateway, pipe: tuple[int, int]
) -> None:
    writer = pipe[1]
    gateway = start_gateway("gateway.demo:handler", "--access-log", "text", stdout=writer)
    os.close(writer)
    with gateway.connect() as client:
        for _ in range(20):
            client.ask("/", fields=[("User-Agent", "a" * 7000)])
    assert gateway.stop() == 0
    assert "the log was not taken to its end" in gateway.errors


def test_what_handlers_print_is_whole_too(
    start_gateway: StartGateway, pipe: tuple[int, int]
) -> None:
    reader, writer = pipe
    gateway = start_gateway(
        "printing:handler", "--access-log", "text", source=PRINTING, stdout=writer
    )
    os.close(writer)
    lines: list[str] = []
    thread = threading.Thread(target=lambda: lines.extend(read_lines(reader)))
    thread.start()
    with gateway.connect() as client:
        for _ in range(300):
            client.ask("/")
    assert gateway.stop() == 0
    thread.join()
    assert lines.count("a" * 1000) == 300
    assert len([line for line in lines if line.startswith("127.0.0.1 - - [")]) == 300
    assert len(lines) == 600


def test_without_standard_output(tmp_path: Path) -> None:
    serve = command("serve", "--port", "0", "--access-log", "json")
    done = subprocess.run(
        ["sh", "-c", 'exec "$@" >&-', "sh", *serve],
        cwd=tmp_path,
        env=clean_environ(),
        stderr=subprocess.PIPE,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "--access-log: there is no standard output to write to" in done.stderr


DYING = """
    import ctypes, os, signal

    def handler(environ, start_response):
        print("printed", environ["QUERY_STRING"])
        if environ["PATH_INFO"] == "/exit":
            os._exit(3)
        if environ["PATH_INFO"] == "/crash":
            ctypes.string_at(0)
        if environ["PATH_INFO"] == "/kill":
            os.kill(os.getpid(), signal.SIGKILL)
        start_response("200 OK", [("Content-Length", "2")])
        return [b"ok"]
"""


@pytest.mark.parametrize("death", ["/exit", "/crash", "/kill"])
@pytest.mark.parametrize(
    "logs", [("--access-log", "json"), ("--access-log", "text", "--function-log", "text")]
)
def test_what_was_answered_is_in_the_log_when_the_worker_dies(
    start_gateway: StartGateway, death: str, logs: tuple[str, ...]
) -> None:
    """However soon: nothing waits in the memory of the process alone."""
    gateway = start_gateway("dying:handler", *logs, source=DYING, environ={"PYTHONUNBUFFERED": ""})
    ids = []
    for number in range(5):
        with gateway.connect() as client:
            for each in range(20):
                ids.append(client.ask(f"/?{number}-{each}")["X-Fc-Request-Id"])
            with pytest.raises((ConnectionError, BadAnswer)):
                client.ask(death)
    wait_until(lambda: all(each in gateway.output for each in ids), "the lines", timeout=5.0)
    assert gateway.stop() == 0
    output = gateway.output
    is_access = '"request_id"' if "json" in logs else "127.0.0.1 - -"
    lines = [line for line in output.splitlines() if is_access in line]
    found = [next(i for i in ids if i in line) for line in lines]
    # A process that dies between a write and its note of it leaves those lines to be written again.
    assert list(dict.fromkeys(found)) == ids
    assert len(set(lines)) == len(ids)
    for number in range(5):
        for each in range(20):
            assert f"printed {number}-{each}\n" in output


def test_the_log_of_a_killed_worker_waits_for_its_reader(
    start_gateway: StartGateway, pipe: tuple[int, int]
) -> None:
    """The supervisor does not: it replaces the worker."""
    reader, writer = pipe
    gateway = start_gateway("gateway.demo:handler", "--access-log", "json", stdout=writer)
    os.close(writer)
    agent = [("User-Agent", "a" * 5000)]
    ids: set[str] = set()
    for _ in range(2):
        worker = gateway.worker_pid
        with gateway.connect() as client:
            for _ in range(40):
                ids.add(client.ask("/", fields=agent)["X-Fc-Request-Id"])
            client.ask("/")  # A line is made behind its answer, and before the next one.
        os.kill(worker, signal.SIGKILL)
        wait_until(lambda worker=worker: gateway.worker_pids not in ([], [worker]), "another")
    lines: list[str] = []
    thread = threading.Thread(target=lambda: lines.extend(read_lines(reader)))
    thread.start()
    assert gateway.stop() == 0
    thread.join()
    assert len(ids) == 80
    assert ids <= {json.loads(line)["request_id"] for line in lines}
