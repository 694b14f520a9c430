"""Reasons not to read, and the one switch."""

import pytest
from unit.http.wire import FakeSocket, FakeTransport, Kernel

from gateway.http import flow
from gateway.http.flow import ReadFlow


@pytest.fixture
def transport(loop):
    return FakeTransport(loop, FakeSocket(Kernel()))


def test_reading_goes_on_when_the_last_reason_is_gone(loop, transport):
    reading = ReadFlow(loop, transport)
    reading.pause(flow.BUDGET)
    loop.now += 2
    reading.pause(flow.HANDLER)
    reading.pause(flow.HANDLER)
    assert transport.is_paused
    reading.resume(flow.BUDGET)
    assert transport.is_paused
    assert reading.paused_at == 1000.0
    loop.now += 3
    reading.resume(flow.HANDLER)
    assert not transport.is_paused
    assert reading.time_paused == 5
    reading.resume(flow.HANDLER)
    assert reading.time_paused == 5


def test_a_closing_transport_is_left_alone(loop, transport):
    reading = ReadFlow(loop, transport)
    reading.pause(flow.PIPELINE)
    transport.close()
    reading.resume(flow.PIPELINE)
    assert transport.is_paused
    assert not reading.reasons
