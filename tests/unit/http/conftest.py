"""Sites for connections without a network."""

import os
from collections.abc import Callable
from itertools import count

import pytest
from hypothesis import settings
from unit.http.wire import ManualLoop, Wire

from gateway.http.body.body import BodyBudget
from gateway.http.connection.exchange import Exchange
from gateway.http.connection.shared_state import Application, SharedState, Timeouts
from gateway.limits import Limits

settings.register_profile("local", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")


class PendingInput(list[Exchange]):
    """An application that only notes its exchanges; the test answers them."""

    def handle(self, exchange: Exchange) -> None:
        self.append(exchange)

    def relieve(self) -> None:
        raise AssertionError("nobody waits for a fake socket")


@pytest.fixture
def loop() -> ManualLoop:
    return ManualLoop()


@pytest.fixture
def application() -> PendingInput:
    return PendingInput()


@pytest.fixture
def records() -> list[Exchange]:
    """Every exchange that is over, once for each time that it was said to be."""
    return []


@pytest.fixture
def make_site(
    loop: ManualLoop, application: Application, records: list[Exchange]
) -> Callable[..., SharedState]:
    """Makes a site; arguments replace the defaults of `SharedState`."""

    def make(**changes: object) -> SharedState:
        numbers = count(1)
        arguments: dict[str, object] = {
            "loop": loop,
            "application": application,
            "limits": Limits(),
            "timeouts": Timeouts(),
            "budget": BodyBudget(1 << 20),
            "next_request_id": lambda: f"request-{next(numbers)}",
            "record": records.append,
        }
        return SharedState(**(arguments | changes))  # type: ignore[arg-type]

    return make


@pytest.fixture
def site(make_site: Callable[..., SharedState]) -> SharedState:
    return make_site()


@pytest.fixture
def wire(site: SharedState) -> Wire:
    """A connection of `site`."""
    return Wire(site)
