"""Hooks run in threads of their own: what they return, raise, and do not return."""

import asyncio
import logging
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import pytest

from gateway.fc.context import FCContext, context_template
from gateway.hooks.hooks import (
    INITIALIZE,
    PRE_FREEZE,
    PRE_STOP,
    Hook,
    HookTimeout,
    Outcome,
)

CONTEXT = context_template(
    environ={}, function_name="f", handler="a.b", memory=1, timeout=1, service_name=""
).context("an-id")
VARIABLE: ContextVar[str] = ContextVar("VARIABLE", default="fresh")


def run(main: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    return asyncio.run(asyncio.wait_for(main(), 15))


def hook(function: Callable[[FCContext], Any], phase: str = INITIALIZE, **more: Any) -> Hook:
    return Hook(phase, function, **{"name": "index.hook", "timeout": 10.0, **more})


def test_it_is_given_the_context_in_a_thread_of_its_own() -> None:
    seen: list[object] = []

    def function(context: FCContext) -> str:
        seen.extend([context, threading.current_thread()])
        return "done"

    outcome = run(lambda: hook(function).run(CONTEXT))
    assert outcome == Outcome("done")
    assert seen[0] is CONTEXT
    assert seen[1] is not threading.current_thread()
    assert isinstance(seen[1], threading.Thread)
    assert not seen[1].daemon, "its children ask it"


@pytest.mark.parametrize("error", [ValueError("boom"), SystemExit(3), KeyboardInterrupt()])
def test_what_it_raises_is_an_outcome(
    error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    def function(context: FCContext) -> None:
        raise error

    outcome = run(lambda: hook(function).run(CONTEXT))
    assert outcome.error is error
    (record,) = caplog.records
    assert record.getMessage() == "an-id: index.hook failed"
    assert record.exc_info is not None
    assert record.exc_info[1] is error


@pytest.mark.filterwarnings("error")
def test_a_coroutine_that_a_decorator_hides_has_not_been_run() -> None:
    async def nobody_runs() -> None:
        raise AssertionError("somebody does")

    def function(context: FCContext) -> Coroutine[Any, Any, None]:
        return nobody_runs()

    outcome = run(lambda: hook(function).run(CONTEXT))
    assert isinstance(outcome.error, TypeError)
    assert str(outcome.error) == "it returned a coroutine, and a hook is a plain function"


@pytest.mark.parametrize(
    ("phase", "words"),
    [
        (INITIALIZE, "Function initialization time out after 0.05 seconds"),
        (PRE_FREEZE, "Function pre-freeze time out after 0.05 seconds"),
        (PRE_STOP, "Function pre-stop time out after 0.05 seconds"),
    ],
)
def test_past_its_time_it_is_given_up(
    phase: str, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    leave = threading.Event()

    def stuck_function(context: FCContext) -> None:
        leave.wait(10)

    try:
        outcome = run(lambda: hook(stuck_function, phase, timeout=0.05).run(CONTEXT))
    finally:
        leave.set()
    assert isinstance(outcome.error, HookTimeout)
    assert str(outcome.error) == words
    assert "index.hook runs for more than 0.05 s" in caplog.text
    assert "in stuck_function" in caplog.text, "where it is"


def test_a_timeout_that_it_raises_itself_is_its_own() -> None:
    def function(context: FCContext) -> None:
        raise TimeoutError("its own")

    outcome = run(lambda: hook(function).run(CONTEXT))
    assert type(outcome.error) is TimeoutError


def test_the_loop_turns_meanwhile() -> None:
    async def main() -> None:
        go_on = threading.Event()

        def function(context: FCContext) -> bool:
            return go_on.wait(10)

        running = asyncio.create_task(hook(function).run(CONTEXT))
        await asyncio.sleep(0)
        go_on.set()  # It could not return before the loop has come here.
        assert (await running).value is True

    run(main)


def test_context_variables_are_fresh() -> None:
    VARIABLE.set("another's")
    assert run(lambda: hook(lambda context: VARIABLE.get()).run(CONTEXT)).value == "fresh"


def test_it_is_attended_where_it_runs(caplog: pytest.LogCaptureFixture) -> None:
    notes: list[object] = []

    class Noting(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            notes.append(record.getMessage())

    @contextmanager
    def attend(phase: str, request_id: str) -> Iterator[None]:
        notes.append((phase, request_id, threading.current_thread().name))
        try:
            yield
        except ValueError as error:
            notes.append(error)
            raise

    error = ValueError("boom")

    def function(context: FCContext) -> None:
        notes.append("runs")
        raise error

    handler = Noting()
    logging.getLogger("gateway.function").addHandler(handler)
    try:
        outcome = run(lambda: hook(function, PRE_STOP, attend=attend).run(CONTEXT))
    finally:
        logging.getLogger("gateway.function").removeHandler(handler)
    assert outcome.error is error
    assert notes == [
        ("PreStop", "an-id", "gateway-PreStop"),
        "runs",
        "an-id: index.hook failed",
        error,
    ]


def test_without_a_thread_it_fails(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def start(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    async def main() -> Outcome:
        monkeypatch.setattr("gateway.hooks.hooks.Thread.start", start)
        return await hook(lambda context: None).run(CONTEXT)

    assert str(run(main).error) == "can't start new thread"
    assert "index.hook cannot be run" in caplog.text


@pytest.mark.parametrize(
    ("value", "body"),
    [
        (None, b""),
        ("ready \u00e9", "ready \u00e9".encode()),
        ("\ud800", b"?"),
        (b"raw", b"raw"),
        (bytearray(b"raw"), b"raw"),
        ({"a": 1}, b""),
        (0, b""),
    ],
)
def test_what_it_returns_as_a_body(value: object, body: bytes) -> None:
    assert Outcome(value).body == body


def test_repr() -> None:
    assert repr(hook(lambda context: None)) == "<Hook Initialize index.hook 10 s>"
