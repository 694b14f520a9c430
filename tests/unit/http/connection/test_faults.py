"""What is recorded of an invocation that goes wrong, with the log of a function as it is."""

import logging
from types import SimpleNamespace

import pytest

from gateway.errors import BadResponse, QueueFull
from gateway.http.connection.faults import record_failure, record_message, record_refusal
from gateway.http.connection.invocation_log import FAILED


class Taken:
    """The log of an invocation that takes messages, or leaves them to the gateway's own."""

    def __init__(self, takes=True):
        self.takes = takes
        self.messages = []
        self.faults = []

    def tell(self, level, message, error):
        self.messages.append((level, message, error))
        return self.takes

    def fail(self, error=FAILED):
        self.faults.append(error)


@pytest.fixture
def exchange():
    return SimpleNamespace(request_id="request-1", error="")


def test_a_message_goes_to_the_invocation_or_to_the_gateways_log(exchange, caplog):
    taken, left = Taken(), Taken(takes=False)
    record_message(exchange, taken, logging.ERROR, "one")
    assert taken.messages == [(logging.ERROR, "one", None)]
    assert not caplog.records
    record_message(exchange, left, logging.ERROR, "two")
    record_message(exchange, None, logging.ERROR, "three")
    assert [record.message for record in caplog.records] == ["request-1: two", "request-1: three"]


def test_a_log_that_the_handler_has_broken_is_no_reason_not_to_respond(exchange):
    def broken(*_):
        raise RuntimeError("broken")

    taken = Taken()
    taken.tell = broken
    record_message(exchange, taken, logging.ERROR, "one")
    record_failure(exchange, taken, "two", ValueError("a"))
    assert taken.faults == [FAILED]


def test_a_refusal_is_logged_when_the_handler_is_at_fault(exchange, caplog):
    taken = Taken()
    record_refusal(exchange, taken, QueueFull("too many"))
    assert (taken.messages, taken.faults) == ([], ["too many"])
    assert exchange.error == QueueFull("").code
    record_refusal(exchange, taken, BadResponse("too large"))
    assert taken.messages == [(logging.ERROR, "too large", None)]
    assert exchange.error == BadResponse("").code
    record_refusal(exchange, None, BadResponse("too large"))
    assert [record.message for record in caplog.records] == ["request-1: too large"]
