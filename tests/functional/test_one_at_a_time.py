"""Handlers that count on running alone: each caller gets his own data, as on Function Compute."""

import os
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from functional.serving import HANDLERS, Gateway, is_alive, run_command, wait_until
from functional.wire import Response

from gateway import __version__

StartGateway = Callable[..., Gateway]

PROJECT = f"""\
edition: 1.0.0
name: shop
services:
  orders:
    component: fc
    props:
      region: cn-hangzhou
      service: {{name: shop}}
      function:
        name: orders
        runtime: python3.10
        handler: HANDLER
        codeUri: {HANDLERS}
        initializer: INITIALIZER
      triggers: [{{name: http, type: http, config: {{authType: anonymous, methods: [GET]}}}}]
"""

ALONE = ("--threads", "1")
SIXTY = range(60)


@pytest.fixture
def serve_project(start_gateway: StartGateway, tmp_path: Path) -> StartGateway:
    def serve(*options: str, target: str = "alone.handler", code: Path = HANDLERS) -> Gateway:
        project = tmp_path / "s.yaml"
        text = PROJECT.replace("HANDLER", target).replace(str(HANDLERS), str(code))
        if target != "alone.handler":
            text = "\n".join(line for line in text.splitlines() if "INITIALIZER" not in line)
        project.write_text(text.replace("INITIALIZER", "alone.initialize"))
        return start_gateway("", "--project", str(project), *options, chdir=None)

    return serve


def ask(gateway: Gateway, target: str) -> Response:
    with gateway.connect() as client:
        return client.ask(target)


def about(gateway: Gateway) -> dict[str, Any]:
    found: dict[str, Any] = ask(gateway, "/about").json()
    return found


def wrong_answers(gateway: Gateway, way: str, callers: int) -> list[tuple[str, str]]:
    """What callers at the same time have got in place of what they have sent."""

    def call(number: int) -> tuple[str, str]:
        sent = f"caller-{number}"
        response = ask(gateway, f"/{way}?{sent}")
        return sent, response.body.decode() if response.status == 200 else str(response)

    with ThreadPoolExecutor(callers) as pool:
        answers = list(pool.map(call, range(callers)))
    return [(sent, got) for sent, got in answers if sent != got]


# Users' data.


@pytest.mark.parametrize("workers", ["1", "auto"])
@pytest.mark.parametrize("way", ["by project", "by profile"])
def test_each_caller_gets_his_own_data(
    serve_project: StartGateway, start_gateway: StartGateway, way: str, workers: str
) -> None:
    options = ("--workers", workers)
    if way == "by project":
        gateway = serve_project(*options)
    else:
        options += ("--profile", "function-compute", "--initializer", "alone.initialize")
        gateway = start_gateway("alone.handler", *options)
    for callers in (40, 60):
        for what in ("global", "stdout", "database", "loop", "alarm"):
            assert wrong_answers(gateway, what, callers) == [], what


def test_side_by_side_it_would_not(start_gateway: StartGateway) -> None:
    """The handler is one that the test before this means."""
    assert wrong_answers(start_gateway("alone.handler"), "global", 40)


ALIFCWEB = """\
import time
from AliFCWeb import ResponseEntity, fcIndex, get

@fcIndex(debug=True)
def handler(environ, start_response):
    pass

@get(pattern="/orders/{id}")
def order(params):
    time.sleep(0.002)
    return ResponseEntity.ok({"id": params["id"]})
"""

PLATFORM = {
    # Of Function Compute's image; the framework imports them, and does not use them here.
    "aliyunsdkcore/client.py": "AcsClient = None\n",
    "aliyunsdkcore/request.py": "CommonRequest = None\n",
    "oss2.py": "",
}


@pytest.mark.parametrize("workers", ["1", "auto"])
def test_a_framework_that_keeps_the_request_in_a_global(
    serve_project: StartGateway, tmp_path: Path, workers: str
) -> None:
    code = tmp_path / "code"
    for name, text in {"index.py": ALIFCWEB, **PLATFORM}.items():
        (code / name).parent.mkdir(parents=True, exist_ok=True)
        (code / name).write_text(text)
    gateway = serve_project("--workers", workers, target="index.handler", code=code)

    def call(number: int) -> Any:
        return ask(gateway, f"/2016-08-15/proxy/shop/orders/{number}?").json()

    with ThreadPoolExecutor(40) as pool:
        answers = list(pool.map(call, range(1, 41)))
    assert answers == [{"data": {"id": number}} for number in range(1, 41)]


# One thread, the main one.


@pytest.mark.parametrize("workers", ["0", "1"])
@pytest.mark.parametrize("initialize", ["eager", "lazy"])
def test_all_of_the_function_runs_in_the_main_thread(
    start_gateway: StartGateway, workers: str, initialize: str
) -> None:
    gateway = start_gateway(
        *("alone.handler", *ALONE, "--workers", workers, "--initialize", initialize),
        *("--initializer", "alone.initialize", "--pre-stop", "alone.pre_stop"),
    )
    for _ in range(2):
        found = about(gateway)
        assert found["is_main"]
        assert found["is_thread_of_import"]
        assert not found["starts_daemons"]
        assert found["pid"] == gateway.worker_pid
        assert found["setting"] == "initialized", "context variables of import and initializer"
    assert ask(gateway, "/database?x").body == b"x"
    assert gateway.stop() == 0
    assert gateway.output == "stopped in thread of import: True\n"


def test_context_variables_do_not_go_from_request_to_request(start_gateway: StartGateway) -> None:
    gateway = start_gateway("alone.handler", *ALONE)
    assert ask(gateway, "/set?mine").body == b"at import"
    assert ask(gateway, "/set?yours").body == b"at import"


@pytest.mark.parametrize("way", ["exit", "interrupt"])
def test_a_handler_cannot_end_the_main_thread(start_gateway: StartGateway, way: str) -> None:
    gateway = start_gateway("alone.handler", *ALONE)
    pid = gateway.worker_pid
    assert ask(gateway, f"/{way}").status == 502
    assert about(gateway)["pid"] == pid


def test_an_alarm_that_comes_too_late(start_gateway: StartGateway) -> None:
    """It interrupts the gateway's own lines, and costs nobody an answer."""
    gateway = start_gateway("alone.handler", *ALONE)
    pid = gateway.worker_pid
    assert ask(gateway, "/forget_alarm?x").body == b"x"
    wait_until(lambda: "outside of the function" in gateway.errors, "it comes")
    assert "alone.Late" in gateway.errors
    found = about(gateway)
    assert (found["pid"], found["is_thread_of_import"]) == (pid, True)


def test_a_child_of_the_handler_is_no_gateway(start_gateway: StartGateway) -> None:
    gateway = start_gateway("alone.handler", *ALONE)
    assert ask(gateway, "/fork?x").body == b"x"  # The parent waits for the child's end.
    assert about(gateway)["pid"] == gateway.worker_pid


# Its signals and its end.


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("way", ["about", "run", "own_signals"])
def test_signals_end_it_without_a_supervisor(
    start_gateway: StartGateway, number: int, way: str
) -> None:
    gateway = start_gateway("alone.handler", *ALONE, "--workers", "0")
    assert ask(gateway, f"/{way}?x").status == 200
    gateway.signal(number)
    assert gateway.wait() == 0
    assert f"{signal.Signals(number).name}: draining" in gateway.errors


@pytest.mark.parametrize("workers", ["0", "1"])
def test_what_runs_is_answered_when_it_ends(start_gateway: StartGateway, workers: str) -> None:
    gateway = start_gateway("alone.handler", *ALONE, "--workers", workers)
    with gateway.connect() as client:
        client.request("/sleep?1.0")
        time.sleep(0.2)
        gateway.signal(signal.SIGTERM)
        wait_until(lambda: "draining" in gateway.errors, "the loop hears of it meanwhile")
        assert client.read_response().body == b"1.0"
    assert gateway.wait() == 0


@pytest.mark.parametrize("workers", ["0", "1"])
def test_a_handler_that_never_returns_does_not_put_off_the_end(
    start_gateway: StartGateway, workers: str
) -> None:
    gateway = start_gateway(
        *("alone.handler", *ALONE, "--workers", workers, "--access-log", "text"),
        *("--drain-timeout", "300ms"),
    )
    assert ask(gateway, "/global?told").status == 200
    with gateway.connect() as client:
        client.request("/sleep?600")
        time.sleep(0.2)
        assert gateway.stop() == 0
    assert "/global" in gateway.output, "what the log had is written"


# A handler that is past its time.


def test_behind_one_that_is_stuck_nobody_runs_beside_it(
    start_gateway: StartGateway, tmp_path: Path
) -> None:
    gateway = start_gateway("alone.handler", *ALONE, "--handler-timeout", "500ms")
    first = gateway.worker_pid
    with ExitStack() as stack:
        stuck, waiting = (stack.enter_context(gateway.connect()) for _ in range(2))
        stuck.request("/deaf?8")
        time.sleep(0.1)
        waiting.request("/global?mine")
        response = stuck.read_response()
        assert response.status == 502
        assert b"time out after 0.5 seconds" in response.body
        refused = waiting.read_response()
        assert refused.status == 503
        assert refused.closes
        # Who connects now waits for the worker that takes over.
        assert ask(gateway, "/global?yours").body == b"yours"
        second = about(gateway)["pid"]
    assert second != first
    assert "in _deaf" in gateway.errors, "where it is stuck"
    assert "ERROR gateway.supervisor" not in gateway.errors
    wait_until(lambda: not is_alive(first), "the first one ends")


@pytest.mark.parametrize("workers", ["0", "1"])
def test_the_process_of_one_that_is_stuck_does_not_wait_for_it(
    start_gateway: StartGateway, workers: str
) -> None:
    gateway = start_gateway(
        *("alone.handler", *ALONE, "--workers", workers),
        *("--handler-timeout", "300ms", "--drain-timeout", "2m"),
    )
    first = gateway.worker_pid
    assert ask(gateway, "/sleep?600").status == 502
    if workers == "1":
        wait_until(lambda: not is_alive(first), "the instance ends")
        assert about(gateway)["pid"] != first
    assert gateway.stop() == 0
    assert "without waiting longer for its main thread" in gateway.errors


def test_one_that_is_stuck_gets_one_successor(start_gateway: StartGateway, tmp_path: Path) -> None:
    source = (
        "import os, time\n"
        "print('loaded', flush=True)\n"
        "time.sleep(1)\n"  # Longer than the worker that is stuck takes to answer and close.
        "def handler(environ, start_response):\n"
        "    time.sleep(600 if environ['PATH_INFO'] == '/stuck' else 0)\n"
        "    start_response('200 OK', [])\n"
        "    return [b'served']\n"
    )
    gateway = start_gateway("app:handler", *ALONE, "--handler-timeout", "300ms", source=source)
    assert ask(gateway, "/stuck").status == 502
    wait_until(lambda: "draining" in gateway.errors, "it takes nothing more")
    assert ask(gateway, "/").body == b"served"
    assert gateway.output.count("loaded") == 2
    assert "ERROR gateway.supervisor" not in gateway.errors


def test_without_a_supervisor_they_wait_until_it_returns(start_gateway: StartGateway) -> None:
    gateway = start_gateway("alone.handler", *ALONE, "--workers", "0", "--handler-timeout", "300ms")
    with gateway.connect() as client:
        client.request("/sleep?1.5")
        assert client.read_response().status == 502
    found = about(gateway)
    assert (found["pid"], found["is_thread_of_import"]) == (gateway.process.pid, True)


@pytest.mark.parametrize("workers", ["0", "1"])
def test_an_initializer_that_never_returns(tmp_path: Path, workers: str) -> None:
    source = "import time\ndef initialize(context): time.sleep(600)\ndef handler(e, s): pass\n"
    (tmp_path / "index.py").write_text(source)
    ended = run_command(
        *("serve", "index.handler", *ALONE, "--workers", workers, "--port", "0"),
        *("--initializer", "index.initialize", "--initializer-timeout", "300ms"),
        folder=tmp_path,
    )
    assert ended.returncode == 2
    last = ended.stderr.splitlines()[-1]
    assert last.startswith("gateway: error: --initializer: Function initialization error:")
    assert "before it could serve" not in ended.stderr
    assert " serves " not in ended.stderr


# Several of them.


def test_a_slow_request_does_not_stop_the_rest(serve_project: StartGateway) -> None:
    gateway = serve_project("--workers", "auto")
    workers = len(gateway.worker_pids)
    assert workers >= 2
    with ExitStack() as stack:
        kept = [stack.enter_context(gateway.connect()) for _ in range(15 * workers)]
        pids = [client.ask("/about").json()["pid"] for client in kept]
        for client, pid in zip(kept[1:], pids[1:], strict=True):
            if pid == pids[0]:
                client.close()  # By connections it has the least to do.
        pool = stack.enter_context(ThreadPoolExecutor(9))
        slow = pool.submit(kept[0].ask, "/sleep?4")
        time.sleep(0.3)

        def call(number: int) -> tuple[bytes, bool]:
            body = ask(gateway, f"/global?{number}").body
            return body, slow.done()

        answers = list(pool.map(call, SIXTY))
        assert slow.result().body == b"4"
    assert [body for body, _ in answers] == [str(number).encode() for number in SIXTY]
    # A machine that has no time for the others for long may have one wait.
    assert [is_late for _, is_late in answers].count(True) <= 4


def test_what_a_handler_is_told_of_threads_and_processes(start_gateway: StartGateway) -> None:
    told = {
        (): (True, False),
        ALONE: (False, False),
        ("--workers", "2"): (True, True),
        (*ALONE, "--workers", "2"): (False, True),
    }
    for options, (threads, processes) in told.items():
        for exact in ((), ("--exact-environ",)):
            found = about(start_gateway("alone.handler", *options, *exact))
            assert found["wsgi.multithread"] is threads, (options, exact)
            assert found["wsgi.multiprocess"] is processes, (options, exact)


# What is said of it.


def test_it_says_what_it_serves_and_by_how_many(
    start_gateway: StartGateway, serve_project: StartGateway
) -> None:
    def said(gateway: Gateway) -> list[str]:
        first, *rest = [line for line in gateway.errors.splitlines() if "warning" not in line]
        words = first.removeprefix(f"Gateway {__version__} serves ")
        return [words.removesuffix(f" on {gateway.address} (pid {gateway.process.pid})"), *rest]

    hint = (
        "Function Compute runs one request at a time of such a handler, this 8 at once: "
        "--threads 1 is as there, --profile function-compute in all else, too"
    )
    assert said(start_gateway("alone.handler")) == [
        "alone.handler (WSGI handler) with 1 worker x 8 threads",
        hint,
    ]
    # Who has chosen knows, and what is named as other servers have it was not written for it.
    assert said(start_gateway("alone.handler", "--threads", "8", "--workers", "2")) == [
        "alone.handler (WSGI handler) with 2 workers x 8 threads"
    ]
    assert said(start_gateway("alone:handler", *ALONE, "--workers", "0")) == [
        "alone:handler (WSGI handler) with 1 process x 1 thread"
    ]
    assert said(start_gateway("events.handler", "--interface", "fc-event")) == [
        "events.handler (event handler) with 1 worker x 8 threads",
        hint,
    ]
    assert said(start_gateway("answers:app")) == ["answers:app (ASGI application) with 1 worker"]
    gateway = serve_project("--workers", "auto")
    count = len(gateway.worker_pids)
    assert said(gateway) == [f"alone.handler (WSGI handler) with {count} workers (auto) x 1 thread"]


# The profile.


def test_start_response_may_be_called_again(start_gateway: StartGateway) -> None:
    strict = start_gateway("alone.twice")
    assert ask(strict, "/").status == 502
    for options in (("--lenient-start-response",), ("--profile", "function-compute")):
        lenient = start_gateway("alone.twice", *options, "--workers", "1")
        response = ask(lenient, "/")
        assert (response.status, response.body) == (404, b"not found")
        with lenient.connect() as client:  # What has been sent stays.
            client.request("/sent")
            assert client.read_head().status == 200
            assert client.read_to_end().startswith(b"5\r\nbegun\r\n")


def test_the_profile_is_as_near_as_it_gets(start_gateway: StartGateway) -> None:
    gateway = start_gateway("alone.handler", "--profile", "function-compute")
    assert len(gateway.worker_pids) >= 2
    response = ask(gateway, "/global?x")
    assert response.has("X-Fc-Invocation-Duration")
    assert not about(gateway)["wsgi.multithread"]
    assert "FC Invoke Start RequestId: " + response["X-Fc-Request-Id"] in gateway.output
    assert b"FCRUNTIME" in ask(start_gateway(
        "answers:handler", "--profile", "function-compute"), "/environ").body  # fmt: skip


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="Linux")
def test_each_setting_of_the_profile_can_be_another(start_gateway: StartGateway) -> None:
    gateway = start_gateway(
        *("alone.handler", "--profile", "function-compute", "--threads", "3", "--workers", "1"),
        *("--function-log", "off", "--fc-headers", "none", "--no-exact-environ"),
    )
    assert "with 1 worker x 3 threads" in gateway.errors
    response = ask(gateway, "/global?x")
    assert not response.has("X-Fc-Request-Id")
    assert about(gateway)["wsgi.multithread"]
    assert gateway.output == ""
