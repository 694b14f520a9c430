"""The fuzzer silences the log of handlers; other tests read it."""

import logging
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True, scope="module")
def _heard_again() -> Iterator[None]:
    log = logging.getLogger("gateway.function")
    before = [*log.filters]
    yield
    log.filters[:] = before
