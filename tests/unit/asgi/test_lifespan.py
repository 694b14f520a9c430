"""ASGI's lifespan, with applications that keep to it and such that do not."""

import asyncio
import logging
from contextlib import asynccontextmanager
from typing import Any

import pytest
from starlette.applications import Starlette
from unit.asgi.serving import run

from gateway.asgi.lifespan import Lifespan
from gateway.errors import UsageError


class App:
    """An application that notes what it is told, and answers as it is made to."""

    def __init__(self, *answers: dict[str, Any] | BaseException) -> None:
        self.answers = answers
        self.told: list[str] = []
        self.tasks: set[object] = set()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "lifespan"
        scope["state"]["started"] = True
        for answer in self.answers:
            self.told.append((await receive())["type"])
            self.tasks.add(asyncio.current_task())
            if isinstance(answer, BaseException):
                raise answer
            await send(answer)


STARTED = {"type": "lifespan.startup.complete"}
ENDED = {"type": "lifespan.shutdown.complete"}


def test_startup_and_shutdown(caplog: pytest.LogCaptureFixture) -> None:
    async def test() -> None:
        app = App(STARTED, ENDED)
        lifespan = Lifespan(app)
        await lifespan.startup()
        assert app.told == ["lifespan.startup"]
        assert lifespan.state == {"started": True}
        assert "running" in repr(lifespan)
        await lifespan.shutdown()
        assert app.told == ["lifespan.startup", "lifespan.shutdown"]
        assert len(app.tasks) == 1, "one task for both"

    run(test)
    assert not caplog.records


def test_starlette() -> None:
    notes = []

    @asynccontextmanager
    async def lifespan(app: Any) -> Any:
        notes.append("up")
        yield {"pool": 7}
        notes.append("down")

    async def test() -> None:
        life = Lifespan(Starlette(lifespan=lifespan))
        await life.startup()
        assert life.state == {"pool": 7}
        await life.shutdown()

    run(test)
    assert notes == ["up", "down"]


def test_starlette_that_fails_to_start(caplog: pytest.LogCaptureFixture) -> None:
    @asynccontextmanager
    async def lifespan(app: Any) -> Any:
        raise LookupError("no database")
        yield

    async def test() -> None:
        with pytest.raises(UsageError, match=r"^the application did not start: .*no database$"):
            await Lifespan(Starlette(lifespan=lifespan)).startup()

    run(test)
    assert "Traceback" in caplog.text


async def unsupported(scope: Any, receive: Any, send: Any) -> None:
    raise ValueError("only http")


async def returns(scope: Any, receive: Any, send: Any) -> None:
    pass


@pytest.mark.parametrize("app", [unsupported, returns])
def test_not_supported(app: Any, caplog: pytest.LogCaptureFixture) -> None:
    async def test() -> None:
        lifespan = Lifespan(app)
        await lifespan.startup()
        await lifespan.shutdown()

    caplog.set_level(logging.INFO)
    run(test)
    assert not caplog.records


def test_fault_in_startup_is_told_and_served_without(caplog: pytest.LogCaptureFixture) -> None:
    async def test() -> None:
        app = App(LookupError("no database"))
        lifespan = Lifespan(app)
        await lifespan.startup()
        await lifespan.shutdown()

    run(test)
    assert "served without a lifespan" in caplog.text
    assert "no database" in caplog.text


class Odd(BaseException):
    pass


ODD = [KeyboardInterrupt, GeneratorExit, asyncio.CancelledError, Odd]


@pytest.mark.parametrize("kind", ODD)
def test_what_would_end_the_loop_is_a_failed_start(kind: type[BaseException]) -> None:
    async def test() -> None:
        with pytest.raises(UsageError, match=f"did not start: it raises {kind.__name__}$"):
            await Lifespan(App(kind("odd"))).startup()

    run(test)


@pytest.mark.parametrize("kind", ODD)
def test_what_would_end_the_loop_is_told_of_a_shutdown(
    kind: type[BaseException], caplog: pytest.LogCaptureFixture
) -> None:
    async def test() -> None:
        lifespan = Lifespan(App({"type": "lifespan.startup.complete"}, kind("odd")))
        await lifespan.startup()
        await lifespan.shutdown()

    run(test)
    assert "failed in its shutdown" in caplog.text
    assert kind.__name__ in caplog.text


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ({"message": "no database"}, "no database"),
        ({}, "no reason"),
        ({"message": " "}, "no reason"),
    ],
)
def test_startup_failed(message: dict[str, str], told: str) -> None:
    async def test() -> None:
        lifespan = Lifespan(App({"type": "lifespan.startup.failed", **message}))
        with pytest.raises(UsageError, match=told):
            await lifespan.startup()
        await lifespan.shutdown()

    run(test)


def test_exit_in_startup() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        raise SystemExit("no database")

    async def test() -> None:
        with pytest.raises(UsageError, match="it exits with 'no database'"):
            await Lifespan(app).startup()

    run(test)


async def sleeps(scope: Any, receive: Any, send: Any) -> None:
    while True:
        await receive()
        await asyncio.sleep(60)


def test_startup_without_an_answer() -> None:
    async def test() -> None:
        lifespan = Lifespan(sleeps)
        with pytest.raises(UsageError, match=r"lifespan\.startup within 0\.05 s"):
            await lifespan.startup(timeout=0.05)
        assert len(asyncio.all_tasks()) == 1

    run(test)


def test_shutdown_without_an_answer(caplog: pytest.LogCaptureFixture) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send(STARTED)
        await sleeps(scope, receive, send)

    async def test() -> None:
        lifespan = Lifespan(app)
        await lifespan.startup()
        await lifespan.shutdown(timeout=0.05)
        assert len(asyncio.all_tasks()) == 1

    run(test)
    assert "did not answer lifespan.shutdown within 0.05 s" in caplog.text


@pytest.mark.parametrize(
    "answer", [LookupError("lost"), {"type": "lifespan.shutdown.failed", "message": "lost"}]
)
def test_fault_in_shutdown_is_logged(answer: Any, caplog: pytest.LogCaptureFixture) -> None:
    async def test() -> None:
        lifespan = Lifespan(App(STARTED, answer))
        await lifespan.startup()
        await lifespan.shutdown()

    run(test)
    assert "failed in its shutdown" in caplog.text
    assert "lost" in caplog.text


def test_end_before_it_was_asked_to(caplog: pytest.LogCaptureFixture) -> None:
    async def test() -> None:
        lifespan = Lifespan(App(STARTED))
        await lifespan.startup()
        await asyncio.sleep(0.01)
        await lifespan.shutdown()

    run(test)
    assert "ended before it was asked to" in caplog.text


def test_failure_while_running(caplog: pytest.LogCaptureFixture) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send(STARTED)
        await asyncio.sleep(0)
        raise LookupError("lost")

    async def test() -> None:
        lifespan = Lifespan(app)
        await lifespan.startup()
        await asyncio.sleep(0.01)
        await lifespan.shutdown()

    run(test)
    assert "the application's lifespan failed" in caplog.text


def test_receive_again_behind_shutdown_waits() -> None:
    told = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        while True:
            kind = (await receive())["type"]
            told.append(kind)
            await send({"type": f"{kind}.complete"})

    async def test() -> None:
        lifespan = Lifespan(app)
        await lifespan.startup()
        await lifespan.shutdown()
        assert len(asyncio.all_tasks()) == 1

    run(test)
    assert told == ["lifespan.startup", "lifespan.shutdown"]


def test_unknown_event(caplog: pytest.LogCaptureFixture) -> None:
    async def test() -> None:
        await Lifespan(App({"type": "http.response.start"})).startup()

    run(test)
    assert "no event 'http.response.start'" in caplog.text


def test_shutdown_without_startup() -> None:
    lifespan = Lifespan(returns)
    run(lifespan.shutdown)
    assert "not started" in repr(lifespan)
