"""The hooks of a function: initializer, PreStop, and what becomes of their faults."""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from functional.living import Hooks
from functional.serving import HANDLERS, LATER, Gateway, run_command, wait_until

StartGateway = Callable[..., Gateway]

INITIALIZER = ("--initializer", "living.initialize")
PRE_STOP = ("--pre-stop", "living.pre_stop")


@pytest.fixture
def serve(start_gateway: StartGateway, hooks: Hooks) -> StartGateway:
    def start(*options: str, target: str = "living.handler", **more: Any) -> Gateway:
        return start_gateway(target, *options, environ=hooks.environ, **more)

    return start


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


def ask(gateway: Gateway, target: str = "/") -> Any:
    with gateway.connect() as client:
        response = client.ask(target)
        assert response.status == 200, response
        return response.json()


# Initialising.


@pytest.mark.parametrize("workers", ["0", "1"])
def test_the_initializer_has_run_before_the_gateway_is_ready(
    serve: StartGateway, hooks: Hooks, workers: str
) -> None:
    gateway = serve(*INITIALIZER, *PRE_STOP, "--workers", workers, "--function-name", "orders")
    (note,) = hooks.notes()
    assert note["hook"] == "initialize"
    assert note["pid"] == gateway.worker_pid
    assert note["function"] == "orders"
    assert note["thread"] == "gateway-Initialize"
    found = ask(gateway)
    assert found["initialized"] == 1
    assert ask(gateway)["initialized"] == 1
    assert gateway.stop() == 0
    assert hooks.names() == ["initialize", "handler", "handler", "pre_stop"]
    ids = [note["request_id"] for note in hooks.notes()]
    assert len({*ids}) == 4


def test_each_worker_is_initialised_once(serve: StartGateway, hooks: Hooks) -> None:
    gateway = serve(*INITIALIZER, *PRE_STOP, "--workers", "2")
    pids = {*gateway.worker_pids}
    assert {note["pid"] for note in hooks.notes("initialize")} == pids
    assert len(hooks.notes("initialize")) == 2
    gateway.signal(signal.SIGHUP)
    hooks.await_call("pre_stop", 2)
    assert {note["pid"] for note in hooks.notes("pre_stop")} == pids
    assert gateway.stop() == 0
    assert len(hooks.notes("initialize")) == len(hooks.notes("pre_stop")) == 4


def test_an_initializer_that_fails_keeps_the_gateway_from_starting(
    hooks: Hooks, tmp_path: Path
) -> None:
    hooks.fail("initialize")
    for workers in ("0", "1"):
        command = run_command(
            *("serve", "living.handler", *INITIALIZER, *PRE_STOP, "--workers", workers),
            *("--chdir", str(HANDLERS), "--port", "0"),
            folder=tmp_path,
            environ=hooks.environ,
        )
        assert command.returncode == 2, command.stderr
        last = command.stderr.splitlines()[-1]
        assert last.startswith(
            "gateway: error: --initializer: Function initialization error: 'initialize fails': "
            "ValueError at living.py:"
        )
        assert command.stderr.count("gateway: error:") == 1
        assert 'raise ValueError(f"{name} fails")' in command.stderr, "the traceback is in the log"
        assert " serves " not in command.stderr
    assert hooks.names() == ["initialize"] * 2, "what has not begun is not stopped"


def test_one_that_takes_too_long_keeps_it_from_starting(hooks: Hooks, tmp_path: Path) -> None:
    hooks.hold("initialize")
    command = run_command(
        *("serve", "living.handler", *INITIALIZER, "--initializer-timeout", "100ms"),
        *("--chdir", str(HANDLERS), "--port", "0"),
        folder=tmp_path,
        environ=hooks.environ,
    )
    assert command.returncode == 2
    message = "Function initialization error: 'Function initialization time out after 0.1 seconds'"
    assert message in command.stderr.splitlines()[-1]
    assert "in initialize" in command.stderr, "where it was"


def test_the_gateway_can_be_ended_while_it_initialises(
    hooks: Hooks, tmp_path: Path, serve: StartGateway
) -> None:
    gateway = serve(*INITIALIZER)
    hooks.hold("initialize")
    gateway.signal(signal.SIGHUP)
    hooks.await_call("initialize", 2)
    assert ask(gateway)["initialized"] == 1, "the old worker serves on"
    assert gateway.stop() == 0


def test_lazily_the_first_request_initialises_and_others_wait(
    serve: StartGateway, hooks: Hooks, stack: ExitStack
) -> None:
    hooks.hold("initialize")
    gateway = serve(*INITIALIZER, "--initialize", "lazy")
    assert hooks.notes() == []
    clients = [stack.enter_context(gateway.connect()) for _ in range(4)]
    clients[0].request("/first")
    hooks.await_call("initialize")
    for client in clients[1:]:
        client.request("/others")
    left = clients.pop()
    left.reset()
    hooks.let_go("initialize")
    answers = [client.read_response() for client in clients]
    assert [response.json()["initialized"] for response in answers] == [1, 1, 1]
    (initialized,) = hooks.notes("initialize")
    (first,) = [note for note in hooks.notes("handler") if note["path"] == "/first"]
    assert initialized["request_id"] == first["request_id"] == answers[0]["X-Fc-Request-Id"]
    assert ask(gateway)["initialized"] == 1
    assert len(hooks.notes("initialize")) == 1


@pytest.mark.parametrize("waiting", [2, 3])
def test_lazily_as_many_wait_as_could_otherwise(
    serve: StartGateway, hooks: Hooks, stack: ExitStack, waiting: int
) -> None:
    hooks.hold("initialize")
    gateway = serve(*INITIALIZER, "--initialize", "lazy", "--threads", "1", "--queue", "1")
    clients = [stack.enter_context(gateway.connect()) for _ in range(waiting)]
    clients[0].request("/quiet")
    hooks.await_call("initialize")
    for client in clients[1:]:
        client.request("/quiet")
    refused = clients[2:]
    for client in refused:
        response = client.read_response()
        assert response.status == 429
        assert response.json()["ErrorCode"] == "ResourceExhausted"
    hooks.let_go("initialize")
    assert [client.read_response().status for client in clients[:2]] == [200, 200]


def test_lazily_a_failure_is_the_waiting_requests_and_the_worker_is_replaced(
    serve: StartGateway, hooks: Hooks, stack: ExitStack
) -> None:
    hooks.fail("initialize")
    hooks.hold("initialize")
    gateway = serve(*INITIALIZER, *PRE_STOP, "--initialize", "lazy", "--tracebacks")
    first_pid = gateway.worker_pid
    clients = [stack.enter_context(gateway.connect()) for _ in range(2)]
    for client in clients:
        client.request("/")
    hooks.await_call("initialize")
    hooks.let_go("initialize")
    for client in clients:
        response = client.read_response()
        assert response.status == 502
        assert response["X-Fc-Error-Type"] == "UnhandledInvocationError"
        body = response.json()
        assert body["errorMessage"] == "initialize fails"
        assert body["errorType"] == "ValueError"
        assert ["living.py" in where for where, _ in body["stackTrace"]] == [True, True]
    assert len(hooks.notes("initialize")) == 1
    hooks.mend("initialize")
    wait_until(lambda: first_pid not in gateway.worker_pids, "the worker is replaced")
    assert ask(gateway)["pid"] == gateway.worker_pid != first_pid
    assert "takes over from worker" in gateway.errors
    assert gateway.stop() == 0
    assert first_pid not in [note["pid"] for note in hooks.notes("pre_stop")], "it never began"


def test_lazily_without_a_supervisor_a_failure_is_the_end(
    serve: StartGateway, hooks: Hooks, stack: ExitStack
) -> None:
    hooks.hold("initialize")
    gateway = serve(
        *INITIALIZER,
        *("--initialize", "lazy", "--initializer-timeout", "200ms", "--workers", "0"),
    )
    with gateway.connect() as client:
        response = client.ask("/")
        assert response.status == 502
        message = "Function initialization time out after 0.2 seconds"
        assert response.json()["errorMessage"] == message
        assert response.closes
    assert gateway.wait() == 2
    assert gateway.errors.splitlines()[-1].startswith("gateway: error: --initializer: ")


# Stopping.


def test_pre_stop_runs_behind_the_last_request(serve: StartGateway, hooks: Hooks) -> None:
    hooks.hold("handler")
    gateway = serve(*PRE_STOP)
    with gateway.connect() as client:
        client.request("/wait")
        gateway.signal(signal.SIGTERM)
        wait_until(lambda: "draining" in gateway.errors, "it drains")
        assert hooks.notes() == []
        hooks.let_go("handler")
        assert client.read_response().status == 200
    assert gateway.wait() == 0
    assert hooks.names() == ["handler", "pre_stop"]


@pytest.mark.parametrize("threads", ["1", "8"])
@pytest.mark.parametrize("workers", ["0", "1"])
def test_pre_stop_that_fails_or_hangs_is_in_nobodys_way(
    serve: StartGateway, hooks: Hooks, workers: str, threads: str
) -> None:
    # More time for requests than `stop` waits: an end that takes it has failed.
    options = (*PRE_STOP, "--pre-stop-timeout", "200ms", "--drain-timeout", "2m")
    options = (*options, "--workers", workers, "--threads", threads)
    hooks.fail("pre_stop")
    failing = serve(*options)
    assert failing.stop() == 0
    assert "living.pre_stop failed" in failing.errors
    hooks.hold("pre_stop")
    hanging = serve(*options)
    assert hanging.stop() == 0
    assert "living.pre_stop runs for more than 0.2 s; it is given up" in hanging.errors


def test_pre_stop_has_its_own_time_beside_that_of_the_requests(
    serve: StartGateway, hooks: Hooks
) -> None:
    hooks.hold("pre_stop")
    gateway = serve(*PRE_STOP, "--pre-stop-timeout", "20s", "--drain-timeout", "0")
    gateway.signal(signal.SIGTERM)
    hooks.await_call("pre_stop")
    time.sleep(0.2)
    assert gateway.process.poll() is None, "it waits for the hook"
    hooks.let_go("pre_stop")
    assert gateway.wait() == 0


def test_a_second_signal_does_not_wait_for_pre_stop(serve: StartGateway, hooks: Hooks) -> None:
    hooks.hold("pre_stop")
    gateway = serve(*PRE_STOP)
    gateway.signal(signal.SIGTERM)
    hooks.await_call("pre_stop")
    time.sleep(LATER)
    gateway.signal(signal.SIGTERM)
    assert gateway.wait(10) == 0


# ASGI.


def test_asgi_applications_have_both_a_lifespan_and_hooks(
    serve: StartGateway, hooks: Hooks
) -> None:
    gateway = serve(*INITIALIZER, *PRE_STOP, target="living:application")
    assert ask(gateway)["initialized"] == 1
    assert gateway.stop() == 0
    assert hooks.names() == [
        "lifespan.startup",
        "initialize",
        "handler",
        "pre_stop",
        "lifespan.shutdown",
    ]


def test_asgi_lazily(serve: StartGateway, hooks: Hooks) -> None:
    gateway = serve(*INITIALIZER, "--initialize", "lazy", target="living:application")
    assert hooks.names() == ["lifespan.startup"]
    assert ask(gateway)["initialized"] == 1
    hooks_of_request = hooks.notes("initialize", "handler")
    assert len({note["request_id"] for note in hooks_of_request}) == 1


def test_an_asgi_application_whose_initializer_fails_is_shut_down(
    hooks: Hooks, tmp_path: Path
) -> None:
    hooks.fail("initialize")
    command = run_command(
        *("serve", "living:application", *INITIALIZER, "--chdir", str(HANDLERS), "--port", "0"),
        folder=tmp_path,
        environ=hooks.environ,
    )
    assert command.returncode == 2
    assert hooks.names() == ["lifespan.startup", "initialize", "lifespan.shutdown"]


# What cannot be a hook.


@pytest.mark.parametrize(
    ("option", "target", "words"),
    [
        ("--initializer", "living.nothing", "Handler 'nothing' is missing on module 'living'"),
        ("--pre-stop", "nowhere.stop", "Unable to import module 'nowhere'"),
        ("--pre-freeze", "living.takes_nothing", "it takes (), not (context)"),
        ("--pre-freeze", "living.handler", "it takes (environ, start_response), not (context)"),
        ("--initializer", "living.is_async", "it is async, and a hook is a plain function"),
        ("--pre-stop", "living.is_generator", "it is a generator, and a hook is a plain function"),
        ("--initializer", "living:os.name", "'os.name' is an object of type 'str'"),
    ],
)
def test_what_is_no_hook(
    hooks: Hooks, tmp_path: Path, option: str, target: str, words: str
) -> None:
    command = run_command(
        *("check", "living.handler", option, target, "--chdir", str(HANDLERS)),
        folder=tmp_path,
        environ=hooks.environ,
    )
    assert command.returncode == 2
    (line,) = command.stderr.splitlines()
    assert line.startswith(f"gateway: error: {option}: ")
    assert words in line


def test_check_tells_the_hooks_and_does_not_run_them(hooks: Hooks, tmp_path: Path) -> None:
    command = run_command(
        *("check", "living.handler", *INITIALIZER, *PRE_STOP, "--pre-stop-timeout", "5"),
        *("--pre-freeze", "living:pre_freeze", "--chdir", str(HANDLERS)),
        folder=tmp_path,
        environ=hooks.environ,
    )
    assert command.returncode == 0, command.stderr
    assert command.stdout.rstrip().endswith(
        "; Initialize by living.initialize within 60 s; PreFreeze by living:pre_freeze within 30 s"
        "; PreStop by living.pre_stop within 5 s"
    )
    assert hooks.notes() == []
