"""Warnings that are logged once."""

import logging

import pytest

from gateway.error_log.warn_once import WarnOnce


class BrokenLog(logging.Logger):
    def warning(self, *_, **__):
        raise RuntimeError("broken")


@pytest.fixture
def warn_once():
    return WarnOnce(logging.getLogger("test.warn_once"))


def test_a_message_is_logged_once(warn_once, caplog):
    for _ in range(3):
        warn_once("first")
    warn_once("second")
    assert [record.message for record in caplog.records] == ["first", "second"]


@pytest.mark.parametrize(("messages", "logged"), [(99, 99), (100, 100), (101, 100)])
def test_the_number_of_messages_is_bounded(warn_once, caplog, messages, logged):
    for number in range(messages):
        warn_once(str(number))
    assert len(caplog.records) == logged


def test_a_percent_sign_is_text(warn_once, caplog):
    warn_once("%d of %s")
    assert [record.message for record in caplog.records] == ["%d of %s"]


def test_a_broken_log_is_survived():
    WarnOnce(BrokenLog("broken"))("a message")
