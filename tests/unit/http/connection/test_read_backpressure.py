"""Reasons not to read, and the one switch."""

import asyncio

import pytest
from unit.http.wire import FakeSocket, FakeTransport, Kernel

from gateway.http.connection import read_backpressure as flow
from gateway.http.connection.read_backpressure import ReadBackpressure


@pytest.fixture
def transport(loop):
    return FakeTransport(loop, FakeSocket(Kernel()))


def test_reading_goes_on_when_the_last_reason_is_gone(loop, transport):
    reading = ReadBackpressure(loop, transport)
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


@pytest.mark.parametrize("is_paused", [False, True])
def test_another_protocol_takes_over(loop, transport, is_paused):
    class Other(asyncio.BufferedProtocol):
        pass

    reading = ReadBackpressure(loop, transport)
    if is_paused:
        reading.pause(flow.BUDGET)
    reading.hand_to(other := Other())
    assert transport.protocol is other
    assert transport.is_paused is is_paused
    reading.resume(flow.BUDGET)
    assert transport.reader is other
    transport.close()
    reading.hand_to(asyncio.Protocol())
    assert transport.protocol is other, "it is not read from any more"


def test_a_closing_transport_is_left_alone(loop, transport):
    reading = ReadBackpressure(loop, transport)
    reading.pause(flow.PIPELINE)
    transport.close()
    reading.resume(flow.PIPELINE)
    assert transport.is_paused
    assert not reading.reasons
